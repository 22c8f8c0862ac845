//! A comparison as a table, as CSV and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Compared, Comparison};
use crate::ledger::columns::{align, csv_line, grouped, printable, whole};
use crate::ledger::moment;
use crate::ledger::sums::dollars;

impl Compared {
    /// Whether both sides agree.
    pub fn agrees(&self) -> bool {
        self.causes.is_empty()
    }

    /// Each amount that differs: its name, theirs, and ours. Costs are pico-dollars.
    fn differences(&self) -> Vec<(&'static str, i128, i128)> {
        let all = [
            ("input", self.theirs.input, self.ours.input),
            ("output", self.theirs.output, self.ours.output),
            ("cached", self.theirs.cached, self.ours.cached),
            ("cost", self.theirs.cost, self.ours.cost),
        ];
        let told = all.into_iter().filter(|(_, theirs, ours)| theirs.is_some() || ours.is_some());
        let values = told.map(|(name, theirs, ours)| (name, theirs.unwrap_or_default(), ours.unwrap_or_default()));
        values.filter(|(_, theirs, ours)| theirs != ours).collect()
    }

    fn why(&self) -> String {
        self.causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl Comparison {
    /// The lines on which both sides differ.
    pub fn differing(&self) -> impl Iterator<Item = &Compared> {
        self.lines.iter().filter(|line| !line.agrees())
    }

    /// A table of the differences, and how many lines agree.
    pub fn table(&self) -> String {
        let head = ["day", "model", "what", "provider", "ledger", "difference"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let mut causes = String::new();
        for line in self.differing() {
            let (day, model) = (moment::date(line.day_ms), printable(name(line)));
            for (what, theirs, ours) in line.differences() {
                let write = |amount| if what == "cost" { dollars(amount, 6) } else { grouped(amount) };
                let amounts = [theirs, ours, theirs - ours].map(write);
                rows.push([day.clone(), model.clone(), what.to_owned()].into_iter().chain(amounts).collect());
            }
            let _ = writeln!(causes, "{day} {model}: {}", line.why());
        }
        let mut text = String::new();
        if rows.len() > 1 {
            align(&mut text, &rows, 3);
            text.push_str(&causes);
        }
        let agree = self.lines.iter().filter(|line| line.agrees()).count();
        let _ = write!(text, "{}: {agree} of {} days and models agree", self.provider, self.lines.len());
        if self.has_more {
            text.push_str("\nthe provider has more pages than this file; add them to it");
        }
        text
    }

    /// CSV with a line for each day, model and amount that differs.
    pub fn csv(&self) -> String {
        let mut text = String::new();
        let head = ["day", "model", "what", "provider", "ledger", "difference", "cause"];
        csv_line(&mut text, head.into_iter().map(str::to_owned));
        for line in self.differing() {
            for (what, theirs, ours) in line.differences() {
                let write = |amount: i128| if what == "cost" { dollars(amount, 12) } else { amount.to_string() };
                let names = [moment::date(line.day_ms), name(line).to_owned(), what.to_owned()];
                let amounts = [theirs, ours, theirs - ours].map(write);
                csv_line(&mut text, names.into_iter().chain(amounts).chain([line.why()]));
            }
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// A JSON object with every line. Costs are pico-dollars.
    pub fn json(&self) -> Value {
        let side = |billed: &super::Billed| {
            json!({
                "input": billed.input.map(whole), "output": billed.output.map(whole),
                "cached": billed.cached.map(whole), "cost_picodollars": billed.cost.map(whole),
            })
        };
        let lines = self.lines.iter().map(|line| {
            json!({
                "day": moment::date(line.day_ms), "model": line.model, "agrees": line.agrees(),
                "provider": side(&line.theirs), "ledger": side(&line.ours),
                "causes": line.causes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        json!({ "provider": self.provider, "has_more": self.has_more, "lines": lines.collect::<Vec<_>>() })
    }
}

fn name(line: &Compared) -> &str {
    if line.model.is_empty() { "(all models)" } else { &line.model }
}

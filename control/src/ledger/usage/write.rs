//! Usage as a table for people, as CSV and as JSON.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Usage;
use crate::ledger::columns::{align, csv_line, grouped, printable, whole};
use crate::ledger::gap::{Booking, Gap};
use crate::ledger::moment;
use crate::ledger::sums::{Sums, dollars};

impl Usage {
    /// A table. Counts that are zero everywhere have no column.
    pub fn table(&self) -> String {
        let total = self.total;
        let mut columns: Vec<Column> = COLUMNS.to_vec();
        columns.retain(|column| column.always || (column.of)(&total) != 0);
        let mut rows = vec![self.question.by.iter().map(ToString::to_string).collect::<Vec<_>>()];
        if let Some(head) = rows.first_mut() {
            head.extend(columns.iter().map(|column| column.name.to_owned()));
            head.push("cost ($)".to_owned());
        }
        let cells = |sums: &Sums| {
            let counts = columns.iter().map(|column| grouped((column.of)(sums)));
            counts.chain([cost(sums)]).collect::<Vec<_>>()
        };
        for line in &self.lines {
            let names = line.names.iter().map(|name| if name.is_empty() { "-".to_owned() } else { printable(name) });
            rows.push(names.chain(cells(&line.sums)).collect());
        }
        if self.lines.len() != 1 && !self.question.by.is_empty() {
            let names = self.question.by.iter().enumerate();
            let names = names.map(|(at, _)| if at == 0 { "total".to_owned() } else { String::new() });
            rows.push(names.chain(cells(&total)).collect());
        }
        let mut text =
            format!("from {} to {}\n", moment::text(self.question.since_ms), moment::text(self.question.until_ms));
        align(&mut text, &rows, self.question.by.len());
        for gap in &self.gaps {
            let _ = writeln!(text, "{}", gap_line(gap));
        }
        for booking in &self.bookings {
            let _ = writeln!(text, "{}", booking_line(booking));
        }
        if total.unpriced > 0 {
            let _ = writeln!(text, "tries without a price: {}; their cost is in no sum", total.unpriced);
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// CSV (RFC 4180) with a header. Gaps and bookings are no lines of it.
    pub fn csv(&self) -> String {
        let mut text = String::new();
        let by = self.question.by.iter().map(|by| by.name().to_owned());
        let counts = Sums::COLUMNS.iter().map(|name| (*name).to_owned());
        csv_line(&mut text, by.chain(counts).chain(["cost_picodollars".to_owned(), "cost_dollars".to_owned()]));
        for line in &self.lines {
            let counts = line.sums.counts().map(|count| count.to_string());
            let cost = [line.sums.cost.to_string(), dollars(line.sums.cost, 12)];
            csv_line(&mut text, line.names.iter().cloned().chain(counts).chain(cost));
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// A JSON object with everything. Amounts beyond 64 bits are written as strings of digits.
    pub fn json(&self) -> Value {
        let gaps = self.gaps.iter().map(|gap| {
            json!({
                "kind": gap.kind.name(), "node": gap.node, "from": moment::text(gap.from_ms),
                "until": moment::text(gap.until_ms), "lines": gap.lines, "detail": gap.detail,
            })
        });
        let bookings = self.bookings.iter().map(|booking| {
            json!({
                "kind": booking.kind.name(), "at": moment::text(booking.at_ms), "node": booking.node,
                "limit": booking.account.limit, "subject": booking.account.subject,
                "window": booking.account.window_ms, "amount": whole(booking.amount), "why": booking.why,
            })
        });
        let mut object = self.sums();
        object.insert("gaps".to_owned(), gaps.collect());
        object.insert("bookings".to_owned(), bookings.collect());
        Value::Object(object)
    }

    /// The same for a caller: of a gap it says when it was, and of bookings, which may be of others, nothing.
    pub fn json_for_caller(&self) -> Map<String, Value> {
        let gap = |gap: &Gap| {
            let (from, until) = (moment::text(gap.from_ms), moment::text(gap.until_ms));
            json!({ "kind": gap.kind.name(), "from": from, "until": until })
        };
        let mut object = self.sums();
        object.insert("gaps".to_owned(), self.gaps.iter().map(gap).collect());
        object
    }

    fn sums(&self) -> Map<String, Value> {
        let lines = self.lines.iter().map(|line| {
            let mut object = Map::new();
            for (by, name) in self.question.by.iter().zip(&line.names) {
                object.insert(by.name().to_owned(), json!(name));
            }
            object.extend(sums_json(&line.sums));
            Value::Object(object)
        });
        let fields = [
            ("since", json!(moment::text(self.question.since_ms))),
            ("until", json!(moment::text(self.question.until_ms))),
            ("lines", lines.collect()),
            ("total", Value::Object(sums_json(&self.total))),
        ];
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

/// A column of the table.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    of: fn(&Sums) -> i128,
    always: bool,
}

const COLUMNS: [Column; 9] = [
    Column { name: "requests", of: |sums| sums.requests, always: true },
    Column { name: "tries", of: |sums| sums.tries, always: false },
    Column { name: "input", of: |sums| sums.input, always: true },
    Column { name: "output", of: |sums| sums.output, always: true },
    Column { name: "cached", of: |sums| sums.cached_read, always: false },
    Column { name: "reasoning", of: |sums| sums.reasoning, always: false },
    Column { name: "local ms", of: |sums| sums.local_ms, always: false },
    Column { name: "estimated", of: |sums| sums.estimated, always: false },
    Column { name: "unpriced", of: |sums| sums.unpriced, always: false },
];

fn sums_json(sums: &Sums) -> Map<String, Value> {
    let counts = Sums::COLUMNS.iter().zip(sums.counts()).map(|(name, count)| ((*name).to_owned(), whole(count)));
    let cost =
        [("cost_picodollars".to_owned(), whole(sums.cost)), ("cost_dollars".to_owned(), json!(dollars(sums.cost, 12)))];
    counts.chain(cost).collect()
}

/// Small amounts show more decimals.
fn cost(sums: &Sums) -> String {
    let decimals = if sums.cost != 0 && sums.cost.abs() < 1_000_000_000_000 { 6 } else { 2 };
    dollars(sums.cost, decimals)
}

fn gap_line(gap: &Gap) -> String {
    let lines = gap.lines.map(|lines| format!(", lines: {lines}")).unwrap_or_default();
    let node = if gap.node.is_empty() { String::new() } else { format!(" at {}", printable(&gap.node)) };
    let (from, until) = (moment::text(gap.from_ms), moment::text(gap.until_ms));
    format!("gap: {}{node} from {from} to {until}{lines}: {}", gap.kind, printable(&gap.detail))
}

fn booking_line(booking: &Booking) -> String {
    let account = &booking.account;
    format!(
        "{}: {} of limit {} for {} at {}: {}",
        booking.kind.name(),
        booking.amount,
        printable(&account.limit),
        printable(&account.subject),
        moment::text(booking.at_ms),
        printable(&booking.why)
    )
}

//! Comparing the ledger with what a provider says that it has billed, by day and model.

mod amount;
mod cause;
mod export;
mod json;
mod table;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use super::moment::{self, DAY, floor};
use super::question::Question;
use super::series::Dimension;
use super::store::{Store, StoreError};
use super::sums::Sums;
use super::usage;

pub use cause::Cause;
pub use export::{Billed, Export, Unknown, read};

/// What the comparison shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The provider, as the configuration names it.
    pub provider: String,
    /// Each day and model, in this order.
    pub lines: Vec<Compared>,
    /// Whether the provider says that it has more than the file has.
    pub has_more: bool,
}

/// One day and model on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The start of the day, in milliseconds since the epoch.
    pub day_ms: i64,
    /// The model, without the date of a version; empty if the export names none.
    pub model: String,
    /// What the provider says.
    pub theirs: Billed,
    /// What the ledger has, of what the provider tells.
    pub ours: Billed,
    /// Why they differ, the most likely first. Empty if they agree.
    pub causes: Vec<Cause>,
}

/// Why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum NoComparison {
    /// The ledger has several providers in that time, and none was named.
    #[error("name the provider with --provider: the ledger has {}", .0.join(", "))]
    WhichProvider(Vec<String>),
    /// The ledger knows no such provider in that time.
    #[error("the ledger has nothing of provider \"{0}\" from {from} to {until}", from = moment::date(*.1), until = moment::date(*.2))]
    Nothing(String, i64, i64),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares an export with what the ledger has of one provider.
pub fn compare(store: &mut dyn Store, export: &Export, provider: Option<&str>) -> Result<Comparison, NoComparison> {
    let by = vec![Dimension::Provider, Dimension::Day, Dimension::UpstreamModel, Dimension::Outcome];
    let (since_ms, until_ms) = (export.from_ms, export.until_ms);
    let usage = usage::ask(store, Question { by, since_ms, until_ms, only: Vec::new() })?;
    let billed: Vec<_> = usage.lines.iter().filter(|line| line.sums.tries > 0).collect();
    let provider = chosen(&billed, provider, export)?;
    let mut sides: BTreeMap<(i64, String), (Billed, Ours)> = BTreeMap::new();
    for ((day, model), billed) in &export.billed {
        sides.entry((*day, plain(model).to_owned())).or_default().0.add(*billed);
    }
    for line in billed {
        let [name, day, model, outcome] = line.names.as_slice() else { continue };
        let Some(day) = moment::read(day).filter(|_| *name == provider) else { continue };
        let model = if export.has_models { plain(model) } else { "" };
        let ours = &mut sides.entry((day, model.to_owned())).or_default().1;
        ours.sums += line.sums;
        if outcome != "ok" {
            ours.failed += line.sums.tries;
        }
    }
    let mut all = Billed::default();
    export.billed.values().for_each(|billed| all.add(*billed));
    let lines = sides.into_iter().map(|((day_ms, model), (theirs, ours))| {
        let in_day = |from: i64, until: i64| from < day_ms + DAY && until >= day_ms;
        let gaps = usage.gaps.iter().filter(|gap| in_day(gap.from_ms, gap.until_ms));
        let lost = usage
            .bookings
            .iter()
            .any(|booking| booking.kind == super::gap::BookingKind::Lost && floor(booking.at_ms, DAY) == day_ms);
        let circumstances = cause::Circumstances { gaps: gaps.count(), lost, sums: ours.sums, failed: ours.failed };
        let ours = told(&all, &ours.sums);
        let causes = cause::causes(&theirs, &ours, &circumstances);
        Compared { day_ms, model, theirs, ours, causes }
    });
    Ok(Comparison { provider, lines: lines.collect(), has_more: export.has_more })
}

/// The provider that is meant: the one that is named, or the only one.
fn chosen(billed: &[&usage::Line], named: Option<&str>, export: &Export) -> Result<String, NoComparison> {
    let found = billed.iter().filter_map(|line| line.names.first()).filter(|name| !name.is_empty());
    let known: BTreeSet<String> = found.cloned().collect();
    let nothing = |of: &str| NoComparison::Nothing(of.to_owned(), export.from_ms, export.until_ms);
    match named {
        Some(named) => known.get(named).cloned().ok_or_else(|| nothing(named)),
        None if known.len() > 1 => Err(NoComparison::WhichProvider(known.into_iter().collect())),
        None => known.into_iter().next().ok_or_else(|| nothing("any")),
    }
}

/// What the ledger has of one day and model.
#[derive(Clone, Copy, Debug, Default)]
struct Ours {
    sums: Sums,
    failed: i128,
}

/// The ledger's amounts of those that an export tells.
fn told(export: &Billed, sums: &Sums) -> Billed {
    Billed {
        requests: None,
        input: export.input.map(|_| sums.input),
        output: export.output.map(|_| sums.output),
        cached: export.cached.map(|_| sums.cached_read),
        cost: export.cost.map(|_| sums.cost),
    }
}

/// A model's name without the date of its version, which one side may tell and the other not.
fn plain(model: &str) -> &str {
    let model = model.strip_suffix("-latest").unwrap_or(model);
    let is_date = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.starts_with("20");
    if let Some((name, date)) = model.rsplit_once('-').filter(|(_, date)| date.len() == 8 && is_date(date)) {
        return if date.is_empty() { model } else { name };
    }
    let Some((name, date)) = model.split_at_checked(model.len().saturating_sub(11)) else { return model };
    let is_day = date.strip_prefix('-').is_some_and(|date| moment::read(date).is_some());
    if is_day { name } else { model }
}

#[cfg(test)]
mod tests;

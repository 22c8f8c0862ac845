//! Sums over requests: what [`weir usage`](ask) shows, and how it is written.

mod write;

use std::collections::{BTreeMap, HashMap};

use super::gap::{Booking, Gap};
use super::moment::{self, DAY, HOUR, floor};
use super::question::Question;
use super::series::{Dimension, Series};
use super::store::{Store, StoreError};
use super::sums::Sums;

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What was asked, with the time that the answer is about.
    pub question: Question,
    /// A line for each combination of names, in the order of the names.
    pub lines: Vec<Line>,
    /// All lines together.
    pub total: Sums,
    /// Times in which requests may be missing.
    pub gaps: Vec<Gap>,
    /// Amounts that were booked without a request.
    pub bookings: Vec<Booking>,
}

/// Sums of one combination of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The names, in the order of [`Question::by`].
    pub names: Vec<String>,
    /// The sums.
    pub sums: Sums,
}

/// Answers a question.
///
/// Requests count for the provider of their latest try; tokens and money count for the provider that each try reached. So the
/// sums of a provider are what that provider may bill.
pub fn ask(store: &mut dyn Store, mut question: Question) -> Result<Usage, StoreError> {
    let hours_from = store.hours_from()?;
    question.widen(hours_from);
    let step = question.by.iter().filter_map(|by| match by {
        Dimension::Hour => Some(HOUR),
        Dimension::Day => Some(DAY),
        _ => None,
    });
    let step = step.min();
    let mut found: HashMap<(i64, i64), Sums> = HashMap::new();
    for slice in question.slices(hours_from) {
        store.sums(slice, &mut |start_ms, series, sums| {
            let start_ms = step.map_or(0, |step| floor(start_ms, step));
            *found.entry((start_ms, series)).or_default() += *sums;
        })?;
    }
    // They are asked for after the sums: a series is never removed.
    let series: HashMap<i64, Series> = store.series()?.into_iter().collect();
    let (mut lines, mut total) = (BTreeMap::<Vec<String>, Sums>::new(), Sums::default());
    for ((start_ms, series_number), sums) in found {
        let Some(series) = series.get(&series_number).filter(|series| question.is_about(series)) else { continue };
        let names = question.by.iter().map(|by| name(series, *by, start_ms)).collect();
        *lines.entry(names).or_default() += sums;
        total += sums;
    }
    let gaps = store.gaps(question.since_ms, question.until_ms)?;
    let bookings = store.bookings(question.since_ms, question.until_ms)?;
    let lines = lines.into_iter().map(|(names, sums)| Line { names, sums }).collect();
    Ok(Usage { question, lines, total, gaps, bookings })
}

fn name(series: &Series, by: Dimension, start_ms: i64) -> String {
    match by {
        Dimension::Day => moment::date(start_ms),
        Dimension::Hour => moment::hour(start_ms),
        by => series.name(by).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests;

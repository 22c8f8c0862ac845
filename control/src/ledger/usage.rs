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

impl Usage {
    /// The answer of a ledger in which there is nothing.
    pub fn nothing(mut question: Question) -> Self {
        question.widen(i64::MIN);
        Self { question, lines: Vec::new(), total: Sums::default(), gaps: Vec::new(), bookings: Vec::new() }
    }
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
    let mut groups = Groups::of(store.series()?, &question);
    let mut found: HashMap<(i64, usize), Sums> = HashMap::new();
    // Of series that are newer than the groups.
    let mut others: HashMap<(i64, i64), Sums> = HashMap::new();
    for slice in question.slices(hours_from) {
        store.sums(slice, &mut |start_ms, series, sums| {
            let start_ms = step.map_or(0, |step| floor(start_ms, step));
            match groups.numbers.get(&series) {
                Some(Some(group)) => *found.entry((start_ms, *group)).or_default() += *sums,
                Some(None) => {}
                None => *others.entry((start_ms, series)).or_default() += *sums,
            }
        })?;
    }
    if !others.is_empty() {
        // A series is never removed, so they are there now.
        groups.add(store.series()?, &question);
    }
    for ((start_ms, series), sums) in others {
        if let Some(Some(group)) = groups.numbers.get(&series) {
            *found.entry((start_ms, *group)).or_default() += sums;
        }
    }
    let (mut lines, mut total) = (BTreeMap::<Vec<String>, Sums>::new(), Sums::default());
    for ((start_ms, group), sums) in found {
        let Some(names) = groups.names.get(group) else { continue };
        let names =
            question.by.iter().zip(names).map(|(by, name)| in_time(*by, start_ms).unwrap_or_else(|| name.clone()));
        *lines.entry(names.collect()).or_default() += sums;
        total += sums;
    }
    let gaps = store.gaps(question.since_ms, question.until_ms)?;
    let bookings = store.bookings(question.since_ms, question.until_ms)?;
    let lines = lines.into_iter().map(|(names, sums)| Line { names, sums }).collect();
    Ok(Usage { question, lines, total, gaps, bookings })
}

/// The series that a question is about, by the names that they are counted by.
#[derive(Debug, Default)]
struct Groups {
    /// For each series the number of its group; `None` if the question is not about it.
    numbers: HashMap<i64, Option<usize>>,
    /// The names of each group. Those of days and hours are empty.
    names: Vec<Vec<String>>,
    known: HashMap<Vec<String>, usize>,
}

impl Groups {
    fn of(series: Vec<(i64, Series)>, question: &Question) -> Self {
        let mut groups = Self::default();
        groups.add(series, question);
        groups
    }

    /// Adds the series that are not known yet.
    fn add(&mut self, series: Vec<(i64, Series)>, question: &Question) {
        for (number, series) in series {
            if self.numbers.contains_key(&number) {
                continue;
            }
            let group = question.is_about(&series).then(|| {
                let names = question.by.iter().map(|by| series.name(*by).unwrap_or_default().to_owned());
                let names: Vec<_> = names.collect();
                let next = self.names.len();
                let group = *self.known.entry(names.clone()).or_insert(next);
                if group == next {
                    self.names.push(names);
                }
                group
            });
            self.numbers.insert(number, group);
        }
    }
}

/// The name of a day or an hour; `None` for what is no time.
fn in_time(by: Dimension, start_ms: i64) -> Option<String> {
    match by {
        Dimension::Day => Some(moment::date(start_ms)),
        Dimension::Hour => Some(moment::hour(start_ms)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

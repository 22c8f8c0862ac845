//! What a provider says that it has billed, read from its export.

use std::collections::BTreeMap;
use std::fmt;

use super::{json, table};

/// A provider's export, by day and model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// What was billed.
    pub billed: BTreeMap<(i64, String), Billed>,
    /// The time that it is about, in milliseconds since the epoch: whole days in UTC, also those without usage.
    pub from_ms: i64,
    /// The end of that time.
    pub until_ms: i64,
    /// Whether it names models. If not, all of a day is one.
    pub has_models: bool,
    /// Whether the provider says that there is more than this file has.
    pub has_more: bool,
}

/// What was billed for one model on one day. What the export does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Requests.
    pub requests: Option<i128>,
    /// Input tokens, cached ones included.
    pub input: Option<i128>,
    /// Output tokens.
    pub output: Option<i128>,
    /// Input tokens that were read from a cache.
    pub cached: Option<i128>,
    /// Cost in pico-dollars.
    pub cost: Option<i128>,
}

impl Billed {
    /// Adds what another line tells of the same.
    pub(super) fn add(&mut self, other: Self) {
        let sum = |one: &mut Option<i128>, other: Option<i128>| {
            if let Some(more) = other {
                *one = Some(one.unwrap_or_default().saturating_add(more));
            }
        };
        sum(&mut self.requests, other.requests);
        sum(&mut self.input, other.input);
        sum(&mut self.output, other.output);
        sum(&mut self.cached, other.cached);
        sum(&mut self.cost, other.cost);
    }
}

/// Why a file is no export that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is neither JSON nor a table with a known header.
    Shape(String),
    /// A part of it cannot be read: where, and why.
    Part(String),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(why) => write!(
                f,
                "{why}; known are the JSON answers of OpenAI's organization/usage and organization/costs, of Anthropic's \
                 usage_report/messages and cost_report, and CSV with a header: day, model, input, output, cached, cost"
            ),
            Self::Part(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unknown {}

/// Reads an export.
pub fn read(text: &str) -> Result<Export, Unknown> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['{', '[']) { json::read(text) } else { table::read(text) }
}

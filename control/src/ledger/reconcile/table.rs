//! CSV whose header names the columns.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::amount;
use super::export::{Billed, Export, Unknown};
use crate::ledger::moment::{self, DAY, floor};

/// The names that a column may have; the first one is ours.
const DAY_NAMES: &[&str] = &["day", "date", "usage_date", "usage_date_utc", "start_time", "starting_at", "time"];
const MODEL_NAMES: &[&str] = &["model", "model_version", "line_item"];
const REQUESTS_NAMES: &[&str] = &["requests", "num_model_requests"];
const INPUT_NAMES: &[&str] = &["input", "input_tokens", "prompt_tokens"];
const OUTPUT_NAMES: &[&str] = &["output", "output_tokens", "completion_tokens"];
const CACHED_NAMES: &[&str] =
    &["cached", "cached_read", "input_cached_tokens", "cached_tokens", "cache_read_input_tokens"];
const COST_NAMES: &[&str] = &["cost", "cost_usd", "cost_dollars", "amount_usd"];

/// Reads a table. Rows of the same day and model are added up.
pub(super) fn read(text: &str) -> Result<Export, Unknown> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| Unknown::Shape(error.to_string()))?.clone();
    let column = |names: &[&str]| {
        let is_named = |cell: &str| names.contains(&cell.to_ascii_lowercase().replace([' ', '-'], "_").as_str());
        header.iter().position(is_named)
    };
    let Some(day_column) = column(DAY_NAMES) else {
        return Err(Unknown::Shape("the header names no day".to_owned()));
    };
    let amounts = [REQUESTS_NAMES, INPUT_NAMES, OUTPUT_NAMES, CACHED_NAMES, COST_NAMES].map(column);
    if amounts.iter().all(Option::is_none) {
        return Err(Unknown::Shape("the header names no amount".to_owned()));
    }
    let model_column = column(MODEL_NAMES);
    let mut export = Export { from_ms: i64::MAX, until_ms: i64::MIN, ..Export::default() };
    export.has_models = model_column.is_some();
    for record in reader.records() {
        let record = record.map_err(|error| Unknown::Part(error.to_string()))?;
        let place = record.position().map_or(0, csv::Position::line);
        let written = record.get(day_column).unwrap_or_default();
        let day = day(written).ok_or_else(|| Unknown::Part(format!("line {place}: \"{written}\" is no day")))?;
        let model = model_column.and_then(|column| record.get(column)).unwrap_or_default().to_owned();
        let [requests, input, output, cached, cost] = amounts.map(|column| number(&record, column, place));
        let whole = |amount: Result<Option<i128>, Unknown>| {
            amount.map(|amount| amount.map(|amount| amount / 1_000_000_000_000))
        };
        let billed = Billed {
            requests: whole(requests)?,
            input: whole(input)?,
            output: whole(output)?,
            cached: whole(cached)?,
            cost: cost?,
        };
        export.from_ms = export.from_ms.min(day);
        export.until_ms = export.until_ms.max(day + DAY);
        export.billed.entry((day, model)).or_default().add(billed);
    }
    if export.billed.is_empty() {
        return Err(Unknown::Shape("there is no line after the header".to_owned()));
    }
    Ok(export)
}

fn day(written: &str) -> Option<i64> {
    let seconds = written.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    seconds.or_else(|| moment::read(written)).map(|ms| floor(ms, DAY))
}

fn number(record: &StringRecord, column: Option<usize>, line: u64) -> Result<Option<i128>, Unknown> {
    let Some(cell) = column.and_then(|column| record.get(column)).filter(|cell| !cell.is_empty()) else {
        return Ok(None);
    };
    amount::read(cell).map(Some).ok_or_else(|| Unknown::Part(format!("line {line}: \"{cell}\" is no number")))
}

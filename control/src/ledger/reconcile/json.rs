//! The JSON of providers' usage and cost APIs. Both have pages of buckets, and results in each bucket.
//!
//! OpenAI: <https://platform.openai.com/docs/api-reference/usage>. Times are seconds; `input_tokens` includes cached ones; a cost is
//! `amount.value` in dollars, and its model is the start of `line_item`.
//! Anthropic: <https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report>. Times are RFC 3339;
//! input is told in parts; a cost is `amount`, a decimal text in cents.

use serde_json::{Deserializer, Map, Value};

use super::amount;
use super::export::{Billed, Export, Unknown};
use crate::ledger::moment::{self, DAY, floor};

/// Reads one or more pages: an object, an array of them, or one after the other.
pub(super) fn read(text: &str) -> Result<Export, Unknown> {
    let mut export = Export { from_ms: i64::MAX, until_ms: i64::MIN, ..Export::default() };
    for page in Deserializer::from_str(text).into_iter::<Value>() {
        let page = page.map_err(|error| Unknown::Shape(format!("not JSON ({error})")))?;
        match page {
            Value::Array(pages) => pages.iter().try_for_each(|page| take_page(&mut export, page))?,
            page => take_page(&mut export, &page)?,
        }
    }
    if export.from_ms > export.until_ms {
        return Err(Unknown::Shape("there is no bucket in it".to_owned()));
    }
    Ok(export)
}

fn take_page(export: &mut Export, page: &Value) -> Result<(), Unknown> {
    let Some(buckets) = page.get("data").and_then(Value::as_array) else {
        return Err(Unknown::Shape("there is no list `data`".to_owned()));
    };
    // Of several pages the last one says it.
    export.has_more = page.get("has_more") == Some(&Value::Bool(true));
    for bucket in buckets {
        let (Some(from), Some(until)) =
            (time(bucket, "start_time", "starting_at"), time(bucket, "end_time", "ending_at"))
        else {
            return Err(Unknown::Shape("a bucket has no start and end".to_owned()));
        };
        let day = floor(from, DAY);
        if until <= from || until > day + DAY {
            let (from, until) = (moment::text(from), moment::text(until));
            return Err(Unknown::Part(format!(
                "the bucket from {from} to {until} is in more than one day (UTC); ask for buckets of 1d, 1h or 1m"
            )));
        }
        export.from_ms = export.from_ms.min(day);
        export.until_ms = export.until_ms.max(day + DAY);
        let Some(results) = bucket.get("results").or_else(|| bucket.get("result")).and_then(Value::as_array) else {
            return Err(Unknown::Shape("a bucket has no list `results`".to_owned()));
        };
        for result in results.iter().filter_map(Value::as_object) {
            let (model, billed) = one(result)?;
            export.has_models |= model.is_some();
            export.billed.entry((day, model.unwrap_or_default())).or_default().add(billed);
        }
    }
    Ok(())
}

/// The model and the amounts of one result.
fn one(result: &Map<String, Value>) -> Result<(Option<String>, Billed), Unknown> {
    let text = |name: &str| result.get(name).and_then(Value::as_str).map(str::to_owned);
    let count = |name: &str| result.get(name).and_then(Value::as_u64).map(i128::from);
    let model = text("model");
    if let Some(amount) = result.get("amount") {
        // OpenAI: {"value": 0.06, "currency": "usd"} in dollars. Anthropic: "123.45" with "currency": "USD" in cents.
        let (value, currency, divisor) = match amount {
            Value::Object(amount) => (amount.get("value"), amount.get("currency"), 1),
            amount => (Some(amount), result.get("currency"), 100),
        };
        if let Some(currency) =
            currency.and_then(Value::as_str).filter(|currency| !currency.eq_ignore_ascii_case("usd"))
        {
            return Err(Unknown::Part(format!("a cost is in {currency}; only US dollars can be compared")));
        }
        let written = match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let cost = amount::read(&written).ok_or_else(|| Unknown::Part(format!("\"{written}\" is no amount")))?;
        let of_line = || Some(text("line_item")?.split(", ").next().unwrap_or_default().to_owned());
        return Ok((model.or_else(of_line), Billed { cost: Some(cost / divisor), ..Billed::default() }));
    }
    let (input, cached) = if let Some(fresh) = count("uncached_input_tokens") {
        let written = result.get("cache_creation").and_then(Value::as_object);
        let written = written.into_iter().flat_map(Map::values).filter_map(Value::as_u64).map(i128::from).sum::<i128>();
        let read = count("cache_read_input_tokens").unwrap_or_default();
        (Some(fresh + written + read), Some(read))
    } else {
        (count("input_tokens"), count("input_cached_tokens"))
    };
    let requests = count("num_model_requests");
    Ok((model, Billed { requests, input, output: count("output_tokens"), cached, cost: None }))
}

fn time(bucket: &Value, seconds: &str, text: &str) -> Option<i64> {
    let of_seconds = bucket.get(seconds).and_then(Value::as_i64).and_then(|seconds| seconds.checked_mul(1000));
    of_seconds.or_else(|| moment::read(bucket.get(text)?.as_str()?))
}

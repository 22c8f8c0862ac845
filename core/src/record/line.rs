//! The record as a line of the access log: what Envoy does not know by itself.

use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::usage::Usage;

use super::{Progress, Record, Spent, Total, Try};
use crate::money::Picodollars;
use crate::plan::Candidate;
use crate::time::Instant;

/// The format of Envoy's access log: one JSON object on each line.
///
/// The record is inside a JSON string: it begins with the rest of that string and ends in the middle of its own last
/// one. So the line is also valid JSON if Envoy refused a request before any filter saw it and writes `-` for the
/// record.
pub const ACCESS_LOG_FORMAT: &str = concat!(
    r#"{"time":"%START_TIME%","status":%RESPONSE_CODE%,"duration_ms":%DURATION%,"bytes_received":%BYTES_RECEIVED%,"#,
    r#""bytes_sent":%BYTES_SENT%,"flags":"%RESPONSE_FLAGS%","outcome":"%FILTER_STATE(wasm.weir.record:PLAIN)%"}"#,
    "\n"
);

impl Record<'_> {
    /// The record as text in the access log; see [`ACCESS_LOG_FORMAT`] for why it is not a whole JSON object.
    pub fn line(&self) -> String {
        write(self)
    }
}

fn write(record: &Record<'_>) -> String {
    let Record { ref outcome, subject, plan, progress, prices: _, limits, ref ending } = *record;
    let mut text = String::with_capacity(512);
    quoted(&mut text, outcome);
    text.push('"');
    let mut field = |name: &str, value: &str| {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":\"");
        quoted(&mut text, value);
        text.push('"');
    };
    field("key", &subject.key);
    // The name of `key` up to 2026-11.
    field("tenant", &subject.key);
    let caller = [("team", &subject.team), ("user", &subject.user), ("application", &subject.application)];
    caller.into_iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| field(name, value));
    field("endpoint", subject.endpoint.map_or("", Endpoint::name));
    field(
        "delivery",
        subject.delivery.map_or("", |delivery| if delivery == Delivery::Streamed { "streamed" } else { "whole" }),
    );
    field("model", &subject.model);
    if let Some(plan) = plan {
        if let Some(target) = plan.current() {
            field("provider", &target.provider);
            field("upstream_model", &target.model);
        }
        text.push_str(",\"admitted_ms\":");
        number(&mut text, plan.made.as_millis());
        write_targets(&mut text, &plan.targets, &plan.passed_over);
        let total = write_tries(&mut text, record);
        write_total(&mut text, &total);
    } else if !subject.passed_over.is_empty() {
        write_targets(&mut text, &[], &subject.passed_over);
        text.push_str(",\"tries\":[]");
    }
    if let Some(progress) = progress {
        write_progress(&mut text, progress, plan.map(|plan| plan.made));
    }
    if let Some(Progress { ended_by, .. }) = progress.filter(|progress| !progress.ended_by.is_empty()) {
        text.push_str(",\"ended_by\":\"");
        quoted(&mut text, ended_by);
        text.push('"');
    }
    if !limits.is_empty() {
        write_limits(&mut text, limits);
    }
    text.push_str(",\"details\":\"");
    quoted(&mut text, ending.details);
    if !subject.callers_id.is_empty() {
        text.push_str("\",\"caller_request_id\":\"");
        quoted(&mut text, &subject.callers_id);
    }
    text.push_str("\",\"request_id\":\"");
    quoted(&mut text, &subject.request_id);
    text
}

fn write_limits(text: &mut String, limits: &[Spent]) {
    text.push_str(",\"limits\":[");
    for (i, Spent { limit, subject, window, amount, lease, .. }) in limits.iter().enumerate() {
        text.push_str(if i == 0 { "{\"limit\":\"" } else { ",{\"limit\":\"" });
        quoted(text, limit);
        text.push_str("\",\"subject\":\"");
        quoted(text, subject);
        text.push_str("\",\"window\":");
        number(text, *window);
        text.push_str(",\"spent\":");
        text.push_str(itoa::Buffer::new().format(*amount));
        if let Some(lease) = lease {
            text.push_str(",\"lease\":");
            number(text, *lease);
        }
        text.push('}');
    }
    text.push(']');
    if limits.iter().any(|spent| spent.over) {
        text.push_str(",\"soft\":[");
        for (i, spent) in limits.iter().filter(|spent| spent.over).enumerate() {
            text.push_str(if i == 0 { "\"" } else { ",\"" });
            quoted(text, &spent.limit);
            text.push('"');
        }
        text.push(']');
    }
}

fn write_targets(text: &mut String, targets: &[Candidate], passed_over: &[(Candidate, String)]) {
    text.push_str(",\"candidates\":[");
    for (i, target) in targets.iter().enumerate() {
        text.push_str(if i == 0 { "\"" } else { ",\"" });
        name(text, target);
        text.push('"');
    }
    text.push_str("],\"passed_over\":[");
    for (i, (target, why)) in passed_over.iter().enumerate() {
        text.push_str(if i == 0 { "{\"target\":\"" } else { ",{\"target\":\"" });
        name(text, target);
        text.push_str("\",\"why\":\"");
        quoted(text, why);
        text.push_str("\"}");
    }
    text.push(']');
}

fn write_tries(text: &mut String, record: &Record<'_>) -> Total {
    let mut total = Total::default();
    text.push_str(",\"tries\":[");
    let mut comma = "";
    for Try { target, outcome, status, took, bill } in record.tries() {
        text.push_str(comma);
        text.push_str("{\"target\":\"");
        comma = ",";
        if let Some(target) = target {
            name(text, target);
        }
        text.push_str("\",\"outcome\":\"");
        quoted(text, outcome);
        text.push_str("\",\"status\":");
        number(text, u64::from(status));
        text.push_str(",\"ms\":");
        millis(text, took);
        if let Some(bill) = bill {
            write_tokens(text, &bill.usage);
            write_cost(text, bill.cost);
            total.add(&bill);
        }
        text.push('}');
    }
    text.push(']');
    total
}

/// What all tries cost together.
fn write_total(text: &mut String, total: &Total) {
    let Total { cost, unpriced, local_ms } = *total;
    write_cost(text, cost);
    if unpriced {
        text.push_str(",\"unpriced\":true");
    }
    if local_ms > 0 {
        text.push_str(",\"local_ms\":");
        number(text, local_ms);
    }
}

fn write_cost(text: &mut String, cost: Option<Picodollars>) {
    if let Some(cost) = cost {
        text.push_str(",\"cost_picodollars\":");
        text.push_str(itoa::Buffer::new().format(cost.get()));
    }
}

/// `made` is when the whole request had come.
fn write_progress(text: &mut String, progress: &Progress, made: Option<Instant>) {
    if !progress.model.is_empty() {
        text.push_str(",\"answered_model\":\"");
        quoted(text, &progress.model);
        text.push('"');
    }
    if let Some(first) = progress.first_token {
        text.push_str(",\"first_token_ms\":");
        millis(text, first);
        if let Some(made) = made {
            text.push_str(",\"total_first_token_ms\":");
            millis(text, progress.since.after(first) - made);
        }
    }
    write_tokens(text, &progress.usage);
}

/// The counts of tokens, as a member of an object.
fn write_tokens(text: &mut String, usage: &Usage) {
    let Usage {
        input,
        output,
        cached_read,
        cache_write,
        cache_write_1h,
        reasoning,
        audio_input,
        audio_output,
        estimated,
    } = *usage;
    let counts = [
        ("\"input\":", input),
        ("\"output\":", output),
        ("\"cached_read\":", cached_read),
        ("\"cache_write\":", cache_write),
        ("\"reasoning\":", reasoning),
        ("\"audio_input\":", audio_input),
        ("\"audio_output\":", audio_output),
    ];
    text.push_str(",\"tokens\":{");
    // If the provider has given no counts, only those above zero are known.
    let counts = counts.into_iter().filter(|(_, count)| !estimated || *count > 0);
    // Few providers tell this apart.
    let for_an_hour = Some(("\"cache_write_1h\":", cache_write_1h)).filter(|(_, count)| *count > 0);
    for (name, count) in counts.chain(for_an_hour) {
        text.push_str(name);
        number(text, count);
        text.push(',');
    }
    text.push_str(if estimated { "\"estimated\":true}" } else { "\"estimated\":false}" });
}

fn name(text: &mut String, target: &Candidate) {
    quoted(text, &target.provider);
    text.push('/');
    quoted(text, &target.model);
}

/// Writes milliseconds with three decimals.
fn millis(text: &mut String, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    number(text, micros / 1000);
    text.push_str(match micros % 1000 {
        0..10 => ".00",
        10..100 => ".0",
        _ => ".",
    });
    number(text, micros % 1000);
}

/// Every line has many numbers, so they are written without the formatter.
fn number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Writes `value` as it must be written inside a JSON string.
fn quoted(text: &mut String, value: &str) {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use weir_hub::usage::Usage;

    use super::*;
    use crate::record::{Ending, Stage, Subject};

    fn line(record: &str) -> serde_json::Value {
        let format = ACCESS_LOG_FORMAT.replace("%FILTER_STATE(wasm.weir.record:PLAIN)%", record);
        let mut text = String::new();
        for (i, part) in format.split('%').enumerate() {
            text.push_str(if i % 2 == 1 { "0" } else { part });
        }
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_line_is_json_with_and_without_a_record() {
        let subject = Subject { model: "we\"ird\\\n".to_string(), request_id: "r-1".to_string(), ..Subject::default() };
        let ending = Ending {
            now: Instant::default(),
            client_left: true,
            caller_paused: false,
            connected: true,
            details: "a\"b",
        };
        let with = line(&Record::of(&subject, None, None, &ending).line());
        assert_eq!((with["outcome"].as_str(), with["request_id"].as_str()), (Some("client_left"), Some("r-1")));
        assert_eq!(with["model"], "we\"ird\\\n");
        assert_eq!(line("-")["outcome"], "-");
    }

    /// For a stream that broke off, the record said that no tokens were read.
    #[test]
    fn what_a_provider_has_not_said_is_not_told_as_none() {
        let tokens = |usage: Usage| {
            let mut text = String::new();
            let progress = Progress {
                begun: 1,
                since: Instant::default(),
                stage: Stage::Flowing,
                code: String::new(),
                status: 200,
                rewritten: false,
                first_token: None,
                usage,
                model: "".into(),
                ended_by: String::new(),
            };
            write_progress(&mut text, &progress, None);
            text
        };
        let known = Usage { output: 5, estimated: true, ..Usage::default() };
        assert_eq!(tokens(known), r#","tokens":{"output":5,"estimated":true}"#);
        let said = tokens(Usage { estimated: false, ..known });
        assert!(said.starts_with(r#","tokens":{"input":0,"output":5,"cached_read":0"#), "{said}");
    }
}

//! The record of one request: what the access log line says, beyond what Envoy knows by itself.
//!
//! No prompt and no secret: names, counts and times only.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{BROKEN_OFF, FaultKind};
use weir_hub::usage::Usage;

use crate::plan::{Candidate, Plan, UNANSWERED, exhausted};
use crate::time::Instant;

/// The filter state that the edge role sets to the record.
pub const KEY: &str = "wasm.weir.record";
/// The filter state that the attempt role sets to its [`Progress`].
pub const PROGRESS_KEY: &str = "wasm.weir.progress";

/// The format of Envoy's access log: one JSON object a line.
///
/// The record stands inside a string: it starts with the rest of that string and ends in the middle of its own last
/// one. So the line is valid JSON also where Envoy refused a request before any filter saw it, and writes `-` for it.
pub const ACCESS_LOG_FORMAT: &str = concat!(
    r#"{"time":"%START_TIME%","status":%RESPONSE_CODE%,"duration_ms":%DURATION%,"bytes_received":%BYTES_RECEIVED%,"#,
    r#""bytes_sent":%BYTES_SENT%,"flags":"%RESPONSE_FLAGS%","outcome":"%FILTER_STATE(wasm.weir.record:PLAIN)%"}"#,
    "\n"
);

/// What the edge knows of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `x-request-id`.
    pub request_id: String,
    /// The id that the caller sent for it; empty for none.
    pub callers_id: String,
    /// Whom the key belongs to; empty until it is known.
    pub tenant: String,
    /// What was asked for.
    pub endpoint: Option<Endpoint>,
    /// How the answer was to be delivered.
    pub delivery: Option<Delivery>,
    /// The model that the caller named.
    pub model: String,
    /// The outcome, if the edge answered by itself.
    pub answered: Option<String>,
    /// The targets that were not tried, and why, where there were no others and so no plan.
    pub passed_over: Vec<(Candidate, String)>,
}

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Tokens are flowing.
    Flowing,
    /// The answer is complete.
    Done,
    /// It ended before it was complete, and the caller was told.
    Cut,
    /// The caller received an error.
    Failed,
}

/// What the latest try has to say of its answer; set whenever it changes, so that it is right after a hang-up too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which try this is, from 1.
    pub begun: usize,
    /// When that try began.
    pub since: Instant,
    /// How far.
    pub stage: Stage,
    /// What the caller was told for [`Stage::Failed`], what went wrong for [`Stage::Cut`], else empty.
    pub code: String,
    /// The status of the provider's answer; 0 if there was none.
    pub status: u16,
    /// A whole answer was written anew, which Envoy may refuse to hold.
    pub rewritten: bool,
    /// From the try's start to its first token.
    pub first_token: Option<Duration>,
    /// Tokens so far.
    pub usage: Usage,
    /// The model that answers, as the provider names it.
    pub model: Rc<str>,
}

impl Progress {
    /// As text, for the filter state.
    pub fn to_text(&self) -> String {
        let stage = match self.stage {
            Stage::Flowing => 'f',
            Stage::Done => 'd',
            Stage::Cut => 'c',
            Stage::Failed => 'x',
        };
        let Usage { input, output, cached_read, cache_write, reasoning, audio_input, audio_output, estimated } =
            self.usage;
        let first = self.first_token.map_or(0, |first| first.as_micros().max(1));
        let (begun, status, since) = (self.begun, self.status, self.since.as_nanos());
        let (estimated, rewritten) = (u8::from(estimated), u8::from(self.rewritten));
        format!(
            "{stage}|{begun}.{status}.{rewritten}|{since}|{first}|{input}|{output}|{cached_read}|{cache_write}|{reasoning}|{audio_input}|\
             {audio_output}|{estimated}|{}|{}",
            self.code, self.model
        )
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut fields = text.splitn(14, '|');
        let stage = match fields.next()? {
            "f" => Stage::Flowing,
            "d" => Stage::Done,
            "c" => Stage::Cut,
            "x" => Stage::Failed,
            _ => return None,
        };
        let mut answer = fields.next()?.split('.');
        let (begun, status) = (answer.next()?.parse().ok()?, answer.next()?.parse().ok()?);
        let rewritten = answer.next()? == "1";
        let mut number = || fields.next()?.parse::<u64>().ok();
        let since = Instant::from_nanos(number()?);
        let first = number()?;
        let usage = Usage {
            input: number()?,
            output: number()?,
            cached_read: number()?,
            cache_write: number()?,
            reasoning: number()?,
            audio_input: number()?,
            audio_output: number()?,
            estimated: number()? != 0,
        };
        let first_token = (first > 0).then(|| Duration::from_micros(first));
        let (code, model) = (fields.next()?.to_string(), fields.next()?.into());
        Some(Self { begun, since, stage, code, status, rewritten, first_token, usage, model })
    }
}

/// How the request ended, as Envoy knows it.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// When.
    pub now: Instant,
    /// Whether the caller hung up.
    pub client_left: bool,
    /// Whether the caller did not read what was there for it.
    pub caller_paused: bool,
    /// Whether the latest try, if nothing came back of it, had a connection.
    pub connected: bool,
    /// Envoy's `response.code_details`.
    pub details: &'a str,
}

/// What became of the request, in a word: `ok`, or the code of the error that the caller received, if anything could tell it.
pub fn outcome(subject: &Subject, plan: Option<&Plan>, progress: Option<&Progress>, ending: &Ending<'_>) -> String {
    if let Some(answered) = &subject.answered {
        return answered.clone();
    }
    if let Some((_, code)) = refused(ending.details) {
        return code.to_string();
    }
    if let (None, false, Some(plan)) = (progress, ending.client_left, plan.filter(|plan| plan.latest_has_failed())) {
        // The last try ended without an answer, so Envoy told the caller what the plan would have.
        return exhausted(plan, ending.now).code;
    }
    let word = match progress.map(|progress| progress.stage) {
        // Envoy's own filter has answered a browser that asks what a page may do.
        None if ending.details == "cors_response" => "preflight",
        Some(Stage::Cut) => BROKEN_OFF,
        Some(Stage::Flowing) if !ending.client_left && !ending.caller_paused => BROKEN_OFF,
        _ => latest(progress, ending),
    };
    word.to_string()
}

/// What Envoy's reason for an answer of its own says of the latest try, and what it tells the caller, where the try itself can know neither.
pub fn refused(details: &str) -> Option<(FaultKind, &'static str)> {
    match details {
        // The filter runs before the credential is written.
        "failed_to_inject_credential" => Some((FaultKind::Auth, "upstream_auth")),
        "response_payload_too_large" => Some((FaultKind::Malformed, "upstream_bad_answer")),
        _ => None,
    }
}

/// What became of the latest try, if it has not failed before it was answered.
fn latest<'p>(progress: Option<&'p Progress>, ending: &Ending<'_>) -> &'p str {
    if let Some((kind, _)) = refused(ending.details) {
        return kind.name();
    }
    match progress.map(|progress| (progress.stage, progress.code.as_str())) {
        Some((Stage::Done, _)) => "ok",
        Some((Stage::Failed | Stage::Cut, code)) => code,
        _ if ending.client_left => "client_left",
        Some((Stage::Flowing, _)) if ending.caller_paused => "slow_caller",
        Some((Stage::Flowing, _)) => FaultKind::Cut.name(),
        None => UNANSWERED,
    }
}

/// The record's text; see [`ACCESS_LOG_FORMAT`] for why it is no whole JSON object.
pub fn compose(subject: &Subject, plan: Option<&Plan>, progress: Option<&Progress>, ending: &Ending<'_>) -> String {
    let outcome = outcome(subject, plan, progress, ending);
    let mut text = String::with_capacity(512);
    quoted(&mut text, &outcome);
    text.push('"');
    let mut field = |name: &str, value: &str| {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":\"");
        quoted(&mut text, value);
        text.push('"');
    };
    field("tenant", &subject.tenant);
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
        let latest = (latest(progress, ending), progress.map_or(0, |progress| progress.status));
        write_targets(&mut text, &plan.targets, &plan.passed_over);
        write_tries(&mut text, plan, latest, ending.now);
    } else if !subject.passed_over.is_empty() {
        write_targets(&mut text, &[], &subject.passed_over);
        text.push_str(",\"tries\":[]");
    }
    if let Some(progress) = progress {
        write_progress(&mut text, progress, plan.map(|plan| plan.made));
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

/// The tries of `plan`, with the outcome and the status of the latest one, if it is still open.
fn write_tries(text: &mut String, plan: &Plan, (outcome, status): (&str, u16), now: Instant) {
    text.push_str(",\"tries\":[");
    let mut comma = "";
    let mut one = |target: usize, outcome: &str, status: u16, took: Duration| {
        text.push_str(comma);
        text.push_str("{\"target\":\"");
        comma = ",";
        if let Some(target) = plan.targets.get(target) {
            name(text, target);
        }
        text.push_str("\",\"outcome\":\"");
        quoted(text, outcome);
        text.push_str("\",\"status\":");
        number(text, u64::from(status));
        text.push_str(",\"ms\":");
        millis(text, took);
        text.push('}');
    };
    for failed in &plan.failed {
        one(failed.target, &failed.outcome, failed.status, failed.took);
    }
    if plan.begun > 0 && !plan.latest_has_failed() {
        one(plan.at, outcome, status, now - plan.since);
    }
    text.push(']');
}

/// `made` is when all of the request had come.
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
    let Usage { input, output, cached_read, cache_write, reasoning, audio_input, audio_output, estimated } =
        progress.usage;
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
    // Of what the provider has not said, nothing is known but what was counted.
    for (name, count) in counts.into_iter().filter(|(_, count)| !estimated || *count > 0) {
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

/// Writes milliseconds with three digits behind the point.
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

/// Every line has many, so they are written without the formatter.
fn number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Writes `value` as it stands inside a JSON string.
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
    use super::*;

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
        let with = line(&compose(&subject, None, None, &ending));
        assert_eq!((with["outcome"].as_str(), with["request_id"].as_str()), (Some("client_left"), Some("r-1")));
        assert_eq!(with["model"], "we\"ird\\\n");
        assert_eq!(line("-")["outcome"], "-");
    }

    /// A stream that broke off was said to have read nothing.
    #[test]
    fn what_a_provider_has_not_said_is_not_told_as_none() {
        let tokens = |usage: Usage| {
            let mut text = String::new();
            let progress = Progress {
                begun: 1,
                since: Instant::default(),
                stage: Stage::Cut,
                code: String::new(),
                status: 200,
                rewritten: false,
                first_token: None,
                usage,
                model: "".into(),
            };
            write_progress(&mut text, &progress, None);
            text
        };
        let known = Usage { output: 5, estimated: true, ..Usage::default() };
        assert_eq!(tokens(known), r#","tokens":{"output":5,"estimated":true}"#);
        let said = tokens(Usage { estimated: false, ..known });
        assert!(said.starts_with(r#","tokens":{"input":0,"output":5,"cached_read":0"#), "{said}");
    }

    #[test]
    fn progress_reads_back() {
        let progress = Progress {
            begun: 2,
            since: Instant::from_nanos(77),
            stage: Stage::Cut,
            code: "cut".to_string(),
            status: 200,
            rewritten: true,
            first_token: Some(Duration::from_micros(12)),
            usage: Usage {
                input: 1,
                output: 2,
                cached_read: 3,
                cache_write: 4,
                reasoning: 5,
                audio_input: 6,
                audio_output: 7,
                estimated: true,
            },
            model: "a|b".into(),
        };
        assert_eq!(Progress::from_text(&progress.to_text()), Some(progress));
    }
}

//! One request, as its line of the access log tells it.
//!
//! [`Row::read`] takes every field as optional: a line that Envoy wrote before any filter ran has few, and one of an older or
//! newer Weir has others. Only what is no JSON object with a time is unreadable.

use std::fmt;

use serde_json::{Map, Value};

use super::moment;

/// The most tokens that one try is believed to have used. A provider that tells more is not believed; sums stay exact.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// The longest text that is kept of a field, in bytes.
const LONGEST: usize = 256;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// When it was admitted, in milliseconds since the epoch: the window in which it counts.
    pub at_ms: i64,
    /// The name of the caller's key.
    pub key: String,
    /// The team of that key.
    pub team: String,
    /// The user that the caller named.
    pub user: String,
    /// The application that the caller named.
    pub application: String,
    /// The API that was called.
    pub endpoint: String,
    /// The model that the caller named.
    pub model: String,
    /// The model that answered, in the provider's words.
    pub answered_model: String,
    /// `ok`, or the code of the error that the caller received; `-` if no filter saw the request.
    pub outcome: String,
    /// The status that the caller received; 0 if none.
    pub status: u16,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Time to the first token, from the start of the answering try, in microseconds.
    pub first_token_us: Option<u64>,
    /// Weir's id of the request.
    pub request_id: String,
    /// The caller's id of the request.
    pub caller_request_id: String,
    /// The provider of the latest try.
    pub provider: String,
    /// The model that the latest try asked for, in the provider's words.
    pub upstream_model: String,
    /// What the answer used, if the line tells it.
    pub tokens: Option<Tokens>,
    /// What all tries cost, in pico-dollars. `None` if no price is known.
    pub cost: Option<i64>,
    /// Whether a try that a provider may bill had no price.
    pub unpriced: bool,
    /// Milliseconds of inference on this machine.
    pub local_ms: u64,
    /// The tries, in order.
    pub tries: Vec<Tried>,
    /// What was settled on each account.
    pub settled: Vec<Settled>,
    /// The soft limits that it was over, separated by commas.
    pub soft: String,
}

/// One try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The provider that was asked.
    pub provider: String,
    /// The model that it was asked for, in its own words.
    pub model: String,
    /// How the try ended.
    pub outcome: String,
    /// The status of the provider's answer; 0 if there was none.
    pub status: u16,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// What it used. `None` if the provider cannot bill it.
    pub tokens: Option<Tokens>,
    /// What it cost, in pico-dollars. `None` if no price is known, or if it cannot be billed.
    pub cost: Option<i64>,
}

/// Tokens by kind. `input` includes cached ones, and `output` reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens.
    pub input: u64,
    /// All output tokens.
    pub output: u64,
    /// Input tokens that the provider read from its cache.
    pub cached_read: u64,
    /// Input tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// Those of them that it keeps for an hour.
    pub cache_write_1h: u64,
    /// Output tokens of reasoning.
    pub reasoning: u64,
    /// Input tokens of audio.
    pub audio_input: u64,
    /// Output tokens of audio.
    pub audio_output: u64,
    /// Whether Weir estimated them, because the provider did not tell.
    pub estimated: bool,
}

/// What one request spent of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The account.
    pub account: Account,
    /// How much, in the limit's unit: requests, tokens or pico-dollars.
    pub spent: i64,
    /// The number of the Envoy's lease that it counts for, if the limit is shared.
    pub lease: Option<u64>,
}

/// One limit, one subject, one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The limit's name.
    pub limit: String,
    /// Whose: the key, the team and so on.
    pub subject: String,
    /// When the window starts, in milliseconds since the epoch; 0 for rates and concurrency.
    pub window_ms: i64,
}

/// Why a line is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not JSON.
    NotJson,
    /// It is JSON, but no object.
    NoObject,
    /// It tells no time, so it belongs to no window.
    NoTime,
    /// It is longer than a line may be.
    TooLong,
    /// It ends without a line break, and its file will not grow any more.
    Unfinished,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "not JSON",
            Self::NoObject => "no JSON object",
            Self::NoTime => "a line without a time",
            Self::TooLong => "a line that is too long",
            Self::Unfinished => "half a line, at the end of its file",
        })
    }
}

/// What one try used, and who it counts for: the unit of every sum of tokens and money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'r> {
    /// The provider that may bill it.
    pub provider: &'r str,
    /// The model, in the provider's words.
    pub model: &'r str,
    /// What it used.
    pub tokens: Tokens,
    /// What it cost, in pico-dollars.
    pub cost: Option<i64>,
}

impl Row {
    /// Reads one line of the access log, without its line break.
    pub fn read(line: &[u8]) -> Result<Self, Unreadable> {
        let object = match object(line) {
            // An Envoy that was killed leaves half a line, and the next one continues behind it.
            Err(Unreadable::NotJson) => behind_half_a_line(line).ok_or(Unreadable::NotJson)?,
            read => read?,
        };
        let text = |name| text(&object, name);
        let at_ms = whole(object.get("admitted_ms")).and_then(|ms| i64::try_from(ms).ok());
        let at_ms = at_ms.or_else(|| moment::read(object.get("time")?.as_str()?)).ok_or(Unreadable::NoTime)?;
        let key = if object.contains_key("key") { text("key") } else { text("tenant") };
        let list = |name| object.get(name).and_then(Value::as_array).into_iter().flatten();
        let tries: Vec<_> = list("tries").filter_map(Value::as_object).map(Tried::read).collect();
        Ok(Self {
            at_ms,
            key,
            team: text("team"),
            user: text("user"),
            application: text("application"),
            endpoint: text("endpoint"),
            model: text("model"),
            answered_model: text("answered_model"),
            outcome: text_or_dash(&object, "outcome"),
            status: status(&object),
            duration_ms: whole(object.get("duration_ms")).unwrap_or_default(),
            first_token_us: thousandths(object.get("first_token_ms")),
            request_id: text("request_id"),
            caller_request_id: text("caller_request_id"),
            provider: text("provider"),
            upstream_model: text("upstream_model"),
            tokens: Tokens::read(&object),
            cost: cost(&object),
            unpriced: object.get("unpriced") == Some(&Value::Bool(true)),
            local_ms: whole(object.get("local_ms")).unwrap_or_default(),
            tries,
            settled: list("limits").filter_map(Value::as_object).filter_map(Settled::read).collect(),
            soft: list("soft").filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        })
    }

    /// What each try that a provider may bill used and cost. Together they are what the request cost.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let billed = self.tries.iter().filter(|tried| tried.tokens.is_some() || tried.cost.is_some());
        let mut parts: Vec<_> = billed
            .map(|tried| Part {
                provider: &tried.provider,
                model: &tried.model,
                tokens: tried.tokens.unwrap_or_default(),
                cost: tried.cost,
            })
            .collect();
        if parts.is_empty() && (self.tokens.is_some() || self.cost.is_some()) {
            // A line of an older Weir tells only what the answering try used.
            let (provider, model) = (self.provider.as_str(), self.upstream_model.as_str());
            parts.push(Part { provider, model, tokens: self.tokens.unwrap_or_default(), cost: self.cost });
        }
        let told: i64 = parts.iter().filter_map(|part| part.cost).fold(0, i64::saturating_add);
        if let (Some(cost), Some(last)) = (self.cost, parts.last_mut())
            && cost > told
        {
            // The request's cost is the truth. What no try accounts for belongs to the answer.
            last.cost = Some(last.cost.unwrap_or_default().saturating_add(cost - told));
        }
        parts
    }
}

impl Tried {
    fn read(object: &Map<String, Value>) -> Self {
        let target = text(object, "target");
        // A model's name may have slashes; a provider's has none.
        let (provider, model) = target.split_once('/').unwrap_or((&target, ""));
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            outcome: text(object, "outcome"),
            status: status(object),
            duration_us: thousandths(object.get("ms")).unwrap_or_default(),
            tokens: Tokens::read(object),
            cost: cost(object),
        }
    }
}

impl Tokens {
    fn read(of: &Map<String, Value>) -> Option<Self> {
        let object = of.get("tokens")?.as_object()?;
        let count = |name| whole(object.get(name)).unwrap_or_default().min(MOST_TOKENS);
        Some(Self {
            input: count("input"),
            output: count("output"),
            cached_read: count("cached_read"),
            cache_write: count("cache_write"),
            cache_write_1h: count("cache_write_1h"),
            reasoning: count("reasoning"),
            audio_input: count("audio_input"),
            audio_output: count("audio_output"),
            estimated: object.get("estimated") == Some(&Value::Bool(true)),
        })
    }
}

impl Settled {
    fn read(object: &Map<String, Value>) -> Option<Self> {
        let account = Account {
            limit: text(object, "limit"),
            subject: text(object, "subject"),
            window_ms: whole(object.get("window")).and_then(|ms| ms.try_into().ok()).unwrap_or_default(),
        };
        let spent = i64::try_from(whole(object.get("spent"))?).unwrap_or(i64::MAX);
        Some(Self { account, spent, lease: whole(object.get("lease")) })
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let value = serde_json::from_slice(line).or_else(|error| {
        // Envoy writes `-` for a number that it does not know.
        let text = std::str::from_utf8(line).map_err(|_| Unreadable::NotJson)?;
        if error.is_eof() || !text.contains(":-") {
            return Err(Unreadable::NotJson);
        }
        let known = text.replace(":-,", ":null,").replace(":-}", ":null}");
        serde_json::from_str(&known).map_err(|_| Unreadable::NotJson)
    })?;
    if let Value::Object(object) = value { Ok(object) } else { Err(Unreadable::NoObject) }
}

/// The whole line behind a half one.
fn behind_half_a_line(line: &[u8]) -> Option<Map<String, Value>> {
    let start = br#"{"time":""#;
    let at = line.windows(start.len()).rposition(|window| window == start).filter(|at| *at > 0)?;
    object(line.get(at..)?).ok()
}

/// A field's text, not longer than what is kept. Envoy writes `-` for what it does not know.
fn text(object: &Map<String, Value>, name: &str) -> String {
    let text = text_or_dash(object, name);
    if text == "-" { String::new() } else { text }
}

fn text_or_dash(object: &Map<String, Value>, name: &str) -> String {
    let text = object.get(name).and_then(Value::as_str).unwrap_or_default();
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

fn whole(value: Option<&Value>) -> Option<u64> {
    value?.as_u64()
}

fn status(object: &Map<String, Value>) -> u16 {
    whole(object.get("status")).and_then(|status| status.try_into().ok()).unwrap_or_default()
}

fn cost(object: &Map<String, Value>) -> Option<i64> {
    Some(i64::try_from(whole(object.get("cost_picodollars"))?).unwrap_or(i64::MAX))
}

/// Milliseconds with three decimals, as microseconds.
fn thousandths(value: Option<&Value>) -> Option<u64> {
    let ms = value?.as_f64().filter(|ms| (0.0..1e12).contains(ms))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within the range above")]
    Some((ms * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests;

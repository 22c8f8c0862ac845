//! The members that a relay needs to know of a `chat.completion.chunk` or of a whole answer; it does not read the
//! others.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use weir_hub::codec::json::{Checker, Flaw, Kind, Name, Raw, Str, check_by};
use weir_hub::usage::{Usage, guess};

/// The members that matter in a chunk or an answer.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) choices: Option<Raw<'a>>,
    pub(super) data: Option<Raw<'a>>,
    pub(super) results: Option<Raw<'a>>,
    pub(super) usage: Option<Raw<'a>>,
    pub(super) id: Option<Raw<'a>>,
    pub(super) model: Option<Raw<'a>>,
    /// The pages that an answer is based on, from hosts that search.
    pub(super) sources: Option<Raw<'a>>,
    pub(super) error: Option<Raw<'a>>,
    is_error: bool,
    /// What else the event has: notes beside the answer, or a sign that the host lives.
    beside: Beside,
    /// The content of the choices, if they were read while the value was checked.
    pub(super) deltas: Deltas,
}

/// The content of an event without choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beside {
    #[default]
    Nothing,
    /// Notes on the prompt (Azure), or on the request (Groq).
    Notes,
    /// `{"type":"ping"}`
    Ping,
}

impl<'a> Members<'a> {
    /// The members of a checked value.
    pub(super) fn read(answer: Raw<'a>) -> Self {
        let mut members = Self::default();
        for (name, value) in answer.members() {
            members.note(&name, value);
        }
        members
    }

    /// The members of a value, which is checked in the same pass.
    pub(super) fn check(text: &'a str) -> Result<(Raw<'a>, Self), Flaw> {
        let mut members = Self::default();
        let answer = check_by(text, |checker| {
            let start = checker.at();
            checker.members(|checker, name| members.meet(checker, &name.text(text)))?;
            Ok(checker.since(start))
        })?;
        Ok((answer, members))
    }

    fn meet(&mut self, checker: &mut Checker<'a>, name: &str) -> Result<(), Flaw> {
        let start = checker.at();
        if name == "choices" {
            self.deltas = Deltas::check(checker)?;
        } else {
            checker.value()?;
        }
        self.note(name, checker.since(start));
        Ok(())
    }

    fn note(&mut self, name: &str, value: Raw<'a>) {
        match name {
            "choices" => self.choices = Some(value),
            "data" => self.data = Some(value),
            "results" => self.results = Some(value),
            "usage" if !value.is_null() => self.usage = Some(value),
            "id" => self.id = Some(value),
            "model" => self.model = Some(value),
            "search_results" if value.items().next().is_some() => self.sources = Some(value),
            "citations" if self.sources.is_none() => self.sources = Some(value),
            "error" if !value.is_null() => self.error = Some(value),
            // Groq's reason for stopping early.
            "x_groq" => {
                self.error = value.get("error").filter(|error| !error.is_null()).or(self.error);
                self.beside = Beside::Notes;
            }
            "prompt_filter_results" => self.beside = Beside::Notes,
            "type" if is_ping(value.text().trim_matches('"')) => self.beside = Beside::Ping,
            "object" => self.is_error = value.text() == "\"error\"",
            _ => {}
        }
    }

    /// Whether only those members are present that every event of a stream repeats.
    fn tells_nothing(&self) -> bool {
        let Self { choices, data, results, usage, id: _, model: _, sources, error, is_error, beside, deltas: _ } = self;
        let none = [choices, data, results, usage, sources, error].into_iter().all(Option::is_none);
        none && !is_error && *beside == Beside::Nothing
    }

    /// Whether an event with these members can be part of an answer. Hosts report errors in objects of any shape, so an
    /// event without choices, not even an empty list, must be of a known kind.
    pub(super) fn is_part(&self) -> bool {
        let chosen = self.choices.is_some_and(|choices| choices.kind() == Kind::Array);
        chosen || self.usage.is_some() || self.sources.is_some() || self.beside != Beside::Nothing
    }

    /// Whether the event only says that the host lives.
    pub(super) fn is_ping(&self) -> bool {
        self.beside == Beside::Ping && self.choices.is_none()
    }

    /// Whether this is an error in place of an answer.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some() || self.is_error
    }

    /// Whether this chunk has only a stream's usage.
    pub(super) fn is_usage_only(&self) -> bool {
        self.usage.is_some()
            && self.choices.is_some_and(|choices| choices.kind() == Kind::Array && choices.items().next().is_none())
    }

    pub(super) fn model(&self) -> Option<Cow<'a, str>> {
        self.model.and_then(Raw::string).filter(|model| !model.is_empty())
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.and_then(usage)
    }
}

/// Whether an event with this name or type only says that the host lives.
pub(super) fn is_ping(name: &str) -> bool {
    matches!(name, "ping" | "heartbeat" | "keepalive" | "keep-alive" | "keep_alive")
}

/// The common beginning of a stream's events: they are the same up to their choices, so each beginning is read only
/// once.
#[derive(Default)]
pub(super) struct Beginning(Vec<u8>);

/// No event's id, time and model are longer.
const MAX_BEGINNING: usize = 1 << 10;

impl Beginning {
    /// [`Members::check`] for the next event. It skips the members of a known beginning, which say nothing new.
    pub(super) fn check<'a>(&mut self, text: &'a str) -> Result<(Raw<'a>, Members<'a>), Flaw> {
        let known = if text.as_bytes().starts_with(&self.0) { self.0.len() } else { 0 };
        let mut members = Members::default();
        let (mut ends, mut first) = (0, true);
        let event = check_by(text, |checker| {
            let start = checker.at();
            let on = |checker: &mut Checker<'a>, name: Name| {
                // The first object has no comma before it, and the next object may have none.
                if !core::mem::take(&mut first) && members.tells_nothing() {
                    ends = name.begin();
                }
                members.meet(checker, &name.text(text))
            };
            if known == 0 { checker.members(on) } else { checker.members_from(known, on) }?;
            Ok(checker.since(start))
        })?;
        if known == 0 && ends <= MAX_BEGINNING {
            self.0.clear();
            self.0.extend_from_slice(text.as_bytes().get(..ends).unwrap_or_default());
        }
        Ok((event, members))
    }
}

/// The content of all choices in one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deltas {
    /// Content, reasoning, tool calls, refusals, audio: a guess of their tokens.
    pub(super) tokens: u64,
    /// The choices so far, by their index.
    met: Choices,
    /// The choices that gave their finish reason.
    finished: Choices,
    /// Whether a choice gave a reason that is not an end: the model failed.
    pub(super) failed: bool,
}

impl Deltas {
    fn check(choices: &mut Checker<'_>) -> Result<Self, Flaw> {
        let mut deltas = Self::default();
        choices.items(|choice| {
            let (mut index, mut finished) = (0, false);
            choice.members(|choice, name| {
                match &*name.text(choice.text()) {
                    // A whole answer has messages; a stream has deltas.
                    "delta" | "message" => deltas.tokens += tokens(choice)?,
                    // Legacy completions have the text directly.
                    "text" => deltas.tokens += guessed(choice.value()?),
                    "finish_reason" => {
                        let reason = choice.value()?.text();
                        // Some hosts send it in every event, empty until the last.
                        finished = !matches!(reason, "null" | "\"\"");
                        deltas.failed |= finished && is_failure(reason.trim_matches('"'));
                    }
                    "index" => index = choice.value()?.integer().unwrap_or(0),
                    _ => {}
                }
                Ok(())
            })?;
            deltas.met.add(index);
            if finished {
                deltas.finished.add(index);
            }
            Ok(())
        })?;
        Ok(deltas)
    }

    /// Whether a choice gave its finish reason.
    pub(super) fn finishes(&self) -> bool {
        self.finished != Choices::default()
    }

    /// Adds the next event's content.
    pub(super) fn join(&mut self, next: Self) {
        self.met.0 |= next.met.0;
        self.finished.0 |= next.finished.0;
    }

    /// Whether there were any choices, and all have given their finish reasons.
    pub(super) fn all_finished(&self) -> bool {
        self.finishes() && self.met == self.finished
    }
}

/// Whether the answer was cut off: a choice without a finish reason has a tool call whose arguments are not JSON.
/// Without such a call, a missing reason is accepted, because not every host gives one in a whole answer.
pub(super) fn is_cut(choices: Raw<'_>) -> bool {
    choices.items().any(|choice| {
        let [reason, message] = choice.pick(["finish_reason", "message"]);
        let [calls, legacy] = message.unwrap_or(Raw::NULL).pick(["tool_calls", "function_call"]);
        let functions = calls.unwrap_or(Raw::NULL).items().filter_map(|call| call.get("function"));
        let mut arguments = functions.chain(legacy).filter_map(|function| function.get("arguments")?.string());
        reason.is_none_or(|reason| reason.text() == "\"\"")
            && arguments.any(|json| !json.trim().is_empty() && Raw::parse(&json).is_none())
    })
}

/// A set of choices. Nobody asks for more than fit; the rest would share the last bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Choices(u128);

impl Choices {
    fn add(&mut self, index: u64) {
        self.0 |= 1 << index.min(127);
    }
}

/// Whether a finish reason means that the model failed: `OpenRouter`'s, Mistral's and `DeepSeek`'s names for that.
pub(super) fn is_failure(reason: &str) -> bool {
    matches!(reason, "error" | "insufficient_system_resource")
}

/// Guesses the tokens of one delta.
fn tokens(delta: &mut Checker<'_>) -> Result<u64, Flaw> {
    let mut tokens = 0;
    delta.members(|delta, name| {
        if CONTENT.contains(&&*name.text(delta.text())) {
            tokens += guessed(delta.value()?);
        }
        Ok(())
    })?;
    Ok(tokens)
}

/// Guesses the tokens of some content from its text, without the JSON around it; at least one if there is any content.
fn guessed(value: Raw<'_>) -> u64 {
    match value.text() {
        "null" | "[]" | "{}" | "\"\"" => 0,
        _ => guess(said(value)).max(1),
    }
}

/// How many bytes of text some content has.
fn said(value: Raw<'_>) -> usize {
    match value.kind() {
        Kind::String => value.str().map_or(0, Str::bytes),
        Kind::Array => value.items().map(said).sum(),
        Kind::Object => {
            let members = value.members().filter(|(name, _)| !ABOUT.contains(&&**name));
            members.map(|(_, value)| said(value)).sum()
        }
        _ => 0,
    }
}

/// Members of content that are not the model's text.
const ABOUT: [&str; 6] = ["id", "type", "format", "signature", "encrypted_content", "data"];

/// The members of a delta that count as an answer's first token.
const CONTENT: [&str; 7] =
    ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio"];

/// The counts with these names; zero if absent.
fn counts<const N: usize>(details: Raw<'_>, names: [&str; N]) -> [u64; N] {
    details.pick(names).map(|count| count.and_then(Raw::integer).unwrap_or(0))
}

/// OpenAI's usage object, for chats and embeddings; `None` if it has no counts.
fn usage(usage: Raw<'_>) -> Option<Usage> {
    let mut read = Usage::default();
    let (mut counted, mut total) = (false, 0);
    for (name, value) in usage.members() {
        let count = value.integer();
        match &*name {
            // Newer endpoints use the names `input_tokens` and `output_tokens`.
            "prompt_tokens" | "input_tokens" => read.input = count.inspect(|_| counted = true).unwrap_or(0),
            "completion_tokens" | "output_tokens" => read.output = count.inspect(|_| counted = true).unwrap_or(0),
            "total_tokens" => total = count.unwrap_or(0),
            // DeepSeek's name, and Perplexity's.
            "prompt_cache_hit_tokens" => read.cached_read = read.cached_read.max(count.unwrap_or(0)),
            "reasoning_tokens" => read.reasoning = read.reasoning.max(count.unwrap_or(0)),
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
                let [cached, written, audio] = counts(value, ["cached_tokens", "cache_write_tokens", "audio_tokens"]);
                read.cached_read = read.cached_read.max(cached);
                (read.cache_write, read.audio_input) = (written, audio);
            }
            "completion_tokens_details" | "output_tokens_details" => {
                let [reasoning, audio] = counts(value, ["reasoning_tokens", "audio_tokens"]);
                read.reasoning = read.reasoning.max(reasoning);
                read.audio_output = audio;
            }
            _ => {}
        }
    }
    // Some hosts leave reasoning out of their completion tokens. The total shows this, or that there is more reasoning
    // than output.
    let with_reasoning = read.output.saturating_add(read.reasoning);
    let tells = total == read.input.saturating_add(with_reasoning);
    if read.reasoning > 0 && (tells || read.reasoning > read.output) {
        read.output = with_reasoning;
    }
    // The rest of an answer's total is thinking that is not shown; it is paid for as output.
    if read.output > 0 {
        read.output = read.output.max(total.saturating_sub(read.input));
    }
    counted.then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// The JSON around a text and its escapes were counted as tokens: a call's arguments came to ten times their real
    /// count.
    #[test]
    fn tokens_are_guessed_from_the_text_alone() {
        let check = |delta: &str, expect: u64| {
            let event = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
            assert_eq!(Members::check(&event).unwrap().1.deltas.tokens, expect, "{delta}");
        };
        let call =
            |arguments: &str| format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{arguments}"}}}}]}}"#);
        check(r#"{"content":""}"#, 0);
        check(r#"{"content":" Hi"}"#, 1);
        check(r#"{"content":"\n\n\n\n\n"}"#, 1);
        check(r#"{"content":"\u4f60\u597d"}"#, 1);
        check(r#"{"content":"\ud83d\ude00"}"#, 1);
        check(r#"{"content":"a sentence of 27 characters"}"#, 6);
        check(r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}"#, 1);
        check(&call(r#"{\"a\":"#), 1);
        check(&call(""), 1);
        check(
            r#"{"tool_calls":[{"index":0,"id":"call_0123456789abcdef","type":"function","function":{"name":"get","arguments":""}}]}"#,
            1,
        );
        check(r#"{"role":"assistant","content":null,"tool_calls":[]}"#, 0);
    }

    #[test]
    fn events_that_begin_alike_are_read_as_if_they_did_not() {
        let head = r#"{"id":"c-1","object":"chat.completion.chunk","model":"m","#;
        let said = r#""choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]"#;
        let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":2}"#;
        let events = [
            format!("{head}{said}}}"),
            format!("{head}{said},\"usage\":null}}"),
            format!("{head}\"choices\":[{{\"finish_reason\":\"stop\"}}]}}"),
            format!("{head}\"choices\":[],{usage}}}"),
            // Members that would be missed if they were taken for a part of the common beginning.
            format!("{head}{usage},{said}}}"),
            format!("{head}{usage},{said}}}"),
            format!("{head}\"error\":{{\"message\":\"no\"}},{said}}}"),
            format!("{head}{said},\"error\":{{\"message\":\"no\"}}}}"),
            format!("{{{said},\"id\":\"c-1\"}}"),
            format!("{{{said}}}"),
            format!("{head}\"choices\":[}}"),
            format!("{head}}}"),
            head.into(),
            "{}".into(),
            "[1]".into(),
        ];
        for first in &events {
            for second in &events {
                let mut beginning = Beginning::default();
                for event in [first, second, second, first] {
                    let (read, alone) = (beginning.check(event), Members::check(event));
                    let told = |members: Members<'_>| {
                        (members.usage(), members.is_error(), members.is_usage_only(), members.deltas)
                    };
                    assert_eq!(
                        read.map(|(event, members)| (event, told(members))),
                        alone.map(|(event, members)| (event, told(members))),
                        "{event} after {first} and {second}"
                    );
                }
            }
        }
    }
}

//! What will be said, before any dialect writes it down.
//!
//! Everything here follows from the request, so a test can tell the answer beforehand and a stream counts the same
//! tokens as the whole answer.

mod pieces;
mod usage;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use self::pieces::{filler, repeat};
pub(crate) use self::{
    pieces::{pieces, tokens},
    usage::{Cache, Usage, UsageEvent},
};
use crate::{
    model::{Cap, Model, Telling},
    schema,
};

/// Whether an answer is asked for in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Streamed,
}

/// A chat request as far as it matters for the answer, whatever dialect it came in.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The model's name as asked for.
    pub(crate) model: String,
    pub(crate) delivery: Delivery,
    /// Whether a stream is to tell the tokens used (OpenAI; Anthropic always tells).
    pub(crate) usage: UsageEvent,
    /// The last thing said to the model.
    pub(crate) heard: Heard,
    pub(crate) images: u32,
    pub(crate) input_tokens: u32,
    pub(crate) cache: Cache,
    /// The tools to call, in order; empty where the answer is text.
    pub(crate) tools: Vec<Tool>,
    /// The JSON schema the text must follow.
    pub(crate) shape: Option<Value>,
    /// The most tokens the answer may have.
    pub(crate) limit: Option<u32>,
    pub(crate) stop: Vec<String>,
    pub(crate) choices: u32,
    /// Whether it thinks aloud first.
    pub(crate) thinking: bool,
}

impl Ask {
    /// One that says `text`, and asks for nothing but an answer.
    pub(crate) fn saying(model: &str, text: &str) -> Self {
        Self {
            model: model.to_owned(),
            delivery: Delivery::Whole,
            usage: UsageEvent::Unwanted,
            heard: Heard::User(text.to_owned()),
            images: 0,
            input_tokens: 10,
            cache: Cache::default(),
            tools: Vec::new(),
            shape: None,
            limit: None,
            stop: Vec::new(),
            choices: 1,
            thinking: false,
        }
    }

    /// What it costs `model` to read it.
    pub(crate) fn read(&self, model: &Model) -> Usage {
        let known = self.cache.read.saturating_add(self.cache.written);
        let input = model.input(self.input_tokens).max(if model.cached.is_none() { known } else { 0 });
        let cache = model.cached.map_or(self.cache, |read| Cache { read: read.min(input), written: 0 });
        Usage { cache, ..Usage::read(input) }
    }
}

/// The last thing said to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    User(String),
    Tool(String),
}

/// A tool on offer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// A finished answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Names this answer; each dialect writes its own prefix before it.
    pub(crate) id: String,
    pub(crate) model: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Usage,
    pub(crate) usage_event: UsageEvent,
    /// What of the request the answer repeats, where its dialect does that.
    pub(crate) echo: Value,
}

/// One of the answers asked for with `n`.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) thinking: Vec<String>,
    /// The text in the pieces a stream sends.
    pub(crate) text: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) end: End,
    /// Whether the text is the model's refusal to answer.
    pub(crate) refused: bool,
}

/// A tool call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The arguments' JSON in the pieces a stream sends.
    pub(crate) arguments: Vec<String>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Length,
    Tools,
    /// At this stop sequence.
    Stop(String),
    Filtered,
}

/// What a model says that refuses.
const REFUSAL: &str = "I'm sorry, but I can't help with that.";

impl Answer {
    /// Decides what to say to `ask`. `tokens` is how long an answer is by default.
    pub(crate) fn to(ask: &Ask, model: &Model, tokens: Option<u32>, id: String) -> Self {
        let mut output = model.reasoning;
        let choices: Vec<Choice> = (0..ask.choices)
            .map(|index| {
                let (choice, spent) = choice(ask, model, tokens, &id, index);
                output = output.saturating_add(spent);
                choice
            })
            .collect();
        let thought: u32 = choices.iter().map(|choice| count(&choice.thinking)).sum();
        let reasoning = thought.saturating_add(model.reasoning);
        let usage = Usage { output, reasoning, hidden: model.reasoning, ..ask.read(model) };
        let usage_event = if model.telling == Telling::Never { UsageEvent::Withheld } else { ask.usage };
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { id, model: ask.model.clone(), created, choices, usage, usage_event, echo: Value::Null }
    }

    /// How many pieces of text it has: each takes its time to say.
    pub(crate) fn pieces(&self) -> u32 {
        self.choices.iter().map(|choice| count(&choice.text) + count(&choice.thinking)).sum()
    }

    /// The field that tells the usage, as `write` writes it; nothing where the model never tells it.
    pub(crate) fn told(&self, write: impl FnOnce(Usage) -> String) -> String {
        if self.usage_event == UsageEvent::Withheld { String::new() } else { write(self.usage) }
    }
}

/// The tools that are called of those on offer: the first, or the one or as many as the model's name says.
pub(crate) fn called(offered: &[Tool], times: Option<u32>, model: &Model) -> Vec<Tool> {
    let wanted = offered.iter().position(|tool| Some(&tool.name) == model.call.as_ref()).unwrap_or(0);
    let times = usize::try_from(times.unwrap_or(1).clamp(1, 64)).unwrap_or(1);
    offered.iter().cycle().skip(wanted).take(times).cloned().collect()
}

/// Decides on one choice and counts its tokens.
fn choice(ask: &Ask, model: &Model, tokens: Option<u32>, id: &str, index: u32) -> (Choice, u32) {
    let limit = ask.limit.filter(|_| model.cap != Cap::Ignored);
    let mut left = limit.unwrap_or(u32::MAX);
    let mut end = End::Done;
    let mut thinking = Vec::new();
    if ask.thinking || model.thinking {
        thinking = take(pieces("The question is clear, so a short answer will do."), &mut left, &mut end);
    }
    let mut calls = Vec::new();
    let tools = if model.refuses { &[] } else { ask.tools.as_slice() };
    for (number, tool) in tools.iter().enumerate() {
        // A tool may be offered without a schema: it has no arguments then.
        let arguments = Some(schema::example(&tool.schema)).filter(Value::is_object).unwrap_or_else(|| json!({}));
        let arguments = arguments.to_string();
        let arguments = take(pieces(&arguments), &mut left, &mut end);
        calls.push(Call { id: format!("{id}{index}{number}"), name: tool.name.clone(), arguments });
    }
    let mut text = Vec::new();
    if let (Some(size), true) = (model.size, calls.is_empty()) {
        text = filler(size);
        let spent = u32::try_from(size / 4).unwrap_or(u32::MAX);
        return (Choice { thinking, text, calls, end, refused: false }, spent);
    }
    if calls.is_empty() {
        let said = if model.refuses { REFUSAL.to_owned() } else { sentence(ask, index) };
        let to_cap = limit.filter(|_| model.cap == Cap::Filled).map(|_| left);
        let said = match to_cap.or(model.tokens).or(tokens) {
            Some(count) if ask.shape.is_none() || model.refuses => repeat(&said, count),
            _ => pieces(&said),
        };
        let (said, stopped) = stop(said, &ask.stop);
        text = take(said, &mut left, &mut end);
        if let (Some(stopped), End::Done) = (stopped, &end) {
            end = End::Stop(stopped);
        } else if to_cap.is_some() && left == 0 {
            end = End::Length;
        }
    } else if end == End::Done {
        end = End::Tools;
    }
    let spent = count(&thinking) + count(&text) + calls.iter().map(|call| count(&call.arguments)).sum::<u32>();
    (Choice { thinking, text, calls, end, refused: model.refuses }, spent)
}

/// What is said in reply: it repeats what was heard, so that a test can match it.
fn sentence(ask: &Ask, index: u32) -> String {
    if let Some(schema) = &ask.shape {
        return schema::example(schema).to_string();
    }
    let mut said = match &ask.heard {
        Heard::User(text) => format!("You said \"{text}\""),
        Heard::Tool(text) => format!("The tool said \"{text}\""),
    };
    match ask.images {
        0 => {}
        1 => said.push_str(" and showed 1 image"),
        images => said.extend([" and showed ", &images.to_string(), " images"]),
    }
    said.push_str(", and that is what I heard");
    if index > 0 {
        said.extend([" (choice ", &index.to_string(), ")"]);
    }
    said.push('.');
    said
}

/// What `model` makes of a text it is to say: the text in pieces, or as many as its name asks for.
pub(crate) fn spoken(said: &str, model: &Model, tokens: Option<u32>) -> Vec<String> {
    match (model.size, model.tokens.or(tokens)) {
        (Some(size), _) => filler(size),
        (None, Some(count)) => repeat(said, count),
        (None, None) => pieces(said),
    }
}

fn count(pieces: &[String]) -> u32 {
    u32::try_from(pieces.len()).unwrap_or(u32::MAX)
}

/// As many pieces as the limit leaves; fewer than there are end the answer.
fn take(mut pieces: Vec<String>, left: &mut u32, end: &mut End) -> Vec<String> {
    let wanted = count(&pieces);
    if wanted > *left {
        pieces.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
        *end = End::Length;
    }
    *left -= wanted.min(*left);
    pieces
}

/// Ends the text before the first stop sequence in it.
fn stop(said: Vec<String>, stops: &[String]) -> (Vec<String>, Option<String>) {
    let whole = said.concat();
    let found =
        stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| Some((whole.find(stop.as_str())?, stop)));
    match found.min_by_key(|(at, _)| *at) {
        None => (said, None),
        Some((at, stop)) => (pieces(whole.get(..at).unwrap_or_default()), Some(stop.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Ask {
        Ask::saying("m", text)
    }

    fn text(answer: &Answer) -> String {
        answer.choices[0].text.concat()
    }

    fn answer(ask: &Ask, model: &str) -> Answer {
        Answer::to(ask, &Model::read(model), None, "id".into())
    }

    #[test]
    fn an_answer_repeats_what_was_said() {
        assert_eq!(text(&answer(&ask("Hi"), "m")), "You said \"Hi\", and that is what I heard.");
        assert_eq!(answer(&ask("Hi"), "m").usage.output, 9);
    }

    #[test]
    fn a_model_name_chooses_the_tool_that_is_called() {
        let offered = ["a", "b", "c"].map(|name| Tool { name: name.into(), schema: Value::Null });
        let check = |model: &str, expect: &[&str]| {
            let model = Model::read(model);
            let called = called(&offered, model.parallel, &model);
            assert_eq!(called.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), expect, "{model:?}");
        };
        check("m", &["a"]);
        check("m+call-b", &["b"]);
        check("m+call-b+parallel-3", &["b", "c", "a"]);
        check("m+call-nothing", &["a"]);
    }

    #[test]
    fn a_limit_ends_an_answer() {
        let limited = answer(&Ask { limit: Some(3), ..ask("Hi") }, "m");
        assert_eq!((limited.usage.output, &limited.choices[0].end), (3, &End::Length));
        let enough = answer(&Ask { limit: Some(9), ..ask("Hi") }, "m");
        assert_eq!(enough.choices[0].end, End::Done);
    }

    #[test]
    fn a_model_name_ignores_the_limit_or_uses_it_up() {
        let check = |model: &str, expect: (u32, End)| {
            let said = answer(&Ask { limit: Some(3), ..ask("Hi") }, model);
            assert_eq!((said.usage.output, said.choices[0].end.clone()), expect, "{model}");
        };
        check("m+no-cap", (9, End::Done));
        check("m+no-cap+tokens-500", (500, End::Done));
        check("m+to-cap", (3, End::Length));
        check("m+to-cap+reasoning-64", (67, End::Length));
        let long = answer(&Ask { limit: Some(40), ..ask("Hi") }, "m+to-cap+tokens-7");
        assert_eq!((long.usage.output, &long.choices[0].end), (40, &End::Length));
        let free = answer(&ask("Hi"), "m+to-cap");
        assert_eq!((free.usage.output, &free.choices[0].end), (9, &End::Done));
    }

    #[test]
    fn a_model_name_bills_another_input_than_there_is() {
        let check = |model: &str, expect: u32| assert_eq!(answer(&ask("Hi"), model).usage.input, expect, "{model}");
        check("m", 10);
        check("m+input-3x", 30);
        check("m+input-7", 7);
    }

    #[test]
    fn a_stop_sequence_ends_an_answer_before_itself() {
        let stopped = answer(&Ask { stop: vec!["heard".into(), ", and".into()], ..ask("Hi") }, "m");
        assert_eq!(text(&stopped), "You said \"Hi\"");
        assert_eq!(stopped.choices[0].end, End::Stop(", and".into()));
    }

    #[test]
    fn a_model_name_sets_the_length() {
        assert_eq!(answer(&ask("Hi"), "m+tokens-500").usage.output, 500);
        let large = answer(&ask("Hi"), "m+size-8m");
        assert_eq!((text(&large).len(), large.usage.output), (8 << 20, 2 << 20));
        assert_eq!(text(&answer(&ask("Hi"), "m+size-10000")).len(), 10_000);
    }
}

//! Writes a chat as a Messages request.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::model::{Generation, budget};
use super::{ANSWER_TOOL, unsupported};
use crate::chat::{Chat, Content, Effort, Format, Part, Role, Tool, ToolChoice, Turn};
use crate::codec::json::write::{number, string};
use crate::codec::json::{Kind, Raw, check};
use crate::endpoint::Delivery;
use crate::fault::Reject;

/// The request for `chat`, for this upstream's model `model`.
pub(super) fn write(chat: &Chat<'_>, model: &str, delivery: Delivery) -> Result<Vec<u8>, Reject> {
    let generation = Generation::of(model);
    let thinking = Thinking::of(chat, generation)?;
    let mut body = Object::open(Vec::with_capacity(1024));
    body.string("model", model);
    body.number("max_tokens", thinking.max_tokens);
    if delivery == Delivery::Streamed {
        body.raw("stream", "true");
    }
    let conversation = Conversation::of(&chat.turns)?;
    conversation.write(&mut body)?;
    tools(chat, thinking.answer, &mut body);
    thinking.write(chat, generation, &mut body);
    for (name, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
        if let Some(value) = value {
            body.raw(name, value.text());
        }
    }
    if let Some(top_k) = chat.top_k {
        body.number("top_k", top_k);
    }
    if !chat.stop.is_empty() {
        body.array("stop_sequences", &chat.stop, |stop, out| string(out, stop));
    }
    if let Some(user) = &chat.user {
        body.key("metadata");
        let mut metadata = Object::open(core::mem::take(&mut body.out));
        metadata.string("user_id", user);
        body.out = metadata.close();
    }
    Ok(body.close())
}

/// How the model is to think, and how an answer that must be JSON is had: through a tool that the model has to call, or,
/// because thinking forbids that, through the API's own `output_config.format`.
struct Thinking<'a> {
    max_tokens: u64,
    mode: Mode<'a>,
    answer: Answer<'a>,
}

enum Mode<'a> {
    Off,
    Budget(u64),
    Adaptive(Effort),
    /// The caller's own words.
    AsGiven(Raw<'a>),
}

/// How an answer comes that must have a shape.
#[derive(Clone, Copy)]
enum Answer<'a> {
    Text,
    /// As the input of [`ANSWER_TOOL`], by this schema.
    Tool {
        schema: &'a str,
        description: Option<&'a str>,
    },
    /// As text, by this schema.
    Native {
        schema: &'a str,
    },
}

impl<'a> Thinking<'a> {
    fn of(chat: &'a Chat<'_>, generation: Generation) -> Result<Self, Reject> {
        let asked = chat.effort.filter(|effort| *effort != Effort::None);
        let given = chat.extra.iter().find(|(name, _)| name == "thinking").map(|(_, value)| *value);
        let (mode, room) = match (given, asked) {
            (Some(given), _) => (Mode::AsGiven(given), given.get("budget_tokens").and_then(Raw::integer).unwrap_or(0)),
            (None, None) => (Mode::Off, 0),
            (None, Some(effort)) => match generation {
                Generation::Three | Generation::ThreeFive => return Err(unsupported("reasoning_effort")),
                Generation::Budget => {
                    // The limit that the caller sets includes reasoning, here as there: half of it is for the answer.
                    let most = chat.max_tokens.map_or(u64::MAX, |max| max / 2);
                    if most < budget(Effort::None) {
                        return Err(Reject::Invalid {
                            field: "max_completion_tokens".to_owned(),
                            problem: "it must be at least 2048 for this model to reason".to_owned(),
                        });
                    }
                    let budget = budget(effort).min(most);
                    (Mode::Budget(budget), budget)
                }
                Generation::Adaptive | Generation::Latest => (Mode::Adaptive(effort), 0),
            },
        };
        let answer = match &chat.format {
            Format::Text => Answer::Text,
            // Thinking and a forced tool exclude each other.
            Format::Schema { schema, .. } if !matches!(mode, Mode::Off) => match generation {
                Generation::Adaptive | Generation::Latest => Answer::Native { schema: schema.text() },
                _ => return Err(unsupported("response_format")),
            },
            Format::Json if !matches!(mode, Mode::Off) => return Err(unsupported("response_format.type")),
            Format::Json => Answer::Tool { schema: "{\"type\":\"object\"}", description: None },
            Format::Schema { schema, description } => {
                Answer::Tool { schema: schema.text(), description: description.as_deref() }
            }
        };
        let max_tokens = chat.max_tokens.unwrap_or_else(|| generation.default_max_tokens().saturating_add(room));
        Ok(Self { max_tokens, mode, answer })
    }

    fn write(&self, chat: &Chat<'_>, generation: Generation, body: &mut Object) {
        match self.mode {
            Mode::Off => {}
            Mode::AsGiven(given) => body.raw("thinking", given.text()),
            Mode::Adaptive(_) => body.raw("thinking", "{\"type\":\"adaptive\"}"),
            Mode::Budget(tokens) => {
                body.raw("thinking", &format!("{{\"type\":\"enabled\",\"budget_tokens\":{tokens}}}"));
            }
        }
        let effort = match self.mode {
            Mode::Adaptive(effort) => Some(effort),
            Mode::AsGiven(_) if generation >= Generation::Adaptive => chat.effort,
            _ => None,
        };
        let schema = if let Answer::Native { schema } = self.answer { Some(schema) } else { None };
        if effort.is_none() && schema.is_none() {
            return;
        }
        body.key("output_config");
        let mut config = Object::open(core::mem::take(&mut body.out));
        if let Some(effort) = effort {
            config.string("effort", generation.effort(effort));
        }
        if let Some(schema) = schema {
            config.raw("format", &format!("{{\"type\":\"json_schema\",\"schema\":{schema}}}"));
        }
        body.out = config.close();
    }
}

fn tools(chat: &Chat<'_>, answer: Answer<'_>, body: &mut Object) {
    let answer = if let Answer::Tool { schema, description } = answer { Some((schema, description)) } else { None };
    if chat.tools.is_empty() && answer.is_none() {
        return;
    }
    body.key("tools");
    body.out.push(b'[');
    let mut comma = false;
    for tool in &chat.tools {
        if core::mem::replace(&mut comma, true) {
            body.out.push(b',');
        }
        body.out = self::tool(tool, core::mem::take(&mut body.out));
    }
    if let Some((schema, description)) = answer {
        if comma {
            body.out.push(b',');
        }
        let mut tool = Object::open(core::mem::take(&mut body.out));
        tool.string("name", ANSWER_TOOL);
        tool.string("description", description.unwrap_or("Gives the final answer to the user, as JSON."));
        tool.raw("input_schema", schema);
        body.out = tool.close();
    }
    body.out.push(b']');

    let parallel = chat.parallel_tools != Some(false);
    let (kind, name) = match (&chat.tool_choice, answer) {
        // The answer may also be a call of the caller's tools, unless the caller forbids that.
        (Some(ToolChoice::Named(name)), _) => ("tool", Some(&**name)),
        (Some(ToolChoice::None), Some(_)) => ("tool", Some(ANSWER_TOOL)),
        (_, Some(_)) if chat.tools.is_empty() => ("tool", Some(ANSWER_TOOL)),
        (_, Some(_)) | (Some(ToolChoice::Required), None) => ("any", None),
        (Some(ToolChoice::None), None) => ("none", None),
        (None, None) if parallel => return,
        (None | Some(ToolChoice::Auto), None) => ("auto", None),
    };
    body.key("tool_choice");
    let mut choice = Object::open(core::mem::take(&mut body.out));
    choice.string("type", kind);
    if let Some(name) = name {
        choice.string("name", name);
    }
    if !parallel && kind != "none" {
        choice.raw("disable_parallel_tool_use", "true");
    }
    body.out = choice.close();
}

fn tool(tool: &Tool<'_>, out: Vec<u8>) -> Vec<u8> {
    let mut object = Object::open(out);
    object.string("name", &tool.name);
    if let Some(description) = &tool.description {
        object.string("description", description);
    }
    // A function without parameters may leave them out there; here a schema is required.
    object.raw("input_schema", tool.parameters.map_or("{\"type\":\"object\",\"properties\":{}}", Raw::text));
    if tool.strict == Some(true) {
        object.raw("strict", "true");
    }
    object.mark(tool.cache);
    object.close()
}

/// A conversation as this API knows it: one system prompt, then people and model by turns.
struct Conversation<'a> {
    system: Vec<&'a Part<'a>>,
    turns: Vec<(Role, Vec<(&'a Part<'a>, Place)>)>,
}

/// Where a part stands in the caller's request, for errors.
#[derive(Clone, Copy)]
struct Place {
    turn: usize,
}

impl<'a> Conversation<'a> {
    /// Sorts the turns: system messages, wherever they stand, go into the system prompt in their order (a later one keeps
    /// its authority that way, at the cost of its place); tool results are the person's; neighbours of one role are one.
    fn of(turns: &'a [Turn<'a>]) -> Result<Self, Reject> {
        let mut system = Vec::new();
        let mut merged: Vec<(Role, Vec<(&Part<'_>, Place)>)> = Vec::new();
        for turn in turns {
            if let Some((name, _)) = turn.extra.first() {
                return Err(unsupported(&format!("messages[{}].{name}", turn.at)));
            }
            if let Some(field) = turn.parts.iter().find_map(inexpressible) {
                return Err(unsupported(field));
            }
            let said = turn.parts.iter().filter(|part| says_something(part));
            if turn.role == Role::System {
                system.extend(said);
                continue;
            }
            let role = if turn.role == Role::Tool { Role::User } else { turn.role };
            let mut said = said.map(|part| (part, Place { turn: turn.at })).peekable();
            match merged.last_mut() {
                Some((last, parts)) if *last == role => parts.extend(said),
                _ if said.peek().is_some() => merged.push((role, said.collect())),
                _ => {}
            }
        }
        if merged.is_empty() {
            return Err(Reject::Invalid {
                field: "messages".to_owned(),
                problem: "there must be a message other than 'system' that says something".to_owned(),
            });
        }
        // Within a turn of a person, results come before anything else; a stable sort keeps the rest in order.
        for (role, parts) in &mut merged {
            if *role == Role::User {
                parts.sort_by_key(|(part, _)| !matches!(part.content, Content::Result { .. }));
            }
        }
        Ok(Self { system, turns: merged })
    }

    fn write(&self, body: &mut Object) -> Result<(), Reject> {
        match self.system.as_slice() {
            [] => {}
            [Part { content: Content::Text(text), cache: None }] => body.string("system", text),
            parts => {
                body.key("system");
                body.out.push(b'[');
                for (index, part) in parts.iter().enumerate() {
                    comma(index, &mut body.out);
                    body.out = plain(part, core::mem::take(&mut body.out));
                }
                body.out.push(b']');
            }
        }
        body.key("messages");
        body.out.push(b'[');
        for (index, (role, parts)) in self.turns.iter().enumerate() {
            comma(index, &mut body.out);
            let mut turn = Object::open(core::mem::take(&mut body.out));
            turn.string("role", if *role == Role::Assistant { "assistant" } else { "user" });
            match parts.as_slice() {
                [(Part { content: Content::Text(text), cache: None }, _)] => turn.string("content", text),
                parts => {
                    turn.key("content");
                    turn.out.push(b'[');
                    let mut calls = 0;
                    for (index, (part, place)) in parts.iter().enumerate() {
                        comma(index, &mut turn.out);
                        let out = core::mem::take(&mut turn.out);
                        turn.out = block(part, *place, &mut calls, out)?;
                    }
                    turn.out.push(b']');
                }
            }
            body.out = turn.close();
        }
        body.out.push(b']');
        Ok(())
    }
}

fn comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

/// The path of what has no counterpart here.
fn inexpressible<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.content {
        Content::Other { field } => Some(field),
        Content::Result { parts, .. } => parts.iter().find_map(|part| match &part.content {
            Content::Other { field } => Some(field.as_str()),
            _ => None,
        }),
        _ => None,
    }
}

/// Whether this API takes the part at all: it refuses empty text, and reasoning that it cannot prove to be its own.
/// Reasoning is no part of what was said, so a conversation that began elsewhere goes on without it.
fn says_something(part: &Part<'_>) -> bool {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => !text.trim().is_empty(),
        Content::Reasoning { signature, .. } => signature.is_some(),
        _ => true,
    }
}

fn block(part: &Part<'_>, place: Place, calls: &mut usize, out: Vec<u8>) -> Result<Vec<u8>, Reject> {
    let Content::Call { id, name, arguments } = &part.content else { return Ok(plain(part, out)) };
    let input = if arguments.trim().is_empty() { Some("{}") } else { object_text(arguments) };
    let input = input.ok_or_else(|| Reject::Invalid {
        field: format!("messages[{}].tool_calls[{calls}].function.arguments", place.turn),
        problem: "it must be a JSON object".to_owned(),
    })?;
    *calls += 1;
    let mut block = Object::open(out);
    block.string("type", "tool_use");
    block.string("id", &call_id(id));
    block.string("name", name);
    block.raw("input", input);
    Ok(block.close())
}

fn object_text(text: &str) -> Option<&str> {
    check(text).ok().filter(|value| value.kind() == Kind::Object).map(Raw::text)
}

/// A part that is no tool call.
fn plain(part: &Part<'_>, out: Vec<u8>) -> Vec<u8> {
    let mut block = Object::open(out);
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => {
            block.string("type", "text");
            block.string("text", text);
        }
        Content::ImageUrl(url) => {
            block.string("type", "image");
            block.key("source");
            let mut source = Object::open(core::mem::take(&mut block.out));
            source.string("type", "url");
            source.string("url", url);
            block.out = source.close();
        }
        Content::Image { media_type, data } => {
            block.string("type", "image");
            block.key("source");
            let mut source = Object::open(core::mem::take(&mut block.out));
            source.string("type", "base64");
            source.string("media_type", media_type);
            source.string("data", data);
            block.out = source.close();
        }
        Content::Reasoning { text, signature } => {
            block.string("type", "thinking");
            block.string("thinking", text);
            block.string("signature", signature.as_deref().unwrap_or_default());
        }
        Content::Redacted(data) => {
            block.string("type", "redacted_thinking");
            block.string("data", data);
        }
        Content::Result { id, parts } => {
            block.string("type", "tool_result");
            block.string("tool_use_id", &call_id(id));
            let parts: Vec<_> = parts.iter().filter(|part| says_something(part)).collect();
            match parts.as_slice() {
                [] => {}
                [Part { content: Content::Text(text), cache: None }] => block.string("content", text),
                parts => {
                    block.key("content");
                    block.out.push(b'[');
                    for (index, part) in parts.iter().enumerate() {
                        comma(index, &mut block.out);
                        block.out = plain(part, core::mem::take(&mut block.out));
                    }
                    block.out.push(b']');
                }
            }
        }
        // Handled by the caller, or refused before.
        Content::Call { .. } | Content::Other { .. } => {}
    }
    block.mark(part.cache);
    block.close()
}

/// A call's name in the characters that this API allows; conversations that began elsewhere have others.
fn call_id(id: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(allowed) {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(id.chars().map(|c| if allowed(c) { c } else { '_' }).collect::<String>())
    }
}

/// A JSON object being written.
struct Object {
    out: Vec<u8>,
    comma: bool,
}

impl Object {
    fn open(mut out: Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, comma: false }
    }

    fn key(&mut self, name: &str) {
        if core::mem::replace(&mut self.comma, true) {
            self.out.push(b',');
        }
        string(&mut self.out, name);
        self.out.push(b':');
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        string(&mut self.out, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        number(&mut self.out, value);
    }

    /// A member whose value is JSON already.
    fn raw(&mut self, name: &str, value: &str) {
        self.key(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    fn array<T>(&mut self, name: &str, items: &[T], write: impl Fn(&T, &mut Vec<u8>)) {
        self.key(name);
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            comma(index, &mut self.out);
            write(item, &mut self.out);
        }
        self.out.push(b']');
    }

    fn mark(&mut self, cache: Option<Raw<'_>>) {
        if let Some(mark) = cache {
            self.raw("cache_control", mark.text());
        }
    }

    fn close(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

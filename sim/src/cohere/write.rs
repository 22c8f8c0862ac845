//! Writes chat answers, whole and as the events of a stream, which ends with `[DONE]`.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, Choice, End, Usage, pieces},
    dialect::{Event, Moment, quote, uuid},
};

/// What the model says about its calls before it makes them. Not counted among the tokens.
const PLAN: &str = "I will use the tools to answer.";

/// What the template around the messages costs; not billed.
const TEMPLATE_TOKENS: u32 = 66;

/// A chat response.
pub(super) fn whole(answer: &Answer) -> Bytes {
    let mut message = answer.choices.first().map(message).unwrap_or_default();
    if let Some(citation) = citation(answer) {
        message.extend([r#","citations":["#, &citation, "]"]);
    }
    Bytes::from(format!(
        r#"{{"id":"{}","message":{{"role":"assistant"{message}}},"finish_reason":"{}"{}}}"#,
        uuid(&answer.id),
        finish(answer),
        answer.told(usage)
    ))
}

fn message(choice: &Choice) -> String {
    let mut blocks = Vec::new();
    if !choice.thinking.is_empty() {
        blocks.push(format!(r#"{{"type":"thinking","thinking":{}}}"#, quote(&choice.thinking.concat())));
    }
    if !choice.text.is_empty() {
        blocks.push(format!(r#"{{"type":"text","text":{}}}"#, quote(&choice.text.concat())));
    }
    let content = if blocks.is_empty() { String::new() } else { format!(r#","content":[{}]"#, blocks.join(",")) };
    if choice.calls.is_empty() {
        return content;
    }
    let calls: Vec<String> =
        choice.calls.iter().map(|call| tool_call(&call.name, &call.id, &call.arguments.concat())).collect();
    format!(r#"{content},"tool_plan":"{PLAN}","tool_calls":[{}]"#, calls.join(","))
}

fn tool_call(name: &str, id: &str, arguments: &str) -> String {
    let (id, name, arguments) = (quote(&format!("{name}_{id}")), quote(name), quote(arguments));
    format!(r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}}}"#)
}

/// The events of a stream.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut writer = Writer { events: Vec::new() };
    let start = format!(
        r#""id":"{}","delta":{{"message":{{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}}"#,
        uuid(&answer.id)
    );
    writer.event(Moment::Frame, "message-start", &start);
    if let Some(choice) = answer.choices.first() {
        writer.choice(choice, citation(answer).as_deref());
    }
    let end = format!(r#""delta":{{"finish_reason":"{}"{}}}"#, finish(answer), answer.told(usage));
    writer.event(Moment::Finish, "message-end", &end);
    writer.events.push(Event { moment: Moment::Terminal, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    writer.events
}

/// One event; `fields` is what follows its type.
pub(super) fn event(kind: &str, fields: &str) -> Bytes {
    Bytes::from(format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{fields}}}\n\n"))
}

struct Writer {
    events: Vec<Event>,
}

impl Writer {
    fn event(&mut self, moment: Moment, kind: &str, fields: &str) {
        self.events.push(Event { moment, bytes: event(kind, fields) });
    }

    /// An event about what is at `index`.
    fn at(&mut self, moment: Moment, kind: &str, index: usize, message: &str) {
        self.event(moment, kind, &format!(r#""index":{index},"delta":{{"message":{{{message}}}}}"#));
    }

    fn choice(&mut self, choice: &Choice, citation: Option<&str>) {
        let mut index = 0;
        for (kind, pieces) in [("thinking", &choice.thinking), ("text", &choice.text)] {
            if pieces.is_empty() {
                continue;
            }
            self.at(Moment::Frame, "content-start", index, &format!(r#""content":{{"type":"{kind}","{kind}":""}}"#));
            for piece in pieces {
                self.at(Moment::Token, "content-delta", index, &format!(r#""content":{{"{kind}":{}}}"#, quote(piece)));
            }
            if let (Some(citation), "text") = (citation, kind) {
                self.at(Moment::Frame, "citation-start", 0, &format!(r#""citations":{citation}"#));
                self.event(Moment::Frame, "citation-end", r#""index":0"#);
            }
            self.event(Moment::Frame, "content-end", &format!(r#""index":{index}"#));
            index += 1;
        }
        if choice.calls.is_empty() {
            return;
        }
        for piece in pieces(PLAN) {
            let plan = format!(r#""delta":{{"message":{{"tool_plan":{}}}}}"#, quote(&piece));
            self.event(Moment::Token, "tool-plan-delta", &plan);
        }
        for (index, call) in choice.calls.iter().enumerate() {
            let start = format!(r#""tool_calls":{}"#, tool_call(&call.name, &call.id, ""));
            self.at(Moment::Token, "tool-call-start", index, &start);
            for piece in &call.arguments {
                let delta = format!(r#""tool_calls":{{"function":{{"arguments":{}}}}}"#, quote(piece));
                self.at(Moment::Token, "tool-call-delta", index, &delta);
            }
            self.event(Moment::Frame, "tool-call-end", &format!(r#""index":{index}"#));
        }
    }
}

/// The citation of the first document by the whole of the text, where there are both.
fn citation(answer: &Answer) -> Option<String> {
    let document = answer.echo.get(0)?;
    let choice = answer.choices.first().filter(|choice| !choice.text.is_empty())?;
    let text = choice.text.concat();
    // Without a name of its own, a document is called by its place.
    let id = document.get("id").and_then(Value::as_str).unwrap_or("doc:0");
    let mut fields = match document.get("data").unwrap_or(document) {
        Value::Object(fields) => fields.clone(),
        said => Map::from_iter([("content".to_owned(), said.clone())]),
    };
    fields.insert("id".to_owned(), id.into());
    Some(format!(
        r#"{{"start":0,"end":{},"text":{},"sources":[{{"type":"document","id":{},"document":{}}}],"type":"TEXT_CONTENT"}}"#,
        text.chars().count(),
        quote(&text),
        quote(id),
        Value::Object(fields)
    ))
}

fn finish(answer: &Answer) -> &'static str {
    match answer.choices.first().map(|choice| &choice.end) {
        Some(End::Done) | None => "COMPLETE",
        Some(End::Length) => "MAX_TOKENS",
        Some(End::Tools) => "TOOL_CALL",
        Some(End::Stop(_)) => "STOP_SEQUENCE",
        // There is no word for it.
        Some(End::Filtered) => "ERROR",
    }
}

fn usage(used: Usage) -> String {
    let (billed, output, cached) = (used.input, used.output, used.cache.read);
    let input = billed.saturating_add(TEMPLATE_TOKENS);
    format!(
        r#","usage":{{"billed_units":{{"input_tokens":{billed},"output_tokens":{output}}},"tokens":{{"input_tokens":{input},"output_tokens":{output}}},"cached_tokens":{cached}}}"#
    )
}

//! Writes a response as events. Each has its name twice, before and in its data, and a number; none of them is `[DONE]`.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use bytes::Bytes;

use super::write::{Item, Stand, part, reason, response};
use crate::{
    answer::{Answer, Choice},
    dialect::{Event, Moment, quote},
    openai::ErrorObject,
};

/// All events, from `response.created` to how it ended.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut writer = Writer { answer, output: 0, events: Vec::new() };
    let begun = format!(r#""response":{}"#, response(answer, Stand::Begun));
    writer.event(Moment::Frame, "response.created", &begun);
    writer.event(Moment::Frame, "response.in_progress", &begun);
    for item in super::write::items(answer) {
        writer.item(item);
    }
    let end = if reason(answer).is_some() { "response.incomplete" } else { "response.completed" };
    writer.event(Moment::Terminal, end, &format!(r#""response":{}"#, response(answer, Stand::Ended)));
    writer.events
}

/// How a stream breaks off. Seen are both: an `error` and then `response.failed` where nothing was said yet, and
/// `response.failed` alone.
pub(super) fn broken(answer: &Answer, error: &ErrorObject, events: &[Event]) -> Bytes {
    let spoke = events.iter().any(|event| event.moment == Moment::Token);
    let mut number = events.len();
    let mut bytes = Vec::new();
    if !spoke {
        bytes.extend_from_slice(&self::error(error, number));
        number += 1;
    }
    let failed = response(answer, Stand::Failed(error));
    bytes.extend_from_slice(&framed("response.failed", number, &format!(r#""response":{failed}"#)));
    Bytes::from(bytes)
}

/// An `error` event.
pub(super) fn error(error: &ErrorObject, number: usize) -> Bytes {
    let param = error.param.as_deref().map_or("null".to_owned(), quote);
    let (kind, code, message) = (error.kind, error.code.unwrap_or("server_error"), quote(&error.message));
    let error = format!(r#"{{"type":"{kind}","code":"{code}","message":{message},"param":{param}}}"#);
    framed("error", number, &format!(r#""error":{error}"#))
}

fn framed(name: &str, number: usize, fields: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},{fields}}}\n\n"))
}

struct Writer<'a> {
    answer: &'a Answer,
    /// The place of the next item.
    output: usize,
    events: Vec<Event>,
}

impl Writer<'_> {
    fn event(&mut self, moment: Moment, name: &str, fields: &str) {
        let bytes = framed(name, self.events.len(), fields);
        self.events.push(Event { moment, bytes });
    }

    fn item(&mut self, item: Item<'_>) {
        let (id, output) = (item.id(self.answer), self.output);
        let at = format!(r#""item_id":"{id}","output_index":{output}"#);
        // A call begins with its name, which is something said.
        let moment = if matches!(item, Item::Call(..)) { Moment::Token } else { Moment::Frame };
        let begun = format!(r#""output_index":{output},"item":{}"#, item.begun(self.answer));
        self.event(moment, "response.output_item.added", &begun);
        match item {
            Item::Reasoning(choice) => self.summary(&at, choice),
            Item::Message(choice) => self.message(&at, choice),
            Item::Call(call, _) => {
                let name = "response.function_call_arguments";
                self.deltas(name, &at, &call.arguments);
                let arguments = quote(&call.arguments.concat());
                self.event(Moment::Frame, &format!("{name}.done"), &format!(r#"{at},"arguments":{arguments}"#));
            }
        }
        let done = format!(r#""output_index":{output},"item":{}"#, item.written(self.answer));
        self.event(Moment::Frame, "response.output_item.done", &done);
        self.output += 1;
    }

    fn summary(&mut self, at: &str, choice: &Choice) {
        if choice.thinking.is_empty() {
            return;
        }
        let at = format!(r#"{at},"summary_index":0"#);
        let text = quote(&choice.thinking.concat());
        let part = |text: &str| format!(r#"{at},"part":{{"type":"summary_text","text":{text}}}"#);
        self.event(Moment::Frame, "response.reasoning_summary_part.added", &part("\"\""));
        self.deltas("response.reasoning_summary_text", &at, &choice.thinking);
        self.event(Moment::Frame, "response.reasoning_summary_text.done", &format!(r#"{at},"text":{text}"#));
        self.event(Moment::Frame, "response.reasoning_summary_part.done", &part(&text));
    }

    fn message(&mut self, at: &str, choice: &Choice) {
        let at = format!(r#"{at},"content_index":0"#);
        let said = choice.text.concat();
        self.event(Moment::Frame, "response.content_part.added", &format!(r#"{at},"part":{}"#, part(choice, "")));
        let text = quote(&said);
        if choice.refused {
            self.deltas("response.refusal", &at, &choice.text);
            self.event(Moment::Frame, "response.refusal.done", &format!(r#"{at},"refusal":{text}"#));
        } else {
            let deltas = format!(r#"{at},"logprobs":[]"#);
            self.deltas("response.output_text", &deltas, &choice.text);
            self.event(Moment::Frame, "response.output_text.done", &format!(r#"{deltas},"text":{text}"#));
        }
        self.event(Moment::Frame, "response.content_part.done", &format!(r#"{at},"part":{}"#, part(choice, &said)));
    }

    fn deltas(&mut self, name: &str, at: &str, pieces: &[String]) {
        for piece in pieces {
            let fields = format!(r#"{at},"delta":{},"obfuscation":"qX7""#, quote(piece));
            self.event(Moment::Token, &format!("{name}.delta"), &fields);
        }
    }
}

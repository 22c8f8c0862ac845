//! Writes Converse answers, whole and as the events of a stream.
//!
//! A stream begins a block only where there is something to say about it (a tool's name); text just comes. Its last event
//! is `metadata`, after `messageStop`. Events are padded (`p`), so that their length tells nothing.

use bytes::Bytes;

use super::frame::event;
use crate::{
    answer::{Answer, Choice, End, Usage},
    dialect::{Event, Moment, quote},
};

/// What a thought is signed with.
const SIGNATURE: &str = "EqQBCkYIChgCKkBzaW11bGF0ZWQgc2lnbmF0dXJlIG9mIGEgc2ltdWxhdGVkIHRob3VnaHQ=";

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A `ConverseResponse`.
pub(super) fn whole(answer: &Answer) -> Bytes {
    let mut blocks = Vec::new();
    if let Some(choice) = answer.choices.first() {
        if !choice.thinking.is_empty() {
            let text = quote(&choice.thinking.concat());
            blocks.push(format!(
                r#"{{"reasoningContent":{{"reasoningText":{{"signature":"{SIGNATURE}","text":{text}}}}}}}"#
            ));
        }
        if !choice.text.is_empty() {
            blocks.push(format!(r#"{{"text":{}}}"#, quote(&choice.text.concat())));
        }
        blocks.extend(choice.calls.iter().map(|call| {
            let input = call.arguments.concat();
            // A limit may have cut the arguments; whole, they must be an object.
            let input = if serde_json::from_str::<serde_json::Value>(&input).is_ok() { &input } else { "{}" };
            format!(
                r#"{{"toolUse":{{"input":{input},"name":{},"toolUseId":"tooluse_{}"}}}}"#,
                quote(&call.name),
                call.id
            )
        }));
    }
    Bytes::from(format!(
        r#"{{"metrics":{{"latencyMs":412}},"output":{{"message":{{"content":[{}],"role":"assistant"}}}},"stopReason":"{}"{}}}"#,
        blocks.join(","),
        stop(answer),
        answer.told(usage)
    ))
}

/// The events of a stream.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut writer = Writer { events: Vec::new(), block: 0 };
    writer.event(Moment::Frame, "messageStart", r#","role":"assistant""#);
    if let Some(choice) = answer.choices.first() {
        blocks(&mut writer, choice);
    }
    writer.event(Moment::Finish, "messageStop", &format!(r#","stopReason":"{}""#, stop(answer)));
    let metadata = format!(r#","metrics":{{"latencyMs":412}}{}"#, answer.told(usage));
    writer.event(Moment::Terminal, "metadata", &metadata);
    writer.events
}

fn blocks(writer: &mut Writer, choice: &Choice) {
    if !choice.thinking.is_empty() {
        for piece in &choice.thinking {
            writer.delta(&format!(r#"{{"reasoningContent":{{"text":{}}}}}"#, quote(piece)));
        }
        writer.delta(&format!(r#"{{"reasoningContent":{{"signature":"{SIGNATURE}"}}}}"#));
        writer.stop();
    }
    if !choice.text.is_empty() {
        for piece in &choice.text {
            writer.delta(&format!(r#"{{"text":{}}}"#, quote(piece)));
        }
        writer.stop();
    }
    for call in &choice.calls {
        let start = format!(
            r#","contentBlockIndex":{},"start":{{"toolUse":{{"name":{},"toolUseId":"tooluse_{}"}}}}"#,
            writer.block,
            quote(&call.name),
            call.id
        );
        writer.event(Moment::Frame, "contentBlockStart", &start);
        for piece in &call.arguments {
            writer.delta(&format!(r#"{{"toolUse":{{"input":{}}}}}"#, quote(piece)));
        }
        writer.stop();
    }
}

struct Writer {
    events: Vec<Event>,
    /// The index of the block that is being written.
    block: usize,
}

impl Writer {
    /// `fields` begin with a comma.
    fn event(&mut self, moment: Moment, kind: &str, fields: &str) {
        let length = 2 + self.events.len() * 7 % (PADDING.len() - 2);
        let padding = PADDING.get(..length).unwrap_or_default();
        self.events.push(Event { moment, bytes: event(kind, &format!(r#"{{"p":"{padding}"{fields}}}"#)) });
    }

    fn delta(&mut self, delta: &str) {
        let fields = format!(r#","contentBlockIndex":{},"delta":{delta}"#, self.block);
        self.event(Moment::Token, "contentBlockDelta", &fields);
    }

    fn stop(&mut self) {
        let fields = format!(r#","contentBlockIndex":{}"#, self.block);
        self.event(Moment::Frame, "contentBlockStop", &fields);
        self.block += 1;
    }
}

fn stop(answer: &Answer) -> &'static str {
    match answer.choices.first().map(|choice| &choice.end) {
        Some(End::Done) | None => "end_turn",
        Some(End::Length) => "max_tokens",
        Some(End::Tools) => "tool_use",
        Some(End::Stop(_)) => "stop_sequence",
        Some(End::Filtered) => "content_filtered",
    }
}

/// What was cached is counted apart from the input, and in the total.
fn usage(used: Usage) -> String {
    let (read, written, output) = (used.cache.read, used.cache.written, used.output);
    let fresh = used.input.saturating_sub(read).saturating_sub(written);
    let total = used.input.saturating_add(output);
    format!(
        r#","usage":{{"cacheReadInputTokenCount":{read},"cacheReadInputTokens":{read},"cacheWriteInputTokenCount":{written},"cacheWriteInputTokens":{written},"inputTokens":{fresh},"outputTokens":{output},"serverToolUsage":{{}},"totalTokens":{total}}}"#
    )
}

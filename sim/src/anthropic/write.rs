//! Writes messages, whole and as the events of a stream.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>: message start; each content block with its start,
//! deltas and stop; a ping after the first start; message delta with the stop reason and cumulative usage; message stop.

use bytes::Bytes;

use crate::{
    answer::{Answer, Choice, End, Usage},
    dialect::{Event, Moment, quote},
};

/// What a thinking block is signed with.
const SIGNATURE: &str = "EqQBCkYIChgCKkBzaW11bGF0ZWQgc2lnbmF0dXJlIG9mIGEgc2ltdWxhdGVkIHRob3VnaHQ=";

/// A `message`.
pub(super) fn whole(answer: &Answer) -> Bytes {
    let content: Vec<String> =
        answer.choices.first().map(blocks).unwrap_or_default().iter().map(Block::whole).collect();
    let (reason, stop) = answer.choices.first().map_or(("end_turn", "null".to_owned()), stop);
    Bytes::from(message(answer, &content.join(","), &format!("\"{reason}\""), &stop, answer.usage.output))
}

/// The events of a stream.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let start = message(answer, "", "null", "null", 1.min(answer.usage.output));
    let mut events = vec![event(Moment::Frame, "message_start", &format!(r#""message":{start}"#))];
    let blocks = answer.choices.first().map(blocks).unwrap_or_default();
    for (index, block) in blocks.iter().enumerate() {
        let opening = format!(r#""index":{index},"content_block":{}"#, block.empty());
        events.push(event(Moment::Frame, "content_block_start", &opening));
        if index == 0 {
            events.push(event(Moment::Frame, "ping", ""));
        }
        for delta in block.deltas() {
            events.push(event(Moment::Token, "content_block_delta", &format!(r#""index":{index},"delta":{delta}"#)));
        }
        events.push(event(Moment::Frame, "content_block_stop", &format!(r#""index":{index}"#)));
    }
    let (reason, stop) = answer.choices.first().map_or(("end_turn", "null".to_owned()), stop);
    let finish = format!(
        r#""delta":{{"stop_reason":"{reason}","stop_sequence":{stop}}}{}"#,
        answer.told(|usage| format!(r#","usage":{{{},"output_tokens":{}}}"#, input(usage), usage.output))
    );
    events.push(event(Moment::Finish, "message_delta", &finish));
    events.push(event(Moment::Terminal, "message_stop", ""));
    events
}

/// A content block, in the pieces a stream sends.
enum Block<'a> {
    Thinking(&'a [String]),
    Text(&'a [String]),
    ToolUse { id: &'a str, name: &'a str, input: &'a [String] },
}

impl Block<'_> {
    fn whole(&self) -> String {
        match self {
            Self::Thinking(pieces) => {
                format!(r#"{{"type":"thinking","thinking":{},"signature":"{SIGNATURE}"}}"#, quote(&pieces.concat()))
            }
            Self::Text(pieces) => format!(r#"{{"type":"text","text":{}}}"#, quote(&pieces.concat())),
            Self::ToolUse { id, name, input } => {
                let input = input.concat();
                // A limit may have cut the arguments; whole, they must be an object.
                let input = if serde_json::from_str::<serde_json::Value>(&input).is_ok() { &input } else { "{}" };
                format!(r#"{{"type":"tool_use","id":"toolu_{id}","name":{},"input":{input}}}"#, quote(name))
            }
        }
    }

    /// The block as its start event shows it.
    fn empty(&self) -> String {
        match self {
            Self::Thinking(_) => r#"{"type":"thinking","thinking":"","signature":""}"#.to_owned(),
            Self::Text(_) => r#"{"type":"text","text":""}"#.to_owned(),
            Self::ToolUse { id, name, .. } => {
                format!(r#"{{"type":"tool_use","id":"toolu_{id}","name":{},"input":{{}}}}"#, quote(name))
            }
        }
    }

    fn deltas(&self) -> Vec<String> {
        match self {
            Self::Thinking(pieces) => pieces
                .iter()
                .map(|piece| format!(r#"{{"type":"thinking_delta","thinking":{}}}"#, quote(piece)))
                .chain([format!(r#"{{"type":"signature_delta","signature":"{SIGNATURE}"}}"#)])
                .collect(),
            Self::Text(pieces) => {
                pieces.iter().map(|piece| format!(r#"{{"type":"text_delta","text":{}}}"#, quote(piece))).collect()
            }
            // The real thing begins with an empty fragment, too.
            Self::ToolUse { input, .. } => std::iter::once("")
                .chain(input.iter().map(String::as_str))
                .map(|piece| format!(r#"{{"type":"input_json_delta","partial_json":{}}}"#, quote(piece)))
                .collect(),
        }
    }
}

fn blocks(choice: &Choice) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    if !choice.thinking.is_empty() {
        blocks.push(Block::Thinking(&choice.thinking));
    }
    if !choice.text.is_empty() {
        blocks.push(Block::Text(&choice.text));
    }
    blocks.extend(choice.calls.iter().map(|call| Block::ToolUse {
        id: &call.id,
        name: &call.name,
        input: &call.arguments,
    }));
    blocks
}

fn message(answer: &Answer, content: &str, reason: &str, stop: &str, output: u32) -> String {
    let (id, model) = (&answer.id, quote(&answer.model));
    let usage = answer.told(|usage| {
        format!(
            r#","usage":{{{},"cache_creation":{{"ephemeral_5m_input_tokens":{},"ephemeral_1h_input_tokens":0}},"output_tokens":{output},"service_tier":"standard"}}"#,
            input(usage),
            usage.cache.written
        )
    });
    format!(
        r#"{{"model":{model},"id":"msg_{id}","type":"message","role":"assistant","content":[{content}],"stop_reason":{reason},"stop_sequence":{stop}{usage}}}"#
    )
}

/// The input side of usage: what was cached is counted apart.
fn input(usage: Usage) -> String {
    let Usage { input, cache, .. } = usage;
    let fresh = input.saturating_sub(cache.read).saturating_sub(cache.written);
    format!(
        r#""input_tokens":{fresh},"cache_creation_input_tokens":{},"cache_read_input_tokens":{}"#,
        cache.written, cache.read
    )
}

fn stop(choice: &Choice) -> (&'static str, String) {
    let null = || "null".to_owned();
    match &choice.end {
        End::Done => ("end_turn", null()),
        End::Length => ("max_tokens", null()),
        End::Tools => ("tool_use", null()),
        End::Stop(sequence) => ("stop_sequence", quote(sequence)),
        End::Filtered => ("refusal", null()),
    }
}

fn event(moment: Moment, kind: &str, fields: &str) -> Event {
    let comma = if fields.is_empty() { "" } else { "," };
    Event { moment, bytes: Bytes::from(format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{fields}}}\n\n")) }
}

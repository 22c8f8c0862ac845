//! Writes chat completions as Mistral does: usage always comes with the last chunk, calls come whole and together with the
//! finish, thoughts are a part of the content.

use bytes::Bytes;

use crate::{
    answer::{Answer, Choice, End, Usage},
    dialect::{Event, Moment, quote},
};

const PADDING: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// A `chat.completion`.
pub(super) fn whole(answer: &Answer) -> Bytes {
    let choices: Vec<String> = answer
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| {
            let calls = if choice.calls.is_empty() { "null".to_owned() } else { calls(choice) };
            let text = quote(&choice.text.concat());
            let content = if choice.thinking.is_empty() {
                text
            } else {
                format!(r#"[{},{{"type":"text","text":{text}}}]"#, thought(&choice.thinking.concat()))
            };
            format!(
                r#"{{"index":{index},"finish_reason":"{}","message":{{"role":"assistant","tool_calls":{calls},"content":{content}}}}}"#,
                finish(&choice.end)
            )
        })
        .collect();
    let (id, created, model) = (&answer.id, answer.created, quote(&answer.model));
    Bytes::from(format!(
        r#"{{"id":"{id}","created":{created},"model":{model}{},"object":"chat.completion","choices":[{}]}}"#,
        answer.told(usage),
        choices.join(",")
    ))
}

/// The chunks of a stream, then `[DONE]`.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut writer = Writer { answer, events: Vec::new() };
    for index in 0..answer.choices.len() {
        writer.chunk(Moment::Frame, index, r#""role":"assistant","content":"""#, None, "");
    }
    for (index, choice) in answer.choices.iter().enumerate() {
        for piece in &choice.thinking {
            writer.chunk(Moment::Token, index, &format!(r#""content":[{}]"#, thought(piece)), None, "");
        }
        for piece in &choice.text {
            writer.chunk(Moment::Token, index, &format!(r#""content":{}"#, quote(piece)), None, "");
        }
    }
    let usage = answer.told(usage);
    for (index, choice) in answer.choices.iter().enumerate() {
        let usage = if index + 1 == answer.choices.len() { usage.as_str() } else { "" };
        // With calls, this is the first that is said, too.
        let (moment, delta) = if choice.calls.is_empty() {
            (Moment::Finish, r#""content":"""#.to_owned())
        } else {
            (Moment::Token, format!(r#""content":"","tool_calls":{}"#, calls(choice)))
        };
        writer.chunk(moment, index, &delta, Some(&choice.end), usage);
    }
    writer.events.push(Event { moment: Moment::Terminal, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    writer.events
}

struct Writer<'a> {
    answer: &'a Answer,
    events: Vec<Event>,
}

impl Writer<'_> {
    /// `usage` begins with a comma, where there is one.
    fn chunk(&mut self, moment: Moment, index: usize, delta: &str, end: Option<&End>, usage: &str) {
        let (id, created, model) = (&self.answer.id, self.answer.created, quote(&self.answer.model));
        let finish = end.map_or("null".to_owned(), |end| format!("\"{}\"", finish(end)));
        let padding = PADDING.get(..2 + self.events.len() * 7 % (PADDING.len() - 2)).unwrap_or_default();
        let chunk = format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{model},\"choices\":[{{\"index\":{index},\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]{usage},\"p\":\"{padding}\"}}\n\n"
        );
        self.events.push(Event { moment, bytes: Bytes::from(chunk) });
    }
}

fn thought(text: &str) -> String {
    format!(r#"{{"type":"thinking","thinking":[{{"type":"text","text":{}}}]}}"#, quote(text))
}

fn calls(choice: &Choice) -> String {
    let calls: Vec<String> = choice
        .calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            // Nine letters and digits: the end of the id is what differs between calls.
            let id = call.id.get(call.id.len().saturating_sub(9)..).unwrap_or_default();
            let (name, arguments) = (quote(&call.name), quote(&call.arguments.concat()));
            format!(r#"{{"id":"{id:0>9}","function":{{"name":{name},"arguments":{arguments}}},"index":{index}}}"#)
        })
        .collect();
    format!("[{}]", calls.join(","))
}

fn finish(end: &End) -> &'static str {
    match end {
        End::Done | End::Stop(_) => "stop",
        End::Length => "length",
        End::Tools => "tool_calls",
        // There is no word for it.
        End::Filtered => "error",
    }
}

fn usage(usage: Usage) -> String {
    let (input, output, cached) = (usage.input, usage.output, usage.cache.read);
    let total = input.saturating_add(output);
    format!(
        r#","usage":{{"prompt_tokens":{input},"total_tokens":{total},"completion_tokens":{output},"prompt_tokens_details":{{"cached_tokens":{cached}}}}}"#
    )
}

//! Writes chat completions, whole and as chunks.
//!
//! By hand, because the order of fields is part of how the real thing looks, and because a benchmark asks for many.

use std::fmt::Write;

use bytes::Bytes;

use crate::{
    answer::{Answer, Call, Choice, End, Usage, UsageEvent},
    dialect::{Event, Moment, quote},
};

/// A `chat.completion`.
pub(super) fn whole(answer: &Answer) -> Bytes {
    let choices: Vec<String> =
        answer.choices.iter().enumerate().map(|(index, choice)| message(index, choice)).collect();
    let head = head(answer, "chat.completion");
    Bytes::from(format!(
        r#"{{{head},"choices":[{}]{},"service_tier":"default","system_fingerprint":"fp_5e1fb0a7c1"}}"#,
        choices.join(","),
        answer.told(usage),
    ))
}

/// The chunks of a stream: roles, contents in turn, finishes, usage if asked for, `[DONE]`.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut writer = Writer {
        before: format!(
            r#"data: {{{},"service_tier":"default","system_fingerprint":"fp_5e1fb0a7c1","choices":["#,
            head(answer, "chat.completion.chunk")
        ),
        after: match answer.usage_event {
            UsageEvent::Wanted => r#"],"usage":null,"obfuscation":"qX7"}"#,
            UsageEvent::Unwanted | UsageEvent::Withheld => r#"],"obfuscation":"qX7"}"#,
        },
        events: Vec::new(),
    };
    for (index, choice) in answer.choices.iter().enumerate() {
        let content = if choice.calls.is_empty() && !choice.refused { r#""""# } else { "null" };
        writer.chunk(
            Moment::Frame,
            index,
            &format!(r#"{{"role":"assistant","content":{content},"refusal":null}}"#),
            None,
        );
    }
    // Choices come interleaved: a reader must go by their index.
    let mut queues: Vec<_> = answer.choices.iter().map(|choice| deltas(choice).into_iter()).collect();
    loop {
        let mut spoke = false;
        for (index, queue) in queues.iter_mut().enumerate() {
            if let Some((moment, delta)) = queue.next() {
                writer.chunk(moment, index, &delta, None);
                spoke = true;
            }
        }
        if !spoke {
            break;
        }
    }
    for (index, choice) in answer.choices.iter().enumerate() {
        writer.chunk(Moment::Finish, index, "{}", Some(finish(&choice.end)));
    }
    if answer.usage_event == UsageEvent::Wanted {
        let event = format!("{}]{},\"obfuscation\":\"\"}}\n\n", writer.before, usage(answer.usage));
        writer.events.push(Event { moment: Moment::Finish, bytes: Bytes::from(event) });
    }
    writer.events.push(Event { moment: Moment::Terminal, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    writer.events
}

struct Writer {
    before: String,
    after: &'static str,
    events: Vec<Event>,
}

impl Writer {
    fn chunk(&mut self, moment: Moment, index: usize, delta: &str, finish: Option<&str>) {
        let mut event = String::with_capacity(self.before.len() + delta.len() + 120);
        let finish = finish.map_or("null".to_owned(), |finish| format!("\"{finish}\""));
        // Writing to a String does not fail.
        let _ = write!(
            event,
            "{}{{\"index\":{index},\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}{}\n\n",
            self.before, self.after
        );
        self.events.push(Event { moment, bytes: Bytes::from(event) });
    }
}

fn deltas(choice: &Choice) -> Vec<(Moment, String)> {
    let thinking = choice.thinking.iter().map(|piece| format!(r#"{{"reasoning_content":{}}}"#, quote(piece)));
    let field = if choice.refused { "refusal" } else { "content" };
    let text = choice.text.iter().map(|piece| format!(r#"{{"{field}":{}}}"#, quote(piece)));
    let mut deltas: Vec<_> = thinking.chain(text).map(|delta| (Moment::Token, delta)).collect();
    for (index, call) in choice.calls.iter().enumerate() {
        deltas.push((
            Moment::Token,
            format!(
                r#"{{"tool_calls":[{{"index":{index},"id":"call_{}","type":"function","function":{{"name":{},"arguments":""}}}}]}}"#,
                call.id,
                quote(&call.name)
            ),
        ));
        deltas.extend(call.arguments.iter().map(|piece| {
            let delta =
                format!(r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":{}}}}}]}}"#, quote(piece));
            (Moment::Token, delta)
        }));
    }
    deltas
}

fn message(index: usize, choice: &Choice) -> String {
    let mut message = String::from(r#"{"role":"assistant","content":"#);
    let text = quote(&choice.text.concat());
    message.push_str(if choice.calls.is_empty() && !choice.refused { &text } else { "null" });
    if !choice.thinking.is_empty() {
        message.push_str(r#","reasoning_content":"#);
        message.push_str(&quote(&choice.thinking.concat()));
    }
    if !choice.calls.is_empty() {
        let calls: Vec<String> = choice.calls.iter().map(call).collect();
        message.extend([r#","tool_calls":["#, &calls.join(","), "]"]);
    }
    message.extend([r#","refusal":"#, if choice.refused { &text } else { "null" }, r#","annotations":[]}"#]);
    let finish = finish(&choice.end);
    format!(r#"{{"index":{index},"message":{message},"logprobs":null,"finish_reason":"{finish}"}}"#)
}

fn call(call: &Call) -> String {
    format!(
        r#"{{"id":"call_{}","type":"function","function":{{"name":{},"arguments":{}}}}}"#,
        call.id,
        quote(&call.name),
        quote(&call.arguments.concat())
    )
}

fn head(answer: &Answer, object: &str) -> String {
    let (id, created, model) = (&answer.id, answer.created, quote(&answer.model));
    format!(r#""id":"chatcmpl-{id}","object":"{object}","created":{created},"model":{model}"#)
}

fn usage(usage: Usage) -> String {
    let Usage { input, cache, output, reasoning, .. } = usage;
    let (total, cached) = (input.saturating_add(output), cache.read);
    format!(
        r#","usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    )
}

fn finish(end: &End) -> &'static str {
    match end {
        End::Done | End::Stop(_) => "stop",
        End::Length => "length",
        End::Tools => "tool_calls",
        End::Filtered => "content_filter",
    }
}

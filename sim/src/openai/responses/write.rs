//! Writes a response object: whole, and as it stands at the start and the end of a stream.
//!
//! By hand, for the order of its fields. <https://platform.openai.com/docs/api-reference/responses/object>

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    answer::{Answer, Call, Choice, End, Usage, UsageEvent},
    dialect::quote,
    field::{list, text},
    model::Model,
    openai::{ErrorObject, ask::reasons},
};

/// How far an answer has come.
#[derive(Clone, Copy)]
pub(super) enum Stand<'a> {
    Begun,
    Ended,
    Failed(&'a ErrorObject),
}

/// A finished response.
pub(super) fn whole(answer: &Answer) -> Bytes {
    Bytes::from(response(answer, Stand::Ended))
}

/// A response that failed.
pub(super) fn failed(answer: &Answer, error: &ErrorObject) -> Bytes {
    Bytes::from(response(answer, Stand::Failed(error)))
}

pub(super) fn response(answer: &Answer, stand: Stand<'_>) -> String {
    let echo = &answer.echo;
    let asked = |key: &str, default: &str| match echo.get(key) {
        Some(value) if !value.is_null() => value.to_string(),
        _ => default.to_owned(),
    };
    let (id, created, model) = (&answer.id, answer.created, quote(&answer.model));
    let (status, completed, error) = match stand {
        Stand::Begun => ("in_progress", "null".to_owned(), "null".to_owned()),
        Stand::Ended if reason(answer).is_some() => ("incomplete", "null".to_owned(), "null".to_owned()),
        Stand::Ended => ("completed", created.to_string(), "null".to_owned()),
        Stand::Failed(failed) => {
            let code = failed.code.unwrap_or("server_error");
            let error = format!(r#"{{"code":"{code}","message":{}}}"#, quote(&failed.message));
            ("failed", "null".to_owned(), error)
        }
    };
    let ended = matches!(stand, Stand::Ended);
    let incomplete = reason(answer).filter(|_| ended);
    let incomplete = incomplete.map_or("null".to_owned(), |reason| format!(r#"{{"reason":"{reason}"}}"#));
    let output: Vec<String> =
        if ended { items(answer).iter().map(|item| item.written(answer)).collect() } else { Vec::new() };
    let told = ended && answer.usage_event != UsageEvent::Withheld;
    let used = if told { usage(answer.usage) } else { "null".to_owned() };
    let reasoning = echo.get("reasoning").unwrap_or(&Value::Null);
    let thinks = if reasons(&Model::read(&answer.model)) { "\"medium\"" } else { "null" };
    let effort = reasoning.get("effort").map_or(thinks.to_owned(), Value::to_string);
    let summary = reasoning.get("summary").map_or("null".to_owned(), Value::to_string);
    let format = echo.pointer("/text/format").map_or(r#"{"type":"text"}"#.to_owned(), Value::to_string);
    let verbosity = echo.pointer("/text/verbosity").map_or("\"medium\"".to_owned(), Value::to_string);
    [
        format!(r#"{{"id":"resp_{id}","object":"response","created_at":{created},"status":"{status}""#),
        format!(r#","background":{},"completed_at":{completed},"error":{error}"#, asked("background", "false")),
        format!(r#","incomplete_details":{incomplete},"instructions":{}"#, asked("instructions", "null")),
        format!(r#","max_output_tokens":{}"#, asked("max_output_tokens", "null")),
        format!(r#","max_tool_calls":{},"model":{model}"#, asked("max_tool_calls", "null")),
        format!(r#","output":[{}]"#, output.join(",")),
        format!(r#","parallel_tool_calls":{}"#, asked("parallel_tool_calls", "true")),
        format!(r#","previous_response_id":{}"#, asked("previous_response_id", "null")),
        format!(r#","prompt_cache_key":{}"#, asked("prompt_cache_key", "null")),
        format!(r#","reasoning":{{"effort":{effort},"summary":{summary}}}"#),
        format!(r#","safety_identifier":{}"#, asked("safety_identifier", "null")),
        format!(
            r#","service_tier":{}"#,
            if ended { "\"default\"".to_owned() } else { asked("service_tier", "\"auto\"") }
        ),
        format!(r#","store":{},"temperature":{}"#, asked("store", "true"), asked("temperature", "1.0")),
        format!(r#","text":{{"format":{format},"verbosity":{verbosity}}}"#),
        format!(r#","tool_choice":{},"tools":{}"#, asked("tool_choice", "\"auto\""), asked("tools", "[]")),
        format!(r#","top_logprobs":{},"top_p":{}"#, asked("top_logprobs", "0"), asked("top_p", "1.0")),
        format!(r#","truncation":{},"usage":{used}"#, asked("truncation", "\"disabled\"")),
        format!(r#","user":{},"metadata":{}}}"#, asked("user", "null"), asked("metadata", "{}")),
    ]
    .concat()
}

/// Why an answer is incomplete, where it is.
pub(super) fn reason(answer: &Answer) -> Option<&'static str> {
    match answer.choices.first().map(|choice| &choice.end) {
        Some(End::Length) => Some("max_output_tokens"),
        Some(End::Filtered) => Some("content_filter"),
        _ => None,
    }
}

/// One item of the output.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Reasoning(&'a Choice),
    Message(&'a Choice),
    Call(&'a Call, Status),
}

/// Whether an item is all there.
#[derive(Clone, Copy)]
pub(super) enum Status {
    Completed,
    Incomplete,
}

/// The items in their order: what was thought, what was said or called.
pub(super) fn items(answer: &Answer) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for choice in &answer.choices {
        let thought = !choice.thinking.is_empty() || answer.usage.reasoning > 0 || reasons(&Model::read(&answer.model));
        if thought && choice.end != End::Filtered {
            items.push(Item::Reasoning(choice));
        }
        // Cut off while it still thought, it has no more to show.
        if choice.calls.is_empty() && !(choice.text.is_empty() && choice.end == End::Length) {
            items.push(Item::Message(choice));
        }
        // Only the last call can have been cut.
        let last = choice.calls.len().saturating_sub(1);
        items.extend(choice.calls.iter().enumerate().map(|(at, call)| {
            let cut = at == last && choice.end == End::Length;
            Item::Call(call, if cut { Status::Incomplete } else { Status::Completed })
        }));
    }
    items
}

impl Item<'_> {
    pub(super) fn id(&self, answer: &Answer) -> String {
        match self {
            Self::Reasoning(_) => format!("rs_{}", answer.id),
            Self::Message(_) => format!("msg_{}", answer.id),
            Self::Call(call, _) => format!("fc_{}", call.id),
        }
    }

    /// The item when it is done.
    pub(super) fn written(&self, answer: &Answer) -> String {
        let id = self.id(answer);
        match self {
            Self::Reasoning(choice) => reasoning(answer, &id, &choice.thinking.concat()),
            Self::Message(choice) => {
                let status = if matches!(choice.end, End::Length | End::Filtered) { "incomplete" } else { "completed" };
                let content = part(choice, &choice.text.concat());
                format!(
                    r#"{{"id":"{id}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#
                )
            }
            Self::Call(call, status) => {
                let status = if matches!(status, Status::Completed) { "completed" } else { "incomplete" };
                function_call(call, status, &call.arguments.concat())
            }
        }
    }

    /// The item when it has just begun.
    pub(super) fn begun(&self, answer: &Answer) -> String {
        let id = self.id(answer);
        match self {
            Self::Reasoning(_) => reasoning(answer, &id, ""),
            Self::Message(_) => {
                format!(r#"{{"id":"{id}","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#)
            }
            Self::Call(call, _) => function_call(call, "in_progress", ""),
        }
    }
}

fn reasoning(answer: &Answer, id: &str, summary: &str) -> String {
    let sealed = if list(&answer.echo, "include").iter().any(|one| one == "reasoning.encrypted_content") {
        format!(r#""encrypted_content":"{}","#, seal(id))
    } else {
        String::new()
    };
    let summary = if summary.is_empty() {
        String::new()
    } else {
        format!(r#"{{"type":"summary_text","text":{}}}"#, quote(summary))
    };
    format!(r#"{{"id":"{id}","type":"reasoning",{sealed}"summary":[{summary}]}}"#)
}

/// The part of a message that has said `text` so far.
pub(super) fn part(choice: &Choice, text: &str) -> String {
    let text = quote(text);
    if choice.refused {
        format!(r#"{{"type":"refusal","refusal":{text}}}"#)
    } else {
        format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{text}}}"#)
    }
}

fn function_call(call: &Call, status: &str, arguments: &str) -> String {
    let (id, name, arguments) = (&call.id, quote(&call.name), quote(arguments));
    format!(
        r#"{{"id":"fc_{id}","type":"function_call","status":"{status}","arguments":{arguments},"call_id":"call_{id}","name":{name}}}"#
    )
}

fn usage(usage: Usage) -> String {
    let Usage { input, cache, output, reasoning, .. } = usage;
    let (total, cached) = (input.saturating_add(output), cache.read);
    format!(
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{cached}}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{reasoning}}},"total_tokens":{total}}}"#
    )
}

/// Whether what is thought is to be told, in summary.
pub(super) fn summarizes(body: &Value) -> bool {
    body.get("reasoning").is_some_and(|reasoning| !text(reasoning, "summary").is_empty())
}

/// What stands at the start of everything sealed, as in the real ones.
const SEAL: &str = "gAAAAABo";

/// What stands for thoughts that the caller keeps but cannot read: it says by itself whether it came back unchanged.
fn seal(id: &str) -> String {
    let about = hash(id);
    format!("{SEAL}{about:016x}{:016x}==", hash(&format!("{about:016x}")))
}

/// Whether this was written by [`seal`].
pub(super) fn is_sealed(text: &str) -> bool {
    let inner = text.strip_prefix(SEAL).and_then(|rest| rest.strip_suffix("=="));
    inner
        .and_then(|inner| inner.split_at_checked(16))
        .is_some_and(|(about, proof)| format!("{:016x}", hash(about)) == proof)
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_known_again_unless_it_was_touched() {
        let sealed = seal("rs_1");
        assert!(is_sealed(&sealed));
        assert!(!is_sealed(&sealed.replace("==", "=")) && !is_sealed(&sealed.replacen("gAAAAABo", "gAAAAABoo", 1)));
        assert!(!is_sealed("") && !is_sealed("gAAAAABo=="));
    }
}

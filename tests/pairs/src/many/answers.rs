//! Answers of providers of very many parts.

use weir_hub::codec::eventstream;

use super::{Value, each, json};

/// What a fragment says: long enough that to go through all of them shows.
const FRAGMENT: &str = "Once upon a time there was a weir by the river, and it was wide.";

/// The arguments of one call, in `parts` fragments and two more.
fn arguments(parts: usize) -> impl Iterator<Item = &'static str> {
    ["{\"a\":\""].into_iter().chain(std::iter::repeat_n(FRAGMENT, parts)).chain(["\"}"])
}

fn events(events: impl IntoIterator<Item = Value>) -> String {
    let events: Vec<String> = events.into_iter().map(|event| format!("data: {event}\n\n")).collect();
    events.concat()
}

fn choice(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn done(events: String) -> String {
    events + "data: [DONE]\n\n"
}

fn function(id: usize, arguments: &str) -> Value {
    json!({"index": id, "id": format!("c{id}"), "type": "function",
           "function": {"name": format!("f{id}"), "arguments": arguments}})
}

fn openai_message(message: &Value) -> String {
    json!({"id": "a", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).to_string()
}

pub(super) fn openai(parts: usize) -> String {
    openai_message(&json!({"tool_calls": each(parts, |id| function(id, "{}"))}))
}

/// All calls begin, and get their arguments from the last to the first.
pub(super) fn openai_streamed(parts: usize) -> String {
    let begun = (0..parts).map(|id| choice(&json!({"tool_calls": [function(id, "")]}), None));
    let arguments = (0..parts)
        .rev()
        .map(|id| choice(&json!({"tool_calls": [{"index": id, "function": {"arguments": "{}"}}]}), None));
    done(events(begun.chain(arguments).chain([choice(&json!({}), Some("tool_calls"))])))
}

/// The same, told apart by their ids alone.
pub(super) fn openai_by_id(parts: usize) -> String {
    let begun = (0..parts).map(|id| {
        let call = json!({"id": format!("c{id}"), "function": {"name": "f", "arguments": ""}});
        choice(&json!({"tool_calls": [call]}), None)
    });
    let arguments = (0..parts)
        .rev()
        .map(|id| choice(&json!({"tool_calls": [{"id": format!("c{id}"), "function": {"arguments": "{}"}}]}), None));
    done(events(begun.chain(arguments).chain([choice(&json!({}), Some("tool_calls"))])))
}

pub(super) fn openai_arguments(parts: usize) -> String {
    let begun = choice(&json!({"tool_calls": [function(0, "")]}), None);
    let more = arguments(parts)
        .map(|json| choice(&json!({"tool_calls": [{"index": 0, "function": {"arguments": json}}]}), None));
    done(events([begun].into_iter().chain(more).chain([choice(&json!({}), Some("tool_calls"))])))
}

/// A call cannot begin before it has its tool's name.
pub(super) fn openai_nameless(parts: usize) -> String {
    let more = arguments(parts)
        .map(|json| choice(&json!({"tool_calls": [{"index": 0, "function": {"arguments": json}}]}), None));
    let named = choice(&json!({"tool_calls": [function(0, "")]}), None);
    done(events(more.chain([named, choice(&json!({}), Some("tool_calls"))])))
}

pub(super) fn openai_thoughts(parts: usize) -> String {
    let thought = |at| json!({"type": "reasoning.text", "text": "a", "signature": "b", "index": at});
    openai_message(&json!({"content": "a", "reasoning_details": each(parts, thought)}))
}

fn cohere_call(id: usize, arguments: &str) -> Value {
    json!({"id": format!("c{id}"), "type": "function", "function": {"name": format!("f{id}"), "arguments": arguments}})
}

pub(super) fn cohere(parts: usize) -> String {
    let message = json!({"role": "assistant", "tool_calls": each(parts, |id| cohere_call(id, "{}"))});
    json!({"id": "a", "finish_reason": "TOOL_CALL", "message": message}).to_string()
}

/// All calls begin, and get their arguments in this order.
fn cohere_calls(parts: usize, order: impl Iterator<Item = usize>) -> String {
    let event = |kind: &str, index: usize, call: &Value| json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}});
    let begun = (0..parts).map(|id| event("tool-call-start", id, &cohere_call(id, "")));
    let arguments = order.flat_map(|id| {
        let more = json!({"function": {"arguments": "{}"}});
        [event("tool-call-delta", id, &more), event("tool-call-end", id, &json!({}))]
    });
    let first = json!({"type": "message-start", "id": "a"});
    let last = json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}});
    events([first].into_iter().chain(begun).chain(arguments).chain([last]))
}

fn cohere_deltas(reason: &str, deltas: impl Iterator<Item = Value>) -> String {
    let first = json!({"type": "message-start", "id": "a"});
    let last = json!({"type": "message-end", "delta": {"finish_reason": reason}});
    events([first].into_iter().chain(deltas).chain([last]))
}

pub(super) fn cohere_arguments(parts: usize) -> String {
    let event = |kind: &str, call: Value| json!({"type": kind, "index": 0, "delta": {"message": {"tool_calls": call}}});
    let begun = event("tool-call-start", cohere_call(0, ""));
    let more = arguments(parts).map(|json| event("tool-call-delta", json!({"function": {"arguments": json}})));
    cohere_deltas("TOOL_CALL", [begun].into_iter().chain(more))
}

/// Some dialects let nothing out of the second call before the first is complete.
pub(super) fn cohere_mixed(parts: usize) -> String {
    let event = |kind: &str, index: usize, call: Value| json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}});
    let begun = (0..2).map(|index| event("tool-call-start", index, cohere_call(index, "")));
    let more = arguments(parts / 2).flat_map(|json| {
        (0..2).map(move |index| event("tool-call-delta", index, json!({"function": {"arguments": json}})))
    });
    cohere_deltas("TOOL_CALL", begun.chain(more))
}

pub(super) fn cohere_text(parts: usize) -> String {
    let said = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": FRAGMENT}}}});
    cohere_deltas("COMPLETE", std::iter::repeat_n(said, parts))
}

pub(super) fn cohere_thought(parts: usize) -> String {
    let thought = json!({"content": {"thinking": FRAGMENT}});
    let thought = json!({"type": "content-delta", "index": 0, "delta": {"message": thought}});
    cohere_deltas("COMPLETE", std::iter::repeat_n(thought, parts))
}

pub(super) fn cohere_streamed(parts: usize) -> String {
    cohere_calls(parts, (0..parts).rev())
}

/// In the order in which they began, which lets them out one by one.
pub(super) fn cohere_one_by_one(parts: usize) -> String {
    cohere_calls(parts, 0..parts)
}

pub(super) fn anthropic(parts: usize) -> String {
    let call = |id| json!({"type": "tool_use", "id": format!("c{id}"), "name": format!("f{id}"), "input": {"a": 1}});
    json!({"id": "a", "type": "message", "model": "m", "stop_reason": "tool_use", "content": each(parts, call)})
        .to_string()
}

pub(super) fn anthropic_streamed(parts: usize) -> String {
    let calls = (0..parts).flat_map(|id| {
        let block = json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": "{}"});
        [
            json!({"type": "content_block_start", "index": id, "content_block": block}),
            json!({"type": "content_block_delta", "index": id, "delta": delta}),
            json!({"type": "content_block_stop", "index": id}),
        ]
    });
    let first = json!({"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 1}}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}});
    events([first].into_iter().chain(calls).chain([end, json!({"type": "message_stop"})]))
}

pub(super) fn anthropic_arguments(parts: usize) -> String {
    let block = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let more = arguments(parts).map(|json| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": json}})
    });
    let first = [
        json!({"type": "message_start", "message": {"id": "a", "model": "m", "usage": {"input_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
    ];
    let last = [
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    events(first.into_iter().chain(more).chain(last))
}

pub(super) fn bedrock_arguments(parts: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut event = |name: &str, payload: Value| {
        let headers = [(":message-type", "event"), (":event-type", name)];
        eventstream::message(&mut out, &headers, payload.to_string().as_bytes());
    };
    event("messageStart", json!({"role": "assistant"}));
    let call = json!({"toolUse": {"toolUseId": "c", "name": "f"}});
    event("contentBlockStart", json!({"contentBlockIndex": 0, "start": call}));
    for json in arguments(parts) {
        let delta = json!({"toolUse": {"input": json}});
        event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}));
    }
    event("contentBlockStop", json!({"contentBlockIndex": 0}));
    event("messageStop", json!({"stopReason": "tool_use"}));
    event("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 1}}));
    out
}

pub(super) fn bedrock(parts: usize) -> String {
    let call = |id| json!({"toolUse": {"toolUseId": format!("c{id}"), "name": "f", "input": {"a": 1}}});
    json!({"output": {"message": {"role": "assistant", "content": each(parts, call)}}, "stopReason": "tool_use"})
        .to_string()
}

fn candidate(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})
}

fn gemini_call(id: usize) -> Value {
    json!({"functionCall": {"name": format!("f{id}"), "args": {"a": 1}}, "thoughtSignature": "YWJj"})
}

pub(super) fn gemini(parts: usize) -> String {
    candidate(&each(parts, gemini_call).into()).to_string()
}

pub(super) fn gemini_streamed(parts: usize) -> String {
    let mut calls = each(parts, |id| candidate(&json!([gemini_call(id)])));
    for call in calls.iter_mut().rev().skip(1) {
        call["candidates"][0]["finishReason"] = Value::Null;
    }
    events(calls)
}

/// Each passage of the text has a source of its own.
pub(super) fn gemini_sources(parts: usize) -> String {
    let chunk = |at| json!({"web": {"uri": format!("https://e.org/{at}"), "title": "t"}});
    let support = |at| json!({"segment": {"startIndex": 0, "endIndex": 1}, "groundingChunkIndices": [parts - 1 - at]});
    let mut answer = candidate(&json!([{"text": "a"}]));
    answer["candidates"][0]["groundingMetadata"] =
        json!({"groundingChunks": each(parts, chunk), "groundingSupports": each(parts, support)});
    answer.to_string()
}

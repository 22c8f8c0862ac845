//! What holds for every conversation and every answer of a caller who speaks Responses, at a provider that does not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use fixture::received;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::{self, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::piece::Calls;

const WORDS: &str = "[a-z é😀\"\\\\\n]{0,12}[a-z]";

/// A function, a custom tool, and one of each in a namespace.
fn tools() -> Value {
    json!([
        {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}},
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "find"}, {"type": "custom", "name": "note"}]},
    ])
}

fn request(input: &Value) -> String {
    serde_json::to_string_pretty(&json!({"model": "m", "input": input, "tools": tools(), "store": false})).unwrap()
}

fn upstream() -> Upstream {
    Upstream { provider: "anthropic".to_owned(), dialect: "anthropic".to_owned(), ..Upstream::default() }
}

fn with_call<T>(body: &str, then: impl FnOnce(&Call<'_>) -> T) -> T {
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::Responses, Delivery::Whole, UsageChunk::Unwanted);
    then(&Call {
        asked: Asked { endpoint, delivery, usage },
        model: "asked",
        betas: "",
        body: body.as_bytes(),
        scan: &scan,
    })
}

/// What goes up.
fn asked(input: &Value) -> Value {
    let ask = with_call(&request(input), |call| exchange::ask(call, &upstream(), "claude").unwrap());
    let Body::Replaced(body) = ask.body else { panic!("it is translated") };
    serde_json::from_slice(&body).unwrap()
}

/// What the caller receives.
fn answered(delivery: Delivery, answer: &str, cut: usize) -> Vec<u8> {
    let echo = with_call(&request(&json!("Hi")), |call| exchange::echo(call, &upstream(), "claude"));
    let start = ReplyStart {
        asked: Asked { endpoint: Endpoint::Responses, delivery, usage: UsageChunk::Unwanted },
        encoding: weir_hub::embed::Encoding::Float,
        model: "m",
        id: "weir-1-1",
        created: 7,
        content_type: "application/json",
        echo: &echo,
        calls: Calls::All,
        renamed: &[],
        texts: None,
    };
    let reply = exchange::reply(provider::by_name("anthropic").unwrap(), &upstream(), &start);
    let received = received(reply, answer.as_bytes().chunks(cut));
    received.end.unwrap();
    received.bytes
}

/// Something that a model says or does, as Anthropic's API has it.
fn block() -> impl Strategy<Value = Value> {
    let signature = "[A-Za-z0-9+/]{4,12}";
    prop_oneof![
        (prop_oneof![Just(String::new()), WORDS], signature)
            .prop_map(|(text, signature)| json!({"type": "thinking", "thinking": text, "signature": signature})),
        signature.prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        WORDS.prop_map(|text| json!({"type": "text", "text": text})),
        (0usize..4, WORDS, "[a-zA-Z0-9]{8}").prop_map(|(tool, text, id)| {
            let (name, member) = [("look", "at"), ("patch", "input"), ("ns__find", "q"), ("ns__note", "input")][tool];
            json!({"type": "tool_use", "id": format!("toolu_{id}"), "name": name, "input": {member: text}})
        }),
    ]
}

/// An answer's blocks; text does not follow text, which would be one text to any caller.
fn blocks() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(block(), 0..7).prop_map(|mut blocks| {
        blocks.dedup_by(|a, b| a["type"] == "text" && b["type"] == "text");
        blocks
    })
}

fn whole(content: &[Value], stop: &str) -> String {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
        "stop_reason": stop, "usage": {"input_tokens": 3, "output_tokens": 5}})
    .to_string()
}

fn streamed(content: &[Value], stop: &str, cut: usize) -> String {
    let mut events = vec![json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude",
        "usage": {"input_tokens": 3, "output_tokens": 1}}})];
    for (index, block) in content.iter().enumerate() {
        let delta = |kind: &str, name: &str, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}});
        let deltas = |kind: &str, name: &str, text: &str| -> Vec<Value> {
            let chars: Vec<_> = text.chars().collect();
            chars.chunks(cut).map(|chunk| delta(kind, name, &chunk.iter().collect::<String>())).collect()
        };
        let mut start = block.clone();
        let told = match block["type"].as_str().unwrap() {
            "text" => {
                start["text"] = "".into();
                deltas("text_delta", "text", block["text"].as_str().unwrap())
            }
            "thinking" => {
                (start["thinking"], start["signature"]) = ("".into(), "".into());
                let mut told = deltas("thinking_delta", "thinking", block["thinking"].as_str().unwrap());
                told.extend(deltas("signature_delta", "signature", block["signature"].as_str().unwrap()));
                told
            }
            "tool_use" => {
                start["input"] = json!({});
                deltas("input_json_delta", "partial_json", &block["input"].to_string())
            }
            _ => Vec::new(),
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.extend(told);
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    let text = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(text).collect::<Vec<_>>().concat()
}

/// The output that a caller builds from a stream's events as they come, and the response with which the stream ends.
///
/// What an item's own events have told is what the item says when it is done.
fn folded(stream: &[u8]) -> (Vec<Value>, Value) {
    let (mut output, mut last) = (Vec::<Value>::new(), Value::Null);
    for (number, event) in std::str::from_utf8(stream).unwrap().split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), event["type"]);
        assert_eq!(event["sequence_number"], number);
        assert!(last.is_null(), "something follows the end");
        let at = |name: &str| usize::try_from(event[name].as_u64().unwrap()).unwrap();
        let append = |slot: &mut Value, more: &str| {
            *slot = Value::from(slot.as_str().unwrap().to_owned() + event[more].as_str().unwrap());
        };
        match event["type"].as_str().unwrap() {
            "response.created" | "response.in_progress" => assert_eq!(event["response"]["output"], json!([])),
            "response.output_item.added" => {
                assert_eq!(at("output_index"), output.len());
                output.push(event["item"].clone());
            }
            "response.output_item.done" => {
                let (told, done) = (&output[at("output_index")], &event["item"]);
                for name in ["type", "id", "call_id", "name", "namespace", "content", "summary", "arguments", "input"] {
                    assert_eq!(told[name], done[name], "{name}");
                }
                output[at("output_index")] = done.clone();
            }
            "response.completed" | "response.incomplete" => last = event["response"].clone(),
            kind => {
                let item = &mut output[at("output_index")];
                assert_eq!(item["id"], event["item_id"], "{kind}");
                match kind {
                    "response.content_part.added" => {
                        item["content"].as_array_mut().unwrap().push(event["part"].clone());
                    }
                    "response.output_text.delta" => append(&mut item["content"][at("content_index")]["text"], "delta"),
                    "response.output_text.done" => {
                        assert_eq!(item["content"][at("content_index")]["text"], event["text"]);
                    }
                    "response.content_part.done" => assert_eq!(item["content"][at("content_index")], event["part"]),
                    "response.reasoning_summary_part.added" => {
                        item["summary"].as_array_mut().unwrap().push(event["part"].clone());
                    }
                    "response.reasoning_summary_text.delta" => {
                        append(&mut item["summary"][at("summary_index")]["text"], "delta");
                    }
                    "response.reasoning_summary_text.done" => {
                        assert_eq!(item["summary"][at("summary_index")]["text"], event["text"]);
                    }
                    "response.reasoning_summary_part.done" => {
                        assert_eq!(item["summary"][at("summary_index")], event["part"]);
                    }
                    "response.function_call_arguments.delta" => append(&mut item["arguments"], "delta"),
                    "response.function_call_arguments.done" => assert_eq!(item["arguments"], event["arguments"]),
                    "response.custom_tool_call_input.delta" => append(&mut item["input"], "delta"),
                    "response.custom_tool_call_input.done" => assert_eq!(item["input"], event["input"]),
                    other => panic!("{other}"),
                }
            }
        }
    }
    (output, last)
}

proptest! {
    #[test]
    fn a_stream_folds_into_the_whole_answer_and_goes_back_as_the_provider_said_it(
        content in blocks(),
        stop in prop_oneof![Just("end_turn"), Just("tool_use"), Just("max_tokens"), Just("refusal")],
        fragment in 1usize..9,
        cut in 1usize..99,
    ) {
        let whole: Value = serde_json::from_slice(&answered(Delivery::Whole, &whole(&content, stop), cut)).unwrap();
        let (output, response) = folded(&answered(Delivery::Streamed, &streamed(&content, stop, fragment), cut));
        prop_assert_eq!(&whole["output"], &Value::from(output.clone()));
        prop_assert_eq!(&whole, &response);
        let mut ids: Vec<_> = output.iter().map(|item| item["id"].as_str().unwrap()).collect();
        ids.dedup();
        prop_assert_eq!(ids.len(), output.len());
        prop_assume!(!content.is_empty());
        let mut input = vec![json!({"role": "user", "content": "Hi"})];
        input.extend(output);
        let up = asked(&Value::from(input));
        let sent = match &up["messages"][1]["content"] {
            Value::String(text) => json!([{"type": "text", "text": text}]),
            blocks => blocks.clone(),
        };
        prop_assert_eq!(sent, Value::from(content));
    }

    #[test]
    fn a_conversation_keeps_its_meaning_on_the_way_up(turns in proptest::collection::vec(turn(), 1..8)) {
        let (items, said): (Vec<_>, Vec<_>) = turns.into_iter().unzip();
        let mut said = said.concat();
        prop_assume!(said.iter().any(|(who, _)| *who != "system"));
        let up = asked(&Value::from(items.concat()));
        // The system's words go first, in their order; what else is said keeps its place.
        said.sort_by_key(|(who, _)| *who != "system");
        let mut sent = Vec::new();
        let blocks = |who: &'static str, content: &Value| -> Vec<(&'static str, Value)> {
            match content {
                Value::String(text) => vec![(who, json!({"type": "text", "text": text}))],
                Value::Array(blocks) => blocks.iter().map(|block| (who, block.clone())).collect(),
                _ => Vec::new(),
            }
        };
        sent.extend(blocks("system", &up["system"]));
        for message in up["messages"].as_array().unwrap() {
            let who = if message["role"] == "assistant" { "assistant" } else { "user" };
            sent.extend(blocks(who, &message["content"]));
        }
        // Within one turn of a person results go first.
        for said in [&mut said, &mut sent] {
            let mut from = 0;
            for run in said.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).collect::<Vec<_>>() {
                said[from..from + run].sort_by_key(|(_, block)| block["type"] != "tool_result");
                from += run;
            }
        }
        prop_assert_eq!(sent, said);
    }
}

/// Items of a conversation, and what they say in Anthropic's words: by whom and what.
fn turn() -> impl Strategy<Value = (Vec<Value>, Vec<(&'static str, Value)>)> {
    let text = |text: &str| json!({"type": "text", "text": text});
    prop_oneof![
        (WORDS, any::<bool>()).prop_map(move |(words, easy)| {
            let content = if easy { json!(words) } else { json!([{"type": "input_text", "text": words}]) };
            (vec![json!({"role": "developer", "content": content})], vec![("system", text(&words))])
        }),
        (WORDS, "[A-Za-z0-9]{8}").prop_map(move |(words, data)| {
            let image = json!({"type": "input_image", "detail": "auto", "image_url": format!("data:image/png;base64,{data}")});
            let content = json!([{"type": "input_text", "text": words}, image]);
            let source = json!({"type": "base64", "media_type": "image/png", "data": data});
            let said = vec![("user", text(&words)), ("user", json!({"type": "image", "source": source}))];
            (vec![json!({"type": "message", "role": "user", "content": content})], said)
        }),
        WORDS.prop_map(move |words| {
            let part = json!({"type": "output_text", "text": words, "annotations": [], "logprobs": []});
            let item = json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]});
            (vec![item], vec![("assistant", text(&words))])
        }),
        (WORDS, WORDS, any::<u32>(), any::<bool>()).prop_map(|(words, result, salt, custom)| {
            let id = format!("call_{salt}");
            let (kind, name, given) = if custom {
                ("custom_tool_call", "patch", ("input", words.clone()))
            } else {
                ("function_call", "look", ("arguments", json!({"input": words}).to_string()))
            };
            let call = json!({"type": kind, "call_id": id, "name": name, given.0: given.1});
            let output = json!({"type": format!("{kind}_output"), "call_id": id, "output": result});
            let made = json!({"type": "tool_use", "id": id, "name": name, "input": {"input": words}});
            let given = json!({"type": "tool_result", "tool_use_id": id, "content": result});
            (vec![call, output], vec![("assistant", made), ("user", given)])
        }),
    ]
}

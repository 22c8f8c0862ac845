//! A conversation keeps its meaning on the way up, whoever is asked.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::Body;
use weir_core::upstream::Upstream;
use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

/// What is said in a conversation, in order: by whom, what kind of thing, and its words.
type Said = Vec<(&'static str, &'static str, String)>;

/// A turn of a conversation, as `OpenAI`'s dialect has it.
fn turn() -> impl Strategy<Value = Vec<Value>> {
    let words = "[a-z é\"\\\\\n]{0,6}[a-zé]";
    let part = prop_oneof![
        words.prop_map(|text| json!({"type": "text", "text": text})),
        "[a-z]{1,8}"
            .prop_map(|name| json!({"type": "image_url", "image_url": {"url": format!("https://e.org/{name}")}})),
        "[A-Za-z0-9]{4}".prop_map(
            |data| json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}})
        ),
    ];
    let call = ("[a-z]{1,5}", words).prop_map(|(name, city)| (name, json!({"city": city, "n": [1, 2]})));
    prop_oneof![
        words.prop_map(|text| vec![json!({"role": "system", "content": text})]),
        words.prop_map(|text| vec![json!({"role": "developer", "content": [{"type": "text", "text": text}]})]),
        words.prop_map(|text| vec![json!({"role": "user", "content": text})]),
        proptest::collection::vec(part, 1..4).prop_map(|parts| vec![json!({"role": "user", "content": parts})]),
        words.prop_map(|text| vec![json!({"role": "assistant", "content": text})]),
        (proptest::option::of(words), proptest::collection::vec(call, 1..3), any::<u32>()).prop_map(|(text, calls, salt)| {
            let id = |index| format!("call_{salt}_{index}");
            let made: Vec<_> = calls.iter().enumerate().map(|(index, (name, arguments))| {
                json!({"id": id(index), "type": "function", "function": {"name": name, "arguments": arguments.to_string()}})
            }).collect();
            let mut turns = vec![json!({"role": "assistant", "content": text, "tool_calls": made})];
            turns.extend((0..calls.len()).map(|index| json!({"role": "tool", "tool_call_id": id(index), "content": format!("result {index}")})));
            turns
        }),
    ]
}

/// Reads what is said from the caller's conversation.
fn said_by_caller(messages: &[Value]) -> Said {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut said = Vec::new();
    for message in messages {
        let who = match message["role"].as_str().unwrap() {
            "system" | "developer" => "system",
            "assistant" => "assistant",
            _ => "user",
        };
        if message["role"] == "tool" {
            said.push((who, "result", format!("{} {}", text(&message["tool_call_id"]), text(&message["content"]))));
            continue;
        }
        match &message["content"] {
            Value::String(text) => said.push((who, "text", text.clone())),
            Value::Array(parts) => said.extend(parts.iter().map(|part| match part["type"].as_str().unwrap() {
                "text" => (who, "text", text(&part["text"])),
                _ => (who, "image", text(&part["image_url"]["url"])),
            })),
            _ => {}
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            said.push((who, "call", format!("{} {} {arguments}", text(&call["id"]), text(&call["function"]["name"]))));
        }
    }
    said
}

/// Reads the same from what goes up to Anthropic, with another reader than the one that wrote it.
fn said_to_anthropic(body: &Value) -> Said {
    fn parts(who: &'static str, content: &Value, said: &mut Said) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match content {
            Value::String(text) => said.push((who, "text", text.clone())),
            Value::Array(blocks) => said.extend(blocks.iter().map(|block| match block["type"].as_str().unwrap() {
                "text" => (who, "text", text(&block["text"])),
                "image" if block["source"]["type"] == "url" => (who, "image", text(&block["source"]["url"])),
                "image" => {
                    let source = &block["source"];
                    (who, "image", format!("data:{};base64,{}", text(&source["media_type"]), text(&source["data"])))
                }
                "tool_use" => {
                    (who, "call", format!("{} {} {}", text(&block["id"]), text(&block["name"]), block["input"]))
                }
                "tool_result" => {
                    (who, "result", format!("{} {}", text(&block["tool_use_id"]), text(&block["content"])))
                }
                other => panic!("{other}"),
            })),
            _ => {}
        }
    }
    let mut said = Vec::new();
    parts("system", &body["system"], &mut said);
    let mut last = None;
    for message in body["messages"].as_array().unwrap() {
        let who = if message["role"] == "assistant" { "assistant" } else { "user" };
        assert_ne!(last, Some(who), "people and model speak by turns");
        last = Some(who);
        parts(who, &message["content"], &mut said);
    }
    said
}

/// Reads the same from what goes up to Gemini.
fn said_to_gemini(body: &Value) -> Said {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let parts = |who: &'static str, content: &Value, said: &mut Said| {
        for part in content["parts"].as_array().unwrap() {
            let (kind, value) = part.as_object().unwrap().iter().find(|(name, _)| *name != "thoughtSignature").unwrap();
            said.push(match kind.as_str() {
                "text" => (who, "text", text(value)),
                "fileData" => (who, "image", text(&value["fileUri"])),
                "inlineData" => {
                    (who, "image", format!("data:{};base64,{}", text(&value["mimeType"]), text(&value["data"])))
                }
                "functionCall" => {
                    (who, "call", format!("{} {} {}", text(&value["id"]), text(&value["name"]), value["args"]))
                }
                "functionResponse" => {
                    (who, "result", format!("{} {}", text(&value["id"]), text(&value["response"]["output"])))
                }
                other => panic!("{other}"),
            });
        }
    };
    let mut said = Vec::new();
    if !body["systemInstruction"].is_null() {
        parts("system", &body["systemInstruction"], &mut said);
    }
    let mut last = None;
    for turn in body["contents"].as_array().unwrap() {
        let who = if turn["role"] == "model" { "assistant" } else { "user" };
        assert_ne!(last, Some(who), "people and model speak by turns");
        last = Some(who);
        parts(who, turn, &mut said);
    }
    said
}

/// What goes up to `model`.
fn asked(dialect: &str, model: &str, body: &str) -> Value {
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Whole, UsageChunk::Unwanted);
    let call = Call {
        asked: Asked { endpoint, delivery, usage },
        model: "asked",
        betas: "",
        body: body.as_bytes(),
        scan: &scan,
    };
    let upstream = Upstream { provider: dialect.to_owned(), dialect: dialect.to_owned(), ..Upstream::default() };
    let Body::Replaced(body) = exchange::ask(&call, &upstream, model).unwrap().body else { panic!("it is translated") };
    serde_json::from_slice(&body).unwrap()
}

proptest! {
    #[test]
    fn a_conversation_keeps_its_meaning_on_the_way_up(turns in proptest::collection::vec(turn(), 1..8)) {
        let messages: Vec<_> = turns.concat();
        let mut expect = said_by_caller(&messages);
        prop_assume!(expect.iter().any(|(who, ..)| *who != "system"));
        // The system's words go first, in their order.
        expect.sort_by_key(|(who, ..)| *who != "system");
        results_first(&mut expect);
        let body = json!({"model": "m", "messages": messages}).to_string();
        let to_anthropic = said_to_anthropic(&asked("anthropic", "claude", &body));
        let to_gemini = said_to_gemini(&asked("gemini", "gemini-3-flash-preview", &body));
        for mut said in [to_anthropic, to_gemini] {
            results_first(&mut said);
            prop_assert_eq!(&said, &expect);
        }
    }
}

/// Within one turn of a person results go first; across turns nothing moves.
fn results_first(said: &mut Said) {
    let mut from = 0;
    for run in said.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).collect::<Vec<_>>() {
        said[from..from + run].sort_by_key(|(_, kind, _)| *kind != "result");
        from += run;
    }
}

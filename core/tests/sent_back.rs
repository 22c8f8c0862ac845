//! An answer that a caller puts into its next request arrives as its provider gave it, and it makes no difference whether
//! it was streamed: for providers whose dialects are nobody else's.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use fixture::{collected, framed, received};
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::{self, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::piece::Calls;

/// What a model says, in order.
#[derive(Clone, Debug)]
enum Said {
    Thought { text: String, proof: String },
    Redacted(String),
    Text(String),
    Call { name: String, arguments: Value },
}

/// One provider's way to say it.
struct Speaker {
    provider: &'static str,
    model: &'static str,
    whole: fn(&[Said]) -> Value,
    streamed: fn(&[Said], usize) -> Vec<u8>,
    /// The model's turn in a request.
    turn: fn(&[Said]) -> Value,
}

const BEDROCK: Speaker = Speaker {
    provider: "bedrock",
    model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    whole: |said| {
        json!({"output": {"message": {"role": "assistant", "content": converse(said)}}, "stopReason": converse_stop(said),
            "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}})
    },
    streamed: converse_stream,
    turn: |said| json!({"role": "assistant", "content": converse(said)}),
};

const COHERE: Speaker = Speaker {
    provider: "cohere",
    model: "command-a-reasoning-08-2025",
    whole: |said| {
        json!({"id": "1", "message": cohere(said), "finish_reason": cohere_finish(said),
            "usage": {"tokens": {"input_tokens": 3, "output_tokens": 5}}})
    },
    streamed: cohere_stream,
    turn: |said| {
        let mut turn = cohere(said);
        // A single text is written without its part.
        if let [Value::Object(part)] = turn["content"].as_array().unwrap().as_slice()
            && part["type"] == "text"
        {
            turn["content"] = part["text"].clone();
        }
        turn
    },
};

const GEMINI: Speaker = Speaker {
    provider: "gemini",
    model: "gemini-3-flash-preview",
    whole: |said| {
        json!({"candidates": [{"content": {"role": "model", "parts": gemini(said)}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}})
    },
    streamed: gemini_stream,
    turn: |said| {
        let mut parts = gemini(said);
        // Thoughts do not go back, but for their proof; and what has none must say so.
        parts.retain(|part| part["thought"].is_null());
        let called = parts.iter_mut().find(|part| !part["functionCall"].is_null());
        if let Some(call) = called.filter(|call| call["thoughtSignature"].is_null()) {
            call["thoughtSignature"] = "skip_thought_signature_validator".into();
        }
        json!({"role": "model", "parts": parts})
    },
};

fn fragments(text: &str, cut: usize) -> Vec<String> {
    text.chars().collect::<Vec<_>>().chunks(cut).map(|chunk| chunk.iter().collect()).collect()
}

fn calls(said: &[Said]) -> bool {
    said.iter().any(|said| matches!(said, Said::Call { .. }))
}

fn converse_stop(said: &[Said]) -> &'static str {
    if calls(said) { "tool_use" } else { "end_turn" }
}

fn converse(said: &[Said]) -> Value {
    let block = |(at, said): (usize, &Said)| match said {
        Said::Thought { text, proof } => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": proof}}})
        }
        Said::Redacted(data) => json!({"reasoningContent": {"redactedContent": data}}),
        Said::Text(text) => json!({"text": text}),
        Said::Call { name, arguments } => {
            json!({"toolUse": {"toolUseId": format!("tooluse_{at}"), "name": name, "input": arguments}})
        }
    };
    said.iter().enumerate().map(block).collect()
}

fn converse_stream(said: &[Said], cut: usize) -> Vec<u8> {
    let mut events = vec![("messageStart", json!({"role": "assistant"}))];
    for (at, said) in said.iter().enumerate() {
        let mut delta =
            |delta: Value| events.push(("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta})));
        match said {
            Said::Thought { text, proof } => {
                for text in fragments(text, cut) {
                    delta(json!({"reasoningContent": {"text": text}}));
                }
                delta(json!({"reasoningContent": {"signature": proof}}));
            }
            Said::Redacted(data) => delta(json!({"reasoningContent": {"redactedContent": data}})),
            Said::Text(text) => fragments(text, cut).iter().for_each(|text| delta(json!({"text": text}))),
            Said::Call { name, arguments } => {
                let start = json!({"toolUse": {"toolUseId": format!("tooluse_{at}"), "name": name}});
                events.push(("contentBlockStart", json!({"contentBlockIndex": at, "start": start})));
                for json in fragments(&arguments.to_string(), cut) {
                    let delta = json!({"toolUse": {"input": json}});
                    events.push(("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta})));
                }
            }
        }
        events.push(("contentBlockStop", json!({"contentBlockIndex": at})));
    }
    events.push(("messageStop", json!({"stopReason": converse_stop(said)})));
    events.push(("metadata", json!({"usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}})));
    let lines: Vec<_> = events.iter().map(|(event, data)| json!({"event": event, "data": data}).to_string()).collect();
    framed(&lines.join("\n"))
}

fn cohere_finish(said: &[Said]) -> &'static str {
    if calls(said) { "TOOL_CALL" } else { "COMPLETE" }
}

/// Its calls stand beside the content.
fn cohere(said: &[Said]) -> Value {
    let mut message = json!({"role": "assistant", "content": []});
    for (at, said) in said.iter().enumerate() {
        match said {
            Said::Thought { text, .. } => {
                message["content"].as_array_mut().unwrap().push(json!({"type": "thinking", "thinking": text}));
            }
            Said::Text(text) => {
                message["content"].as_array_mut().unwrap().push(json!({"type": "text", "text": text}));
            }
            Said::Call { name, arguments } => {
                if message["tool_calls"].is_null() {
                    message["tool_calls"] = json!([]);
                }
                let function = json!({"name": name, "arguments": arguments.to_string()});
                let call = json!({"id": format!("call_{at}"), "type": "function", "function": function});
                message["tool_calls"].as_array_mut().unwrap().push(call);
            }
            Said::Redacted(_) => {}
        }
    }
    message
}

fn cohere_stream(said: &[Said], cut: usize) -> Vec<u8> {
    let mut events = vec![json!({"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant"}}})];
    let mut event = |kind: &str, at: usize, message: Value| {
        events.push(json!({"type": kind, "index": at, "delta": {"message": message}}));
    };
    for (at, said) in said.iter().enumerate() {
        let mut part = |kind: &str, text: &str| {
            event("content-start", at, json!({"content": {"type": kind, kind: ""}}));
            for text in fragments(text, cut) {
                event("content-delta", at, json!({"content": {kind: text}}));
            }
            event("content-end", at, Value::Null);
        };
        match said {
            Said::Thought { text, .. } => part("thinking", text),
            Said::Text(text) => part("text", text),
            Said::Call { name, arguments } => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"id": format!("call_{at}"), "type": "function", "function": function});
                event("tool-call-start", at, json!({"tool_calls": call}));
                for json in fragments(&arguments.to_string(), cut) {
                    event("tool-call-delta", at, json!({"tool_calls": {"function": {"arguments": json}}}));
                }
                event("tool-call-end", at, Value::Null);
            }
            Said::Redacted(_) => {}
        }
    }
    let usage = json!({"tokens": {"input_tokens": 3, "output_tokens": 5}});
    events.push(json!({"type": "message-end", "delta": {"finish_reason": cohere_finish(said), "usage": usage}}));
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

/// The proof of what was thought stands at the first call, or else at the text.
fn gemini(said: &[Said]) -> Vec<Value> {
    let mut proof = said.iter().rev().find_map(|said| match said {
        Said::Thought { proof, .. } => Some(proof.as_str()),
        _ => None,
    });
    let calls = calls(said);
    let parts = said.iter().enumerate().map(|(at, said)| {
        let (mut part, bears) = match said {
            Said::Thought { text, .. } => (json!({"text": text, "thought": true}), false),
            Said::Text(text) => (json!({"text": text}), !calls),
            Said::Call { name, arguments } => {
                (json!({"functionCall": {"id": format!("c{at}"), "name": name, "args": arguments}}), true)
            }
            Said::Redacted(_) => panic!("it has none"),
        };
        if let Some(proof) = proof.take_if(|_| bears) {
            part["thoughtSignature"] = proof.into();
        }
        part
    });
    parts.collect()
}

fn gemini_stream(said: &[Said], cut: usize) -> Vec<u8> {
    let mut parts = Vec::new();
    for mut part in gemini(said) {
        let Some(text) = part["text"].as_str().map(str::to_owned) else {
            parts.push(part);
            continue;
        };
        // The proof of a text comes after it.
        let proof = part["thoughtSignature"].take();
        for text in fragments(&text, cut) {
            part["text"] = text.into();
            part.as_object_mut().unwrap().remove("thoughtSignature");
            parts.push(part.clone());
        }
        if !proof.is_null() {
            parts.push(json!({"text": "", "thoughtSignature": proof}));
        }
    }
    let mut events: Vec<_> = parts
        .into_iter()
        .map(|part| json!({"candidates": [{"content": {"role": "model", "parts": [part]}}]}))
        .collect();
    events.push(json!({"candidates": [{"finishReason": "STOP"}]}));
    events.iter().flat_map(|event| format!("data: {event}\r\n\r\n").into_bytes()).collect()
}

impl Speaker {
    fn upstream(&self) -> Upstream {
        Upstream { provider: self.provider.into(), dialect: self.provider.into(), ..Upstream::default() }
    }

    fn answered(&self, delivery: Delivery, answer: &[u8]) -> Vec<u8> {
        let start = ReplyStart {
            asked: Asked { endpoint: Endpoint::Chat, delivery, usage: UsageChunk::Unwanted },
            encoding: Encoding::Float,
            model: self.model,
            id: "weir-1-1",
            created: 0,
            echo: "",
            content_type: "",
            calls: Calls::All,
            renamed: &[],
            texts: None,
        };
        let reply = exchange::reply(provider::by_name(self.provider).unwrap(), &self.upstream(), &start);
        let received = received(reply, [answer]);
        received.end.unwrap();
        received.bytes
    }

    fn asked(&self, body: &Value) -> Value {
        let body = body.to_string();
        let scan = scan(body.as_bytes()).unwrap();
        let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Whole, UsageChunk::Unwanted);
        let call = Call {
            asked: Asked { endpoint, delivery, usage },
            model: "asked",
            betas: "",
            body: body.as_bytes(),
            scan: &scan,
        };
        let ask = exchange::ask(&call, &self.upstream(), self.model).unwrap();
        let Body::Replaced(body) = ask.body else { panic!("it is translated") };
        serde_json::from_slice(&body).unwrap()
    }

    fn check(&self, said: &[Said], cut: usize) -> Result<(), TestCaseError> {
        let whole = self.answered(Delivery::Whole, (self.whole)(said).to_string().as_bytes());
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let message = &whole["choices"][0]["message"];
        let streamed = collected(&self.answered(Delivery::Streamed, &(self.streamed)(said, cut)));
        for field in ["content", "reasoning_content", "tool_calls"] {
            prop_assert_eq!(&streamed[field], &message[field], "{}", field);
        }
        for message in [message, &streamed] {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}, message]});
            let up = self.asked(&body);
            let turns = up.get("messages").or(up.get("contents")).unwrap();
            prop_assert_eq!(&turns[1], &(self.turn)(said));
        }
        Ok(())
    }
}

fn call() -> impl Strategy<Value = Said> {
    ("[a-z]{1,8}", "[a-z\"é\n]{0,8}")
        .prop_map(|(name, value)| Said::Call { name, arguments: json!({"value": value, "n": [1, 2]}) })
}

fn text() -> impl Strategy<Value = Said> {
    "[a-z é😀\"\\\\\n]{0,20}[a-z]".prop_map(Said::Text)
}

fn thought() -> impl Strategy<Value = Said> {
    ("[a-z \n\"é]{0,12}[a-z]", "[A-Za-z0-9+/]{4,12}").prop_map(|(text, proof)| Said::Thought { text, proof })
}

proptest! {
    #[test]
    fn to_bedrock(
        thoughts in proptest::collection::vec(
            prop_oneof![thought(), "[A-Za-z0-9]{4,12}".prop_map(Said::Redacted)], 0..3),
        text in text(),
        calls in proptest::collection::vec(call(), 0..3),
        cut in 1usize..9,
    ) {
        BEDROCK.check(&[thoughts, vec![text], calls].concat(), cut)?;
    }

    #[test]
    fn to_cohere(
        thought in proptest::option::of(thought()),
        text in text(),
        calls in proptest::collection::vec(call(), 0..3),
        cut in 1usize..9,
    ) {
        let thoughts: Vec<_> = thought.into_iter().collect();
        COHERE.check(&[thoughts, vec![text], calls].concat(), cut)?;
    }

    #[test]
    fn to_gemini(
        thoughts in proptest::collection::vec(thought(), 0..3),
        text in text(),
        calls in proptest::collection::vec(call(), 0..3),
        cut in 1usize..9,
    ) {
        GEMINI.check(&[thoughts, vec![text], calls].concat(), cut)?;
    }
}

//! The ways to ask a chat model: each API that callers speak, whole and streamed, and how to read what comes back.

use serde_json::{Value, json};
use weir_hub::endpoint::{Delivery, Endpoint, Family};

use crate::answer::{Answer, Ended, Event};
use crate::client::Ask;
use crate::gateway::Gateway;

/// One of the APIs that callers speak to chat models, and how its answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The API.
    pub endpoint: Endpoint,
    /// How the answer comes.
    pub delivery: Delivery,
}

impl Manner {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let chats = Endpoint::ALL.into_iter().filter(|endpoint| endpoint.is_chat());
        chats.flat_map(|endpoint| [Delivery::Whole, Delivery::Streamed].map(|delivery| Self { endpoint, delivery }))
    }

    /// Whether the answer comes piece by piece.
    pub fn is_streamed(self) -> bool {
        self.delivery == Delivery::Streamed
    }

    /// Asks `model` to answer `text`.
    pub fn ask(self, gateway: &Gateway, model: &str, text: &str) -> Ask {
        let message = json!([{ "role": "user", "content": text }]);
        let ask = match self.endpoint {
            Endpoint::Completions => gateway.post(self.endpoint.path(), json!({ "model": model, "prompt": text })),
            Endpoint::Responses => gateway.post(self.endpoint.path(), json!({ "model": model, "input": text })),
            Endpoint::Messages => {
                let body = json!({ "model": model, "max_tokens": 1000, "messages": message });
                gateway.post(self.endpoint.path(), body)
            }
            Endpoint::GenerateContent => {
                let verb = if self.is_streamed() { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] });
                return gateway.post(&format!("/v1beta/models/{model}:{verb}"), body);
            }
            endpoint => gateway.post(endpoint.path(), json!({ "model": model, "messages": message })),
        };
        if self.is_streamed() { ask.streamed() } else { ask }
    }

    /// What was said, put together from its pieces where it was streamed.
    pub fn said(self, answer: &Answer) -> String {
        let said = |value: &Value| -> String {
            match (self.endpoint, self.delivery) {
                (Endpoint::Chat, Delivery::Whole) => text(&value["choices"][0]["message"]["content"]),
                (Endpoint::Chat, Delivery::Streamed) => text(&value["choices"][0]["delta"]["content"]),
                (Endpoint::Completions, _) => text(&value["choices"][0]["text"]),
                (Endpoint::Responses, Delivery::Whole) => text(&value["output"][0]["content"][0]["text"]),
                (Endpoint::Responses, Delivery::Streamed) if value["type"] == "response.output_text.delta" => {
                    text(&value["delta"])
                }
                (Endpoint::Messages, Delivery::Whole) => text(&value["content"][0]["text"]),
                (Endpoint::Messages, Delivery::Streamed) => text(&value["delta"]["text"]),
                (Endpoint::GenerateContent, _) => text(&value["candidates"][0]["content"]["parts"][0]["text"]),
                _ => String::new(),
            }
        };
        match self.delivery {
            Delivery::Whole => said(&answer.json()),
            Delivery::Streamed => answer.events().iter().map(|event| said(&event.json())).collect(),
        }
    }

    /// Whether the answer says that it is complete, as its API has it, and then ends as HTTP has it.
    pub fn is_complete(self, answer: &Answer) -> bool {
        let json = if self.is_streamed() {
            answer.events().last().map(Event::json).unwrap_or_default()
        } else {
            answer.json()
        };
        let says_so = match (self.endpoint, self.delivery) {
            (Endpoint::Chat | Endpoint::Completions, Delivery::Streamed) => answer.is_done(),
            (Endpoint::Chat | Endpoint::Completions, Delivery::Whole) => json["choices"][0]["finish_reason"] == "stop",
            (Endpoint::Responses, Delivery::Streamed) => json["type"] == "response.completed",
            (Endpoint::Responses, Delivery::Whole) => json["status"] == "completed",
            (Endpoint::Messages, Delivery::Streamed) => json["type"] == "message_stop",
            (Endpoint::Messages, Delivery::Whole) => json["type"] == "message" && json["stop_reason"] == "end_turn",
            _ => json["candidates"][0]["finishReason"] == "STOP",
        };
        says_so && answer.ended() == Ended::Cleanly
    }

    /// Weir's code for the error that the answer is, or with which it ends. If the provider ended its response by an event of
    /// its own, it is the provider's code. Fails if the error does not have this API's shape: an object with the members that
    /// clients read, and no sign that the answer is complete.
    pub fn error(self, answer: &Answer) -> String {
        let in_stream = answer.status() == 200;
        let (name, body) = match answer.events().pop() {
            Some(event) if in_stream => (event.name.clone(), event.json()),
            _ => (String::new(), answer.json()),
        };
        let shown = || format!("{self:?}: {}: {}", answer.status(), answer.text());
        let own = in_stream && name == "response.failed";
        let error = if own { &body["response"]["error"] } else { &body["error"] };
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", shown());
        if !in_stream {
            assert_eq!(answer.header("content-type"), "application/json", "{}", shown());
        }
        match self.endpoint.family() {
            _ if own => text(&error["code"]),
            Family::Anthropic => {
                assert_eq!((&body["type"], in_stream), (&json!("error"), name == "error"), "{}", shown());
                assert!(error["type"].as_str().is_some_and(|kind| kind.ends_with("_error")), "{}", shown());
                text(&error["code"])
            }
            Family::Gemini => {
                assert!(in_stream || error["code"] == answer.status(), "{}", shown());
                assert!(error["code"].is_u64(), "{}", shown());
                let status = error["status"].as_str().unwrap_or_default();
                assert!(
                    !status.is_empty() && status.chars().all(|c| c.is_ascii_uppercase() || c == '_'),
                    "{}",
                    shown()
                );
                text(&error["details"][0]["reason"]).to_lowercase()
            }
            Family::OpenAi => {
                assert!(error["type"].is_string() && error.get("param").is_some(), "{}", shown());
                if self.endpoint == Endpoint::Responses && in_stream {
                    assert_eq!((&body["type"], name.as_str()), (&json!("error"), "error"), "{}", shown());
                    assert_eq!(body["code"], error["code"], "{}", shown());
                }
                text(&error["code"])
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

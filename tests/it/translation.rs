//! OpenAI to Anthropic: callers see no difference.

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use weir_tests::{Answer, Ended, Gateway, Upstream};

use crate::{SAID, Shared};

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::called("anthropic").await.speaking("anthropic");
        let gateway = Gateway::with(&upstream)
            .model("claude", ["anthropic/claude-sonnet-4-5"])
            .model("long", ["anthropic/fault-context-length"])
            .model("cut", ["anthropic/fault-cut+gap-20ms"])
            .start()
            .await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

fn weather() -> Value {
    json!({ "tools": [{ "type": "function", "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
    } }] })
}

fn finish(answer: &Answer) -> Value {
    let events = answer.events();
    let last = events.iter().map(|event| event.json()["choices"][0]["finish_reason"].clone()).find(Value::is_string);
    last.unwrap_or_else(|| answer.json()["choices"][0]["finish_reason"].clone())
}

#[tokio::test]
async fn a_whole_answer_is_openais() {
    let Shared { upstream, gateway } = shared().await;
    let answer = gateway.chat("claude", "Hi").with(json!({ "max_completion_tokens": 100 })).await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("claude-sonnet-4-5")));
    assert_eq!(finish(&answer), "stop");
    let usage = &body["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    let record = gateway.record(answer.id()).await;
    assert_eq!(record["tokens"]["output"], usage["completion_tokens"]);
    let asked = upstream.requests();
    let asked = asked.iter().find(|seen| seen.json()["max_tokens"] == 100).expect("max_tokens");
    assert_eq!((asked.path.as_str(), asked.header("anthropic-version")), ("/v1/messages", Some("2023-06-01")));
}

#[tokio::test]
async fn a_stream_is_openais() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("claude", "Hi").streamed_with_usage().await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
    assert_eq!(finish(&answer), "stop");
    let events = answer.events();
    assert_eq!(events[0].json()["choices"][0]["delta"]["role"], "assistant");
    let usage = events[events.len() - 2].json();
    assert!(usage["choices"] == json!([]) && usage["usage"]["total_tokens"].as_u64() > Some(0), "{usage}");
    let without = gateway.chat("claude", "Hi").streamed().await;
    assert_eq!(without.events().len(), events.len() - 1, "{}", without.text());
}

#[tokio::test]
async fn tools_are_called_and_their_results_understood() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("claude", "How is it in Zürich?").with(weather()).await;
    assert_eq!((answer.status(), finish(&answer)), (200, json!("tool_calls")), "{}", answer.text());
    let message = answer.json()["choices"][0]["message"].clone();
    let call = &message["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string(), "{arguments}");

    let messages = json!({ "messages": [
        { "role": "user", "content": "How is it in Zürich?" },
        message,
        { "role": "tool", "tool_call_id": call["id"], "content": "sunny" },
    ] });
    let answer = gateway.chat("claude", "").with(weather()).with(messages).await;
    assert!(answer.said().starts_with("The tool said \"sunny\""), "{}", answer.text());
}

#[tokio::test]
async fn streamed_tool_calls_are_openais() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("claude", "How is it in Zürich?").with(weather()).streamed().await;
    assert!(answer.is_done(), "{}", answer.text());
    assert_eq!(finish(&answer), "tool_calls");
    let mut name = String::new();
    let mut arguments = String::new();
    for event in answer.events() {
        let call = event.json()["choices"][0]["delta"]["tool_calls"][0]["function"].clone();
        name.push_str(call["name"].as_str().unwrap_or_default());
        arguments.push_str(call["arguments"].as_str().unwrap_or_default());
    }
    assert_eq!(name, "weather");
    assert!(serde_json::from_str::<Value>(&arguments).is_ok_and(|read| read["city"].is_string()), "{arguments}");
}

#[tokio::test]
async fn the_callers_faults_are_told_as_openai_tells_them() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("long", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "context_length_exceeded"), "{}", answer.text());
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_with_openais_error() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("cut", "Hi").streamed().await;
    assert_eq!((answer.status(), answer.code().as_str()), (200, "stream_incomplete"), "{}", answer.text());
    assert!(!answer.is_done() && !answer.said().is_empty());
}

#[tokio::test]
async fn what_anthropic_cannot_do_is_refused_by_name() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("claude", "Hi").with(json!({ "logit_bias": { "50256": -100 } })).await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "unsupported_parameter"), "{}", answer.text());
    assert!(answer.message().contains("logit_bias"), "{}", answer.text());
    let answer = gateway.embed("claude", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "endpoint_not_supported"), "{}", answer.text());
}

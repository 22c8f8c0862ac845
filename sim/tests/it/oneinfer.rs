//! `/v1/ula/…`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Got, HEADERS, post, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

async fn chat(sim: &Sim, model: &str, more: Value) -> Got {
    let body = with(json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}), more);
    post(sim, "/v1/ula/chat/completions", &body).await
}

#[tokio::test]
async fn an_answer_lies_in_an_envelope_and_a_stream_in_deltas() {
    let sim = sim().await;
    let body = chat(&sim, "claude-sonnet-4-6", json!({"provider": "anthropic"})).await.json();
    assert_eq!((&body["api_details"]["api_status"], &body["error"]), (&json!("success"), &json!({})));
    let data = &body["data"];
    assert_eq!((&data["text"], &data["finish_reason"]), (&json!(HEARD), &json!("stop")));
    assert_eq!((&data["provider"], &data["model"]), (&json!("anthropic"), &json!("claude-sonnet-4-6")));
    assert_eq!(data["usage"], json!({"prompt_tokens": 4, "completion_tokens": 9, "total_tokens": 13}));

    let stream = chat(&sim, "gpt-4o-mini", json!({"stream": true})).await.data();
    let said: String = stream.iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(said, HEARD);
    let (last, others) = stream.split_last().unwrap();
    assert_eq!(
        (&last["finish_reason"], &last["usage"], &last["provider"]),
        (&json!("stop"), &data["usage"], &json!("openai"))
    );
    assert!(others.iter().all(|event| event["finish_reason"].is_null() && event["usage"].is_null()));
}

#[tokio::test]
async fn an_answer_ends_where_it_is_told_to() {
    let sim = sim().await;
    let reason = async |model: &str, more| chat(&sim, model, more).await.json()["data"].clone();
    assert_eq!(reason("m", json!({"max_tokens": 3})).await["finish_reason"], "length");
    assert_eq!(reason("m", json!({"stop": [" that"]})).await["text"], "You said \"Hi\", and");
    let long = reason("m+tokens-2000", json!({})).await;
    assert_eq!((&long["finish_reason"], &long["usage"]["completion_tokens"]), (&json!("length"), &json!(1000)));
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_listed() {
    let sim = sim().await;
    let check = async |more: Value, place: Value| {
        let got = chat(&sim, "m", more).await;
        assert_eq!((got.status, &got.json()["detail"][0]["loc"]), (422, &place), "{}", got.text());
    };
    check(json!({"tools": []}), json!(["body", "tools"])).await;
    check(json!({"messages": []}), json!(["body", "messages"])).await;
    check(json!({"messages": [{"role": "tool", "content": "a"}]}), json!(["body", "messages", 0, "role"])).await;
    check(json!({"messages": [{"role": "user", "content": []}]}), json!(["body", "messages", 0, "content"])).await;
    check(json!({"temperature": 2.1}), json!(["body", "temperature"])).await;
    check(json!({"stop": "END"}), json!(["body", "stop"])).await;
    check(json!({"service_tier": "priority"}), json!(["body", "service_tier"])).await;
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token() {
    let sim = sim().await;
    let exchange =
        async |query: &str| send(&sim, "POST", &format!("/v1/ula/oauth-authentication{query}"), &[], "").await.unwrap();
    let token = exchange("?api_key=sk-key").await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(token, "sk-ula-sk-key");
    assert_eq!(exchange("?api_key=sk-%2f%3D").await.json(), json!({"access_token": "sk-ula-sk-/="}));
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    assert_eq!(send(&sim, "POST", "/v1/ula/chat/completions", &headers, body).await.unwrap().status, 200);
    for query in ["", "?api_key=wrong", &format!("?api_key={token}")] {
        assert_eq!(exchange(query).await.status, 403, "{query}");
    }
}

#[tokio::test]
async fn failures_have_their_shapes() {
    let sim = sim().await;
    let path = "/v1/ula/chat/completions";
    let got = send(&sim, "POST", path, &HEADERS[..1], "{}").await.unwrap();
    assert_eq!((got.status, got.json()["detail"].is_string()), (401, true));
    for (fault, status) in [("429", 429), ("500", 500), ("context-length", 400), ("invalid-request", 400)] {
        let got = chat(&sim, &format!("fault-{fault}"), json!({})).await;
        assert_eq!(got.status, status);
        let body = got.json();
        assert_eq!((&body["api_details"]["api_status"], &body["data"]), (&json!("failure"), &json!({})));
        assert!(body["error"]["error_description"].is_string(), "{body}");
    }
    let poor = chat(&sim, "fault-insufficient-quota", json!({})).await;
    assert_eq!((poor.status, poor.json()), (403, json!({"detail": "Insufficient credit balance"})));
    assert_eq!(chat(&sim, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    let late = chat(&sim, "fault-error-event-late", json!({"stream": true})).await;
    assert!(late.data().last().unwrap()["error"]["error_description"].is_string());
    assert_eq!(post(&sim, "/v1/ula/unheard-of", &json!({})).await.json(), json!({"detail": "Not Found"}));
}

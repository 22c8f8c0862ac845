//! `/v1/projects/…/publishers/…`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Got, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("authorization", "Bearer ya29.simulated")];

async fn ask(sim: &Sim, path: &str, headers: &[(&str, &str)], body: &Value) -> Got {
    let path = format!("/v1/projects/p/locations/us-central1/publishers/{path}");
    send(sim, "POST", &path, headers, body.to_string()).await.unwrap()
}

async fn gemini(sim: &Sim, verb: &str, more: Value) -> Got {
    let body = with(json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}), more);
    ask(sim, &format!("google/models/{verb}"), &HEADERS, &body).await
}

async fn claude(sim: &Sim, verb: &str, more: Value) -> Got {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 4096, "messages": messages});
    ask(sim, &format!("anthropic/models/{verb}"), &HEADERS, &with(body, more)).await
}

#[tokio::test]
async fn gemini_answers_whole_streamed_and_in_an_array() {
    let sim = sim().await;
    let whole = gemini(&sim, "gemini-2.5-flash:generateContent", json!({})).await.json();
    assert_eq!(whole["candidates"][0]["content"]["parts"][0]["text"], HEARD);
    assert_eq!(whole["usageMetadata"]["trafficType"], "ON_DEMAND");
    let stream = gemini(&sim, "gemini-2.5-flash:streamGenerateContent?alt=sse", json!({})).await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.data().last().unwrap()["usageMetadata"], whole["usageMetadata"]);
    let array = gemini(&sim, "gemini-2.5-flash:streamGenerateContent", json!({})).await.json();
    assert_eq!(array.as_array().unwrap().len(), 10);
    let counted = gemini(&sim, "gemini-2.5-flash:countTokens", json!({})).await.json();
    assert_eq!(counted["totalTokens"], whole["usageMetadata"]["promptTokenCount"]);
}

#[tokio::test]
async fn gemini_wants_roles_and_takes_more_schemas_than_elsewhere() {
    let sim = sim().await;
    let bare = gemini(&sim, "m:generateContent", json!({"contents": [{"parts": [{"text": "Hi"}]}]})).await;
    assert!(bare.status == 400 && bare.text().contains("valid role"));
    let closed = json!({"type": "object", "additionalProperties": false});
    let tools = json!([{"functionDeclarations": [{"name": "x", "parameters": closed}]}]);
    let got = gemini(&sim, "m:generateContent", json!({"tools": tools})).await.json();
    assert_eq!(got["candidates"][0]["content"]["parts"][0]["functionCall"]["name"], "x");
}

#[tokio::test]
async fn claude_answers_whole_streamed_and_with_tools() {
    let sim = sim().await;
    let got = claude(&sim, "claude-sonnet-4-5@20250929:rawPredict", json!({})).await;
    let body = got.json();
    assert_eq!((&body["content"][0]["text"], &body["usage"]["output_tokens"]), (&json!(HEARD), &json!(9)));
    assert_eq!(body["model"], "claude-sonnet-4-5@20250929");
    assert!(body["id"].as_str().unwrap().starts_with("msg_vrtx_") && got.header("request-id").starts_with("req_vrtx_"));
    let stream = claude(&sim, "claude-sonnet-4-5@20250929:streamRawPredict", json!({"stream": true})).await;
    assert_eq!(stream.events().last().unwrap().0, "message_stop");
    let text: String = stream.data().iter().filter_map(|data| data["delta"]["text"].as_str()).collect();
    assert_eq!(text, HEARD);
    let tools = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
    let used = claude(&sim, "m:rawPredict", json!({"tools": tools})).await.json()["content"][0].clone();
    assert!(used["id"].as_str().unwrap().starts_with("toolu_vrtx_"));
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    assert_eq!(claude(&sim, "m:rawPredict", thinking).await.json()["content"][0]["type"], "thinking");
}

#[tokio::test]
async fn claude_wants_a_version_and_no_model() {
    let sim = sim().await;
    let check = async |more: Value, words: &str| {
        let got = claude(&sim, "claude-opus-4-7@20260416:rawPredict", more).await;
        let error = got.json()["error"].clone();
        assert_eq!((got.status, &error["type"]), (400, &json!("invalid_request_error")));
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    };
    check(json!({"anthropic_version": "2023-06-01"}), "anthropic_version: Input should be").await;
    let newer = json!({"anthropic_version": "2026-10-21"});
    assert_eq!(claude(&sim, "c:rawPredict", newer.clone()).await.status, 200);
    check(with(newer, json!({"temperature": 1})), "temperature: Extra inputs are not permitted").await;
    check(json!({"model": "c"}), "model: Extra inputs are not permitted").await;
    check(json!({"max_tokens": null}), "max_tokens: Field required").await;
    check(json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}), "adaptive").await;
    let unversioned = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    let got = ask(&sim, "anthropic/models/c:rawPredict", &HEADERS, &unversioned).await;
    assert!(got.status == 400 && got.text().contains("anthropic_version: Field required"));
}

#[tokio::test]
async fn clients_find_the_beta_and_the_token_count() {
    let sim = sim().await;
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}).to_string();
    let path = "/v1beta1/projects/p/locations/global/publishers/google/models/m:generateContent";
    assert_eq!(send(&sim, "POST", path, &HEADERS, contents).await.unwrap().status, 200);
    let counted = claude(&sim, "count-tokens:rawPredict", json!({"model": "c"})).await.json();
    let whole = claude(&sim, "c:rawPredict", json!({})).await.json();
    assert_eq!(counted["input_tokens"], whole["usage"]["input_tokens"]);
}

#[tokio::test]
async fn tokens_are_checked_for_both_in_googles_words() {
    let sim = sim().await;
    for path in ["google/models/m:generateContent", "anthropic/models/m:rawPredict"] {
        let wrong = [HEADERS[0], ("authorization", "Bearer wrong")];
        for (headers, reason) in [(&HEADERS[..1], "CREDENTIALS_MISSING"), (&wrong[..], "ACCESS_TOKEN_TYPE_UNSUPPORTED")]
        {
            let got = ask(&sim, path, headers, &json!({})).await;
            assert_eq!((got.status, &got.json()["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
            assert_eq!(got.json()["error"]["details"][0]["reason"], reason);
        }
        let key = [HEADERS[0], ("x-goog-api-key", "sk-test")];
        assert_eq!(ask(&sim, path, &key, &json!({})).await.status, 401);
    }
}

#[tokio::test]
async fn faults_are_told_by_whose_they_are() {
    let sim = sim().await;
    for (fault, status, name) in [
        ("404", 404, "NOT_FOUND"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("429-retry-7", 429, "RESOURCE_EXHAUSTED"),
        ("insufficient-quota", 403, "PERMISSION_DENIED"),
    ] {
        for got in [
            gemini(&sim, &format!("fault-{fault}:generateContent"), json!({})).await,
            claude(&sim, &format!("fault-{fault}:rawPredict"), json!({})).await,
        ] {
            assert_eq!((got.status, &got.json()["error"]["status"]), (status, &json!(name)), "{fault}");
        }
    }
    for (fault, status, kind) in
        [("500", 500, "api_error"), ("529", 529, "overloaded_error"), ("context-length", 400, "invalid_request_error")]
    {
        let got = claude(&sim, &format!("fault-{fault}:rawPredict"), json!({})).await;
        assert_eq!((got.status, &got.json()["error"]["type"]), (status, &json!(kind)));
    }
    let blocked = gemini(&sim, "fault-content-filter:generateContent", json!({})).await.json();
    assert_eq!(blocked["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    let late = claude(&sim, "fault-error-event-late:streamRawPredict", json!({"stream": true})).await;
    assert_eq!(late.events().last().unwrap().0, "error");
    let missing = ask(&sim, "meta/models/m:rawPredict", &HEADERS, &json!({})).await;
    assert_eq!((missing.status, &missing.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn texts_are_embedded_by_prediction() {
    let sim = sim().await;
    let predict = async |body: Value| ask(&sim, "google/models/text-embedding-005:predict", &HEADERS, &body).await;
    let body =
        predict(json!({"instances": [{"content": "a cat"}], "parameters": {"outputDimensionality": 8}})).await.json();
    let embeddings = &body["predictions"][0]["embeddings"];
    assert_eq!(
        (embeddings["values"].as_array().unwrap().len(), &embeddings["statistics"]["token_count"]),
        (8, &json!(2))
    );
    assert_eq!(body["metadata"]["billableCharacterCount"], 4);
    assert_eq!(predict(json!({"instances": []})).await.status, 400);
}

//! `/v1/messages` and what belongs to it.

use serde_json::{Value, json};

use crate::client::{HEADERS, message, post, send, sim};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"name": "weather", "input_schema": schema}, {"name": "time", "input_schema": {"type": "object"}}])
}

fn names(events: &[(String, String)]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_whole_message_repeats_the_question() {
    let got = message(&sim().await, "claude-sonnet-4-5", json!({})).await;
    let body = got.json();
    assert_eq!(got.status, 200);
    assert_eq!(body["content"], json!([{"type": "text", "text": HEARD}]));
    assert_eq!(
        (&body["type"], &body["role"], &body["stop_reason"]),
        (&json!("message"), &json!("assistant"), &json!("end_turn"))
    );
    assert_eq!(body["usage"]["output_tokens"], 9);
    assert_eq!(body["usage"]["cache_read_input_tokens"], 0);
    assert!(got.header("request-id").starts_with("req_"));
    for name in ["anthropic-ratelimit-requests-remaining", "anthropic-organization-id", "set-cookie"] {
        assert!(!got.header(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_stream_has_the_true_sequence_and_the_same_usage_as_the_whole() {
    let sim = sim().await;
    let whole = message(&sim, "claude-sonnet-4-5", json!({})).await.json();
    let got = message(&sim, "claude-sonnet-4-5", json!({"stream": true})).await;
    let events = got.events();
    let expect = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&events), expect);
    let data = got.data();
    assert!(data.iter().zip(&events).all(|(data, (name, _))| data["type"] == *name));
    assert_eq!(data[0]["message"]["content"], json!([]));
    let text: String = data.iter().filter_map(|data| data["delta"]["text"].as_str()).collect();
    assert_eq!(text, HEARD);
    let end = &data[data.len() - 2];
    assert_eq!(end["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    for field in ["input_tokens", "output_tokens", "cache_read_input_tokens"] {
        assert_eq!(end["usage"][field], whole["usage"][field], "{field}");
    }
    assert_eq!(data[0]["message"]["usage"]["input_tokens"], whole["usage"]["input_tokens"]);
}

#[tokio::test]
async fn a_tool_is_used_whole_and_by_fragments_and_its_result_is_answered() {
    let sim = sim().await;
    let body = message(&sim, "c", json!({"tools": tools()})).await.json();
    assert_eq!(body["stop_reason"], "tool_use");
    let used = &body["content"][0];
    assert_eq!((&used["type"], &used["input"]), (&json!("tool_use"), &json!({"city": "example"})));

    let data = message(&sim, "c", json!({"tools": tools(), "stream": true})).await.data();
    let start = data.iter().find(|data| data["type"] == "content_block_start").unwrap();
    assert_eq!((&start["content_block"]["name"], &start["content_block"]["input"]), (&json!("weather"), &json!({})));
    let deltas: Vec<&str> = data.iter().filter_map(|data| data["delta"]["partial_json"].as_str()).collect();
    assert_eq!((deltas[0], deltas.concat().as_str()), ("", "{\"city\":\"example\"}"));

    let chosen = json!({"tools": tools(), "tool_choice": {"type": "tool", "name": "time"}});
    assert_eq!(message(&sim, "c", chosen).await.json()["content"][0]["name"], "time");
    let parallel = message(&sim, "c+parallel-2", json!({"tools": tools()})).await.json();
    assert_eq!(parallel["content"].as_array().unwrap().len(), 2);

    let messages = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [used]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used["id"], "content": "sunny"}]},
    ]);
    let body = message(&sim, "c", json!({"tools": tools(), "messages": messages})).await.json();
    assert_eq!(body["content"][0]["text"], "The tool said \"sunny\", and that is what I heard.");
}

#[tokio::test]
async fn thinking_comes_first_and_is_signed() {
    let sim = sim().await;
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let body = message(&sim, "c", thinking.clone()).await.json();
    assert_eq!(body["content"][0]["type"], "thinking");
    assert!(body["content"][0]["signature"].as_str().is_some_and(|signature| !signature.is_empty()));
    assert_eq!(body["content"][1]["text"], HEARD);
    let data = message(&sim, "c", crate::client::with(thinking, json!({"stream": true}))).await.data();
    let mut kinds: Vec<&str> = data.iter().filter_map(|data| data["delta"]["type"].as_str()).collect();
    kinds.dedup();
    assert_eq!(kinds, ["thinking_delta", "signature_delta", "text_delta"]);
}

#[tokio::test]
async fn limits_stop_sequences_images_and_shapes_are_obeyed() {
    let sim = sim().await;
    let body = message(&sim, "c", json!({"max_tokens": 3})).await.json();
    assert_eq!((&body["stop_reason"], &body["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(3)));
    let body = message(&sim, "c", json!({"stop_sequences": [", and"]})).await.json();
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &json!(", and")));
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AA=="});
    let content = json!([{"type": "image", "source": source}, {"type": "text", "text": "Look"}]);
    let body = message(&sim, "c", json!({"messages": [{"role": "user", "content": content}]})).await.json();
    assert_eq!(body["content"][0]["text"], "You said \"Look\" and showed 1 image, and that is what I heard.");
    let format =
        json!({"type": "json_schema", "schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}});
    let body = message(&sim, "c", json!({"output_config": {"format": format}})).await.json();
    assert_eq!(body["content"][0]["text"], "{\"ok\":true}");
}

#[tokio::test]
async fn a_marked_prompt_is_written_to_the_cache_and_then_read() {
    let sim = sim().await;
    let system = json!([{"type": "text", "text": "Be very brief.", "cache_control": {"type": "ephemeral"}}]);
    let first = message(&sim, "c", json!({"system": system})).await.json()["usage"].clone();
    let second = message(&sim, "c", json!({"system": system})).await.json()["usage"].clone();
    assert!(first["cache_creation_input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(second["cache_read_input_tokens"], first["cache_creation_input_tokens"]);
    assert_eq!(second["input_tokens"], first["input_tokens"]);
}

#[tokio::test]
async fn headers_are_checked() {
    let sim = sim().await;
    let body = r#"{"model":"c","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let check = async |headers: &[(&str, &str)], status: u16, kind: &str| {
        let got = send(&sim, "POST", "/v1/messages", headers, body).await.unwrap();
        assert_eq!((got.status, &got.json()["error"]["type"]), (status, &json!(kind)), "{got:?}");
    };
    let [json, bearer, key, version] = HEADERS;
    let accepted = send(&sim, "POST", "/v1/messages", &[json, bearer, version], body).await.unwrap();
    assert_eq!(accepted.status, 200);
    check(&[json, version], 401, "authentication_error").await;
    check(&[json, ("authorization", "Bearer wrong"), version], 401, "authentication_error").await;
    check(&[json, ("x-api-key", "wrong"), version], 401, "authentication_error").await;
    check(&[json, key], 400, "invalid_request_error").await;
    check(&[json, key, ("anthropic-version", "1999-01-01")], 400, "invalid_request_error").await;
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let sim = sim().await;
    let check = async |more: Value, words: &str| {
        let got = message(&sim, "c", more).await;
        assert_eq!((got.status, &got.json()["error"]["type"]), (400, &json!("invalid_request_error")));
        assert!(got.text().contains(words), "{}", got.text());
    };
    let user = |content: Value| json!({"role": "user", "content": content});
    let assistant = |content: Value| json!({"role": "assistant", "content": content});
    let calls = json!([{"type": "tool_use", "id": "toolu_1", "name": "x", "input": {}}]);
    let result = json!([{"type": "tool_result", "tool_use_id": "toolu_2", "content": "y"}]);
    check(json!({"max_tokens": null}), "max_tokens: Field required").await;
    check(json!({"max_tokens": -1}), "max_tokens").await;
    check(json!({"frequency_penalty": 1}), "frequency_penalty: Extra inputs are not permitted").await;
    check(json!({"temperature": 1.5}), "temperature: range: 0..1").await;
    check(json!({"messages": []}), "at least one message").await;
    check(json!({"messages": [assistant(json!("Hi"))]}), "first message must use").await;
    check(json!({"messages": [{"role": "system", "content": "Hi"}]}), "Unexpected role").await;
    check(json!({"messages": [user(json!(""))]}), "non-empty").await;
    check(json!({"messages": [user(json!([{"type": "text", "text": ""}]))]}), "text content blocks must be non-empty")
        .await;
    check(json!({"messages": [user(json!("Hi")), assistant(calls), user(json!("Well?"))]}), "without `tool_result`")
        .await;
    check(json!({"messages": [user(result)]}), "unexpected `tool_use_id`").await;
    check(json!({"messages": [user(json!("Hi")), assistant(json!("I "))]}), "trailing whitespace").await;
    check(json!({"thinking": {"type": "enabled", "budget_tokens": 1}}), "greater than or equal to 1024").await;
    check(json!({"thinking": {"type": "enabled", "budget_tokens": 8192}}), "must be greater than").await;
    check(json!({"tools": [{"name": "x"}]}), "input_schema: Field required").await;
    let enabled = json!({"model": "claude-opus-4-7", "thinking": {"type": "enabled", "budget_tokens": 1024}});
    check(enabled, "adaptive").await;
    let system = json!({"messages": [user(json!("Hi")), {"role": "system", "content": "Be brief."}]});
    check(system.clone(), "not supported on this model").await;
    assert_eq!(message(&sim, "claude-opus-4-8", system).await.json()["content"][0]["text"], HEARD);
    let two = json!({"messages": [user(json!("One.")), user(json!("Hi"))]});
    assert_eq!(message(&sim, "c", two).await.json()["content"][0]["text"], HEARD);
    let prefill = json!({"messages": [user(json!("Hi")), assistant(json!("I"))]});
    assert_eq!(message(&sim, "c", prefill.clone()).await.status, 200);
    assert_eq!(message(&sim, "c+no-prefill", prefill.clone()).await.status, 400);
    assert_eq!(message(&sim, "claude-sonnet-4-6", prefill).await.status, 400);
}

#[tokio::test]
async fn the_version_of_2026_refuses_what_it_removed() {
    let sim = sim().await;
    let ask = async |version: &str, more: Value| {
        let base = json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
        let body = crate::client::with(base, more).to_string();
        let headers = [HEADERS[0], HEADERS[1], ("anthropic-version", version)];
        send(&sim, "POST", "/v1/messages", &headers, body).await.unwrap()
    };
    let cited = json!([{"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]}]);
    let document = json!([{"type": "document", "source": {"type": "text", "data": "x"}}]);
    let said = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": document}, {"role": "user", "content": "?"}]);
    for more in [
        json!({"temperature": 1}),
        json!({"top_p": 1}),
        json!({"messages": [{"role": "user", "content": cited}]}),
        json!({"messages": said}),
    ] {
        assert_eq!(ask("2023-06-01", more.clone()).await.status, 200, "{more}");
        assert_eq!(ask("2026-10-21", more.clone()).await.status, 400, "{more}");
    }
    assert!(
        ask("2026-10-21", json!({"temperature": 1}))
            .await
            .text()
            .contains("temperature: Extra inputs are not permitted")
    );
    assert_eq!(ask("2026-10-21", json!({})).await.status, 200);
}

#[tokio::test]
async fn models_and_token_counts_are_told() {
    let sim = sim().await;
    let models = send(&sim, "GET", "/v1/models", &HEADERS, "").await.unwrap().json();
    assert_eq!((&models["data"][0]["type"], &models["has_more"]), (&json!("model"), &json!(false)));
    let ask = json!({"model": "c", "messages": [{"role": "user", "content": "Hi"}]});
    let counted = post(&sim, "/v1/messages/count_tokens", &ask).await.json();
    let whole = message(&sim, "c", json!({})).await.json();
    assert_eq!(counted["input_tokens"], whole["usage"]["input_tokens"]);
}

//! `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`.

use serde_json::{Value, json};
use weir_sim::{Options, Sim, UnknownModels};

use crate::client::{HEADERS, chat, post, send, sim};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

fn weather() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([
        {"type": "function", "function": {"name": "weather", "parameters": parameters}},
        {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {}}}},
    ])
}

#[tokio::test]
async fn a_whole_answer_repeats_the_question_and_counts_its_tokens() {
    let got = chat(&sim().await, "gpt-4o", json!({})).await;
    let body = got.json();
    assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "gpt-4o");
    assert_eq!(body["choices"][0]["message"]["content"], HEARD);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    assert_eq!(
        usage["total_tokens"],
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn a_stream_says_the_same_as_the_whole_and_tells_usage_only_when_asked() {
    let sim = sim().await;
    let whole = chat(&sim, "gpt-4o", json!({})).await.json();
    let got = chat(&sim, "gpt-4o", json!({"stream": true})).await;
    assert_eq!(got.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(got.events().last().unwrap().1, "[DONE]");
    let chunks = got.data();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, HEARD);
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));

    let got = chat(&sim, "gpt-4o", json!({"stream": true, "stream_options": {"include_usage": true}})).await;
    let chunks = got.data();
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
}

#[tokio::test]
async fn a_tool_is_called_whole_and_by_fragments() {
    let sim = sim().await;
    let body = chat(&sim, "gpt-4o", json!({"tools": weather()})).await.json();
    let choice = &body["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\":\"example\"}"}));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));

    let chunks = chat(&sim, "gpt-4o+parallel-2", json!({"tools": weather(), "stream": true})).await.data();
    let mut arguments = [String::new(), String::new()];
    let mut names = Vec::new();
    for call in chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)) {
        let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        names.extend(call["function"]["name"].as_str().map(str::to_owned));
        arguments[index].push_str(call["function"]["arguments"].as_str().unwrap());
    }
    assert_eq!(
        (names, arguments),
        (vec!["weather".into(), "time".into()], ["{\"city\":\"example\"}".into(), "{}".into()])
    );
}

#[tokio::test]
async fn a_tool_choice_is_obeyed_and_a_result_is_answered() {
    let sim = sim().await;
    let named = json!({"tools": weather(), "tool_choice": {"type": "function", "function": {"name": "time"}}});
    let body = chat(&sim, "gpt-4o", named).await.json();
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "time");
    let body = chat(&sim, "gpt-4o", json!({"tools": weather(), "tool_choice": "none"})).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], HEARD);
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}});
    let asked = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let messages = json!([{"role": "user", "content": "Hi"}, asked, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]);
    let body = chat(&sim, "gpt-4o", json!({"tools": weather(), "messages": messages})).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "The tool said \"sunny\", and that is what I heard.");
    let unanswered = json!([{"role": "user", "content": "Hi"}, asked, {"role": "user", "content": "Well?"}]);
    let got = chat(&sim, "gpt-4o", json!({"messages": unanswered})).await;
    assert!(got.status == 400 && got.text().contains("call_1"), "{got:?}");
}

#[tokio::test]
async fn limits_stops_choices_images_and_shapes_are_obeyed() {
    let sim = sim().await;
    let body = chat(&sim, "gpt-4o", json!({"max_tokens": 3})).await.json();
    assert_eq!(
        (&body["choices"][0]["finish_reason"], &body["usage"]["completion_tokens"]),
        (&json!("length"), &json!(3))
    );
    let body = chat(&sim, "gpt-5", json!({"max_completion_tokens": 3})).await.json();
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    let body = chat(&sim, "gpt-4o", json!({"stop": ", and"})).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "You said \"Hi\"");

    let body = chat(&sim, "gpt-4o", json!({"n": 3})).await.json();
    assert_eq!(body["choices"].as_array().unwrap().len(), 3);
    let chunks = chat(&sim, "gpt-4o", json!({"n": 2, "stream": true})).await.data();
    let second: String = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["index"] == 1)
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(second, "You said \"Hi\", and that is what I heard (choice 1).");

    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let messages = json!([{"role": "user", "content": [{"type": "text", "text": "Look"}, image]}]);
    let body = chat(&sim, "gpt-4o", json!({"messages": messages})).await.json();
    assert_eq!(
        body["choices"][0]["message"]["content"],
        "You said \"Look\" and showed 1 image, and that is what I heard."
    );

    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let body = chat(&sim, "gpt-4o", json!({"response_format": format})).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], "{\"ok\":true}");
}

#[tokio::test]
async fn a_model_name_sets_tokens_size_reasoning_and_cached_tokens() {
    let sim = sim().await;
    let body = chat(&sim, "x+tokens-500+reasoning-64+cached-2", json!({})).await.json();
    let usage = &body["usage"];
    assert_eq!(usage["completion_tokens"], 564);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 64);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 2);
    let body = chat(&sim, "x+size-8m", json!({})).await.json();
    assert_eq!(body["choices"][0]["message"]["content"].as_str().unwrap().len(), 8 << 20);
    let chunks = chat(&sim, "x+thinking", json!({"stream": true})).await.data();
    assert!(chunks[1]["choices"][0]["delta"]["reasoning_content"].is_string());
    let body = chat(&sim, "x+refusal", json!({"tools": weather()})).await.json();
    let message = &body["choices"][0]["message"];
    assert!(message["content"].is_null() && message["refusal"].is_string(), "{message}");
    let chunks = chat(&sim, "x+refusal", json!({"stream": true})).await.data();
    let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["refusal"].as_str()).collect();
    assert_eq!(message["refusal"], said);
}

#[tokio::test]
async fn keys_headers_and_bodies_are_checked() {
    let sim = Sim::start(Options { keys: vec!["sk-right".into()], ..Options::default() }).await.unwrap();
    let check = async |headers: &[(&str, &str)], body: &str, status: u16, code: Value, words: &str| {
        let got = send(&sim, "POST", "/v1/chat/completions", headers, body.to_owned()).await.unwrap();
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["code"]), (status, &code), "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        assert!(error.get("param").is_some() && error["type"] == "invalid_request_error");
    };
    let json = ("content-type", "application/json");
    let right = [json, ("authorization", "Bearer sk-right")];
    check(&[json], "{}", 401, Value::Null, "API key").await;
    check(&[json, ("authorization", "Bearer sk-test")], "{}", 401, json!("invalid_api_key"), "Incorrect API key").await;
    check(&[("authorization", "Bearer sk-right")], "{}", 400, json!("unsupported_content_type"), "content type").await;
    check(&right, "{", 400, Value::Null, "not valid JSON").await;
    check(&right, "{}", 400, Value::Null, "model parameter").await;
    check(&right, r#"{"model":"m"}"#, 400, json!("missing_required_parameter"), "messages").await;
    check(&right, r#"{"model":"m","messages":[]}"#, 400, json!("empty_array"), "messages").await;
    let wrong_role = r#"{"model":"m","messages":[{"role":"robot","content":"Hi"}]}"#;
    check(&right, wrong_role, 400, json!("invalid_value"), "robot").await;
    let old_limit = r#"{"model":"o3","max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}"#;
    check(&right, old_limit, 400, json!("unsupported_parameter"), "max_completion_tokens").await;
    let hot = r#"{"model":"m","temperature":3,"messages":[{"role":"user","content":"Hi"}]}"#;
    check(&right, hot, 400, json!("decimal_above_max_value"), "temperature").await;
}

#[tokio::test]
async fn an_unlisted_model_is_unknown_where_the_options_say_so_but_faults_are_not() {
    let options = Options { unknown_models: UnknownModels::Refuse, ..Options::default() };
    let sim = Sim::start(options).await.unwrap();
    let got = chat(&sim, "gpt-9", json!({})).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(chat(&sim, "gpt-4o+tokens-5", json!({})).await.status, 200);
    assert_eq!(chat(&sim, "fault-503", json!({})).await.status, 503);
    let models = send(&sim, "GET", "/v1/models", &HEADERS[..2], "").await.unwrap().json();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("gpt-4o")));
    assert!(!models.to_string().contains("fault-"));
    assert_eq!(send(&sim, "GET", "/v1/models/gpt-4o", &HEADERS[..2], "").await.unwrap().json()["object"], "model");
    assert_eq!(send(&sim, "GET", "/v1/models/gpt-9", &HEADERS[..2], "").await.unwrap().status, 404);
    assert_eq!(send(&sim, "GET", "/v1/elsewhere", &HEADERS[..2], "").await.unwrap().status, 404);
}

#[tokio::test]
async fn answers_carry_the_headers_of_the_real_one() {
    let got = chat(&sim().await, "gpt-4o", json!({})).await;
    assert!(got.header("x-request-id").starts_with("req_"));
    assert_eq!(got.header("openai-version"), "2020-10-01");
    for name in ["openai-organization", "openai-processing-ms", "x-ratelimit-remaining-tokens", "cf-ray"] {
        assert!(!got.header(name).is_empty(), "{name}");
    }
    assert!(got.header("set-cookie").starts_with("__cf_bm="));
}

#[tokio::test]
async fn embeddings_are_made_of_the_text() {
    let sim = sim().await;
    let ask = json!({"model": "text-embedding-3-small", "input": ["a cat", "a cat", "a dog"], "dimensions": 8});
    let body = post(&sim, "/v1/embeddings", &ask).await.json();
    let vector = |index: usize| body["data"][index]["embedding"].as_array().unwrap().clone();
    assert_eq!((vector(0), vector(0).len()), (vector(1), 8));
    assert_ne!(vector(0), vector(2));
    assert_eq!(body["usage"], json!({"prompt_tokens": 6, "total_tokens": 6}));
    let failed = post(&sim, "/v1/embeddings", &json!({"model": "fault-429-retry-7", "input": "x"})).await;
    assert_eq!((failed.status, failed.header("retry-after")), (429, "7"));
}

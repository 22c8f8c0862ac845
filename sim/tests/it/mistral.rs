//! `/mistral/v1/…`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Got, HEADERS, Part, post, send, sim, upload, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

async fn chat(sim: &Sim, model: &str, more: Value) -> Got {
    let body = with(json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}), more);
    post(sim, "/mistral/v1/chat/completions", &body).await
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]})
}

#[tokio::test]
async fn an_answer_is_nearly_openais() {
    let sim = sim().await;
    let got = chat(&sim, "mistral-large-latest", json!({})).await;
    let body = got.json();
    let message = json!({"role": "assistant", "tool_calls": null, "content": HEARD});
    assert_eq!(body["choices"], json!([{"index": 0, "finish_reason": "stop", "message": message}]));
    assert_eq!((&body["usage"]["completion_tokens"], &body["system_fingerprint"]), (&json!(9), &Value::Null));
    assert!(!got.header("mistral-correlation-id").is_empty() && got.header("openai-version").is_empty());

    let stream = chat(&sim, "mistral-large-latest", json!({"stream": true})).await;
    let data = stream.data();
    let text: String = data.iter().filter_map(|data| data["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, HEARD);
    let (last, others) = data.split_last().unwrap();
    assert_eq!((&last["choices"][0]["finish_reason"], &last["usage"]), (&json!("stop"), &body["usage"]));
    assert!(others.iter().all(|data| data["usage"].is_null()));
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn calls_come_whole_with_the_finish_and_short_ids() {
    let sim = sim().await;
    let body = chat(&sim, "m", tools()).await.json();
    let message = body["choices"][0]["message"].clone();
    let call = &message["tool_calls"][0];
    assert_eq!(call["id"].as_str().unwrap().len(), 9);
    assert_eq!(call["function"]["arguments"], "{\"city\":\"example\"}");
    let data = chat(&sim, "m+parallel-2", with(tools(), json!({"stream": true, "tool_choice": "any"}))).await.data();
    let choice = &data.last().unwrap()["choices"][0];
    assert_eq!((data.len(), &choice["finish_reason"]), (2, &json!("tool_calls")));
    let calls = choice["delta"]["tool_calls"].as_array().unwrap();
    assert!(calls.len() == 2 && calls[0]["id"] != calls[1]["id"]);

    let said = |id: &Value| {
        let mut message = message.clone();
        message["tool_calls"][0]["id"] = id.clone();
        let result = json!({"role": "tool", "tool_call_id": id, "content": "sunny"});
        json!({"messages": [{"role": "user", "content": "Hi"}, message, result]})
    };
    let body = chat(&sim, "m", with(tools(), said(&call["id"]))).await.json();
    let text = &body["choices"][0]["message"]["content"];
    assert_eq!(*text, "The tool said \"sunny\", and that is what I heard.");
    let long = chat(&sim, "m", with(tools(), said(&json!("call_0123456789")))).await;
    assert_eq!((long.status, &long.json()["type"]), (400, &json!("invalid_function_call")));
}

#[tokio::test]
async fn thoughts_are_a_part_of_the_content() {
    let sim = sim().await;
    let body = chat(&sim, "magistral-medium-latest", json!({"prompt_mode": "reasoning"})).await.json();
    let content = &body["choices"][0]["message"]["content"];
    assert_eq!((&content[0]["type"], &content[1]["text"]), (&json!("thinking"), &json!(HEARD)));
    let more = json!({"reasoning_effort": "high", "stream": true});
    let data = chat(&sim, "magistral-medium-latest", more).await.data();
    let thought: String = data
        .iter()
        .filter_map(|data| data["choices"][0]["delta"]["content"][0]["thinking"][0]["text"].as_str())
        .collect();
    assert_eq!(thought, content[0]["thinking"][0]["text"].as_str().unwrap());
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_listed() {
    let sim = sim().await;
    let check = async |more: Value, kind: &str, place: Value| {
        let got = chat(&sim, "m", more).await;
        let detail = got.json()["message"]["detail"][0].clone();
        assert_eq!((got.status, &detail["type"], &detail["loc"]), (422, &json!(kind), &place), "{detail}");
        assert_eq!(got.json()["object"], "error");
    };
    check(json!({"messages": null}), "missing", json!(["body", "messages"])).await;
    check(json!({"stream_options": {}}), "extra_forbidden", json!(["body", "stream_options"])).await;
    check(json!({"max_completion_tokens": 1}), "extra_forbidden", json!(["body", "max_completion_tokens"])).await;
    check(json!({"temperature": 1.6}), "less_than_equal", json!(["body", "temperature"])).await;
    check(json!({"tool_choice": "some"}), "enum", json!(["body", "tool_choice"])).await;
    let developer = json!({"messages": [{"role": "developer", "content": "Hi"}]});
    check(developer, "union_tag_invalid", json!(["body", "messages", 0])).await;
}

#[tokio::test]
async fn a_conversation_goes_in_order() {
    let sim = sim().await;
    let user = json!({"role": "user", "content": "Hi"});
    let called = json!({"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefgh1", "function": {"name": "x", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "abcdefgh1", "content": "sunny"});
    let check = async |messages: Value, words: &str| {
        let got = chat(&sim, "m", json!({"messages": messages})).await;
        assert_eq!((got.status, &got.json()["code"]), (400, &json!("3230")));
        assert!(got.text().contains(words), "{}", got.text());
    };
    let said = json!({"role": "assistant", "content": "I"});
    check(json!([]), "at least one message").await;
    check(json!([user, said]), "Expected last role User or Tool").await;
    check(json!([user, called, user]), "Not the same number of function calls").await;
    check(json!([user, called, result, user]), "Unexpected role 'user' after role 'tool'").await;
    check(json!([user, result]), "Unexpected role 'tool' after role 'user'").await;
    let continued = json!({"messages": [user, with(said, json!({"prefix": true}))]});
    assert_eq!(chat(&sim, "m", continued).await.status, 200);
    let silent = chat(&sim, "m", json!({"messages": [user, {"role": "assistant", "content": ""}, user]})).await;
    assert_eq!((silent.status, &silent.json()["code"]), (400, &json!("3240")));
}

#[tokio::test]
async fn keys_and_faults_have_mistrals_shape() {
    let sim = sim().await;
    let path = "/mistral/v1/chat/completions";
    let got = send(&sim, "POST", path, &HEADERS[..1], "{}").await.unwrap();
    assert_eq!((got.status, got.json()), (401, json!({"detail": "Unauthorized"})));
    for (fault, status, kind) in [
        ("429", 429, "rate_limited"),
        ("500", 500, "internal_server_error"),
        ("503", 503, "unreachable_backend"),
        ("404", 404, "invalid_model"),
        ("context-length", 400, "invalid_request_prompt"),
        ("invalid-request", 400, "invalid_request_error"),
    ] {
        let got = chat(&sim, &format!("fault-{fault}"), json!({})).await;
        assert_eq!((got.status, &got.json()["type"], &got.json()["object"]), (status, &json!(kind), &json!("error")));
    }
    assert_eq!(chat(&sim, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    let late = chat(&sim, "fault-error-event-late", json!({"stream": true})).await;
    assert_eq!(late.data().last().unwrap()["object"], "error");
    let missing = post(&sim, "/mistral/v1/unheard-of", &json!({})).await;
    assert_eq!((missing.status, missing.json()), (404, json!({"detail": "Not Found"})));
}

#[tokio::test]
async fn texts_are_embedded_and_models_listed() {
    let sim = sim().await;
    let embed = async |more: Value| {
        post(
            &sim,
            "/mistral/v1/embeddings",
            &with(json!({"model": "mistral-embed", "input": ["a cat", "a dog"]}), more),
        )
        .await
    };
    let body = embed(json!({})).await.json();
    assert_eq!(body["data"][1]["embedding"].as_array().unwrap().len(), 1024);
    assert_eq!(body["usage"]["total_tokens"], 4);
    assert_eq!(embed(json!({"output_dimension": 8})).await.json()["data"][0]["embedding"].as_array().unwrap().len(), 8);
    for wrong in [json!({"input": null}), json!({"dimensions": 8})] {
        assert_eq!(embed(wrong.clone()).await.status, 422, "{wrong}");
    }
    let models = send(&sim, "GET", "/mistral/v1/models", &HEADERS, "").await.unwrap().json();
    assert_eq!(models["object"], "list");
}

#[tokio::test]
async fn texts_are_judged_without_a_verdict() {
    let sim = sim().await;
    let judge =
        async |input: Value| post(&sim, "/mistral/v1/moderations", &json!({"model": "m", "input": input})).await;
    let body = judge(json!(["Good day", "I hate you"])).await.json();
    let found = |at: usize| &body["results"][at]["categories"]["hate_and_discrimination"];
    assert_eq!((found(0), found(1)), (&json!(false), &json!(true)));
    assert_eq!((&body["results"][1]["flagged"], &body["usage"]["total_tokens"]), (&Value::Null, &json!(5)));
    for wrong in [Value::Null, json!([{"type": "text", "text": "Hi"}])] {
        assert_eq!(judge(wrong.clone()).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn a_transcript_tells_what_arrived() {
    let sim = sim().await;
    let hear = async |more: &[Part<'_>]| {
        let parts = [("file", Some("clip.wav"), &b"sound"[..]), ("model", None, b"voxtral-mini-latest")];
        upload(&sim, "/mistral/v1/audio/transcriptions", &[&parts, more].concat()).await
    };
    let body = hear(&[("language", None, b"en"), ("response_format", None, b"json")]).await.json();
    assert!(body["text"].as_str().unwrap().starts_with("I heard clip.wav: 5 bytes"), "{body}");
    assert_eq!((&body["language"], &body["usage"]["prompt_audio_seconds"]), (&json!("en"), &json!(1)));
    for wrong in [("prompt", None, &b"Hi"[..]), ("response_format", None, b"srt")] {
        assert_eq!(hear(&[wrong]).await.status, 422, "{wrong:?}");
    }
}

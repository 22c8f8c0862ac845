//! `/v1beta/models/…`.

use serde_json::{Value, json};
use weir_sim::{Keyless, Options, Sim};

use crate::client::{Ended, Got, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("x-goog-api-key", "sk-test")];

async fn post(sim: &Sim, path: &str, body: &Value) -> Got {
    send(sim, "POST", path, &HEADERS, body.to_string()).await.unwrap()
}

fn hi(more: Value) -> Value {
    with(json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}), more)
}

async fn whole(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, &format!("/v1beta/models/{model}:generateContent"), &hi(more)).await
}

async fn stream(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, &format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), &hi(more)).await
}

fn tools() -> Value {
    let schema = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]});
    json!([{"functionDeclarations": [{"name": "weather", "parameters": schema}, {"name": "time"}]}])
}

#[tokio::test]
async fn a_whole_answer_repeats_the_question() {
    let got = whole(&sim().await, "gemini-2.5-flash", json!({})).await;
    let body = got.json();
    assert_eq!((got.status, got.header("content-type")), (200, "application/json; charset=UTF-8"));
    let content = json!({"role": "model", "parts": [{"text": HEARD}]});
    assert_eq!(body["candidates"], json!([{"content": content, "finishReason": "STOP", "index": 0}]));
    let usage = &body["usageMetadata"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!(count("candidatesTokenCount"), 9);
    assert_eq!(count("totalTokenCount"), count("promptTokenCount") + 9);
    assert_eq!((&usage["thoughtsTokenCount"], &usage["cachedContentTokenCount"]), (&Value::Null, &Value::Null));
    assert_eq!(body["modelVersion"], "gemini-2.5-flash");
    assert!(body["responseId"].is_string() && got.header("server-timing").starts_with("gfet4t7"));
}

#[tokio::test]
async fn a_stream_ends_after_its_finish_with_the_same_usage_as_the_whole() {
    let sim = sim().await;
    let got = stream(&sim, "gemini-2.5-flash", json!({})).await;
    assert_eq!(got.header("content-type"), "text/event-stream");
    assert!(got.text().ends_with("}\r\n\r\n"));
    let data = got.data();
    let text: String =
        data.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(text, HEARD);
    let (last, others) = data.split_last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert!(others.iter().all(|chunk| chunk["candidates"][0]["finishReason"].is_null()));
    let expect = whole(&sim, "gemini-2.5-flash", json!({})).await.json();
    assert_eq!(last["usageMetadata"], expect["usageMetadata"]);
}

#[tokio::test]
async fn a_stream_without_sse_is_one_array() {
    let path = "/v1beta/models/m:streamGenerateContent";
    let got = post(&sim().await, path, &hi(json!({}))).await;
    let chunks = got.json();
    assert_eq!(got.header("content-type"), "application/json; charset=UTF-8");
    assert_eq!(chunks.as_array().unwrap().len(), 10);
    assert_eq!(chunks[9]["candidates"][0]["finishReason"], "STOP");
}

#[tokio::test]
async fn a_function_is_called_in_one_piece_and_its_response_is_answered() {
    let sim = sim().await;
    let body = whole(&sim, "gemini-2.5-flash", json!({"tools": tools()})).await.json();
    let call = json!({"functionCall": {"name": "weather", "args": {"city": "example"}}});
    assert_eq!(body["candidates"][0]["content"]["parts"], json!([call]));
    assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    let data = stream(&sim, "gemini-2.5-flash", json!({"tools": tools()})).await.data();
    assert_eq!(data[0]["candidates"][0]["content"]["parts"][0], call);

    let config = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["time"]}});
    let chosen = whole(&sim, "m", json!({"tools": tools(), "toolConfig": config})).await.json();
    assert_eq!(chosen["candidates"][0]["content"]["parts"][0]["functionCall"]["name"], "time");
    let parallel = whole(&sim, "m+parallel-2", json!({"tools": tools()})).await.json();
    assert_eq!(parallel["candidates"][0]["content"]["parts"].as_array().unwrap().len(), 2);

    let response = json!({"functionResponse": {"name": "weather", "response": {"result": "sunny"}}});
    let contents = json!([
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [response]},
    ]);
    let body = whole(&sim, "m", json!({"tools": tools(), "contents": contents})).await.json();
    assert_eq!(
        body["candidates"][0]["content"]["parts"][0]["text"],
        "The tool said \"sunny\", and that is what I heard."
    );
}

#[tokio::test]
async fn newer_models_name_their_calls_and_want_their_signatures_back() {
    let sim = sim().await;
    let body = whole(&sim, "gemini-3-pro-preview+parallel-2", json!({"tools": tools()})).await.json();
    let parts = body["candidates"][0]["content"]["parts"].clone();
    assert!(parts[0]["functionCall"]["id"].is_string() && parts[0]["thoughtSignature"].is_string());
    assert!(parts[1]["thoughtSignature"].is_null());
    let answer = |parts: &Value| {
        let response = json!({"functionResponse": {"name": "weather", "response": {"result": "sunny"}}});
        json!({"contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": parts},
            {"role": "user", "parts": [response, response]},
        ]})
    };
    let got = whole(&sim, "gemini-3-pro-preview", answer(&parts)).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let mut forgotten = parts;
    forgotten[0].as_object_mut().unwrap().remove("thoughtSignature");
    let got = whole(&sim, "gemini-3-pro-preview", answer(&forgotten)).await;
    assert!(got.status == 400 && got.text().contains("missing a thought_signature"), "{}", got.text());
    assert_eq!(whole(&sim, "gemini-2.5-pro", answer(&forgotten)).await.status, 200);
}

#[tokio::test]
async fn thoughts_come_first_and_are_counted_apart() {
    let sim = sim().await;
    let more = json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let body = whole(&sim, "gemini-2.5-pro", more.clone()).await.json();
    let parts = &body["candidates"][0]["content"]["parts"];
    assert_eq!((&parts[0]["thought"], &parts[1]["text"]), (&json!(true), &json!(HEARD)));
    assert!(parts[1]["thoughtSignature"].is_string());
    let usage = &body["usageMetadata"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!(count("candidatesTokenCount"), 9);
    assert_eq!(count("totalTokenCount"), count("promptTokenCount") + 9 + count("thoughtsTokenCount"));

    let data = stream(&sim, "gemini-2.5-pro", more).await.data();
    let mut thought: Vec<bool> =
        data.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["thought"] == true).collect();
    thought.dedup();
    assert_eq!(thought, [true, false]);
    let last = data.last().unwrap();
    assert!(last["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_string());
    assert_eq!(last["usageMetadata"], *usage);
    let hidden = whole(&sim, "m+reasoning-50+cached-1", json!({})).await.json();
    assert_eq!(
        (&hidden["usageMetadata"]["thoughtsTokenCount"], &hidden["usageMetadata"]["cachedContentTokenCount"]),
        (&json!(50), &json!(1))
    );
}

#[tokio::test]
async fn limits_stop_sequences_images_candidates_and_schemas_are_obeyed() {
    let sim = sim().await;
    let config = |config: Value| json!({"generationConfig": config});
    let body = whole(&sim, "m", config(json!({"maxOutputTokens": 3}))).await.json();
    assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(body["usageMetadata"]["candidatesTokenCount"], 3);
    let body = whole(&sim, "m", config(json!({"stop_sequences": [", and"]}))).await.json();
    assert_eq!(body["candidates"][0]["content"]["parts"][0]["text"], "You said \"Hi\"");
    let body = whole(&sim, "m", config(json!({"candidateCount": 2}))).await.json();
    assert_eq!(body["candidates"][1]["index"], 1);
    let schema = json!({"type": "OBJECT", "properties": {"ok": {"type": "BOOLEAN"}}});
    let shaped = json!({"responseMimeType": "application/json", "responseSchema": schema});
    let body = whole(&sim, "m", config(shaped)).await.json();
    assert_eq!(body["candidates"][0]["content"]["parts"][0]["text"], "{\"ok\":true}");
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let contents = json!([{"parts": [image, {"text": "Look"}]}]);
    let body = whole(&sim, "m", json!({"contents": contents})).await.json();
    assert_eq!(
        body["candidates"][0]["content"]["parts"][0]["text"],
        "You said \"Look\" and showed 1 image, and that is what I heard."
    );
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let sim = sim().await;
    let check = async |more: Value, words: &str| {
        let got = whole(&sim, "gemini-2.5-pro", more).await;
        let error = got.json()["error"].clone();
        assert_eq!((got.status, &error["code"], &error["status"]), (400, &json!(400), &json!("INVALID_ARGUMENT")));
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    };
    let call = json!({"functionCall": {"name": "weather", "args": {}}});
    let user = |part: Value| json!({"role": "user", "parts": [part]});
    check(json!({"messages": []}), "Unknown name \"messages\": Cannot find field").await;
    check(json!({"generationConfig": {"max_tokens": 1}}), "at 'generation_config'").await;
    check(json!({"contents": []}), "contents is not specified").await;
    check(json!({"contents": [{"role": "assistant", "parts": [{"text": "Hi"}]}]}), "valid role").await;
    check(json!({"contents": [{"role": "user", "parts": []}]}), "must not be empty").await;
    check(json!({"contents": [user(json!({}))]}), "required oneof field 'data'").await;
    check(
        json!({"contents": [{"role": "model", "parts": [call]}, user(json!({"text": "?"}))]}),
        "comes immediately after",
    )
    .await;
    check(
        json!({"contents": [user(json!({"text": "Hi"})), {"role": "model", "parts": [call]}, user(json!({"text": "?"}))]}),
        "number of function response parts",
    )
    .await;
    let bare = json!({"functionResponse": {"name": "weather", "response": "sunny"}});
    check(json!({"contents": [user(bare)]}), "google.protobuf.Struct").await;
    let closed = json!({"type": "object", "additionalProperties": false});
    let declared = json!([{"functionDeclarations": [{"name": "x", "parameters": closed}]}]);
    check(json!({"tools": declared}), "Unknown name \"additionalProperties\" at 'tools[0]").await;
    check(json!({"tools": [{"functionDeclarations": [{"name": "no spaces"}]}]}), "Invalid function name").await;
    check(json!({"generationConfig": {"temperature": 3}}), "temperature").await;
    check(json!({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}), "response_mime_type").await;
    check(json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}), "Budget 0 is invalid").await;
    let both = json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "low"}}});
    check(both, "only set only one").await;
}

#[tokio::test]
async fn keys_are_checked() {
    let sim = sim().await;
    let path = "/v1beta/models/m:generateContent";
    let ask = async |sim: &Sim, path: &str, headers: &[(&str, &str)]| {
        send(sim, "POST", path, headers, hi(json!({})).to_string()).await.unwrap()
    };
    let json = HEADERS[0];
    let got = ask(&sim, path, &[json]).await;
    assert_eq!((got.status, &got.json()["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    let got = ask(&sim, path, &[json, ("x-goog-api-key", "wrong")]).await;
    assert_eq!((got.status, &got.json()["error"]["details"][0]["reason"]), (400, &json!("API_KEY_INVALID")));
    assert_eq!(ask(&sim, path, &[json, ("authorization", "Bearer sk-test")]).await.status, 403);
    assert_eq!(ask(&sim, path, &[json, ("x-goog-api-key", "AIzaSimulated")]).await.status, 200);
    assert_eq!(ask(&sim, &format!("{path}?key=sk-test"), &[json]).await.status, 200);
    let open = Sim::start(Options { keyless: Keyless::Admit, ..Options::default() }).await.unwrap();
    assert_eq!(ask(&open, path, &[json]).await.status, 200);
}

#[tokio::test]
async fn faults_have_googles_shape() {
    let sim = sim().await;
    let check = async |fault: &str, status: u16, name: &str| {
        let got = stream(&sim, &format!("fault-{fault}"), json!({})).await;
        assert_eq!((got.status, got.json()["error"]["status"].as_str().unwrap()), (status, name), "{fault}");
        assert_eq!((got.header("retry-after"), got.header("x-should-retry")), ("", ""));
    };
    check("401", 401, "UNAUTHENTICATED").await;
    check("403", 403, "PERMISSION_DENIED").await;
    check("404", 404, "NOT_FOUND").await;
    check("429", 429, "RESOURCE_EXHAUSTED").await;
    check("insufficient-quota", 429, "RESOURCE_EXHAUSTED").await;
    check("500", 500, "INTERNAL").await;
    check("503", 503, "UNAVAILABLE").await;
    check("context-length", 400, "INVALID_ARGUMENT").await;
    check("invalid-request", 400, "INVALID_ARGUMENT").await;
    let limited = whole(&sim, "fault-429-retry-7", json!({})).await.json();
    let details = limited["error"]["details"].as_array().unwrap().clone();
    let retry = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.RetryInfo").unwrap();
    assert_eq!(retry["retryDelay"], "7s");
}

#[tokio::test]
async fn a_blocked_prompt_is_an_answer_without_candidates() {
    let sim = sim().await;
    let body = whole(&sim, "fault-content-filter", json!({})).await.json();
    assert_eq!(
        (&body["promptFeedback"]["blockReason"], &body["candidates"]),
        (&json!("PROHIBITED_CONTENT"), &Value::Null)
    );
    let data = stream(&sim, "fault-content-filter", json!({})).await.data();
    assert_eq!((data.len(), &data[0]["promptFeedback"]["blockReason"]), (1, &json!("PROHIBITED_CONTENT")));
    let body = whole(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(body["candidates"][0]["finishReason"], "SAFETY");
}

#[tokio::test]
async fn a_stream_is_bent_by_faults() {
    let sim = sim().await;
    let late = stream(&sim, "fault-error-event-late", json!({})).await;
    let text = late.text();
    let (events, error) = text.rsplit_once("\r\n\r\n").unwrap();
    assert_eq!(events.matches("data: ").count(), 3);
    assert_eq!(serde_json::from_str::<Value>(error).unwrap()["error"]["status"], "UNAVAILABLE");
    let cut = stream(&sim, "fault-cut", json!({})).await;
    assert!(cut.data().len() == 3 && cut.end == Ended::Cleanly && !cut.text().contains("finishReason"));
    assert!(stream(&sim, "fault-cut-before", json!({})).await.body.is_empty());
    assert_eq!(stream(&sim, "fault-break", json!({})).await.end, Ended::Broken);
    let malformed = stream(&sim, "fault-malformed", json!({})).await;
    assert_eq!((malformed.events().len(), malformed.data().len()), (11, 10));
    assert!(whole(&sim, "fault-truncated-json", json!({})).await.text().starts_with("{\"candidates\""));
}

#[tokio::test]
async fn embeddings_models_and_token_counts_are_told() {
    let sim = sim().await;
    let content = json!({"parts": [{"text": "a cat"}]});
    let path = "/v1beta/models/gemini-embedding-001";
    let one =
        post(&sim, &format!("{path}:embedContent"), &json!({"content": content, "outputDimensionality": 8})).await;
    assert_eq!(one.json()["embedding"]["values"].as_array().unwrap().len(), 8);
    let request = json!({"model": "models/gemini-embedding-001", "content": content});
    let batch =
        post(&sim, &format!("{path}:batchEmbedContents"), &json!({"requests": [request, request]})).await.json();
    assert_eq!(batch["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(batch["embeddings"][1]["values"].as_array().unwrap().len(), 3072);
    let unnamed = post(&sim, &format!("{path}:batchEmbedContents"), &json!({"requests": [{"content": content}]})).await;
    assert!(unnamed.status == 400 && unnamed.text().contains("unexpected model name format"));

    let models = send(&sim, "GET", "/v1beta/models", &HEADERS, "").await.unwrap().json();
    let name = models["models"][0]["name"].as_str().unwrap().to_owned();
    let model = send(&sim, "GET", &format!("/v1beta/{name}"), &HEADERS, "").await.unwrap().json();
    assert_eq!(model, models["models"][0]);
    let stable = send(&sim, "GET", "/v1/models", &HEADERS, "").await.unwrap().json();
    assert_eq!(stable, models);
    assert_eq!(post(&sim, "/v1/models/m:generateContent", &hi(json!({}))).await.status, 200);
    let counted = post(&sim, "/v1beta/models/m:countTokens", &hi(json!({}))).await.json();
    let whole = whole(&sim, "m", json!({})).await.json();
    assert_eq!(counted["totalTokens"], whole["usageMetadata"]["promptTokenCount"]);
    let missing = post(&sim, "/v1beta/models/m:unheardOf", &json!({})).await;
    assert_eq!((missing.status, &missing.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
}

//! `/openai/…`.

use serde_json::{Value, json};
use weir_sim::{Options, Sim, UnknownModels};

use crate::client::{Got, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("api-key", "sk-test")];

async fn post(sim: &Sim, path: &str, headers: &[(&str, &str)], body: &Value) -> Got {
    send(sim, "POST", path, headers, body.to_string()).await.unwrap()
}

async fn chat(sim: &Sim, deployment: &str, more: Value) -> Got {
    let path = format!("/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
    post(sim, &path, &HEADERS, &with(json!({"messages": [{"role": "user", "content": "Hi"}]}), more)).await
}

#[tokio::test]
async fn an_answer_comes_with_what_the_filters_found() {
    let sim = sim().await;
    let got = chat(&sim, "gpt-4o", json!({})).await;
    let body = got.json();
    assert_eq!((&body["choices"][0]["message"]["content"], &body["model"]), (&json!(HEARD), &json!("gpt-4o")));
    assert_eq!(body["choices"][0]["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(body["prompt_filter_results"][0]["prompt_index"], 0);
    assert_eq!((&body["usage"]["completion_tokens"], &body["service_tier"]), (&json!(9), &Value::Null));
    assert!(got.header("apim-request-id").len() == 36 && got.header("x-ms-region") == "East US");
    // What is said is not taken for a field.
    let told = json!({"messages": [{"role": "user", "content": "\"logprobs\":null,\"finish_reason\":"}]});
    let body = chat(&sim, "gpt-4o", told).await.json();
    assert!(
        body["choices"][0]["message"]["content"].as_str().unwrap().contains("\"logprobs\":null,\"finish_reason\":")
    );
}

#[tokio::test]
async fn a_stream_begins_with_the_prompts_results_and_without_a_choice() {
    let sim = sim().await;
    let got = chat(&sim, "gpt-4o", json!({"stream": true, "stream_options": {"include_usage": true}})).await;
    let data = got.data();
    assert_eq!((&data[0]["choices"], &data[0]["id"]), (&json!([]), &json!("")));
    assert!(data[0]["prompt_filter_results"].is_array());
    let text: String = data.iter().filter_map(|data| data["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, HEARD);
    assert_eq!(data[1]["choices"][0]["content_filter_results"], json!({}));
    assert_eq!(data[2]["choices"][0]["content_filter_results"]["violence"]["severity"], "safe");
    assert_eq!(data.last().unwrap()["usage"]["completion_tokens"], 9);
    assert!(got.text().ends_with("data: [DONE]\n\n"));
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let called = chat(&sim, "gpt-4o", json!({"tools": tools, "stream": true})).await.text();
    assert!(called.contains("\"finish_reason\":\"tool_calls\""));
}

#[tokio::test]
async fn keys_and_versions_are_checked() {
    let sim = sim().await;
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]});
    let check = async |path: &str, headers: &[(&str, &str)], status: u16, code: &str| {
        let got = post(&sim, path, headers, &body).await;
        assert_eq!((got.status, got.json()["error"]["code"].as_str().unwrap_or_default()), (status, code), "{path}");
    };
    let path = "/openai/deployments/gpt-4o/chat/completions";
    let dated = format!("{path}?api-version=2024-10-21");
    let json = HEADERS[0];
    check(&dated, &[json], 401, "401").await;
    check(&dated, &[json, ("api-key", "wrong")], 401, "401").await;
    check(&dated, &[json, ("authorization", "Bearer wrong")], 401, "401").await;
    check(&dated, &[json, ("authorization", "Bearer eyJhbGciOi")], 200, "").await;
    check(path, &HEADERS, 404, "404").await;
    check(&format!("{path}?api-version=1999-01-01"), &HEADERS, 404, "404").await;
    check("/openai/v1/chat/completions", &HEADERS, 200, "").await;
    check("/openai/v1/chat/completions?api-version=preview", &HEADERS, 200, "").await;
    check("/openai/v1/chat/completions?api-version=2024-10-21", &HEADERS, 404, "404").await;
    check("/openai/unheard-of", &HEADERS, 404, "404").await;
}

#[tokio::test]
async fn an_unknown_deployment_is_not_found() {
    let options = Options { unknown_models: UnknownModels::Refuse, ..Options::default() };
    let sim = Sim::start(options).await.unwrap();
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 200);
    let got = chat(&sim, "unheard-of", json!({})).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("DeploymentNotFound")));
}

#[tokio::test]
async fn faults_have_azures_shape_where_it_has_one() {
    let sim = sim().await;
    let check = async |fault: &str, status: u16, code: Value| {
        let got = chat(&sim, &format!("fault-{fault}"), json!({})).await;
        assert_eq!((got.status, got.json()["error"]["code"].clone()), (status, code), "{fault}");
    };
    check("401", 401, json!("401")).await;
    check("404", 404, json!("DeploymentNotFound")).await;
    check("429", 429, json!("429")).await;
    check("500", 500, json!("InternalServerError")).await;
    check("503", 503, json!("ServiceUnavailable")).await;
    check("insufficient-quota", 403, json!("403")).await;
    check("context-length", 400, json!("context_length_exceeded")).await;
    check("content-filter", 400, json!("content_filter")).await;
    let limited = chat(&sim, "fault-429-retry-7", json!({})).await;
    assert_eq!((limited.header("retry-after"), limited.header("retry-after-ms")), ("7", "7000"));
    assert!(limited.text().contains("Please retry after 7 seconds."));
    let blocked = chat(&sim, "fault-content-filter", json!({})).await.json();
    assert_eq!(blocked["error"]["innererror"]["code"], "ResponsibleAIPolicyViolation");
    let filtered = chat(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(filtered["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(filtered["choices"][0]["content_filter_results"]["hate"]["filtered"], true);
    let late = chat(&sim, "fault-error-event-late", json!({"stream": true})).await;
    assert!(late.data().last().unwrap()["error"].is_object());
}

#[tokio::test]
async fn a_deployment_embeds() {
    let sim = sim().await;
    let path = "/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21";
    let body = post(&sim, path, &HEADERS, &json!({"input": ["a cat"]})).await.json();
    assert_eq!(body["data"][0]["embedding"].as_array().unwrap().len(), 1536);
    let named = json!({"model": "text-embedding-3-small", "input": "a cat", "dimensions": 8});
    let body = post(&sim, "/openai/v1/embeddings", &HEADERS, &named).await.json();
    assert_eq!(body["data"][0]["embedding"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn what_openai_has_besides_chats_is_there_too() {
    let sim = sim().await;
    let response = post(&sim, "/openai/v1/responses", &HEADERS, &json!({"model": "gpt-4o", "input": "Hi"})).await;
    assert_eq!(response.json()["output"][0]["content"][0]["text"], HEARD);
    let limited = json!({"model": "fault-429-retry-7", "input": "Hi"});
    let limited = post(&sim, "/openai/responses?api-version=2025-04-01-preview", &HEADERS, &limited).await;
    assert_eq!((limited.header("retry-after-ms"), &limited.json()["error"]["code"]), ("7000", &json!("429")));
    let path = "/openai/deployments/d/completions?api-version=2024-10-21";
    assert_eq!(post(&sim, path, &HEADERS, &json!({"prompt": "Hi"})).await.json()["choices"][0]["text"], HEARD);
    let path = "/openai/deployments/gpt-image-1/images/generations?api-version=2025-04-01-preview";
    let painted = post(&sim, path, &HEADERS, &json!({"prompt": "A weir"})).await;
    assert!(painted.json()["data"][0]["b64_json"].is_string() && painted.header("x-ms-region") == "East US");
    let form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nsound\r\n--x--\r\n";
    let path = "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-10-21";
    let headers = [("content-type", "multipart/form-data; boundary=x"), HEADERS[1]];
    let heard = send(&sim, "POST", path, &headers, form).await.unwrap().json();
    assert_eq!(heard["usage"], json!({"type": "duration", "seconds": 1}));
}

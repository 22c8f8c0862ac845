//! `/v2/…`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Ended, Got, HEADERS, post, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

async fn chat(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, "/v2/chat", &with(json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}), more)).await
}

async fn stream(sim: &Sim, model: &str, more: Value) -> Got {
    chat(sim, model, with(more, json!({"stream": true}))).await
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tool =
        |name: &str, schema: &Value| json!({"type": "function", "function": {"name": name, "parameters": schema}});
    json!({"tools": [tool("weather", &schema), tool("time", &json!({"type": "object"}))]})
}

fn names(got: &Got) -> Vec<String> {
    let mut names: Vec<String> = got.events().into_iter().map(|(name, _)| name).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_whole_answer_repeats_the_question() {
    let got = chat(&sim().await, "command-a-03-2025", json!({})).await;
    let body = got.json();
    assert_eq!(body["message"], json!({"role": "assistant", "content": [{"type": "text", "text": HEARD}]}));
    assert_eq!((got.status, &body["finish_reason"]), (200, &json!("COMPLETE")));
    let usage = &body["usage"];
    assert_eq!((&usage["billed_units"]["output_tokens"], &usage["tokens"]["output_tokens"]), (&json!(9), &json!(9)));
    let input = |kind: &str| usage[kind]["input_tokens"].as_u64().unwrap();
    assert!(input("tokens") > input("billed_units"));
    assert!(body["id"].as_str().unwrap().len() == 36 && !got.header("x-debug-trace-id").is_empty());
}

#[tokio::test]
async fn a_stream_has_the_true_sequence_and_the_same_usage_as_the_whole() {
    let sim = sim().await;
    let whole = chat(&sim, "command-a-03-2025", json!({})).await.json();
    let got = stream(&sim, "command-a-03-2025", json!({})).await;
    assert_eq!(got.header("content-type"), "text/event-stream");
    assert_eq!(names(&got), ["message-start", "content-start", "content-delta", "content-end", "message-end", ""]);
    assert!(got.text().ends_with("data: [DONE]\n\n"));
    let data = got.data();
    assert!(data.iter().zip(got.events()).all(|(data, (name, _))| data["type"] == name));
    let text: String = data.iter().filter_map(|data| data["delta"]["message"]["content"]["text"].as_str()).collect();
    assert_eq!(text, HEARD);
    let end = &data.last().unwrap()["delta"];
    assert_eq!((&end["finish_reason"], &end["usage"]), (&json!("COMPLETE"), &whole["usage"]));
}

#[tokio::test]
async fn a_tool_is_called_after_a_plan_and_its_result_is_answered() {
    let sim = sim().await;
    let body = chat(&sim, "c", tools()).await.json();
    let message = &body["message"];
    let call = &message["tool_calls"][0];
    assert_eq!(body["finish_reason"], "TOOL_CALL");
    assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\":\"example\"}"}));
    assert!(message["content"].is_null());

    let got = stream(&sim, "c+parallel-2", tools()).await;
    let once = ["tool-call-start", "tool-call-delta", "tool-call-end"];
    let expect = [&["message-start", "tool-plan-delta"], &once[..], &once[..], &["message-end", ""]].concat();
    assert_eq!(names(&got), expect);
    let data = got.data();
    let joined = |pointer: &str| -> String { data.iter().filter_map(|data| data.pointer(pointer)?.as_str()).collect() };
    assert_eq!(joined("/delta/message/tool_plan"), message["tool_plan"].as_str().unwrap());
    let arguments = joined("/delta/message/tool_calls/function/arguments");
    assert_eq!(arguments, "{\"city\":\"example\"}{}");

    assert!(
        chat(&sim, "c", with(tools(), json!({"tool_choice": "NONE"}))).await.json()["message"]["content"].is_array()
    );
    let document = json!([{"type": "document", "document": {"data": "sunny"}}]);
    for content in [json!("sunny"), document] {
        let messages = json!([
            {"role": "user", "content": "Hi"},
            message,
            {"role": "tool", "tool_call_id": call["id"], "content": content},
        ]);
        let body = chat(&sim, "c", with(tools(), json!({"messages": messages}))).await.json();
        assert_eq!(body["message"]["content"][0]["text"], "The tool said \"sunny\", and that is what I heard.");
    }
}

#[tokio::test]
async fn thinking_is_a_block_of_its_own() {
    let sim = sim().await;
    let more = json!({"thinking": {"type": "enabled"}});
    let content = chat(&sim, "command-a-reasoning-08-2025", more.clone()).await.json()["message"]["content"].clone();
    assert_eq!((&content[0]["type"], &content[1]["text"]), (&json!("thinking"), &json!(HEARD)));
    let data = stream(&sim, "command-a-reasoning-08-2025", more).await.data();
    let starts: Vec<(&Value, &Value)> = data
        .iter()
        .filter(|data| data["type"] == "content-start")
        .map(|data| (&data["index"], &data["delta"]["message"]["content"]["type"]))
        .collect();
    assert_eq!(starts, [(&json!(0), &json!("thinking")), (&json!(1), &json!("text"))]);
    let thought: String =
        data.iter().filter_map(|data| data["delta"]["message"]["content"]["thinking"].as_str()).collect();
    assert_eq!(thought, content[0]["thinking"].as_str().unwrap());
}

#[tokio::test]
async fn documents_are_cited() {
    let sim = sim().await;
    let more = json!({"documents": [{"id": "7", "data": {"title": "Cats"}}, "Dogs"]});
    let citation = chat(&sim, "c", more.clone()).await.json()["message"]["citations"][0].clone();
    let source = json!({"type": "document", "id": "7", "document": {"id": "7", "title": "Cats"}});
    assert_eq!((&citation["text"], &citation["end"]), (&json!(HEARD), &json!(HEARD.len())));
    assert_eq!(citation["sources"], json!([source]));
    let got = stream(&sim, "c", more).await;
    assert_eq!(names(&got)[2..6], ["content-delta", "citation-start", "citation-end", "content-end"]);
    let start = got.data().into_iter().find(|data| data["type"] == "citation-start").unwrap();
    assert_eq!(start["delta"]["message"]["citations"], citation);
    let plain = chat(&sim, "c", json!({"documents": ["Dogs"]})).await.json();
    let document = &plain["message"]["citations"][0]["sources"][0]["document"];
    assert_eq!(*document, json!({"id": "doc:0", "content": "Dogs"}));
    assert!(chat(&sim, "c", json!({})).await.json()["message"]["citations"].is_null());
}

#[tokio::test]
async fn limits_stop_sequences_images_and_shapes_are_obeyed() {
    let sim = sim().await;
    let finish = async |more: Value| chat(&sim, "c", more).await.json()["finish_reason"].clone();
    assert_eq!(finish(json!({"max_tokens": 3})).await, "MAX_TOKENS");
    assert_eq!(finish(json!({"stop_sequences": [", and"]})).await, "STOP_SEQUENCE");
    let said = async |more: Value| chat(&sim, "c", more).await.json()["message"]["content"][0]["text"].clone();
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}});
    assert_eq!(said(json!({"response_format": {"type": "json_object", "schema": schema}})).await, "{\"ok\":true}");
    let content = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, {"type": "text", "text": "Look"}]);
    let showed = said(json!({"messages": [{"role": "user", "content": content}]})).await;
    assert_eq!(showed, "You said \"Look\" and showed 1 image, and that is what I heard.");
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let sim = sim().await;
    let check = async |more: Value, status: u16, words: &str| {
        let got = chat(&sim, "c", more).await;
        let body = got.json();
        assert_eq!(got.status, status, "{body}");
        assert!(body["message"].as_str().unwrap().contains(words) && body["id"].is_string(), "{body}");
    };
    check(json!({"n": 2}), 422, "unknown field: parameter 'n' is not a valid field").await;
    check(json!({"model": null}), 400, "model is required").await;
    check(json!({"messages": []}), 400, "at least one message").await;
    check(json!({"messages": [{"role": "developer", "content": "Hi"}]}), 400, "invalid role 'developer'").await;
    check(json!({"messages": [{"role": "user", "content": ""}]}), 400, "non-empty content").await;
    check(json!({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}), 400, "tool call id 'x'").await;
    check(json!({"temperature": 1.5}), 400, "temperature must be between").await;
    check(json!({"tool_choice": "REQUIRED"}), 400, "only be specified when tools").await;
    check(with(tools(), json!({"tool_choice": "auto"})), 400, "must be one of 'REQUIRED'").await;
}

#[tokio::test]
async fn keys_are_checked() {
    let sim = sim().await;
    let body = r#"{"model":"c","messages":[{"role":"user","content":"Hi"}]}"#;
    for (headers, message) in [
        (vec![HEADERS[0]], "no api key supplied"),
        (vec![HEADERS[0], ("authorization", "Bearer wrong")], "invalid api token"),
    ] {
        let got = send(&sim, "POST", "/v2/chat", &headers, body).await.unwrap();
        assert_eq!((got.status, &got.json()["message"]), (401, &json!(message)));
    }
}

#[tokio::test]
async fn faults_have_coheres_shape() {
    let sim = sim().await;
    let faults = [
        ("401", 401),
        ("402", 402),
        ("404", 404),
        ("429", 429),
        ("500", 500),
        ("503", 503),
        ("insufficient-quota", 402),
        ("context-length", 400),
        ("content-filter", 400),
        ("invalid-request", 400),
    ];
    for (fault, status) in faults {
        let got = stream(&sim, &format!("fault-{fault}"), json!({})).await;
        let body = got.json();
        assert!(got.status == status && body["message"].is_string() && body["id"].is_string(), "{fault}: {body}");
    }
    assert_eq!(chat(&sim, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    let missing = post(&sim, "/v2/unheard-of", &json!({})).await;
    assert!(missing.status == 404 && missing.json()["message"].is_string());
}

#[tokio::test]
async fn a_stream_is_bent_by_faults() {
    let sim = sim().await;
    let late = stream(&sim, "fault-error-event-late", json!({})).await;
    let (name, data) = late.events().pop().unwrap();
    let end: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((name.as_str(), &end["delta"]["finish_reason"]), ("message-end", &json!("ERROR")));
    assert!(end["delta"]["error"].is_string());
    assert_eq!(names(&stream(&sim, "fault-cut", json!({})).await), ["message-start", "content-start", "content-delta"]);
    assert_eq!(names(&stream(&sim, "fault-no-done", json!({})).await).last().unwrap(), "message-end");
    assert_eq!(stream(&sim, "fault-break", json!({})).await.end, Ended::Broken);
}

#[tokio::test]
async fn texts_are_embedded_by_type() {
    let sim = sim().await;
    let embed = async |more: Value| {
        let base = json!({"model": "embed-v4.0", "input_type": "search_document", "texts": ["a cat", "a dog"]});
        post(&sim, "/v2/embed", &with(base, more)).await
    };
    let body = embed(json!({"embedding_types": ["float", "base64"], "output_dimension": 256})).await.json();
    assert_eq!(body["embeddings"]["float"][1].as_array().unwrap().len(), 256);
    assert_eq!(body["embeddings"]["base64"].as_array().unwrap().len(), 2);
    assert_eq!((&body["response_type"], &body["texts"]), (&json!("embeddings_by_type"), &json!(["a cat", "a dog"])));
    assert_eq!(body["meta"]["billed_units"]["input_tokens"], 4);
    assert_eq!(embed(json!({})).await.json()["embeddings"]["float"][0].as_array().unwrap().len(), 1536);
    for wrong in [json!({"input_type": null}), json!({"texts": []}), json!({"output_dimension": 7})] {
        assert_eq!(embed(wrong.clone()).await.status, 400, "{wrong}");
    }
}

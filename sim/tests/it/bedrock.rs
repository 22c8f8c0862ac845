//! `/model/…`.

use serde_json::{Value, json};
use weir_sim::{AwsKey, Options, Sim};

use crate::client::{Ended, Got, send, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("authorization", "Bearer sk-test")];

async fn post(sim: &Sim, path: &str, body: &Value) -> Got {
    send(sim, "POST", path, &HEADERS, body.to_string()).await.unwrap()
}

fn hi(more: Value) -> Value {
    with(json!({"messages": [user(&json!([{"text": "Hi"}]))]}), more)
}

fn user(content: &Value) -> Value {
    json!({"role": "user", "content": content})
}

fn assistant(content: &Value) -> Value {
    json!({"role": "assistant", "content": content})
}

async fn whole(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, &format!("/model/{model}/converse"), &hi(more)).await
}

async fn stream(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, &format!("/model/{model}/converse-stream"), &hi(more)).await
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let spec = |name: &str, schema: Value| json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}});
    json!({"toolConfig": {"tools": [spec("weather", schema), spec("time", json!({"type": "object"}))]}})
}

/// A frame: its headers and its payload.
type Frame = (Vec<(String, String)>, Vec<u8>);

/// Takes a stream apart, as long as frames are whole; both checksums of each must be right.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let number = |at: &[u8]| u32::from_be_bytes(at[..4].try_into().unwrap());
    let mut frames = Vec::new();
    while bytes.len() >= 16 && bytes.len() >= number(bytes) as usize {
        let (total, headers) = (number(bytes) as usize, number(&bytes[4..]) as usize);
        assert_eq!(crc32fast::hash(&bytes[..8]), number(&bytes[8..]));
        assert_eq!(crc32fast::hash(&bytes[..total - 4]), number(&bytes[total - 4..]));
        let mut rest = &bytes[12..12 + headers];
        let mut read = Vec::new();
        while !rest.is_empty() {
            let name = usize::from(rest[0]);
            assert_eq!(rest[1 + name], 7);
            let value = usize::from(u16::from_be_bytes([rest[2 + name], rest[3 + name]]));
            let text = |from: usize, to: usize| String::from_utf8(rest[from..to].to_vec()).unwrap();
            read.push((text(1, 1 + name), text(4 + name, 4 + name + value)));
            rest = &rest[4 + name + value..];
        }
        frames.push((read, bytes[12 + headers..total - 4].to_vec()));
        bytes = &bytes[total..];
    }
    frames
}

/// The events of a stream: type and payload.
fn events(got: &Got) -> Vec<(String, Value)> {
    frames(&got.body)
        .into_iter()
        .map(|(headers, payload)| {
            assert_eq!(headers[1], (":content-type".into(), "application/json".into()));
            (headers[0].1.clone(), serde_json::from_slice(&payload).unwrap_or_default())
        })
        .collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_whole_answer_repeats_the_question() {
    let got = whole(&sim().await, "anthropic.claude-sonnet-4-5-20250929-v1%3A0", json!({})).await;
    let body = got.json();
    assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
    assert_eq!(body["output"]["message"], assistant(&json!([{"text": HEARD}])));
    assert_eq!((&body["stopReason"], &body["usage"]["outputTokens"]), (&json!("end_turn"), &json!(9)));
    assert_eq!(body["usage"]["totalTokens"], body["usage"]["inputTokens"].as_u64().unwrap() + 9);
    assert!(body["metrics"]["latencyMs"].is_u64() && got.header("x-amzn-requestid").len() == 36);
}

#[tokio::test]
async fn a_stream_is_framed_and_ends_with_its_metadata() {
    let sim = sim().await;
    let expect = whole(&sim, "m", json!({})).await.json();
    let got = stream(&sim, "m", json!({})).await;
    assert_eq!(got.header("content-type"), "application/vnd.amazon.eventstream");
    let events = events(&got);
    assert_eq!(names(&events), ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]);
    let text: String = events.iter().filter_map(|(_, event)| event["delta"]["text"].as_str()).collect();
    assert_eq!(text, HEARD);
    assert_eq!(events[0].1["role"], "assistant");
    assert_eq!(events[events.len() - 2].1["stopReason"], "end_turn");
    assert_eq!(events.last().unwrap().1["usage"], expect["usage"]);
}

#[tokio::test]
async fn a_tool_is_used_whole_and_by_fragments_and_its_result_is_answered() {
    let sim = sim().await;
    let body = whole(&sim, "m", tools()).await.json();
    let used = body["output"]["message"]["content"][0]["toolUse"].clone();
    assert_eq!((&body["stopReason"], &used["input"]), (&json!("tool_use"), &json!({"city": "example"})));
    let events = events(&stream(&sim, "m", tools()).await);
    assert_eq!(names(&events)[1], "contentBlockStart");
    assert_eq!(events[1].1["start"]["toolUse"]["name"], "weather");
    let input: String = events.iter().filter_map(|(_, event)| event["delta"]["toolUse"]["input"].as_str()).collect();
    assert_eq!(input, "{\"city\":\"example\"}");

    let mut chosen = tools();
    chosen["toolConfig"]["toolChoice"] = json!({"tool": {"name": "time"}});
    assert_eq!(whole(&sim, "m", chosen).await.json()["output"]["message"]["content"][0]["toolUse"]["name"], "time");
    let parallel = whole(&sim, "m+parallel-2", tools()).await.json();
    assert_eq!(parallel["output"]["message"]["content"].as_array().unwrap().len(), 2);

    let result = json!({"toolResult": {"toolUseId": used["toolUseId"], "content": [{"text": "sunny"}]}});
    let said = json!([user(&json!([{"text": "Hi"}])), assistant(&json!([{"toolUse": used}])), user(&json!([result]))]);
    let body = whole(&sim, "m", with(tools(), json!({"messages": said}))).await.json();
    let text = &body["output"]["message"]["content"][0]["text"];
    assert_eq!(*text, "The tool said \"sunny\", and that is what I heard.");
    let without = whole(&sim, "m", json!({"messages": said})).await;
    assert!(without.status == 400 && without.text().contains("toolConfig field must be defined"));
}

#[tokio::test]
async fn thinking_comes_first_and_is_signed() {
    let sim = sim().await;
    let more = json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}});
    let body = whole(&sim, "m", more.clone()).await.json();
    let content = &body["output"]["message"]["content"];
    assert!(content[0]["reasoningContent"]["reasoningText"]["signature"].is_string());
    assert_eq!(content[1]["text"], HEARD);
    let events = events(&stream(&sim, "m", more).await);
    let reasoning: Vec<&Value> =
        events.iter().map(|(_, event)| &event["delta"]["reasoningContent"]).filter(|part| !part.is_null()).collect();
    assert!(reasoning[0]["text"].is_string() && reasoning.last().unwrap()["signature"].is_string());
    let index = |event: &Value| event["contentBlockIndex"].as_u64();
    let text = events.iter().find(|(_, event)| event["delta"]["text"].is_string()).unwrap();
    assert_eq!(index(&text.1), Some(1));
}

#[tokio::test]
async fn limits_stop_sequences_shapes_and_cache_points_are_obeyed() {
    let sim = sim().await;
    let body = whole(&sim, "m", json!({"inferenceConfig": {"maxTokens": 3}})).await.json();
    assert_eq!((&body["stopReason"], &body["usage"]["outputTokens"]), (&json!("max_tokens"), &json!(3)));
    let body = whole(&sim, "m", json!({"inferenceConfig": {"stopSequences": [", and"]}})).await.json();
    assert_eq!(body["stopReason"], "stop_sequence");
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}}).to_string();
    let structure = json!({"jsonSchema": {"name": "x", "schema": schema}});
    let format = json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}});
    let body = whole(&sim, "m", format).await.json();
    assert_eq!(body["output"]["message"]["content"][0]["text"], "{\"ok\":true}");
    let cached = json!({"system": [{"text": "Be very brief."}, {"cachePoint": {"type": "default"}}]});
    let first = whole(&sim, "m", cached.clone()).await.json()["usage"].clone();
    let second = whole(&sim, "m", cached).await.json()["usage"].clone();
    assert!(first["cacheWriteInputTokens"].as_u64().unwrap() > 0);
    assert_eq!(second["cacheReadInputTokens"], first["cacheWriteInputTokens"]);
    assert_eq!((&second["inputTokens"], &second["totalTokens"]), (&first["inputTokens"], &first["totalTokens"]));
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let sim = sim().await;
    let check = async |more: Value, words: &str| {
        let got = whole(&sim, "m", more).await;
        let message = got.json()["message"].as_str().unwrap().to_owned();
        assert_eq!((got.status, got.header("x-amzn-errortype").split(':').next()), (400, Some("ValidationException")));
        assert!(message.contains(words), "{message}");
    };
    let hi = || user(&json!([{"text": "Hi"}]));
    let used = assistant(&json!([{"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}}]));
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "content": [{"text": "sunny"}]}});
    check(json!({"messages": null}), "Member must not be null").await;
    check(json!({"messages": []}), "must start with a user message").await;
    check(json!({"messages": [hi(), hi()]}), "must alternate").await;
    check(json!({"messages": [{"role": "system", "content": [{"text": "Hi"}]}]}), "enum value set").await;
    check(json!({"messages": [user(&json!([]))]}), "messages.0 is empty").await;
    check(json!({"messages": [user(&json!([{"text": " "}]))]}), "is blank").await;
    check(json!({"messages": [user(&json!([{"type": "text"}]))]}), "must set one of").await;
    check(json!({"inferenceConfig": {"temperature": 1.5}}), "less than or equal to 1").await;
    check(json!({"toolConfig": {"tools": []}}), "length greater than or equal to 1").await;
    let spec = |name: &str, schema: Value| json!({"toolConfig": {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": schema}}}]}});
    check(spec("no spaces", json!({"type": "object"})), "[a-zA-Z0-9_-]+").await;
    check(spec("x", json!({})), "json.type must be one of").await;
    check(with(tools(), json!({"messages": [hi(), used, hi()]})), "Expected toolResult blocks at messages.2").await;
    check(with(tools(), json!({"messages": [user(&json!([result("t1")]))]})), "exceeds the number of toolUse").await;
}

#[tokio::test]
async fn keys_and_signatures_are_checked() {
    let plain = sim().await;
    let key = AwsKey { access: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into() };
    let strict = Sim::start(Options { aws: Some(key), ..Options::default() }).await.unwrap();
    let body = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#;
    let ask = async |sim: &Sim, authorization: Option<&str>, date: &str, body: &str| {
        let mut headers = vec![HEADERS[0], ("x-amz-date", date)];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let path = "/model/anthropic.claude-v1%3A0/converse";
        let got = send(sim, "POST", path, &headers, body.to_owned()).await.unwrap();
        (got.status, got.header("x-amzn-errortype").split(':').next().unwrap().to_owned())
    };
    // By botocore 1.43 for this request.
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=3cdcc152e560c6688c4d653182e6e225d37977695cd0d2c2f22d1410066b8304";
    let date = "20150830T123600Z";
    let denied = |kind: &str| (403, kind.to_owned());
    assert_eq!(ask(&strict, Some(signed), date, body).await.0, 200);
    assert_eq!(ask(&plain, Some(signed), date, body).await.0, 200);
    assert_eq!(ask(&strict, Some(signed), date, &body.replace("Hi", "Ho")).await, denied("InvalidSignatureException"));
    assert_eq!(ask(&strict, Some(signed), "20150830T123601Z", body).await, denied("InvalidSignatureException"));
    let other = signed.replace("AKIDEXAMPLE", "AKIDOTHER");
    assert_eq!(ask(&strict, Some(&other), date, body).await, denied("UnrecognizedClientException"));
    for (wrong, kind) in [
        (signed.replace("/bedrock/", "/s3/"), "InvalidSignatureException"),
        (signed.replace("/us-east-1", ""), "IncompleteSignatureException"),
        (signed.replace("Signature=", "Sig="), "IncompleteSignatureException"),
        (signed.replace("host;", ""), "InvalidSignatureException"),
        ("Basic c2s6".to_owned(), "MissingAuthenticationTokenException"),
        ("Bearer wrong".to_owned(), "AccessDeniedException"),
    ] {
        assert_eq!(ask(&plain, Some(&wrong), date, body).await, denied(kind), "{wrong}");
    }
    assert_eq!(ask(&plain, Some(signed), "20150831T000000Z", body).await, denied("InvalidSignatureException"));
    assert_eq!(ask(&plain, None, date, body).await, denied("MissingAuthenticationTokenException"));
}

#[tokio::test]
async fn faults_have_awss_shape() {
    let sim = sim().await;
    let check = async |fault: &str, status: u16, kind: &str| {
        let got = stream(&sim, &format!("fault-{fault}"), json!({})).await;
        assert_eq!((got.status, got.header("x-amzn-errortype").split(':').next().unwrap()), (status, kind), "{fault}");
        assert!(got.json()["message"].is_string() && got.header("content-type") == "application/json");
    };
    check("403", 403, "AccessDeniedException").await;
    check("404", 404, "ResourceNotFoundException").await;
    check("408", 408, "ModelTimeoutException").await;
    check("429", 429, "ThrottlingException").await;
    check("429-retry-7", 429, "ThrottlingException").await;
    check("insufficient-quota", 403, "AccessDeniedException").await;
    check("500", 500, "InternalServerException").await;
    check("503", 503, "ServiceUnavailableException").await;
    check("context-length", 400, "ValidationException").await;
    check("content-filter", 400, "ValidationException").await;
    check("invalid-request", 400, "ValidationException").await;
    let missing = post(&sim, "/model/m/unheard-of", &json!({})).await;
    assert_eq!((missing.status, missing.header("x-amzn-errortype").starts_with("UnknownOperation")), (404, true));
}

#[tokio::test]
async fn a_stream_is_bent_by_faults() {
    let sim = sim().await;
    let late = stream(&sim, "fault-error-event-late", json!({})).await;
    let (headers, payload) = frames(&late.body).pop().unwrap();
    let expect = [
        (":exception-type", "serviceUnavailableException"),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    assert_eq!(headers, expect.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(serde_json::from_slice::<Value>(&payload).unwrap()["message"].is_string());
    assert_eq!(names(&events(&late))[..2], ["messageStart", "contentBlockDelta"]);

    let cut = stream(&sim, "fault-cut", json!({})).await;
    assert_eq!((events(&cut).len(), cut.end), (4, Ended::Cleanly));
    assert_eq!(names(&events(&stream(&sim, "fault-cut-before", json!({})).await)), ["messageStart"]);
    assert_eq!(events(&stream(&sim, "fault-no-done", json!({})).await).pop().unwrap().0, "messageStop");
    let broken = stream(&sim, "fault-break", json!({})).await;
    let read: usize = frames(&broken.body).len();
    assert_eq!((read, broken.end), (4, Ended::Broken));
    let malformed = events(&stream(&sim, "fault-malformed", json!({})).await);
    assert_eq!(malformed.iter().filter(|(_, payload)| payload.is_null()).count(), 1);
    assert_eq!(malformed.last().unwrap().0, "metadata");
    let filtered = whole(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(filtered["stopReason"], "content_filtered");
}

#[tokio::test]
async fn titan_and_cohere_embed_in_their_own_shapes() {
    let sim = sim().await;
    let titan = async |body: Value| post(&sim, "/model/amazon.titan-embed-text-v2%3A0/invoke", &body).await;
    let body = titan(json!({"inputText": "a cat", "dimensions": 256, "normalize": true})).await.json();
    assert_eq!((body["embedding"].as_array().unwrap().len(), &body["inputTextTokenCount"]), (256, &json!(2)));
    assert_eq!(titan(json!({"inputText": "a cat"})).await.json()["embedding"].as_array().unwrap().len(), 1024);
    for (wrong, words) in [
        (json!({"inputText": "a", "dimensions": 7}), "#/dimensions"),
        (json!({"input": "a"}), "extraneous key [input]"),
        (json!({}), "required key [inputText] not found"),
    ] {
        let got = titan(wrong).await;
        assert!(got.status == 400 && got.text().contains(words), "{}", got.text());
    }
    let cohere = async |body: Value| post(&sim, "/model/cohere.embed-english-v3/invoke", &body).await;
    let ask = json!({"texts": ["a cat", "a dog"], "input_type": "search_document"});
    let body = cohere(ask.clone()).await.json();
    assert_eq!((&body["response_type"], &body["texts"]), (&json!("embeddings_floats"), &ask["texts"]));
    assert_eq!(body["embeddings"][1].as_array().unwrap().len(), 1024);
    let typed = cohere(with(ask, json!({"embedding_types": ["float"]}))).await.json();
    assert_eq!(typed["embeddings"]["float"].as_array().unwrap().len(), 2);
    let untyped = cohere(json!({"texts": ["a"]})).await;
    assert!(untyped.status == 400 && untyped.text().contains("required key [input_type]"));
    let path = "/model/amazon.titan-embed-text-v1/invoke";
    let untyped = send(&sim, "POST", path, &HEADERS[1..], r#"{"inputText":"a"}"#).await.unwrap();
    assert_eq!(untyped.json()["embedding"].as_array().unwrap().len(), 1536);
    assert_eq!(post(&sim, "/model/fault-429/invoke", &json!({"inputText": "a"})).await.status, 429);
}

#[tokio::test]
async fn a_model_counts_what_it_would_be_asked() {
    let sim = sim().await;
    let count = |model: &str, converse: Value| {
        let (path, body) = (format!("/model/{model}/count-tokens"), json!({"input": {"converse": converse}}));
        let sim = &sim;
        async move { post(sim, &path, &body).await }
    };
    let counted = count("m", hi(tools())).await.json();
    assert_eq!(counted["inputTokens"], whole(&sim, "m", tools()).await.json()["usage"]["inputTokens"]);
    let refused = count("us.m", hi(json!({}))).await;
    assert!(refused.status == 400 && refused.text().contains("doesn't support counting tokens"), "{}", refused.text());
    assert_eq!(count("m", hi(json!({"inferenceConfig": {"maxTokens": 5}}))).await.status, 400);
    assert_eq!(count("m", json!({"system": []})).await.status, 400);
}

//! What the edge refuses: as OpenAI's error object, and before any provider hears of it.

use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Ask, Gateway, KEY, Upstream};

use crate::Shared;

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let gateway = Gateway::with(&upstream)
            .model("gpt", ["sim/gpt-4o"])
            .model("secret", ["sim/gpt-4o"])
            .key("ada", "weir-ada", &["gpt"])
            .limit("body", json!({ "chat": "64KiB" }))
            .start()
            .await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

/// Asks, and checks that the request is refused with this code, that the record says why, and that nothing went up.
async fn refused(ask: Ask, status: u16, code: &str) -> String {
    let Shared { upstream, gateway } = shared().await;
    let answer = ask.await;
    assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-should-retry"), "false", "an SDK would only repeat it");
    let record = gateway.record(answer.id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&json!(code), &json!(status)));
    assert_eq!(upstream.served(), 0);
    answer.message()
}

#[tokio::test]
async fn nobody_gets_in_without_a_key() {
    let Shared { gateway, .. } = shared().await;
    refused(gateway.chat("gpt", "Hi").without_key(), 401, "missing_api_key").await;
    refused(gateway.get("/v1/models").without_key(), 401, "missing_api_key").await;
    refused(gateway.chat("gpt", "Hi").key("weir-other"), 401, "invalid_api_key").await;
    refused(gateway.chat("gpt", "Hi").header("authorization", "Basic YTpi"), 401, "invalid_api_key").await;
}

#[tokio::test]
async fn a_key_opens_its_models_only() {
    let Shared { gateway, .. } = shared().await;
    let message = refused(gateway.chat("secret", "Hi").key("weir-ada"), 403, "model_not_allowed").await;
    assert!(message.contains("'secret'"), "{message}");
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let Shared { gateway, .. } = shared().await;
    let message = refused(gateway.chat("gtp", "Hi"), 404, "model_not_found").await;
    assert!(message.contains("'gtp'"), "{message}");
    let message = refused(gateway.post("/v1/chat/complete", json!({})), 404, "unknown_path").await;
    assert!(message.contains("/v1/chat/complete"), "{message}");
    // A name can be as long as a body: neither the answer nor the record is.
    let long = gateway.chat(&"m".repeat(10_000), "Hi").await;
    let named = gateway.record(long.id()).await["model"].as_str().map(str::len);
    assert_eq!((long.code().as_str(), named), ("model_not_found", Some(515)));
    assert!(long.text().len() < 1000, "{}", long.text());
    refused(gateway.get("/v1/chat/completions"), 405, "method_not_allowed").await;
    refused(gateway.ask("DELETE", "/v1/models"), 405, "method_not_allowed").await;
}

#[tokio::test]
async fn an_error_in_the_body_is_told_with_its_place() {
    let Shared { gateway, .. } = shared().await;
    let chat = || gateway.chat("gpt", "Hi");
    let message = refused(chat().raw("{\"model\": \"gpt\",\n \"messages\": [}"), 400, "invalid_json").await;
    assert!(message.contains("line 2, column 15"), "{message}");
    refused(chat().raw("[1]"), 400, "invalid_value").await;
    refused(chat().raw(""), 400, "invalid_json").await;
    refused(chat().raw("{}"), 400, "missing_required_parameter").await;
    refused(chat().with(json!({ "stream": "yes" })), 400, "invalid_value").await;
    refused(chat().with(json!({ "model": 7 })), 400, "invalid_value").await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let Shared { gateway, .. } = shared().await;
    let long = "x".repeat(80 << 10);
    let message = refused(gateway.chat("gpt", &long), 413, "request_too_large").await;
    assert!(message.contains("65536"), "{message}");
    refused(gateway.chat("gpt", &long).chunked(), 413, "request_too_large").await;
    // Longer than Envoy itself would keep.
    let longer = "x".repeat(20 << 20);
    refused(gateway.chat("gpt", &longer), 413, "request_too_large").await;
}

#[tokio::test]
async fn what_envoy_refuses_by_itself_looks_the_same() {
    let Shared { gateway, upstream } = shared().await;
    let large = gateway.chat("gpt", "Hi").header("x-large", &"x".repeat(100 << 10)).await;
    assert_eq!((large.status(), large.code().as_str()), (431, "headers_too_large"));
    let refused = async |request: &str, status: &str, about: &str| {
        let answer = gateway.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(
            answer.contains("content-type: application/json") && answer.contains("x-should-retry: false"),
            "{answer}"
        );
        assert!(answer.contains(r#""code":"bad_request""#) && answer.contains(about), "{answer}");
        answer
    };
    refused("GARBAGE\r\n\r\n", "400", "no valid HTTP").await;
    refused("post /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n", "400", "no valid HTTP").await;
    refused("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "400", "no valid HTTP").await;
    refused("GET /v1/models HTTP/1.0\r\nhost: a\r\n\r\n", "426", "HTTP/1.1").await;
    let upgrade = "GET /v1/responses HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    refused(upgrade, "400", "WebSocket").await;
    // Once the path is known, an error has the shape of that path's API.
    let chunk = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    );
    assert!(refused(&chunk, "400", "no valid HTTP").await.contains(r#""type":"error""#));
    assert_eq!(upstream.served(), 0);
}

#[tokio::test]
async fn a_path_that_is_nearly_right_is_told_the_right_one() {
    let Shared { gateway, .. } = shared().await;
    for (path, right) in [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/responses", "/v1/responses"),
    ] {
        let message = refused(gateway.post(path, json!({})), 404, "unknown_path").await;
        assert!(message.contains(&format!("Did you mean {right}?")), "{message}");
    }
}

/// The answer to HEAD says how long the body would be, and has none: what comes next on the connection is the next answer.
#[tokio::test]
async fn head_is_answered_as_get_without_its_body() {
    let Shared { gateway, .. } = shared().await;
    let length = gateway.get("/v1/models").await.text().len();
    let models = format!("HEAD /v1/models HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\n\r\n");
    let health = "HEAD /healthz/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = gateway.raw((models + health).as_bytes()).await;
    let parts: Vec<&str> = answers.split("\r\n\r\n").collect();
    assert!(parts.len() == 3 && parts[2].is_empty(), "{answers}");
    assert!(parts.iter().take(2).all(|head| head.starts_with("HTTP/1.1 200")), "{answers}");
    assert!(parts[0].contains(&format!("content-length: {length}")), "{answers}");
}

#[tokio::test]
async fn no_header_of_a_caller_can_forge_a_plan() {
    let Shared { gateway, upstream } = shared().await;
    let ask = gateway.get("/v1/anything").without_key();
    let ask = ask.header("x-envoy-max-retries", "9").header("weir.next", "sim|0|").header("wasm.weir.next", "sim|0|");
    assert_eq!(ask.await.status(), 401);
    assert_eq!(upstream.served(), 0);
}

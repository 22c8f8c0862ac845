//! OpenAI to OpenAI: bytes come through as they are.

use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Answer, Ended, Gateway, Upstream};

use crate::{SAID, Shared};

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let gateway = Gateway::with(&upstream)
            .model("gpt-4o", ["sim/gpt-4o"])
            .model("alias", ["sim/gpt-4o-mini"])
            .model("org/model", ["sim/gpt-4o"])
            .model("text-embedding-3-small", ["sim/text-embedding-3-small"])
            .model("zipped", ["sim/fault-gzip"])
            .key("ada", "weir-ada", &["alias"])
            .start()
            .await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

/// The answer's text without what differs from one answer to the next: its id and its time.
fn masked(answer: &Answer) -> String {
    let mut text = String::new();
    for (i, part) in answer.text().split("\"id\":\"chatcmpl-").enumerate() {
        let part = if i == 0 { part } else { part.split_once('"').unwrap().1 };
        for (j, part) in part.split("\"created\":").enumerate() {
            text.push_str(if j == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) });
        }
    }
    text
}

fn hi(more: &serde_json::Value) -> serde_json::Value {
    let mut body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_whole_answer_comes_through_byte_for_byte() {
    let Shared { upstream, gateway } = shared().await;
    let answer = gateway.chat("gpt-4o", "Hi").await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID));
    let direct = upstream.asked_directly("/v1/chat/completions").json(hi(&json!({}))).await;
    assert_eq!(masked(&answer), masked(&direct));
    assert_eq!(answer.header("content-length"), answer.body().len().to_string());
}

#[tokio::test]
async fn a_stream_comes_through_byte_for_byte() {
    let Shared { upstream, gateway } = shared().await;
    let answer = gateway.chat("gpt-4o", "Hi").streamed_with_usage().await;
    let asked = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let direct = upstream.asked_directly("/v1/chat/completions").json(hi(&asked)).await;
    assert_eq!(masked(&answer), masked(&direct));
    assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/event-stream"));
}

#[tokio::test]
async fn usage_that_nobody_asked_for_is_asked_for_and_taken_out() {
    let Shared { upstream, gateway } = shared().await;
    let without = gateway.chat("gpt-4o", "Is usage asked for?").streamed().await;
    let with = gateway.chat("gpt-4o", "Is usage asked for?").streamed_with_usage().await;
    let (without, with) = (without.events(), with.events());
    assert_eq!(with.len(), without.len() + 1);
    let last = &with[with.len() - 2].json();
    assert!(last["usage"]["total_tokens"].is_u64() && last["choices"] == json!([]), "{last}");
    assert!(without.iter().all(|event| event.json()["usage"].is_null()), "{without:?}");
    let asked: Vec<_> = upstream.requests().iter().map(weir_sim::Seen::json).collect();
    let about_this = asked.iter().filter(|body| body["messages"][0]["content"] == "Is usage asked for?");
    assert!(about_this.clone().all(|body| body["stream_options"]["include_usage"] == true), "{asked:?}");
    assert_eq!(about_this.count(), 2);
}

#[tokio::test]
async fn fields_that_weir_does_not_know_ride_along() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt-4o", ["sim/gpt-4o"]).start().await;
    // Spaces, order, a number that no f64 holds, a doubled escape: nothing is read and written anew.
    let body = r#"{ "new_field": 12345678901234567890123, "model":"gpt-4o",
        "messages": [{"role":"user","content":"Z\u00fcrich\\n"}],  "user":"u" }"#;
    let answer = gateway.post("/v1/chat/completions", json!({})).raw(body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(upstream.requests()[0].body, body.as_bytes());
}

#[tokio::test]
async fn the_target_has_a_name_of_its_own_and_the_answer_says_it() {
    let Shared { upstream, gateway } = shared().await;
    let answer = gateway.chat("alias", "Which are you?").await;
    assert_eq!(answer.model(), "gpt-4o-mini");
    assert!(answer.json()["usage"]["total_tokens"].as_u64() > Some(0));
    let asked = upstream.requests();
    let asked = asked.iter().find(|seen| String::from_utf8_lossy(&seen.body).contains("Which are you?")).unwrap();
    assert_eq!(asked.json()["model"], "gpt-4o-mini");
    assert_eq!(gateway.record(answer.id()).await["answered_model"], "gpt-4o-mini");
}

#[tokio::test]
async fn tools_and_several_choices_come_through() {
    let Shared { gateway, .. } = shared().await;
    let tools = json!({ "n": 2, "tools": [{ "type": "function", "function": {
        "name": "weather",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
    } }] });
    let answer = gateway.chat("alias", "Hi").with(tools.clone()).await;
    assert_eq!(answer.json()["choices"][1]["message"]["tool_calls"][0]["function"]["name"], "weather");
    let answer = gateway.chat("alias", "Hi").with(tools).streamed().await;
    assert!(answer.is_done() && answer.text().contains("\"tool_calls\""), "{}", answer.text());
}

#[tokio::test]
async fn an_answer_that_is_compressed_unasked_is_unpacked() {
    let Shared { gateway, .. } = shared().await;
    let whole = gateway.chat("zipped", "Hi").await;
    assert_eq!((whole.said().as_str(), whole.header("content-encoding")), (SAID, ""));
    let streamed = gateway.chat("zipped", "Hi").streamed().await;
    assert_eq!((streamed.said().as_str(), streamed.header("content-encoding")), (SAID, ""));
    assert!(streamed.is_done());
}

#[tokio::test]
async fn embeddings_come_through() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.embed("text-embedding-3-small", "Hi").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let body = answer.json();
    assert!(body["data"][0]["embedding"].as_array().is_some_and(|numbers| numbers.len() > 100));
    let record = gateway.record(answer.id()).await;
    assert_eq!(
        (&record["endpoint"], &record["tokens"]["input"]),
        (&json!("embeddings"), &body["usage"]["prompt_tokens"])
    );
}

#[tokio::test]
async fn http2_is_spoken_too() {
    let Shared { gateway, .. } = shared().await;
    let answer = gateway.chat("gpt-4o", "Hi").streamed().by_http2().await;
    assert_eq!((answer.said().as_str(), answer.is_done()), (SAID, true));
}

#[tokio::test]
async fn models_are_listed_for_those_who_may_use_them() {
    let Shared { gateway, .. } = shared().await;
    let names = |answer: &Answer| -> Vec<String> {
        let body = answer.json();
        body["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = gateway.get("/v1/models").await;
    assert_eq!(names(&all), ["alias", "gpt-4o", "org/model", "text-embedding-3-small", "zipped"]);
    assert_eq!(names(&gateway.get("/v1/models").key("weir-ada").await), ["alias"]);

    let one = gateway.get("/v1/models/alias").await;
    assert_eq!((one.status(), &one.json()["object"]), (200, &json!("model")));
    for path in ["/v1/models/org/model", "/v1/models/org%2Fmodel"] {
        assert_eq!(gateway.get(path).await.json()["id"], "org/model", "{path}");
    }
    let unknown = gateway.get("/v1/models/gpt-9").await;
    assert_eq!((unknown.status(), unknown.code().as_str()), (404, "model_not_found"));
    let hidden = gateway.get("/v1/models/gpt-4o").key("weir-ada").await;
    assert_eq!((hidden.status(), hidden.code().as_str()), (404, "model_not_found"));
}

#[tokio::test]
async fn probes_need_no_key() {
    let Shared { gateway, .. } = shared().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(gateway.get(path).without_key().await.status(), 200, "{path}");
    }
}

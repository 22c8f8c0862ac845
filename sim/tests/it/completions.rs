//! `/v1/completions`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Ended, Got, post, sim, with};

const HEARD: &str = "You said \"Hi\", and that is what I heard.";

async fn complete(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, "/v1/completions", &with(json!({"model": model, "prompt": "Hi"}), more)).await
}

#[tokio::test]
async fn a_prompt_is_completed_whole_and_by_pieces() {
    let sim = sim().await;
    let got = complete(&sim, "gpt-3.5-turbo-instruct", json!({})).await;
    let body = got.json();
    assert_eq!((got.status, &body["object"]), (200, &json!("text_completion")));
    let choice = json!({"text": HEARD, "index": 0, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(body["choices"], json!([choice]));
    assert_eq!(body["usage"], json!({"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}));

    let more = json!({"stream": true, "stream_options": {"include_usage": true}});
    let got = complete(&sim, "gpt-3.5-turbo-instruct", more).await;
    assert_eq!(got.events().last().unwrap().1, "[DONE]");
    let chunks = got.data();
    let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    let last = chunks.last().unwrap();
    assert_eq!((said.as_str(), &last["choices"], &last["usage"]), (HEARD, &json!([]), &body["usage"]));
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn each_prompt_has_its_choices() {
    let sim = sim().await;
    let body = complete(&sim, "m", json!({"prompt": ["Hi", [1, 2]], "n": 2, "echo": true})).await.json();
    let texts: Vec<&str> =
        body["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], format!("Hi{HEARD}"));
    assert_eq!(texts[2], "1 2You said \"1 2\", and that is what I heard.");
    assert!(texts[1].contains("(choice 1)") && texts.len() == 4, "{texts:?}");
    assert_eq!((&body["choices"][3]["index"], &body["usage"]["prompt_tokens"]), (&json!(3), &json!(3)));
    let body = complete(&sim, "m", json!({"prompt": [5, 6, 7]})).await.json();
    assert_eq!((&body["usage"]["prompt_tokens"], body["choices"].as_array().unwrap().len()), (&json!(3), 1));
}

#[tokio::test]
async fn limits_and_stops_are_obeyed() {
    let sim = sim().await;
    let body = complete(&sim, "m", json!({"max_tokens": 3})).await.json();
    assert_eq!(
        (&body["choices"][0]["finish_reason"], &body["usage"]["completion_tokens"]),
        (&json!("length"), &json!(3))
    );
    let body = complete(&sim, "m", json!({"prompt": "a b c d e f g h i j k l m n o p q r s t"})).await.json();
    assert_eq!(
        (&body["choices"][0]["finish_reason"], &body["usage"]["completion_tokens"]),
        (&json!("length"), &json!(16))
    );
    let body = complete(&sim, "m+tokens-500", json!({})).await.json();
    assert_eq!(body["usage"]["completion_tokens"], 500);
    let body = complete(&sim, "m", json!({"stop": [", and"]})).await.json();
    assert_eq!(body["choices"][0]["text"], "You said \"Hi\"");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_faults_bend() {
    let sim = sim().await;
    let check = async |more: Value, param: &str, code: &str| {
        let got = complete(&sim, "m", more.clone()).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)), "{more}");
    };
    check(json!({"prompt": []}), "prompt", "empty_array").await;
    check(json!({"prompt": [true]}), "prompt", "invalid_type").await;
    check(json!({"prompt": {}}), "prompt", "invalid_type").await;
    check(json!({"n": 0}), "n", "integer_below_min_value").await;
    check(json!({"logprobs": 9}), "logprobs", "integer_above_max_value").await;
    check(json!({"temperature": 3}), "temperature", "decimal_above_max_value").await;
    let cut = complete(&sim, "fault-cut", json!({"stream": true})).await;
    assert!(cut.end == Ended::Cleanly && !cut.text().contains("[DONE]") && cut.data().len() == 3);
    let failed = complete(&sim, "fault-error-event-late", json!({"stream": true})).await;
    assert_eq!(failed.data().last().unwrap()["error"]["type"], "server_error");
    assert_eq!(complete(&sim, "fault-429", json!({})).await.status, 429);
    let body = complete(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
}

//! `/v1/moderations`.

use serde_json::{Value, json};

use crate::client::{post, sim};

#[tokio::test]
async fn each_text_is_judged_by_its_words() {
    let sim = sim().await;
    let judge = async |body: Value| post(&sim, "/v1/moderations", &body).await;
    let body = judge(json!({"input": ["Have a nice day.", "I will KILL you"]})).await.json();
    assert_eq!(body["model"], "omni-moderation-latest");
    assert!(body["id"].as_str().unwrap().starts_with("modr-"));
    let results = body["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["flagged"], &results[1]["flagged"]), (2, &json!(false), &json!(true)));
    assert_eq!(
        (&results[1]["categories"]["violence"], &results[1]["categories"]["hate"]),
        (&json!(true), &json!(false))
    );
    assert!(results[1]["category_scores"]["violence"].as_f64() > Some(0.9));
    assert_eq!(results[1]["category_applied_input_types"]["violence"], json!(["text"]));
    let body = judge(json!({"input": "I hate you", "model": "text-moderation-latest"})).await.json();
    let result = &body["results"][0];
    assert_eq!((&result["flagged"], result.get("category_applied_input_types")), (&json!(true), None));
    assert_eq!(result["categories"].as_object().unwrap().len(), 11);
}

#[tokio::test]
async fn a_text_and_a_picture_are_judged_together() {
    let sim = sim().await;
    let input = json!([
        {"type": "text", "text": "Look at this"},
        {"type": "image_url", "image_url": {"url": "https://example.com/gore.png"}},
    ]);
    let body = post(&sim, "/v1/moderations", &json!({"input": input})).await.json();
    let result = &body["results"][0];
    assert_eq!(
        (&result["categories"]["violence/graphic"], &result["categories"]["hate"]),
        (&json!(true), &json!(false))
    );
    let seen = &result["category_applied_input_types"];
    assert_eq!((&seen["violence/graphic"], &seen["hate"]), (&json!(["text", "image"]), &json!(["text"])));
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused() {
    let sim = sim().await;
    let check = async |body: Value, status: u16, code: &str| {
        let got = post(&sim, "/v1/moderations", &body).await;
        assert_eq!((got.status, &got.json()["error"]["code"]), (status, &json!(code)), "{body}");
    };
    check(json!({}), 400, "missing_required_parameter").await;
    check(json!({"input": []}), 400, "empty_array").await;
    check(json!({"input": 5}), 400, "invalid_type").await;
    check(json!({"input": [{"type": "video"}]}), 400, "invalid_value").await;
    check(json!({"input": [{"type": "image_url"}]}), 400, "missing_required_parameter").await;
    check(json!({"input": "Hi", "model": "fault-429"}), 429, "rate_limit_exceeded").await;
}

//! `/v1/rerank` and `/v2/rerank`.

use serde_json::{Value, json};
use weir_sim::Sim;

use crate::client::{Got, HEADERS, post, send, sim, with};

async fn rank(sim: &Sim, path: &str, model: &str, more: Value) -> Got {
    let documents = json!(["Bread is baked.", "The capital of France is Paris.", "France has a capital"]);
    let base = json!({"model": model, "query": "What is the capital of France?", "documents": documents});
    post(sim, path, &with(base, more)).await
}

fn order(body: &Value) -> Vec<u64> {
    body["results"].as_array().unwrap().iter().map(|result| result["index"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn documents_are_ranked_jinas_way() {
    let sim = sim().await;
    let got = rank(&sim, "/v1/rerank", "jina-reranker-v3", json!({})).await;
    let body = got.json();
    assert_eq!((got.status, &body["model"], order(&body)), (200, &json!("jina-reranker-v3"), vec![1, 2, 0]));
    let scores: Vec<f64> =
        body["results"].as_array().unwrap().iter().map(|result| result["relevance_score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, other| one > other) && scores[0] < 1.0 && scores[2] > 0.0, "{scores:?}");
    assert!(body["usage"]["total_tokens"].as_u64() > Some(18) && body["results"][0].get("document").is_none());
    let more = json!({"top_n": 1, "return_documents": true, "documents": [{"text": "Rome"}, {"text": "capital"}]});
    let body = rank(&sim, "/v1/rerank", "m", more).await.json();
    assert_eq!((order(&body), &body["results"][0]["document"]), (vec![1], &json!({"text": "capital"})));
}

#[tokio::test]
async fn documents_are_ranked_coheres_way() {
    let sim = sim().await;
    let body = rank(&sim, "/v2/rerank", "rerank-v3.5", json!({"top_n": 2})).await.json();
    assert_eq!((order(&body), &body["meta"]["billed_units"]), (vec![1, 2], &json!({"search_units": 1})));
    assert!(body["id"].as_str().is_some_and(|id| id.len() == 36));
    let body = rank(&sim, "/v2/rerank", "rerank-v3.5", json!({"documents": vec!["x"; 101]})).await.json();
    assert_eq!((order(&body).len(), &body["meta"]["billed_units"]["search_units"]), (101, &json!(2)));
}

#[tokio::test]
async fn each_refuses_in_its_own_words() {
    let sim = sim().await;
    let check = async |path: &str, model: &str, more: Value, status: u16, words: &str| {
        let got = rank(&sim, path, model, more).await;
        let body = got.json();
        let message = if path == "/v1/rerank" { &body["detail"] } else { &body["message"] };
        assert!(got.status == status && message.as_str().unwrap().contains(words), "{got:?}");
    };
    check("/v1/rerank", "m", json!({"query": null}), 422, "query").await;
    check("/v1/rerank", "m", json!({"documents": []}), 422, "at least 1").await;
    check("/v1/rerank", "m", json!({"documents": [5]}), 422, "valid string").await;
    check("/v1/rerank", "m", json!({"top_n": 0}), 422, "top_n").await;
    check("/v1/rerank", "fault-insufficient-quota", json!({}), 402, "balance").await;
    check("/v1/rerank", "fault-503", json!({}), 503, "overloaded").await;
    check("/v2/rerank", "m", json!({"query": ""}), 400, "query").await;
    check("/v2/rerank", "m", json!({"documents": []}), 400, "documents").await;
    check("/v2/rerank", "m", json!({"top_k": 3}), 422, "top_k").await;
    check("/v2/rerank", "fault-429", json!({}), 429, "limited").await;
    for path in ["/v1/rerank", "/v2/rerank"] {
        let got = send(&sim, "POST", path, &HEADERS[..1], "{}").await.unwrap();
        assert_eq!(got.status, 401);
        assert_eq!(rank(&sim, path, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    }
}

//! Both engines give the vectors of an independent implementation.

use serde::Deserialize;
use serde_json::json;

use crate::caller::Running;

#[derive(Deserialize)]
pub struct Case {
    pub text: String,
    pub tokens: Vec<u32>,
    pub embedding: Vec<f32>,
}

pub fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/minilm-reference.json")).unwrap()
}

/// How far two embeddings are from each other in their worst dimension.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

async fn check(engine: &str) {
    let sidecar = Running::minilm(engine).await;
    let cases = cases();
    let texts: Vec<_> = cases.iter().map(|case| case.text.as_str()).collect();
    let reply = sidecar.embed(&json!({"model": "minilm", "input": texts})).await;
    let embeddings = reply.embeddings();
    for (case, embedding) in cases.iter().zip(&embeddings) {
        let distance = distance(&case.embedding, embedding);
        assert!(distance < 1e-4, "{engine}: {:.30}: off by {distance}", case.text);
    }
    let tokens: usize = cases.iter().map(|case| case.tokens.len()).sum();
    assert_eq!(reply.json()["usage"], json!({"prompt_tokens": tokens, "total_tokens": tokens}));
    let cosines: Vec<f32> =
        (1..4).map(|other| embeddings[0].iter().zip(&embeddings[other]).map(|(a, b)| a * b).sum()).collect();
    for (cosine, expect) in cosines.iter().zip([0.6946, 0.9429, 0.2569]) {
        assert!((cosine - expect).abs() < 1e-4, "{cosines:?}");
    }
    let rows: Vec<_> = cases.iter().map(|case| &case.tokens).collect();
    let from_tokens = sidecar.embed(&json!({"model": "minilm", "input": rows})).await.embeddings();
    for (text, token) in embeddings.iter().zip(&from_tokens) {
        assert!(distance(text, token) < 1e-5);
    }
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn onnx_runtime_gives_the_reference_vectors() {
    check("onnx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candle_gives_the_reference_vectors() {
    check("candle").await;
}

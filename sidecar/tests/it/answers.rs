//! What callers get: `OpenAI`'s shapes for answers and for errors.

use base64::Engine;
use serde_json::{Value, json};

use crate::caller::{Running, Stream};
use crate::lifecycle::until;
use crate::reference::{cases, distance};

fn floats(base64: &Value) -> Vec<f32> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64.as_str().unwrap()).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_answer() {
    let sidecar = Running::minilm("onnx").await;
    let case = &cases()[0];
    let plain = sidecar.embed(&json!({"model": "minilm", "input": case.text})).await;
    assert_eq!(plain.headers["content-type"], "application/json");
    assert_eq!((plain.json()["model"].as_str(), plain.embeddings().len()), (Some("minilm"), 1));
    let whole = plain.embeddings().remove(0);

    let base64 = sidecar.embed(&json!({"model": "minilm", "input": [case.text], "encoding_format": "base64"})).await;
    assert!(distance(&floats(&base64.json()["data"][0]["embedding"]), &whole) < 1e-6);

    let tokens = sidecar.embed(&json!({"model": "minilm", "input": case.tokens, "encoding_format": "float"})).await;
    assert!(distance(&tokens.embeddings()[0], &whole) < 1e-6);

    let short = sidecar.embed(&json!({"model": "minilm", "input": case.text, "dimensions": 64})).await;
    let short = short.embeddings().remove(0);
    let scale = whole.iter().take(64).map(|value| value * value).sum::<f32>().sqrt();
    let expect: Vec<f32> = whole.iter().take(64).map(|value| value / scale).collect();
    assert!(distance(&short, &expect) < 1e-6);

    let whole_wish = sidecar.embed(&json!({"model": "minilm", "input": case.text, "dimensions": 384})).await;
    assert_eq!(whole_wish.embeddings()[0].len(), 384);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_in_any_pieces_and_a_long_answer_leaves_in_pieces() {
    let sidecar = Running::minilm("onnx").await;
    let body = serde_json::to_vec(&json!({"model": "minilm", "input": vec!["weir"; 100]})).unwrap();
    let parts = body.chunks(7).map(<[u8]>::to_vec).chain([Vec::new()]).collect();
    let reply = sidecar.ask("POST", "/v1/embeddings?user=x", parts).await;
    let embeddings = reply.embeddings();
    assert_eq!(embeddings.len(), 100);
    assert!(embeddings.iter().all(|embedding| distance(embedding, &embeddings[0]) < 1e-5));
    assert!(reply.pieces > 5, "{} pieces", reply.pieces);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_each_get_their_own() {
    let sidecar = Running::minilm("onnx").await;
    let cases = cases();
    let callers = cases.iter().cycle().take(64).map(|case| async {
        let reply = sidecar.embed(&json!({"model": "minilm", "input": case.text})).await;
        assert!(distance(&reply.embeddings()[0], &case.embedding) < 1e-4, "{:.30}", case.text);
    });
    futures_util::future::join_all(callers).await;
    let (_, metrics) = sidecar.admin("/metrics").await;
    assert!(metrics.contains("weir_sidecar_batch_inputs_sum{model=\"minilm\"} 64\n"), "{metrics}");
    assert!(metrics.contains("weir_sidecar_requests_total{model=\"minilm\",status=\"200\"} 64\n"), "{metrics}");
    assert!(metrics.contains("vllm:num_requests_waiting{model_name=\"minilm\"} 0\n"), "{metrics}");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_openais_error() {
    let limits = json!({"limits": {"max_body_bytes": 20_000, "max_answer_bytes": 100_000}});
    let sidecar = Running::with("onnx", limits).await;
    let bad = "invalid_request_error";
    let ask = async |body: Value| sidecar.embed(&body).await.error();
    let expect = |status: u16, param: Value, code: &str| (status, bad.to_owned(), param, code.to_owned());

    assert_eq!(ask(json!({"model": "none", "input": "a"})).await, expect(404, json!("model"), "model_not_found"));
    assert_eq!(ask(json!({"model": "minilm"})).await, expect(400, json!("input"), "missing_required_parameter"));
    assert_eq!(ask(json!({"model": "minilm", "input": []})).await, expect(400, json!("input"), "invalid_value"));
    for dimensions in [0, 385] {
        let body = json!({"model": "minilm", "input": "a", "dimensions": dimensions});
        assert_eq!(ask(body).await, expect(400, json!("dimensions"), "invalid_value"));
    }
    let unknown_id = json!({"model": "minilm", "input": [[101, 102], [101, 30522, 102]]});
    assert_eq!(ask(unknown_id).await, expect(400, json!("input[1][1]"), "invalid_value"));
    let long = json!({"model": "minilm", "input": vec![101; 257]});
    assert_eq!(ask(long).await, expect(400, json!("input"), "context_length_exceeded"));
    let many = json!({"model": "minilm", "input": vec!["a"; 2049]});
    assert_eq!(ask(many).await, expect(400, json!("input"), "invalid_value"));
    let long_answer = json!({"model": "minilm", "input": vec!["a"; 100]});
    assert_eq!(ask(long_answer).await, expect(400, json!("input"), "invalid_value"));
    let long_body = json!({"model": "minilm", "input": "a".repeat(20_000)});
    assert_eq!(ask(long_body).await, expect(413, Value::Null, "request_too_large"));
    let not_json = sidecar.post("/v1/embeddings", b"{\"model\":\n oops}".to_vec()).await;
    assert_eq!(not_json.error(), expect(400, Value::Null, "invalid_json"));
    assert!(not_json.json()["error"]["message"].as_str().unwrap().contains("line 2, column 2"));
    assert_eq!(sidecar.post("/v1/none", Vec::new()).await.error(), expect(404, Value::Null, "not_found"));
    let unread = sidecar.ask("POST", "/v1/none", vec![vec![b'x'; 10_000]; 10]).await;
    assert_eq!(unread.error(), expect(404, Value::Null, "not_found"));
    let far_too_long = sidecar.ask("POST", "/v1/embeddings", vec![vec![b'x'; 10_000]; 100]).await;
    assert_eq!(far_too_long.error(), expect(413, Value::Null, "request_too_large"));
    let wrong_method = sidecar.ask("GET", "/v1/embeddings", Vec::new()).await;
    assert_eq!(wrong_method.error(), expect(405, Value::Null, "method_not_allowed"));
    assert_eq!(wrong_method.headers["allow"], "POST");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_429_with_a_time_to_come_back() {
    let queue = json!({"queue": {"max_waiting": 8, "threads": 1}});
    let sidecar = Running::with("onnx", queue).await;
    let big = json!({"model": "minilm", "input": vec!["the stream ".repeat(200); 40]});
    let mut stream = Stream::open(&sidecar.channel).await;
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(serde_json::to_vec(&big).unwrap(), true).await;
    // It is taken, since nothing waited, and fills the queue for seconds.
    until(&sidecar, "vllm:num_requests_waiting{model_name=\"minilm\"}", |waiting| waiting > 20.0).await;
    let refused = sidecar.embed(&json!({"model": "minilm", "input": "a"})).await;
    assert_eq!(refused.error(), (429, "rate_limit_error".into(), Value::Null, "queue_full".into()));
    assert!((1..=60).contains(&refused.headers["retry-after"].parse::<u64>().unwrap()));
    // It is refused before it is looked at closely: there is no such token.
    let busy = sidecar.embed(&json!({"model": "minilm", "input": [[30522]]})).await;
    assert_eq!(busy.error().3, "queue_full");
    // A long body is read elsewhere. Whose queue it was is counted all the same.
    let long = sidecar.embed(&json!({"model": "minilm", "input": "weir ".repeat(2_000)})).await;
    assert_eq!(long.error().3, "queue_full");
    until(&sidecar, "weir_sidecar_requests_total{model=\"minilm\",status=\"429\"}", |refused| refused > 2.0).await;
    assert_eq!(stream.reply().await.embeddings().len(), 40);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_what_may_be_held_at_once_callers_are_told_to_come_again() {
    let limits = json!({"max_body_bytes": 20_000, "max_answer_bytes": 10_000, "max_bytes_in_flight": 30_000});
    let sidecar = Running::with("onnx", json!({"limits": limits})).await;
    let mut open = Stream::open(&sidecar.channel).await;
    open.headers("POST", "/v1/embeddings", &[]).await;
    open.body(vec![b' '; 15_000], false).await;
    until(&sidecar, "weir_sidecar_bytes_in_flight", |bytes| bytes >= 15_000.0).await;
    let next = json!({"model": "minilm", "input": "weir ".repeat(3_200)});
    let refused = sidecar.embed(&next).await;
    assert_eq!(refused.error(), (429, "rate_limit_error".into(), Value::Null, "overloaded".into()));
    assert_eq!(refused.headers["retry-after"], "1");
    // A body that fits, with an answer that does not: refused as well.
    let body = json!({"model": "minilm", "input": "weir ".repeat(1_800)});
    assert_eq!(sidecar.embed(&body).await.error().3, "overloaded");
    drop(open);
    until(&sidecar, "weir_sidecar_bytes_in_flight", |bytes| bytes == 0.0).await;
    assert_eq!(sidecar.embed(&next).await.embeddings().len(), 1);
    sidecar.stop().await;
}

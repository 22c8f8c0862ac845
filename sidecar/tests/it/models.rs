//! Models that load, models that do not, and who is told.

use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use weir_proto::sidecar::v1::models_client::ModelsClient;
use weir_proto::sidecar::v1::{ListRequest, Model, State};

use crate::caller::{Running, minilm};

async fn list(sidecar: &Running) -> Vec<Model> {
    ModelsClient::new(sidecar.channel.clone()).list(ListRequest {}).await.unwrap().into_inner().models
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_model_is_described() {
    let sidecar = Running::minilm("auto").await;
    let [model] = list(&sidecar).await.try_into().unwrap();
    let expect = Model {
        name: "minilm".into(),
        engine: "onnx".into(),
        state: State::Ready.into(),
        error: String::new(),
        dimensions: 384,
        max_tokens: 256,
        device: "cpu".into(),
    };
    assert_eq!(model, expect);
    let mut health = HealthClient::new(sidecar.channel.clone());
    while health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status != 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sidecar.admin("/healthz").await, (200, "ok\n".into()));
    assert_eq!(sidecar.admin("/elsewhere").await.0, 404);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_does_not_stop_the_others() {
    let broken = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "config.json", "modules.json", "1_Pooling/config.json"] {
        std::fs::create_dir_all(broken.path().join("1_Pooling")).unwrap();
        std::fs::copy(minilm().join(file), broken.path().join(file)).unwrap();
    }
    std::fs::write(broken.path().join("model.onnx"), "not a graph").unwrap();
    std::fs::write(broken.path().join("model.safetensors"), "not weights").unwrap();
    let models = json!([
        {"name": "gone", "path": broken.path().join("nowhere")},
        {"name": "broken", "path": broken.path(), "engine": "onnx"},
        {"name": "broken too", "path": broken.path(), "engine": "candle"},
        {"name": "minilm", "path": minilm()},
    ]);
    let sidecar = Running::start(models, json!({})).await;
    loop {
        let reply = sidecar.embed(&json!({"model": "minilm", "input": "a"})).await;
        if reply.status == 200 {
            break;
        }
        assert_eq!(reply.error(), (503, "server_error".into(), Value::Null, "model_loading".into()));
        assert_eq!(reply.headers["retry-after"], "1");
    }
    let (status, body) = sidecar.admin("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["ready"], &body["models"][3]["state"]), (503, &json!(false), &json!("ready")));
    let models = list(&sidecar).await;
    for (model, expect) in models.iter().zip(["no such folder", "model.onnx", "model.safetensors", ""]) {
        assert!(model.error.contains(expect), "{model:?}");
        assert_eq!(model.state == i32::from(State::Failed), !expect.is_empty());
        assert_eq!(
            body["models"].as_array().unwrap().iter().any(|listed| listed["error"] == *model.error),
            !expect.is_empty()
        );
    }
    let failed = sidecar.embed(&json!({"model": "broken", "input": "a"})).await;
    assert_eq!(failed.error(), (503, "server_error".into(), Value::Null, "model_unavailable".into()));
    sidecar.stop().await;
}

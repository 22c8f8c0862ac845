//! Models that load, models that do not, and who is told.

use std::path::Path;

use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use weir_proto::sidecar::v1::models_client::ModelsClient;
use weir_proto::sidecar::v1::{ListRequest, Model, State};

use crate::caller::{Running, minilm};

/// A folder with a model of four tokens, "a" to "d", and two dimensions; `graph` is the file in `tests/fixtures` to run.
pub fn tiny(graph: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::copy(fixtures.join(graph), folder.path().join("model.onnx")).unwrap();
    let vocabulary = json!({"a": 0, "b": 1, "c": 2, "d": 3});
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "d"},
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}

pub async fn list(sidecar: &Running) -> Vec<Model> {
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
        loading: false,
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
    let message = failed.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("The model could not be loaded: model.onnx: "), "{message}");
    sidecar.stop().await;
}

/// One whose graph takes a single input answered until two callers met in a batch, and then failed both.
#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_cannot_run_a_batch_is_not_loaded() {
    let (any, one) = (tiny("tiny.onnx"), tiny("tiny-one-at-a-time.onnx"));
    let models = json!([{"name": "any", "path": any.path()}, {"name": "one", "path": one.path()}]);
    let sidecar = Running::start(models, json!({})).await;
    while list(&sidecar).await.iter().any(|model| model.state == i32::from(State::Loading)) {
        tokio::task::yield_now().await;
    }
    let [any, one] = list(&sidecar).await.try_into().unwrap();
    assert_eq!((any.state, any.dimensions), (State::Ready.into(), 2), "{}", any.error);
    assert!(one.error.contains("its input \"input_ids\" is Tensor<i64>(1, length)"), "{one:?}");
    let reply = sidecar.embed(&json!({"model": "any", "input": ["a", "b a", "c"]})).await;
    assert_eq!(reply.embeddings(), [[1.0, 0.0], [0.5, 0.5], [1.0, 1.0]]);
    sidecar.stop().await;
}

/// Its tokenizer knows six tokens, the graph four: the other two failed the whole batch, other callers' inputs too.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_only_the_tokenizer_knows_is_its_callers_fault() {
    let tiny = tiny("tiny.onnx");
    std::fs::write(tiny.path().join("config.json"), r#"{"vocab_size": 4}"#).unwrap();
    let path = tiny.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (token, id) in [("e", 4), ("f", 5)] {
        tokenizer["model"]["vocab"][token] = json!(id);
    }
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let sidecar = Running::start(json!([{"name": "tiny", "path": tiny.path()}]), json!({})).await;
    sidecar.until_ready().await;
    let refused = sidecar.embed(&json!({"model": "tiny", "input": [0, 4]})).await;
    assert_eq!(refused.error(), (400, "invalid_request_error".into(), json!("input[1]"), "invalid_value".into()));
    assert_eq!(sidecar.embed(&json!({"model": "tiny", "input": [3]})).await.embeddings(), [[2.0, 0.0]]);
    sidecar.stop().await;
}

/// Alone it was a batch without tokens, which fails; beside others it was a vector of zeros.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_which_a_tokenizer_leaves_nothing_is_its_callers_fault() {
    let tiny = tiny("tiny.onnx");
    let sidecar = Running::start(json!([{"name": "tiny", "path": tiny.path()}]), json!({})).await;
    sidecar.until_ready().await;
    for (input, param) in [(json!(" "), "input"), (json!(["a", "\t"]), "input[1]")] {
        let refused = sidecar.embed(&json!({"model": "tiny", "input": input})).await;
        assert_eq!(refused.error(), (400, "invalid_request_error".into(), json!(param), "invalid_value".into()));
    }
    sidecar.stop().await;
}

//! Models that come, change and go while requests run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tonic::{Code, Status};
use weir_proto::sidecar::v1::models_client::ModelsClient;
use weir_proto::sidecar::v1::{Engine, LoadRequest, Model, State, UnloadRequest};

use crate::caller::{Running, Stream, minilm};
use crate::lifecycle::{big, until};
use crate::models::{list, tiny};

/// A request for the model in `path`, for which `threads` cores are to work.
fn wanted(name: &str, path: &Path, threads: u64) -> LoadRequest {
    LoadRequest {
        name: name.into(),
        path: path.display().to_string(),
        engine: Engine::Onnx.into(),
        threads: Some(threads),
        ..LoadRequest::default()
    }
}

async fn load(sidecar: &Running, request: LoadRequest) -> Result<Model, Status> {
    let loaded = ModelsClient::new(sidecar.channel.clone()).load(request).await?;
    Ok(loaded.into_inner().model.unwrap())
}

async fn unload(sidecar: &Running, name: &str) -> Result<(), Status> {
    let request = UnloadRequest { name: name.into() };
    ModelsClient::new(sidecar.channel.clone()).unload(request).await.map(drop)
}

/// How many loads of a model have ended so.
async fn loads(sidecar: &Running, model: &str, outcome: &str) -> u32 {
    let (_, metrics) = sidecar.admin("/metrics").await;
    let line = format!("weir_sidecar_model_loads_total{{model=\"{model}\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
}

/// Three changes of "b" while callers of "minilm" ask without a pause.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_one_model_fails_while_another_is_loaded_changed_and_unloaded() {
    let sidecar = Running::minilm("onnx").await;
    let (tiny, nowhere) = (tiny("tiny.onnx"), tempfile::tempdir().unwrap().path().join("nowhere"));
    let over = AtomicBool::new(false);
    let callers = (0..4).map(|_| async {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            let reply = sidecar.embed(&json!({"model": "minilm", "input": "weir"})).await;
            assert_eq!(reply.embeddings()[0].len(), 384);
            answered += 1;
        }
        answered
    });
    let ask = async || sidecar.embed(&json!({"model": "b", "input": "b"})).await;
    let unknown = (404, "invalid_request_error".to_owned(), json!("model"), "model_not_found".to_owned());
    let changes = async {
        assert_eq!(ask().await.error(), unknown);
        let model = load(&sidecar, wanted("b", tiny.path(), 1)).await.unwrap();
        assert_eq!((model.state(), model.dimensions, model.error.as_str()), (State::Ready, 2, ""));
        assert_eq!(ask().await.embeddings(), [[0.0, 1.0]]);
        // The same again does nothing, as for a model that was there from the start.
        let all = std::thread::available_parallelism().unwrap().get() as u64;
        load(&sidecar, wanted("minilm", &minilm(), all)).await.unwrap();
        load(&sidecar, wanted("b", tiny.path(), 1)).await.unwrap();
        load(&sidecar, wanted("b", tiny.path(), 2)).await.unwrap();
        assert_eq!(ask().await.embeddings(), [[0.0, 1.0]]);
        let failed = load(&sidecar, wanted("b", &nowhere, 1)).await.unwrap_err();
        assert_eq!(failed.code(), Code::FailedPrecondition);
        assert!(failed.message().contains("no such folder"), "{failed}");
        assert!(failed.message().ends_with("the model of before goes on"), "{failed}");
        assert_eq!(ask().await.embeddings(), [[0.0, 1.0]]);
        let [_, b] = list(&sidecar).await.try_into().unwrap();
        assert!(b.state() == State::Ready && b.error.contains("no such folder"), "{b:?}");
        let failed = load(&sidecar, wanted("c", &nowhere, 1)).await.unwrap_err();
        assert!(!failed.message().contains("goes on"), "{failed}");
        // One that came by a call and cannot be loaded takes nothing else out of service.
        let (status, readiness) = sidecar.admin("/readyz").await;
        let readiness: Value = serde_json::from_str(&readiness).unwrap();
        assert_eq!((status, &readiness["models"][2]["state"]), (200, &json!("failed")));
        unload(&sidecar, "b").await.unwrap();
        unload(&sidecar, "c").await.unwrap();
        assert_eq!(ask().await.error(), unknown);
        over.store(true, Ordering::Relaxed);
    };
    let (answered, ()) = tokio::join!(futures_util::future::join_all(callers), changes);
    assert!(answered.iter().all(|answered| *answered > 0), "{answered:?}");
    assert_eq!((loads(&sidecar, "minilm", "ready").await, loads(&sidecar, "minilm", "failed").await), (1, 0));
    assert_eq!((loads(&sidecar, "b", "ready").await, loads(&sidecar, "b", "failed").await), (2, 1));
    assert_eq!(list(&sidecar).await.len(), 1);
    sidecar.stop().await;
}

/// A request of many inputs that the model works on for seconds.
async fn long(sidecar: &Running) -> Stream {
    let mut stream = Stream::open(&sidecar.channel).await;
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(big(), true).await;
    until(sidecar, "vllm:num_requests_running{model_name=\"minilm\"}", |running| running > 0.0).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_on_a_model_ends_on_it_when_another_takes_its_place_and_when_it_is_unloaded() {
    let sidecar = Running::with("onnx", json!({"queue": {"threads": 1}})).await;
    let mut under_way = long(&sidecar).await;
    load(&sidecar, wanted("minilm", &minilm(), 2)).await.unwrap();
    let next = sidecar.embed(&json!({"model": "minilm", "input": "weir"})).await;
    assert_eq!(next.embeddings().len(), 1);
    assert_eq!(under_way.reply().await.embeddings().len(), 60);

    let mut under_way = long(&sidecar).await;
    let (unloaded, ()) = tokio::join!(unload(&sidecar, "minilm"), async {
        while !list(&sidecar).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let next = sidecar.embed(&json!({"model": "minilm", "input": "weir"})).await;
        assert_eq!(next.error().3, "model_not_found");
        assert_eq!(under_way.reply().await.embeddings().len(), 60);
    });
    unloaded.unwrap();
    // What has been freed runs and holds nothing.
    until(&sidecar, "vllm:num_requests_running{model_name=\"minilm\"}", |running| running == 0.0).await;
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_makes_no_sense_is_refused() {
    let sidecar = Running::minilm("onnx").await;
    let whole = minilm();
    for (request, expect) in [
        (wanted("", &whole, 1), "name: empty"),
        (wanted("m", Path::new("models/m"), 1), "path: \"models/m\" is not absolute"),
        (wanted("m", &whole, 0), "threads: 0 would refuse everything"),
        (LoadRequest { max_waiting: Some(0), ..wanted("m", &whole, 1) }, "max_waiting: 0"),
    ] {
        let refused = load(&sidecar, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(expect), "{refused}");
    }
    assert_eq!(unload(&sidecar, "m").await.unwrap_err().code(), Code::NotFound);
    sidecar.stop().await;
}

/// A model whose files are read for minutes held up the end for all of the time that running requests may take.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_runs_does_not_hold_up_the_end() {
    let folder = tiny("tiny.onnx");
    // The thread that reads a pipe waits for somebody who writes, here until the process ends.
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("config.json")).status();
    assert!(made.unwrap().success());
    let models = json!([{"name": "other", "path": folder.path().join("nowhere")}]);
    let sidecar = Running::start(models, json!({"limits": {"shutdown_seconds": 3600}})).await;
    let (mut client, request) = (ModelsClient::new(sidecar.channel.clone()), wanted("m", folder.path(), 1));
    let loading = tokio::spawn(async move { client.load(request).await });
    while !list(&sidecar).await.iter().any(|model| model.name == "m") {
        tokio::task::yield_now().await;
    }
    let ((), refused) = tokio::join!(sidecar.stop(), loading);
    assert_eq!(refused.unwrap().unwrap_err().code(), Code::Unavailable);
}

//! Starting, stopping, and callers who leave.

use serde_json::{Value, json};
use weir_sidecar::Server;

use crate::caller::{PATIENCE, Running, Stream, admin, connect, minilm, settings};

pub fn big() -> Vec<u8> {
    serde_json::to_vec(&json!({"model": "minilm", "input": vec!["the stream ".repeat(200); 60]})).unwrap()
}

/// Reads a gauge until it is what it should be.
pub async fn until(sidecar: &Running, metric: &str, wanted: impl Fn(f64) -> bool) {
    let reached = async {
        loop {
            let (_, text) = sidecar.admin("/metrics").await;
            let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok());
            if value.is_some_and(&wanted) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect(metric);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_leaves_the_queue() {
    let sidecar = Running::with("onnx", json!({"queue": {"threads": 1}})).await;
    let mut stream = Stream::open(&sidecar.channel).await;
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(big(), true).await;
    until(&sidecar, "vllm:num_requests_waiting{model_name=\"minilm\"}", |waiting| waiting > 0.0).await;
    drop(stream);
    until(&sidecar, "vllm:num_requests_waiting{model_name=\"minilm\"}", |waiting| waiting == 0.0).await;
    until(&sidecar, "vllm:num_requests_running{model_name=\"minilm\"}", |running| running == 0.0).await;
    // Most of it never ran.
    until(&sidecar, "weir_sidecar_batch_inputs_sum{model=\"minilm\"}", |inputs| inputs < 40.0).await;
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_whom_only_the_end_is_told_leaves_the_queue_too() {
    let sidecar = Running::with("onnx", json!({"queue": {"threads": 1}})).await;
    let mut stream = Stream::open(&sidecar.channel).await;
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(big(), true).await;
    until(&sidecar, "vllm:num_requests_waiting{model_name=\"minilm\"}", |waiting| waiting > 0.0).await;
    stream.end();
    assert_eq!(stream.silence().await, 0);
    until(&sidecar, "vllm:num_requests_waiting{model_name=\"minilm\"}", |waiting| waiting == 0.0).await;
    until(&sidecar, "weir_sidecar_bytes_in_flight", |bytes| bytes == 0.0).await;
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_the_sidecar_stops_is_told_to_ask_another() {
    let sidecar = Running::minilm("onnx").await;
    // Opened before it stops: nothing else gets through then.
    let mut stream = Stream::open(&sidecar.channel).await;
    let address = sidecar.admin;
    let (stop, task, folder, channel) = sidecar.stopping();
    stop.send(()).unwrap();
    let draining = async {
        loop {
            let (status, body) = admin(address, "/readyz").await;
            let body: Value = serde_json::from_str(&body).unwrap();
            if body["draining"] == true {
                return (status, body["ready"].clone());
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, draining).await.unwrap(), (503, json!(false)));
    assert_eq!(admin(address, "/healthz").await.0, 200);
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(br#"{"model": "minilm", "input": "a"}"#.to_vec(), true).await;
    let reply = stream.reply().await;
    assert_eq!(reply.error(), (503, "server_error".into(), Value::Null, "draining".into()));
    assert_eq!(reply.headers["retry-after"], "1");
    drop((stream, channel));
    task.await.unwrap().unwrap();
    drop(folder);
}

/// A sidecar, and a request of it that runs.
async fn busy() -> (Running, Stream) {
    let sidecar = Running::minilm("onnx").await;
    let mut stream = Stream::open(&sidecar.channel).await;
    stream.headers("POST", "/v1/embeddings", &[]).await;
    stream.body(big(), true).await;
    until(&sidecar, "vllm:num_requests_running{model_name=\"minilm\"}", |running| running > 0.0).await;
    (sidecar, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_finished_before_the_sidecar_stops() {
    let (sidecar, mut stream) = busy().await;
    let (stop, task, folder, channel) = sidecar.stopping();
    stop.send(()).unwrap();
    assert_eq!(stream.reply().await.embeddings().len(), 60);
    drop((stream, channel));
    task.await.unwrap().unwrap();
    assert!(!folder.path().join("sidecar.sock").exists());
}

/// One that took the place of a sidecar that was ending lost its socket to that, and was never reached again.
#[tokio::test(flavor = "multi_thread")]
async fn who_ends_leaves_the_socket_of_its_successor_alone() {
    let (sidecar, mut stream) = busy().await;
    let (stop, task, folder, channel) = sidecar.stopping();
    stop.send(()).unwrap();
    let models = json!([{"name": "minilm", "path": minilm()}]);
    let successor = async {
        loop {
            match Server::bind(settings(folder.path(), &models, &json!({}))).await {
                Ok(server) => return server,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let successor = tokio::time::timeout(PATIENCE, successor).await.unwrap();
    assert_eq!(stream.reply().await.embeddings().len(), 60);
    drop((stream, channel));
    task.await.unwrap().unwrap();
    let serving = tokio::spawn(successor.serve(std::future::pending()));
    drop(connect(&folder.path().join("sidecar.sock")).await);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sidecar.sock");
    let models = json!([{"name": "minilm", "path": minilm()}]);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let server = Server::bind(settings(folder.path(), &models, &json!({}))).await.unwrap();
    let task = tokio::spawn(server.serve(std::future::pending()));
    drop(connect(&socket).await);
    let refused = Server::bind(settings(folder.path(), &models, &json!({}))).await.err().unwrap();
    assert!(refused.to_string().contains("another sidecar is serving"), "{refused}");
    task.abort();

    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let refused = Server::bind(settings(folder.path(), &models, &json!({"socket": file}))).await.err().unwrap();
    assert!(refused.to_string().contains("not a socket"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

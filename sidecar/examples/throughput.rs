//! Prints embeddings per second: ONNX Runtime called directly, at its best batch size, and through the sidecar's socket, in
//! JSON. Same texts, tokenizer and threads. Envoy is not part of it.
//!
//! Usage: throughput MODEL_FOLDER LIBONNXRUNTIME [SECONDS [FORMAT [WORKERS]]]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Asked;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tonic::transport::{Channel, Endpoint};
use weir_sidecar::Server;
use weir_sidecar::engine::{self, Batch, pool::normalize};
use weir_sidecar::model::recipe::Recipe;
use weir_sidecar::model::tokens::Tokens;
use weir_sidecar::settings::EngineChoice;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, library, rest @ ..] = arguments.as_slice() else {
        return Err("usage: throughput MODEL_FOLDER LIBONNXRUNTIME [SECONDS [FORMAT [WORKERS]]]".into());
    };
    let (folder, library) = (PathBuf::from(folder), PathBuf::from(library));
    let seconds = rest.first().map_or(Ok(5.0), |seconds| seconds.parse())?;
    let span = Duration::from_secs_f64(seconds);
    let format = rest.get(1).map_or("float", String::as_str);
    let workers = rest.get(2).map(|workers| workers.parse::<usize>()).transpose()?;

    let home = std::env::temp_dir().join(format!("weir-throughput-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let socket = home.join("sidecar.sock");
    let settings = json!({
        "socket": socket, "admin": "127.0.0.1:0", "onnxruntime": library, "queue": {"workers": workers},
        "models": [{"name": "m", "path": folder, "engine": "onnx"}],
    });
    let server = Server::bind(serde_json::from_value(settings)?).await?;
    tokio::spawn(server.serve(std::future::pending()));
    let channel = Endpoint::from_static("http://sidecar")
        .connect_with_connector(tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
        }))
        .await?;
    while ask(&channel, &body(1, 16, format)).await.is_err() {
        tokio::task::yield_now().await;
    }
    println!("inputs x tokens, clients: direct emb/s (batch)  sidecar emb/s  share");
    for (inputs, tokens) in [(1, 16), (32, 16), (8, 128)] {
        let candidates = if inputs == 1 { vec![1, 4, 8, 16] } else { vec![8, inputs] };
        let mut best = (0.0, 0);
        for batch in candidates {
            let rate = direct(&folder, &library, batch, tokens, span)?;
            if rate > best.0 {
                best = (rate, batch);
            }
        }
        for clients in [1, 8, 32] {
            let rate = through(&channel, &body(inputs, tokens, format), inputs, clients, span).await?;
            println!(
                "{inputs:>3} x {tokens:<4} {clients:>3}: {:>8.1} ({:>2})  {rate:>8.1}  {:.3}",
                best.0,
                best.1,
                rate / best.0
            );
        }
    }
    std::fs::remove_dir_all(home)?;
    Ok(())
}

/// A text of `tokens` tokens, the two special ones included.
fn text(tokens: usize) -> String {
    ["stream", "mill", "water", "river"].iter().cycle().take(tokens - 2).copied().collect::<Vec<_>>().join(" ")
}

fn body(inputs: usize, tokens: usize, format: &str) -> Vec<u8> {
    json!({"model": "m", "input": vec![text(tokens); inputs], "encoding_format": format}).to_string().into_bytes()
}

/// Two threads with a session each, nothing else.
fn direct(folder: &Path, library: &Path, batch: usize, tokens: usize, span: Duration) -> Outcome<f64> {
    let recipe = Recipe::read(folder)?;
    let tokenizer = Tokens::load(folder, &recipe)?;
    let weights = engine::load(folder, EngineChoice::Onnx, &recipe, Some(library))?;
    let texts = vec![text(tokens); batch];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let engines: Vec<_> = (0..threads).map(|_| weights.engine(1)).collect::<Result<_, _>>()?;
    let (began, total, dimensions) = (Instant::now(), AtomicUsize::new(0), weights.description().dimensions);
    std::thread::scope(|scope| {
        for mut engine in engines {
            let (tokenizer, texts, total) = (&tokenizer, &texts, &total);
            scope.spawn(move || {
                let mut out = Vec::new();
                while began.elapsed() < span {
                    out.clear();
                    let Ok(rows) = tokenizer.rows(texts) else { return };
                    let rows: Vec<&[u32]> = rows.iter().collect();
                    if engine.embed(Batch { rows: &rows, width: tokens }, &mut out).is_err() {
                        return;
                    }
                    out.chunks_exact_mut(dimensions).for_each(normalize);
                    total.fetch_add(batch, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(rate(total.load(Ordering::Relaxed), began.elapsed()))
}

/// `clients` callers, each asking again as soon as it has its answer.
async fn through(channel: &Channel, body: &[u8], inputs: usize, clients: usize, span: Duration) -> Outcome<f64> {
    let (total, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let mut callers = Vec::new();
    for _ in 0..clients {
        let (total, stop, channel, body) = (Arc::clone(&total), Arc::clone(&stop), channel.clone(), body.to_vec());
        callers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                ask(&channel, &body).await?;
                total.fetch_add(inputs, Ordering::Relaxed);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        }));
    }
    tokio::time::sleep(span).await;
    let answered = rate(total.load(Ordering::Relaxed), began.elapsed());
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    Ok(answered)
}

fn rate(count: usize, took: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)] // counts are small
    let count = count as f64;
    count / took.as_secs_f64()
}

async fn ask(channel: &Channel, body: &[u8]) -> Outcome<usize> {
    let header = |(key, value): (&str, &str)| HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let headers = [(":method", "POST"), (":path", "/v1/embeddings")].into_iter().map(header).collect();
    let head = HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
    let body = HttpBody { body: body.to_vec(), end_of_stream: true, ..HttpBody::default() };
    let messages = [Asked::RequestHeaders(head), Asked::RequestBody(body)]
        .map(|request| ProcessingRequest { request: Some(request), ..ProcessingRequest::default() });
    let mut client = ExternalProcessorClient::new(channel.clone());
    let mut answers = client.process(tokio_stream::iter(messages)).await?.into_inner();
    let mut bytes = 0;
    while let Some(message) = answers.message().await? {
        bytes += prost::Message::encoded_len(&message);
    }
    // A refusal is far shorter than any embedding.
    if bytes < 1500 { Err("refused".into()) } else { Ok(bytes) }
}

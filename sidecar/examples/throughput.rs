//! Prints embeddings per second: ONNX Runtime called directly, at its best batch size, and through the sidecar's socket, in
//! JSON. Same texts, tokenizer and threads. Envoy is not part of it.
//!
//! Usage: `throughput MODEL_FOLDER LIBONNXRUNTIME [SECONDS [FORMAT [WORKERS]]]`

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
    println!("inputs x tokens, clients: direct per second, sidecar per second, share; the same per second of CPU");
    for (inputs, tokens) in [(1, 16), (32, 16), (8, 128)] {
        let mut batches = Vec::new();
        for batch in [1, 4, 8, 16, 32] {
            let speed = direct(&folder, &library, batch, tokens, span)?;
            println!("direct, batches of {batch:>2} x {tokens}: {:.1}; {:.1}", speed.wall, speed.cpu);
            batches.push((batch, speed));
        }
        for clients in [1, 8, 32] {
            // Direct callers have no more in flight than ours: every thread holds its part of it.
            let most = (inputs * clients / threads()).max(1);
            let best = batches.iter().filter(|(batch, _)| *batch <= most).fold(Speed::default(), |best, (_, speed)| {
                Speed { wall: best.wall.max(speed.wall), cpu: best.cpu.max(speed.cpu) }
            });
            let speed = through(&channel, &body(inputs, tokens, format), inputs, clients, span).await?;
            println!(
                "{inputs:>3} x {tokens:<4} {clients:>3}: {:>7.1} {:>7.1}  {:.3};  {:>7.1} {:>7.1}  {:.3}",
                best.wall,
                speed.wall,
                speed.wall / best.wall,
                best.cpu,
                speed.cpu,
                speed.cpu / best.cpu
            );
        }
    }
    std::fs::remove_dir_all(home)?;
    Ok(())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A text of `tokens` tokens, the two special ones included.
fn text(tokens: usize) -> String {
    ["stream", "mill", "water", "river"].iter().cycle().take(tokens - 2).copied().collect::<Vec<_>>().join(" ")
}

fn body(inputs: usize, tokens: usize, format: &str) -> Vec<u8> {
    json!({"model": "m", "input": vec![text(tokens); inputs], "encoding_format": format}).to_string().into_bytes()
}

/// One thread per core with a session each, nothing else.
fn direct(folder: &Path, library: &Path, batch: usize, tokens: usize, span: Duration) -> Outcome<Speed> {
    let recipe = Recipe::read(folder)?;
    let tokenizer = Tokens::load(folder, &recipe)?;
    let weights = engine::load(folder, EngineChoice::Onnx, &recipe, Some(library))?;
    let texts = vec![text(tokens); batch];
    let engines: Vec<_> = (0..threads()).map(|_| weights.engine(1)).collect::<Result<_, _>>()?;
    let (meter, total, dimensions) = (Meter::start()?, AtomicUsize::new(0), weights.description().dimensions);
    let began = meter.began;
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
    meter.speed(total.load(Ordering::Relaxed))
}

/// `clients` callers, each asking again as soon as it has its answer.
async fn through(channel: &Channel, body: &[u8], inputs: usize, clients: usize, span: Duration) -> Outcome<Speed> {
    let (total, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let meter = Meter::start()?;
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
    let answered = meter.speed(total.load(Ordering::Relaxed))?;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    Ok(answered)
}

/// Embeddings per second, and per second of CPU, which stays comparable when the machine has other work.
#[derive(Clone, Copy, Debug, Default)]
struct Speed {
    wall: f64,
    cpu: f64,
}

struct Meter {
    began: Instant,
    ticks: u32,
}

impl Meter {
    fn start() -> Outcome<Self> {
        Ok(Self { began: Instant::now(), ticks: Self::ticks()? })
    }

    /// The process's time in user and system mode, in hundredths of a second: fields 14 and 15 of proc(5)'s stat.
    fn ticks() -> Outcome<u32> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        Ok(fields.skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?)
    }

    fn speed(&self, count: usize) -> Outcome<Speed> {
        let (wall, ticks) = (self.began.elapsed().as_secs_f64(), Self::ticks()?.saturating_sub(self.ticks));
        let count = f64::from(u32::try_from(count)?);
        Ok(Speed { wall: count / wall, cpu: count * 100.0 / f64::from(ticks.max(1)) })
    }
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

//! Embeddings: through Envoy and the sidecar, against ONNX Runtime called directly.
//!
//! Same texts, tokenizer and threads; the direct caller has no more in flight than ours, and is taken at its best batch
//! size. Measured in two [arrangements](Cores).

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use weir_control::Environment;
use weir_sidecar::embed::normalize;
use weir_sidecar::engine::{self, Batch};
use weir_sidecar::models::recipe::Recipe;
use weir_sidecar::models::tokens::Tokens;
use weir_sidecar::settings::EngineChoice;

use crate::envoy::Place;
use crate::load::{self, Call, median};
use crate::{envoy, setups};

const MODEL: &str = "all-minilm-l6-v2";
/// Inputs and tokens of one request.
const SHAPES: [(usize, usize); 3] = [(1, 16), (32, 16), (8, 128)];
const CLIENTS: [usize; 3] = [1, 8, 32];

/// Which cores inference has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// All of them, as `weir up` has it: Envoy, the callers and the sidecar's network run on the same ones.
    Shared,
    /// One, on which nothing else runs; all else has another one. What a device of its own would see.
    Own,
}

impl Cores {
    /// Threads of inference.
    fn threads(self) -> usize {
        match self {
            Self::Shared => std::thread::available_parallelism().map_or(1, usize::from),
            Self::Own => 1,
        }
    }

    /// The core of inference, where it has one.
    fn inference(self) -> Option<usize> {
        (self == Self::Own).then_some(0)
    }

    /// The core of all else.
    fn others(self) -> Option<usize> {
        (self == Self::Own).then_some(1)
    }
}

/// Share of the direct speed in each cell.
pub(crate) struct Embeddings {
    rows: Vec<Row>,
}

struct Row {
    cores: Cores,
    shape: (usize, usize),
    clients: usize,
    direct: f64,
    weir: f64,
}

impl Embeddings {
    /// The worst share with 8 and 32 clients; a single client cannot keep every core busy and is printed apart.
    pub(crate) fn ratio(&self, cores: Cores) -> f64 {
        let cells = self.rows.iter().filter(|row| row.cores == cores && row.clients > 1);
        cells.map(|row| row.weir / row.direct).fold(f64::INFINITY, f64::min)
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from(
            "| cores of inference | inputs × tokens | clients | direct/s | Weir/s | share |\n|---|---|---|---|---|---|\n",
        );
        for Row { cores, shape: (inputs, tokens), clients, direct, weir } in &self.rows {
            let (cores, share) = (if *cores == Cores::Own { "one of its own" } else { "shared" }, weir / direct);
            let _ =
                writeln!(text, "| {cores} | {inputs}×{tokens} | {clients} | {direct:.0} | {weir:.0} | {share:.2} |");
        }
        text
    }
}

/// Measures every cell `rounds` times, direct and Weir in turn.
pub(crate) async fn measure(folder: &Path, rounds: usize) -> io::Result<Embeddings> {
    let mut rows = measure_on(folder, rounds, Cores::Shared).await?;
    rows.extend(measure_on(folder, rounds, Cores::Own).await?);
    envoy::pin(None);
    Ok(Embeddings { rows })
}

async fn measure_on(folder: &Path, rounds: usize, cores: Cores) -> io::Result<Vec<Row>> {
    envoy::pin(cores.others());
    let (model, library) = model();
    let (sidecar, weir) = local(folder, cores.others().map_or(Place::Anywhere, Place::Core), cores).await?;
    if let Some(core) = cores.inference() {
        sidecar.pin_threads("inference", core)?;
    }
    let mut cells: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); SHAPES.len() * CLIENTS.len()];
    for round in 0..rounds {
        eprintln!("embeddings, {cores:?}, round {} of {rounds}", round + 1);
        let mut next = cells.iter_mut();
        for (inputs, tokens) in SHAPES {
            let batches = [1, 4, 8, 16, 32];
            let speeds =
                batches.map(|batch| direct(&model, &library, cores, (batch, tokens), Duration::from_millis(700)));
            for clients in CLIENTS {
                let most = (inputs * clients / cores.threads()).max(1);
                let mut best = 0.0;
                for (batch, speed) in batches.iter().zip(&speeds) {
                    let speed = speed.as_ref().map_err(|error| io::Error::other(error.clone()))?;
                    best = if *batch <= most { f64::max(best, *speed) } else { best };
                }
                let call = call(&weir, (inputs, tokens));
                load::run(&call, clients, Duration::from_millis(200)).await?;
                let run = load::run(&call, clients, Duration::from_millis(1500)).await?;
                if let Some((direct, weir)) = next.next() {
                    direct.push(best);
                    weir.push(run.rate() * load::precise(inputs as u64));
                }
            }
        }
    }
    let keys = SHAPES.into_iter().flat_map(|shape| CLIENTS.into_iter().map(move |clients| (shape, clients)));
    let rows = keys.zip(cells).map(|((shape, clients), (direct, weir))| Row {
        cores,
        shape,
        clients,
        direct: median(direct),
        weir: median(weir),
    });
    Ok(rows.collect())
}

/// Where the model and ONNX Runtime are.
fn model() -> (PathBuf, PathBuf) {
    let cache = Environment::of_process().cache;
    (cache.join("models").join(MODEL), cache.join("onnxruntime/libonnxruntime.so"))
}

/// A sidecar, and Weir in front of it.
pub(crate) async fn local(folder: &Path, place: Place, cores: Cores) -> io::Result<(envoy::Running, envoy::Running)> {
    let (model, library) = model();
    let socket = std::path::absolute(folder.join("sidecar.sock"))?;
    let admin = weir_ports::free();
    let settings = json!({
        "socket": socket, "admin": admin.to_string(), "onnxruntime": library,
        "models": [{ "name": MODEL, "path": model, "engine": "onnx" }],
        "queue": { "threads": cores.threads() },
    });
    let file = folder.join("sidecar.json");
    std::fs::write(&file, settings.to_string())?;
    let weir = release("weir")?;
    let program = [weir.as_os_str(), "sidecar".as_ref(), "--config".as_ref(), file.as_os_str()];
    let sidecar = envoy::spawn(&program, &folder.join("sidecar.log"), admin, cores.others())?;
    let weir = setups::local(folder, MODEL, &socket, place)?;
    wait_until_ready(weir.address).await?;
    Ok((sidecar, weir))
}

/// A request for embeddings of `inputs` texts of `tokens` tokens each.
pub(crate) fn call(weir: &envoy::Running, (inputs, tokens): (usize, usize)) -> Call {
    Call::post(weir.address, "/v1/embeddings", envoy::KEY, &body(inputs, tokens))
}

/// The first requests find the model still loading.
async fn wait_until_ready(address: std::net::SocketAddr) -> io::Result<()> {
    let call = Call::post(address, "/v1/embeddings", envoy::KEY, &body(1, 16));
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match load::run(&call, 1, Duration::from_millis(100)).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A binary of the same build as this one.
fn release(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A text of `tokens` tokens, the two special ones included.
fn text(tokens: usize) -> String {
    ["stream", "mill", "water", "river"].iter().cycle().take(tokens - 2).copied().collect::<Vec<_>>().join(" ")
}

fn body(inputs: usize, tokens: usize) -> String {
    // base64, as the official SDKs ask.
    json!({ "model": MODEL, "input": vec![text(tokens); inputs], "encoding_format": "base64" }).to_string()
}

/// Embeddings a second with one thread for each core of inference and a session each, and nothing else.
fn direct(
    folder: &Path,
    library: &Path,
    cores: Cores,
    (batch, tokens): (usize, usize),
    span: Duration,
) -> Result<f64, String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let recipe = Recipe::read(folder).map_err(|error| say(&error))?;
    let tokenizer = Tokens::load(folder, &recipe).map_err(|error| say(&error))?;
    let weights = engine::find(folder, EngineChoice::Onnx)
        .and_then(|found| found.load(recipe.pooling, Some(library)))
        .map_err(|error| say(&error))?;
    let texts = vec![text(tokens); batch];
    let engines: Result<Vec<_>, _> = (0..cores.threads()).map(|_| weights.engine(1)).collect();
    let engines = engines.map_err(|error| say(&error))?;
    let (total, dimensions) = (AtomicUsize::new(0), weights.description().dimensions);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for mut engine in engines {
            let (tokenizer, texts, total) = (&tokenizer, &texts, &total);
            scope.spawn(move || {
                envoy::pin(cores.inference());
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
    Ok(load::precise(total.load(Ordering::Relaxed) as u64) / began.elapsed().as_secs_f64())
}

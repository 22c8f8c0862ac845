//! `make bench`: Weir against the direct call, bare Envoy and a no-op filter, interleaved in one run.
//!
//! Each Envoy has one worker on core 0; callers and simulator share core 1. Every figure is the median over the
//! rounds; what is compared was measured within the same seconds. Writes `target/bench/summary.json`.

mod count;
mod embeddings;
mod envoy;
mod load;
mod quota;
mod report;
mod setups;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use weir_sim::{Compression, Effort, Keep, Options, Sim};

use embeddings::Cores;
use envoy::Place;
use load::{Call, median};
use report::{Cell, Table};

/// The core that the Envoys run on, and the core for everything else.
const ENVOY_CORE: Place = Place::Core(0);
const OWN_CORE: Option<usize> = Some(1);
const CALLERS: usize = 32;
/// Where everything is written.
const FOLDER: &str = "target/bench";
/// Events in a long stream.
const EVENTS: u32 = 512;

fn main() -> io::Result<()> {
    envoy::pin(OWN_CORE);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = match arguments.as_slice() {
        [flag, setup, kind] if flag == "--profile" => runtime.block_on(profile(setup, kind)),
        [flag, clients] if flag == "--profile-local" => runtime.block_on(profile_local(clients)),
        [flag, setup, kind] if flag == "--count" => runtime.block_on(count(setup, kind)),
        [flag] if flag == "--embeddings" => runtime.block_on(embeddings_only()),
        _ => runtime.block_on(bench(if quick { 2 } else { 7 })),
    };
    // Gigabytes, of no use to anybody.
    done.and(setups::remove_access_logs(Path::new(FOLDER)))
}

/// The embeddings' table alone.
async fn embeddings_only() -> io::Result<()> {
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder)?;
    let embeddings = embeddings::measure(folder, 3).await?;
    let [shared, own] = [Cores::Shared, Cores::Own].map(|cores| embeddings.ratio(cores));
    println!("{}worst with 8 and 32 clients: {shared:.2} shared, {own:.2} on a core of its own", embeddings.table());
    Ok(())
}

/// Keeps one setup busy for ten seconds and prints what it costs: something to point a profiler at.
async fn profile(setup: &str, kind: &str) -> io::Result<()> {
    let (_sim, running, call) = one(setup, kind, ENVOY_CORE).await?;
    println!("Envoy's process id: {}", running.id());
    for _ in 0..5 {
        let before = running.cpu_us()?;
        let busy = load::run(&call, CALLERS, Duration::from_secs(2)).await?;
        let cpu = (running.cpu_us()? - before) / load::precise(busy.answers);
        println!("{:.0} answers/s, {cpu:.1} µs of Envoy's processor time each", busy.rate());
    }
    Ok(())
}

/// Lets `clients` ask for short embeddings for ten seconds, and prints what each costs Envoy, the sidecar and the callers.
async fn profile_local(clients: &str) -> io::Result<()> {
    let clients = clients.parse().map_err(io::Error::other)?;
    envoy::pin(None);
    std::fs::create_dir_all(FOLDER)?;
    let (sidecar, weir) = embeddings::local(Path::new(FOLDER), Place::Anywhere, Cores::Shared).await?;
    let call = embeddings::call(&weir, (1, 16));
    for _ in 0..5 {
        let (own, theirs) = (envoy::own_cpu_us()?, (weir.cpu_us()?, sidecar.threads_cpu_us()?));
        let busy = load::run(&call, clients, Duration::from_secs(2)).await?;
        let each = |us: f64| us / load::precise(busy.answers);
        print!("{:.0} answers/s; µs of processor time each: Envoy {:.0}", busy.rate(), each(weir.cpu_us()? - theirs.0));
        print!(", callers {:.0}", each(envoy::own_cpu_us()? - own));
        for (name, us) in sidecar.threads_cpu_us()? {
            let before = theirs.1.get(&name).copied().unwrap_or_default();
            print!(", {name} {:.0}", each(us - before));
        }
        println!();
    }
    Ok(())
}

/// Counts the instructions of an answer in one setup.
async fn count(setup: &str, kind: &str) -> io::Result<()> {
    envoy::pin(None);
    if setup == "local" {
        let (_sidecar, weir) = embeddings::local(Path::new(FOLDER), Place::Callgrind, Cores::Shared).await?;
        let count = count::per_answer(Path::new(FOLDER), &weir, &embeddings::call(&weir, (1, 16))).await?;
        println!("{setup}: {count:.0} instructions of Envoy's for an embedding");
        return Ok(());
    }
    let (_sim, running, call) = one(setup, kind, Place::Callgrind).await?;
    let count = count::per_answer(Path::new(FOLDER), &running, &call).await?;
    println!("{setup}, {kind}: {count:.0} instructions of Envoy's for an answer");
    Ok(())
}

/// The simulator, one setup in front of it, and what it is asked.
async fn one(setup: &str, kind: &str, place: Place) -> io::Result<(Sim, envoy::Running, Call)> {
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder)?;
    // A fixed port, so that a bootstrap which an earlier run left behind can be changed by hand and profiled too.
    let up = SocketAddr::from(([127, 0, 0, 1], 10900));
    let sim = Sim::start(Options { listen: up, ..simulated(24) }).await.map_err(io::Error::other)?;
    let running = match setup {
        path if Path::new(path).extension().is_some_and(|extension| extension == "json") => {
            setups::from_file(Path::new(path), place)?
        }
        "bare" => setups::bare(folder, up, place)?,
        "noop" => setups::noop(folder, up, place)?,
        "translate" => setups::weir(folder, setup, setups::NATIVE, "anthropic", up, place)?,
        "limits" => setups::limited(folder, setup, setups::NATIVE, up, place)?,
        "limits, wasm" => setups::limited(folder, setup, setups::WASM, up, place)?,
        "relay, wasm" => setups::weir(folder, setup, setups::WASM, "openai", up, place)?,
        "translate, wasm" => setups::weir(folder, setup, setups::WASM, "anthropic", up, place)?,
        _ => setups::weir(folder, setup, setups::NATIVE, "openai", up, place)?,
    };
    let body = bodies().into_iter().find(|(name, _)| name == kind).map(|(_, body)| body).unwrap_or_default();
    let call = Call::post(running.address, "/v1/chat/completions", envoy::KEY, &body);
    Ok((sim, running, call))
}

async fn bench(rounds: usize) -> io::Result<()> {
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder)?;
    let sim = simulator(24).await?;
    let long = simulator(EVENTS).await?;
    let up = sim.address();
    let setups: Vec<(&str, Option<envoy::Running>)> = vec![
        ("direct", None),
        ("bare", Some(setups::bare(folder, up, ENVOY_CORE)?)),
        ("noop", Some(setups::noop(folder, up, ENVOY_CORE)?)),
        ("relay", Some(setups::weir(folder, "relay", setups::NATIVE, "openai", up, ENVOY_CORE)?)),
        ("relay, wasm", Some(setups::weir(folder, "relay-wasm", setups::WASM, "openai", up, ENVOY_CORE)?)),
        ("limits", Some(setups::limited(folder, "limits", setups::NATIVE, up, ENVOY_CORE)?)),
        ("limits, wasm", Some(setups::limited(folder, "limits-wasm", setups::WASM, up, ENVOY_CORE)?)),
        ("translate", Some(setups::weir(folder, "translate", setups::NATIVE, "anthropic", up, ENVOY_CORE)?)),
        ("translate, wasm", Some(setups::weir(folder, "translate-wasm", setups::WASM, "anthropic", up, ENVOY_CORE)?)),
    ];
    let mut cells: BTreeMap<(String, String), Vec<Cell>> = BTreeMap::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (kind, body) in bodies() {
            for (name, running) in &setups {
                let address = running.as_ref().map_or(up, |running| running.address);
                let call = Call::post(address, "/v1/chat/completions", envoy::KEY, &body);
                load::run(&call, CALLERS, Duration::from_millis(150)).await?;
                let before = running.as_ref().map(envoy::Running::cpu_us).transpose()?.unwrap_or_default();
                let busy = load::run(&call, CALLERS, Duration::from_millis(900)).await?;
                let after = running.as_ref().map(envoy::Running::cpu_us).transpose()?.unwrap_or_default();
                let alone = load::run(&call, 1, Duration::from_millis(400)).await?;
                cells.entry((kind.clone(), (*name).to_owned())).or_default().push(Cell {
                    rate: busy.rate(),
                    p50_us: alone.p50_us(),
                    first_token_us: alone.first_token_us(),
                    cpu_us: (after - before) / load::precise(busy.answers),
                });
            }
        }
    }
    drop(setups);
    let event_us = events(folder, &long, rounds).await?;
    let embeddings = embeddings::measure(folder, rounds.div_ceil(2)).await?;
    let quota = quota::measure(folder, &bodies(), rounds).await?;
    let table = Table::new(cells, event_us, embeddings, quota);
    println!("{table}");
    std::fs::write(folder.join("summary.json"), table.summary().to_string())?;
    Ok(())
}

/// What one relayed event costs in the attempt role: processor time of long streams, the wasm filter's less the no-op
/// filter's, which is wasm too.
async fn events(folder: &Path, sim: &Sim, rounds: usize) -> io::Result<f64> {
    let up = sim.address();
    let setups = [
        setups::noop(folder, up, ENVOY_CORE)?,
        setups::weir(folder, "events", setups::WASM, "openai", up, ENVOY_CORE)?,
    ];
    let (_, body) = bodies().remove(2);
    let mut costs = Vec::new();
    for _ in 0..rounds {
        let mut per_stream = Vec::new();
        for running in &setups {
            let call = Call::post(running.address, "/v1/chat/completions", envoy::KEY, &body);
            load::run(&call, 8, Duration::from_millis(150)).await?;
            let before = running.cpu_us()?;
            let busy = load::run(&call, 8, Duration::from_millis(900)).await?;
            per_stream.push((running.cpu_us()? - before) / load::precise(busy.answers));
        }
        if let [noop, weir] = per_stream.as_slice() {
            costs.push((weir - noop) / f64::from(EVENTS));
        }
    }
    Ok(median(costs))
}

async fn simulator(tokens: u32) -> io::Result<Sim> {
    Sim::start(simulated(tokens)).await.map_err(io::Error::other)
}

fn simulated(tokens: u32) -> Options {
    Options {
        tokens: Some(tokens),
        compression: Compression::Never,
        keep: Keep::NOTHING,
        effort: Effort::Prerendered,
        ..Options::default()
    }
}

/// Request bodies by name: whole and streamed, 1 KB and 32 KB.
fn bodies() -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    for (mode, stream) in [("whole", ""), ("streamed", ",\"stream\":true")] {
        for (size, bytes) in [("1 KB", 1 << 10), ("32 KB", 32 << 10)] {
            let text = "weir ".repeat(bytes / 5 - 24);
            let body = format!(
                "{{\"model\":\"gpt-4o\",\"max_tokens\":64,\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]{stream}}}"
            );
            bodies.push((format!("{mode}, {size}"), body));
        }
    }
    bodies
}

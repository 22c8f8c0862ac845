//! Limits: whether a budget holds when 64 callers spend it to its end, what limits cost when many callers and workers meet at the
//! same ones, and how often control is asked.

use std::io;
use std::path::Path;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use weir_control::AdminAddress;
use weir_sim::{Compression, Keep, Options, Sim};
use weir_tests::Control;

use crate::envoy::{self, Place};
use crate::load::{self, Call, median, precise};
use crate::{setups, simulator};

/// The budget of each run, in tokens.
const BUDGET: u64 = 2_000_000;

/// How many callers spend it.
const CALLERS: usize = 64;

/// How many callers meet at the same limits.
const CROWDS: [usize; 3] = [1, 8, 64];

/// Four workers, so that several write the same cells at once.
const WORKERS: Place = Place::Workers(4);

/// What limits cost.
pub(crate) struct Quota {
    /// By how many tokens 64 callers exceeded a budget.
    pub(crate) overshoot: u64,
    /// By the number of callers: how many answers a second there are under six limits, of those without, natively and in wasm.
    pub(crate) crowds: Vec<(usize, f64, f64)>,
    /// How often control was asked, for 1 000 requests of 8 callers under six shared limits.
    pub(crate) exchanges: f64,
}

/// Measures all of it.
pub(crate) async fn measure(folder: &Path, bodies: &[(String, String)], rounds: usize) -> io::Result<Quota> {
    let body = bodies.first().map(|(_, body)| body.as_str()).unwrap_or_default();
    let crowds = crowds(folder, body, rounds).await?;
    let exchanges = exchanges(folder, body).await?;
    Ok(Quota { overshoot: overshoot(folder, body).await?, crowds, exchanges })
}

async fn crowds(folder: &Path, body: &str, rounds: usize) -> io::Result<Vec<(usize, f64, f64)>> {
    let sim = simulator(24).await?;
    let up = sim.address();
    let setups = [
        setups::weir(folder, "crowd", setups::NATIVE, "openai", up, WORKERS)?,
        setups::limited(folder, "crowd-limits", setups::NATIVE, up, WORKERS)?,
        setups::weir(folder, "crowd-wasm", setups::WASM, "openai", up, WORKERS)?,
        setups::limited(folder, "crowd-limits-wasm", setups::WASM, up, WORKERS)?,
    ];
    let mut crowds = Vec::new();
    for callers in CROWDS {
        let (mut native, mut wasm) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut rates = Vec::new();
            for running in &setups {
                let call = Call::post(running.address, "/v1/chat/completions", envoy::KEY, body);
                load::run(&call, callers, Duration::from_millis(150)).await?;
                rates.push(load::run(&call, callers, Duration::from_millis(900)).await?.rate());
            }
            if let [free, limited, free_wasm, limited_wasm] = rates.as_slice() {
                native.push(limited / free);
                wasm.push(limited_wasm / free_wasm);
            }
        }
        crowds.push((callers, median(native), median(wasm)));
    }
    Ok(crowds)
}

async fn exchanges(folder: &Path, body: &str) -> io::Result<f64> {
    const NAME: &str = "shared";
    let (sim, mut control) = (simulator(24).await?, Control::new());
    let running = setups::shared(folder, NAME, sim.address(), control.address())?;
    control.start(&setups::limits(folder, NAME)?).await;
    let call = Call::post(running.address, "/v1/chat/completions", envoy::KEY, body);
    // The first requests get the first leases.
    load::run(&call, 8, Duration::from_secs(2)).await?;
    let before = asked(folder, NAME).await?;
    let run = load::run(&call, 8, Duration::from_secs(5)).await?;
    Ok(precise(asked(folder, NAME).await? - before) * 1000.0 / precise(run.answers))
}

/// How often an Envoy has asked control.
async fn asked(folder: &Path, name: &str) -> io::Result<u64> {
    let admin = AdminAddress::Socket(setups::admin(folder, name)?);
    let path = "/stats?filter=^cluster\\.weir-control\\.upstream_rq_total$&format=json";
    let answer: Value = serde_json::from_str(&admin.ask(Method::GET, path).await?.text()).map_err(io::Error::other)?;
    let value = answer.pointer("/stats/0/value").and_then(Value::as_u64);
    value.ok_or_else(|| io::Error::other("Envoy does not tell how often control was asked"))
}

/// By how many tokens the budget was exceeded, as the simulator bills them; the larger of both filters.
async fn overshoot(folder: &Path, body: &str) -> io::Result<u64> {
    let mut most = 0;
    for (name, filter) in [("budget", setups::NATIVE), ("budget-wasm", setups::WASM)] {
        let options = Options { compression: Compression::Never, keep: Keep::NOTHING, ..Options::default() };
        let sim = Sim::start(options).await.map_err(io::Error::other)?;
        let running = setups::budget(folder, name, filter, BUDGET, sim.address())?;
        let call = Call::post(running.address, "/v1/chat/completions", envoy::KEY, body);
        // Until nothing is billed any more.
        let mut billed = 0;
        loop {
            // It ends with the first refusal; the other callers go on until theirs.
            let _ = load::run(&call, CALLERS, Duration::from_millis(500)).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = sim.spent().values().map(|spent| spent.input + spent.output).sum();
            if now == billed && now > 0 {
                break;
            }
            billed = now;
        }
        eprintln!("{name}: {billed} tokens of {BUDGET} were billed");
        most = most.max(billed.saturating_sub(BUDGET));
    }
    Ok(most)
}

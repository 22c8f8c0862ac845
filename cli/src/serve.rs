//! The commands that are one long-running part: the sidecar, the simulator. `weir up` starts them; they also stand alone.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use weir_places::{Places, envoy};
use weir_sidecar::engine::onnx;
use weir_sim::{Keep, Keyless, Options, Sim};

use crate::args;
use crate::problem::{Outcome, Problem};
use crate::say;
use crate::up::limits::close_to_others;

/// `weir sidecar`.
pub(crate) fn sidecar(config: &Path) -> Outcome {
    if !onnx::is_quiet() {
        // Only a new process can be given a variable without risk: the same again, with it.
        let (name, value) = onnx::QUIET;
        let mut again = Command::new("/proc/self/exe");
        let error = again.arg0("weir").args(std::env::args_os().skip(1)).env(name, value).exec();
        return Err(Problem::Failed(format!("cannot start with {name}={value}: {error}; set it in the environment")));
    }
    close_to_others();
    let settings = weir_sidecar::Settings::read(config).map_err(|error| Problem::Failed(error.to_string()))?;
    runtime()?.block_on(async {
        let telemetry = weir_sidecar::telemetry::init(settings.otlp.as_deref())
            .map_err(|error| Problem::Failed(error.to_string()))?;
        let served = weir_sidecar::run(settings, asked_to_stop()).await;
        telemetry.end();
        served.map_err(|error| Problem::Failed(error.to_string()))
    })
}

/// `weir sim`.
pub(crate) fn sim(args: args::Sim) -> Outcome {
    if args.list_faults {
        for listed in weir_sim::faults() {
            say::result(&format!("{:<22} {}", listed.name, listed.what))?;
        }
        return Ok(());
    }
    // Not a flag: any process of the machine can read those.
    let token = std::env::var("WEIR_SIM_TOKEN").ok().filter(|token| !token.is_empty());
    let options = Options {
        keep: if token.is_some() { Keep::default() } else { Keep::NOTHING },
        token,
        listen: args.listen,
        keys: args.keys,
        keyless: if args.keyless { Keyless::Admit } else { Keyless::Refuse },
        faults: args.faults,
        pace: args.pace,
        tokens: args.tokens,
        fixtures: args.fixtures,
        ..Options::default()
    };
    runtime()?.block_on(async {
        let sim = Sim::start(options).await.map_err(|error| Problem::Failed(error.to_string()))?;
        say::result(&format!("simulated provider at {}; what it can do: {}/_sim/", sim.url(), sim.url()))?;
        asked_to_stop().await;
        sim.stop().await;
        Ok(())
    })
}

/// `weir fetch`: what is there, and how to get the rest.
pub(crate) fn fetch() -> Outcome {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    let mut missing = Vec::new();
    match envoy::find(&places) {
        Ok(found) => say::result(&format!("Envoy {} ({}): {}", found.version, found.origin, found.path.display()))?,
        Err(problem) => missing.push(problem.to_string()),
    }
    for (what, path) in [
        ("ONNX Runtime", places.onnxruntime()),
        ("all-MiniLM-L6-v2", places.models().join("all-minilm-l6-v2/model.safetensors")),
    ] {
        if path.exists() {
            say::result(&format!("{what}: {}", path.display()))?;
        } else {
            missing.push(format!("no {what} at {}; run `cargo xtask fetch` in a clone of Weir", path.display()));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Problem::Failed(missing.join("\n      "))) }
}

fn runtime() -> Outcome<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("cannot start: {error}")))
}

/// Completes at the first Ctrl-C or SIGTERM.
pub(crate) async fn asked_to_stop() {
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        // Without a handler the signal ends the process by itself, which is what was asked for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// An address that nobody listens on, `wanted` if possible.
pub(crate) fn free(wanted: SocketAddr) -> SocketAddr {
    let bound = std::net::TcpListener::bind(wanted)
        .or_else(|_| std::net::TcpListener::bind(SocketAddr::new(wanted.ip(), 0)))
        .and_then(|listener| listener.local_addr());
    bound.unwrap_or(wanted)
}

//! The parts of a node that are this binary's own: the sidecar and the simulator. A node starts them; they also stand alone.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tokio::runtime::Runtime;
use weir_sidecar::engine::onnx;
use weir_sim::{Options, Sim};

use crate::limits::close_to_others;
use crate::problem::{Outcome, Problem};
use crate::say;
use crate::signals::asked_to_stop;

/// `weir sidecar`.
pub fn sidecar(config: &Path) -> Outcome {
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
pub fn sim(options: Options) -> Outcome {
    runtime()?.block_on(async {
        let sim = Sim::start(options).await.map_err(|error| Problem::Failed(error.to_string()))?;
        say::result(&format!("simulated provider at {}; what it can do: {}/_sim/", sim.url(), sim.url()))?;
        asked_to_stop().await;
        sim.stop().await;
        Ok(())
    })
}

fn runtime() -> Outcome<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("cannot start: {error}")))
}

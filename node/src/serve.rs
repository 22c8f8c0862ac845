//! The programs that are this binary itself: the sidecar and the simulator. A node starts them, and so can a person.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use weir_sidecar::engine::onnx;
use weir_sim::{Options, Sim};

use crate::problem::{Outcome, Problem};
use crate::signals::asked_to_stop;
use crate::{private, runtime, say};

/// Serves local models until asked to stop, with the settings in this file.
pub fn sidecar(settings: &Path) -> Outcome {
    if !onnx::is_quiet() {
        // A process with threads cannot set a variable safely. It replaces itself by a new one that has the variable.
        let (name, value) = onnx::QUIET;
        let mut again = Command::new("/proc/self/exe");
        let error = again.arg0("weir").args(std::env::args_os().skip(1)).env(name, value).exec();
        return Err(Problem::Failed(format!("cannot start with {name}={value}: {error}; set it in the environment")));
    }
    private::from_now_on();
    let settings = weir_sidecar::Settings::read(settings).map_err(|error| Problem::Failed(error.to_string()))?;
    runtime::threads()?.block_on(async {
        let telemetry = weir_sidecar::telemetry::init(settings.otlp.as_deref())
            .map_err(|error| Problem::Failed(error.to_string()))?;
        let served = weir_sidecar::run(settings, asked_to_stop()).await;
        telemetry.end();
        served.map_err(|error| Problem::Failed(error.to_string()))
    })
}

/// Serves a simulated provider until asked to stop.
pub fn sim(options: Options) -> Outcome {
    runtime::threads()?.block_on(async {
        let sim = Sim::start(options).await.map_err(|error| Problem::Failed(error.to_string()))?;
        say::result(&format!("simulated provider at {}; what it can do: {}/_sim/", sim.url(), sim.url()))?;
        asked_to_stop().await;
        sim.stop().await;
        Ok(())
    })
}

//! Whether a budget holds: 64 callers spend it to its end.

use std::io;
use std::path::Path;
use std::time::Duration;

use weir_sim::{Compression, Keep, Options, Sim};

use crate::load::{self, Call};
use crate::{envoy, setups};

/// The budget of each run, in tokens.
const BUDGET: u64 = 2_000_000;

/// How many callers spend it.
const CALLERS: usize = 64;

/// By how many tokens the budget was exceeded, as the simulator bills them; the larger of both filters.
pub(crate) async fn overshoot(folder: &Path, bodies: &[(String, String)]) -> io::Result<u64> {
    let body = bodies.first().map(|(_, body)| body.as_str()).unwrap_or_default();
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

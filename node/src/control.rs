//! `weir control`: limits that several Envoys share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use weir_control::state::book::Ledger;
use weir_control::state::limits::Limits;
use weir_control::state::listen::{self, Guard, Listener};
use weir_control::state::pools::Pools;
use weir_control::state::serve::serve;
use weir_control::state::store;
use weir_control::{Environment, Loaded, References, ledger};
use weir_places::Places;

use crate::problem::{Outcome, Problem};
use crate::signals::asked_to_stop;
use crate::{configuration, private, runtime, say};

/// The name of the embedded store's file, in Weir's state folder.
pub const FILE: &str = "leases.sqlite";

/// How often the configuration's files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What control is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration; `None` is the usual one.
    pub config: Option<PathBuf>,
    /// Where it listens.
    pub listen: listen::Address,
    /// Where leases are kept; `None` is a SQLite file in the state folder.
    pub store: Option<store::Address>,
    /// The ledger; `None` is the one in the state folder.
    pub ledger: Option<PathBuf>,
    /// What protects the listener.
    pub guard: Guard,
}

/// Serves until asked to stop.
pub fn run(options: Options) -> Outcome {
    private::from_now_on();
    let failed = |problem: String| Problem::Failed(problem);
    let file = configuration::find(options.config.as_deref())?;
    let places = Places::here().map_err(|error| failed(error.to_string()))?;
    let mut environment = configuration::environment(&places);
    // Only limits are read here. Credentials are where Envoy runs.
    environment.references = References::Elsewhere { base: None };
    let loaded = weir_control::load(&file, &environment)?;
    let made = std::fs::create_dir_all(&places.state);
    made.map_err(|error| failed(format!("{}: {error}", places.state.display())))?;
    let address = options.store.unwrap_or_else(|| store::Address::Sqlite(places.state.join(FILE)));
    let ledger = options.ledger.unwrap_or_else(|| places.state.join(ledger::FILE));
    runtime::threads()?.block_on(async {
        let (book, tell) = (Arc::new(Ledger::new(ledger)), Arc::new(|text: &str| say::line(text)));
        let pools = Arc::new(Pools::new(address.clone(), limits(&loaded), book, tell));
        let listener = Listener::bind(&options.listen, options.guard).await;
        let listener = listener.map_err(|error| failed(error.to_string()))?;
        if let Err(away) = pools.check(weir_control::state::now()).await {
            // A store that comes later is found. Until then Envoys do what their limits say for that.
            say::line(&format!("{address}: {away}"));
        }
        let follower = tokio::spawn(follow(file, environment, loaded.files, Arc::clone(&pools)));
        say::result(&format!("control at {}; leases in {address}", listener.address()))?;
        serve(listener, pools, asked_to_stop()).await;
        follower.abort();
        Ok(())
    })
}

fn limits(loaded: &Loaded) -> Limits {
    Limits::of(loaded.gateway.routing().quotas.all())
}

/// Takes the limits of each configuration that has no errors.
async fn follow(file: PathBuf, environment: Environment, mut files: Vec<PathBuf>, pools: Arc<Pools>) {
    let mut seen = stamps(&files);
    loop {
        sleep(LOOK).await;
        let now = stamps(&files);
        if now == seen {
            continue;
        }
        seen = now;
        match weir_control::load(&file, &environment) {
            Ok(loaded) => {
                pools.set_limits(limits(&loaded));
                if loaded.files != files {
                    files = loaded.files;
                    seen = stamps(&files);
                }
            }
            Err(found) => say::line(&Problem::Config(found).to_string()),
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.iter().map(|path| stamp(path)).collect()
}

/// The token in a file, without the line's end.
pub fn token(file: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Problem::Failed(format!("{}: {error}", file.display())))?;
    Ok(text.trim_end().to_owned())
}

/// Waits for what a client asks.
pub fn ask<T>(asked: impl Future<Output = Result<T, String>>) -> Outcome<T> {
    runtime::single()?.block_on(asked).map_err(Problem::Failed)
}

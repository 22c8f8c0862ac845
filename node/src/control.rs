//! `weir control`: limits that several Envoys share, and the ledger of one of them.

mod configured;
mod filling;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use weir_control::state::book::Ledger;
use weir_control::state::listen::{self, Guard, Listener};
use weir_control::state::pools::Pools;
use weir_control::state::serve::serve;
use weir_control::state::store;
use weir_control::{AdminAddress, References, ledger};
use weir_places::Places;

use self::configured::Configured;
use self::filling::Filling;
use crate::problem::{Outcome, Problem};
use crate::signals::asked_to_stop;
use crate::{configuration, private, runtime, say};

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
    /// The log from which the ledger is filled, if it is.
    pub follow: Option<Follow>,
    /// What protects the listener.
    pub guard: Guard,
}

/// The log from which the ledger is filled.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The access log, if the configuration names none.
    pub log: PathBuf,
    /// The name of the Envoy that writes it.
    pub node: String,
    /// Where that Envoy's admin interface is: it is asked whether all lines could be written.
    pub admin: Option<AdminAddress>,
}

/// Serves until asked to stop.
pub fn run(options: Options) -> Outcome {
    private::from_now_on();
    let failed = |problem: String| Problem::Failed(problem);
    let file = configuration::find(options.config.as_deref())?;
    let places = Places::here().map_err(|error| failed(error.to_string()))?;
    let mut environment = configuration::environment(&places);
    // Only limits and the log's place are read here. Credentials are where Envoy runs.
    environment.references = References::Elsewhere { base: None };
    let ledger = options.ledger.unwrap_or_else(|| places.state.join(ledger::FILE));
    let filling = options.follow.map(|what| Arc::new(Filling::new(what, ledger.clone())));
    let configured = Arc::new(Configured::new(file, environment, filling.clone()));
    let limits = configured.read()?;
    let made = std::fs::create_dir_all(&places.state);
    made.map_err(|error| failed(format!("{}: {error}", places.state.display())))?;
    let address = options.store.unwrap_or_else(|| store::Address::Sqlite(places.state.join(store::FILE)));
    runtime::threads()?.block_on(async {
        let (book, tell) = (Arc::new(Ledger::new(ledger)), Arc::new(|text: &str| say::line(text)));
        let pools = Pools::new(address.clone(), limits, book, tell);
        let read = {
            let configured = Arc::clone(&configured);
            move || configured.read().map_err(|problem| problem.to_string())
        };
        let pools = Arc::new(pools.reading(Arc::new(read)));
        let listener = Listener::bind(&options.listen, options.guard).await;
        let listener = listener.map_err(|error| failed(error.to_string()))?;
        if let Err(away) = pools.check(weir_control::state::now()).await {
            // A store that comes later is found. Until then Envoys do what their limits say for that.
            say::line(&format!("{address}: {away}"));
        }
        // Not before: a new store beside a ledger that is not empty may have lost its data.
        let thread = filling.clone().map(|filling| std::thread::spawn(move || filling.run()));
        let follower = tokio::spawn(follow(configured, Arc::clone(&pools)));
        say::result(&format!("control at {}; leases in {address}", listener.address()))?;
        serve(listener, pools, asked_to_stop()).await;
        follower.abort();
        if let Some(filling) = filling {
            filling.end();
        }
        // If it has panicked, the next start reads what is left.
        thread.map(std::thread::JoinHandle::join);
        Ok(())
    })
}

/// Takes the limits of each configuration that has no errors.
async fn follow(configured: Arc<Configured>, pools: Arc<Pools>) {
    loop {
        sleep(LOOK).await;
        if configured.has_changed()
            && let Err(errors) = pools.reload().await
        {
            say::line(&errors);
        }
    }
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

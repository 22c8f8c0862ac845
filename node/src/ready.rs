//! Waiting for a child to be ready: asked often, told when it takes long, given up when it dies.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, interval};
use weir_control::AdminAddress;
use weir_proto::sidecar::v1::State;

use crate::child::tail;
use crate::problem::{Outcome, Problem};
use crate::supervisor::{Event, Supervisor};
use crate::{http, models, say};

const OFTEN: Duration = Duration::from_millis(50);
/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(5);

/// How a child is asked.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// It is ready when it takes connections.
    Connect(SocketAddr),
    /// It is ready when its admin interface says so and its listener takes connections.
    Envoy { admin: AdminAddress, listen: SocketAddr },
    /// It is ready when it is healthy and no model is being loaded any more; one that cannot be loaded does not keep
    /// the others from serving.
    Sidecar { admin: SocketAddr, socket: PathBuf },
}

impl Probe {
    async fn ask(&self) -> bool {
        match self {
            Self::Connect(address) => TcpStream::connect(address).await.is_ok(),
            Self::Envoy { admin, listen } => {
                let ready = http::get(admin, "/ready").await;
                ready.is_ok_and(|answer| answer.status == 200) && TcpStream::connect(listen).await.is_ok()
            }
            Self::Sidecar { admin, socket } => {
                let alive = http::get(&AdminAddress::Tcp(*admin), "/healthz").await;
                let models = models::list(socket).await;
                alive.is_ok_and(|answer| answer.status == 200)
                    && models.is_ok_and(|models| {
                        models.iter().all(|model| matches!(model.state(), State::Ready | State::Failed))
                    })
            }
        }
    }
}

/// Waits for `name`. A child that dies before it was ever ready will not get better by being started again.
pub(crate) async fn wait(
    supervisor: &mut Supervisor,
    name: &'static str,
    log: &Path,
    deadline: Instant,
    probe: &Probe,
) -> Outcome {
    let mut ticks = interval(OFTEN);
    let start = Instant::now();
    let mut said = start;
    loop {
        tokio::select! {
            event = supervisor.next() => {
                if let Event::Died { name, how, .. } = event {
                    // The log of whoever died, which need not be the one waited for.
                    let log = log.with_file_name(format!("{name}.log"));
                    return Err(Problem::Failed(format!("{name} {how} before it was ready\n{}", tail(&log))));
                }
            }
            ready = async { ticks.tick().await; probe.ask().await } => {
                if ready {
                    return Ok(());
                }
            }
        }
        let now = Instant::now();
        if now >= deadline {
            let seconds = (now - start).as_secs();
            return Err(Problem::Failed(format!(
                "{name} is not ready after {seconds} s; --wait gives it longer\n{}",
                tail(log)
            )));
        }
        if now - said >= QUIET {
            say::line(&format!("waiting for {name} ({} s); its log: {}", (now - start).as_secs(), log.display()));
            said = now;
        }
    }
}

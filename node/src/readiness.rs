//! Waits until a program is ready: it asks often, says when this takes long, and gives up when the program dies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, timeout};
use weir_control::admin::Admin;
use weir_control::state::client::Client;
use weir_proto::sidecar::v1::State;

use crate::child::Program;
use crate::folders::Folders;
use crate::log::tail;
use crate::problem::{Outcome, Problem};
use crate::supervisor::{Event, Supervisor};
use crate::{models, say};

/// How often a program is asked.
const OFTEN: Duration = Duration::from_millis(50);
/// How soon control is asked again: it starts within a moment, and Envoy waits for it.
const SOON: Duration = Duration::from_millis(10);
/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(5);

/// How a program is asked whether it is ready.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// It is ready when it accepts connections.
    Sim(SocketAddr),
    /// It is ready when its admin interface says so and its listener accepts connections.
    Envoy { admin: Admin, listen: SocketAddr },
    /// It is ready when it is healthy and no model is loading. A model that cannot be loaded does not stop the others from
    /// being served.
    Sidecar { admin: Admin, socket: PathBuf },
}

impl Probe {
    fn program(&self) -> Program {
        match self {
            Self::Sim(_) => Program::Sim,
            Self::Envoy { .. } => Program::Envoy,
            Self::Sidecar { .. } => Program::Sidecar,
        }
    }

    async fn ask(&self) -> bool {
        match self {
            Self::Sim(address) => TcpStream::connect(address).await.is_ok(),
            Self::Envoy { admin, listen } => {
                let ready = admin.get("/ready").await;
                ready.is_ok_and(|answer| answer.status == 200) && TcpStream::connect(listen).await.is_ok()
            }
            Self::Sidecar { admin, socket } => {
                let alive = admin.get("/healthz").await;
                let models = models::list(socket).await;
                alive.is_ok_and(|answer| answer.status == 200)
                    && models.is_ok_and(|models| {
                        models.iter().all(|model| matches!(model.state(), State::Ready | State::Failed))
                    })
            }
        }
    }
}

/// How long control may take to answer.
const CONTROL: Duration = Duration::from_secs(2);

/// Waits for control, but not for long: requests are served without it.
pub(crate) async fn wait_for_control(client: &Client, folders: &Folders) {
    let answers = async {
        while !client.is_there().await {
            sleep(SOON).await;
        }
    };
    if timeout(CONTROL, answers).await.is_err() {
        let end = tail(&folders.log(Program::Control));
        say::line(&format!("control does not answer; limits hold within this Envoy alone until it does\n{end}"));
    }
}

/// Waits for one program. If any program but control dies meanwhile, the wait fails: a program that dies before it was ready
/// would die again.
pub(crate) async fn wait(supervisor: &mut Supervisor, folders: &Folders, deadline: Instant, probe: &Probe) -> Outcome {
    let (program, log) = (probe.program(), folders.log(probe.program()));
    let mut ticks = interval(OFTEN);
    let start = Instant::now();
    let mut said = start;
    loop {
        tokio::select! {
            event = supervisor.next() => {
                if let Event::Died { program, how, .. } = &event && *program != Program::Control {
                    let end = tail(&folders.log(*program));
                    return Err(Problem::Failed(format!("{program} {how} before it was ready\n{end}")));
                }
                say::line(&event.to_string());
            }
            ready = async { ticks.tick().await; probe.ask().await } => {
                if ready {
                    return Ok(());
                }
            }
        }
        let now = Instant::now();
        let seconds = (now - start).as_secs();
        if now >= deadline {
            let end = tail(&log);
            return Err(Problem::Failed(format!(
                "{program} is not ready after {seconds} s; --wait gives it longer\n{end}"
            )));
        }
        if now - said >= QUIET {
            say::line(&format!("waiting for {program} ({seconds} s); its log: {}", log.display()));
            said = now;
        }
    }
}

//! Keeps children running: a child that dies is restarted with exponential back-off.

use std::fmt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::child::{Program, Spec, Started, end};

/// How long we wait for the rest of a dead child's output to be copied.
const COPYING: Duration = Duration::from_secs(2);

/// Something that happened to a child.
#[derive(Debug)]
pub(crate) enum Event {
    /// It ended by itself, or could not be started.
    Died {
        program: Program,
        /// How it ended, as a verb phrase: `ended with exit code 1`.
        how: String,
        /// Whether a signal has ended it.
        killed: bool,
        /// How long until it is started again.
        pause: Duration,
    },
    /// It was started again.
    Back { program: Program, id: u32 },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died { program, how, pause, .. } => {
                write!(f, "{program} {how}; restarting it in {:.1} s", pause.as_secs_f32())
            }
            Self::Back { program, id } => write!(f, "{program} was restarted (process {id})"),
        }
    }
}

/// The children.
#[derive(Debug)]
pub(crate) struct Supervisor {
    events: mpsc::UnboundedReceiver<Event>,
    tell: mpsc::UnboundedSender<Event>,
    children: Vec<Kept>,
}

/// A child that is kept running by a task of its own.
#[derive(Debug)]
struct Kept {
    program: Program,
    id: Arc<AtomicU32>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// A supervisor without children.
    pub(crate) fn new() -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        Self { events, tell, children: Vec::new() }
    }

    /// Starts a child and keeps it running.
    pub(crate) fn keep(&mut self, spec: Spec) {
        let (stop, stopped) = watch::channel(false);
        let (program, id) = (spec.program, Arc::new(AtomicU32::new(0)));
        let task = tokio::spawn(keep(spec, Arc::clone(&id), self.tell.clone(), stopped));
        self.children.push(Kept { program, id, stop, task });
    }

    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // The channel never closes: `self` holds a sender.
            None => std::future::pending().await,
        }
    }

    /// The programs that run, with their process ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (Program, u32)> {
        self.children.iter().map(|child| (child.program, child.id.load(Ordering::Relaxed)))
    }

    /// Ends this program, if it runs.
    pub(crate) async fn end(&mut self, program: Program) {
        while let Some(at) = self.children.iter().position(|child| child.program == program) {
            let child = self.children.swap_remove(at);
            // If the task has ended, so has the child.
            let _ = child.stop.send(true);
            let _ = child.task.await;
        }
    }

    /// Ends all children, the last started first.
    pub(crate) async fn end_all(&mut self) {
        while let Some(child) = self.children.pop() {
            let _ = child.stop.send(true);
            let _ = child.task.await;
        }
    }
}

async fn keep(spec: Spec, id: Arc<AtomicU32>, tell: mpsc::UnboundedSender<Event>, mut stop: watch::Receiver<bool>) {
    let program = spec.program;
    let mut backoff = Backoff::default();
    let mut first = true;
    loop {
        let started = Instant::now();
        let how = match spec.start() {
            Ok(Started { mut child, copied }) => {
                let process = child.id().unwrap_or_default();
                id.store(process, Ordering::Relaxed);
                if !first {
                    let _ = tell.send(Event::Back { program, id: process });
                }
                first = false;
                let ended = tokio::select! {
                    status = child.wait() => Some(status.map_or_else(|error| (error.to_string(), false), describe)),
                    () = asked(&mut stop) => {
                        end(child).await;
                        None
                    }
                };
                if let Some(copied) = copied {
                    // Its last lines are still in the pipe. The wait has a limit, because our own output may be blocked.
                    let _ = timeout(COPYING, copied).await;
                }
                let Some(how) = ended else { return };
                how
            }
            Err(error) => (format!("cannot be started: {error}"), false),
        };
        let (how, killed) = how;
        let pause = backoff.pause(started.elapsed());
        if tell.send(Event::Died { program, how, killed, pause }).is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = asked(&mut stop) => return,
        }
    }
}

/// Completes when the child must stop, or when the supervisor is gone.
async fn asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// How it ended, and whether a signal has ended it.
fn describe(status: ExitStatus) -> (String, bool) {
    use std::os::unix::process::ExitStatusExt;
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    (how, status.code().is_none())
}

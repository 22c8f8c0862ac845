//! Keeps children running: one that dies is started again, after a pause that grows while it keeps dying.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::child::{Spec, Started, end};

/// The first pause, and the longest.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// Who ran so long is well again.
const STABLE: Duration = Duration::from_secs(60);

/// How long the rest of a child's output may take to be passed on.
const PASSING: Duration = Duration::from_secs(2);

/// Something that happened to a child.
#[derive(Debug)]
pub(crate) enum Event {
    /// It ended by itself, or could not be started.
    Died {
        name: &'static str,
        how: String,
        /// How long until it is started again.
        pause: Duration,
    },
    /// It was started again.
    Back { name: &'static str, id: u32 },
}

/// The children.
#[derive(Debug)]
pub(crate) struct Supervisor {
    events: mpsc::UnboundedReceiver<Event>,
    tell: mpsc::UnboundedSender<Event>,
    children: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    name: &'static str,
    id: Arc<AtomicU32>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        Self { events, tell, children: Vec::new() }
    }

    /// Starts a child and keeps it running.
    pub(crate) fn keep(&mut self, spec: Spec) {
        let (stop, stopped) = watch::channel(false);
        let (name, id) = (spec.name, Arc::new(AtomicU32::new(0)));
        let task = tokio::spawn(keep(spec, Arc::clone(&id), self.tell.clone(), stopped));
        self.children.push(Kept { name, id, stop, task });
    }

    /// The next thing that happens.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// The children's names and process ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.children.iter().map(|child| (child.name, child.id.load(Ordering::Relaxed)))
    }

    /// Ends the child of that name.
    pub(crate) async fn end(&mut self, name: &str) {
        while let Some(at) = self.children.iter().position(|child| child.name == name) {
            let child = self.children.swap_remove(at);
            // The task may be gone already; then so is the child.
            let _ = child.stop.send(true);
            let _ = child.task.await;
        }
    }

    /// Ends the children, the youngest first.
    pub(crate) async fn end_all(&mut self) {
        while let Some(child) = self.children.pop() {
            let _ = child.stop.send(true);
            let _ = child.task.await;
        }
    }
}

async fn keep(spec: Spec, id: Arc<AtomicU32>, tell: mpsc::UnboundedSender<Event>, mut stop: watch::Receiver<bool>) {
    let mut backoff = Backoff::default();
    let mut first = true;
    loop {
        let started = Instant::now();
        let how = match spec.start() {
            Ok(Started { mut child, passed }) => {
                let process = child.id().unwrap_or_default();
                id.store(process, Ordering::Relaxed);
                if !first {
                    let _ = tell.send(Event::Back { name: spec.name, id: process });
                }
                first = false;
                let ended = tokio::select! {
                    status = child.wait() => Some(status.map_or_else(|error| error.to_string(), describe)),
                    () = asked(&mut stop) => {
                        end(child).await;
                        None
                    }
                };
                if let Some(passed) = passed {
                    // What it wrote last is still in the pipe. Where nobody reads ours, it is not waited for.
                    let _ = timeout(PASSING, passed).await;
                }
                let Some(how) = ended else { return };
                how
            }
            Err(error) => format!("cannot be started: {error}"),
        };
        let pause = backoff.pause(started.elapsed());
        if tell.send(Event::Died { name: spec.name, how, pause }).is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = asked(&mut stop) => return,
        }
    }
}

/// Completes when it is to stop, also because nobody is left who could say so.
async fn asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// How long to wait before the next start.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// The pause after a run that lasted so long.
    fn pause(&mut self, lasted: Duration) -> Duration {
        if lasted >= STABLE {
            self.next = SHORTEST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_stable_minute_forgives() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9).map(|_| backoff.pause(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.pause(STABLE).as_millis(), 100);
        assert_eq!(backoff.pause(Duration::ZERO).as_millis(), 200);
    }
}

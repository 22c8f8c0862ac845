//! Brings configurations to one Envoy: performs what a [`Rollout`] asks for.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::AdminAddress;
use crate::deliver::Deliver;
use crate::deliver::files::Files;
use crate::render::Resources;
use crate::rollout::{Input, NotTaken, Outcome, Reader, Report, Rollout, Step};

/// Keeps one Envoy as the running configuration says.
#[derive(Debug)]
pub struct Publisher<D = Files> {
    rollout: Rollout,
    delivery: D,
}

impl Publisher {
    /// Publishes into `folder`, from where the Envoy with this admin interface reads; see [`Files::new`].
    pub fn new(folder: impl Into<PathBuf>, admin: Option<AdminAddress>) -> Self {
        Self { rollout: Rollout::new(Reader::Later), delivery: Files::new(folder, admin) }
    }

    /// Publishes for an Envoy that somebody else runs, and that may run now: also the first time one file after the other.
    #[must_use]
    pub fn beside_envoy(self) -> Self {
        Self { rollout: Rollout::new(Reader::Now), delivery: self.delivery.beside_envoy() }
    }

    /// The last publication; see [`Files::drain`].
    pub fn drain(folder: &Path, last: &Resources) -> Result<(), NotTaken> {
        Files::drain(folder, last)
    }
}

impl<D: Deliver> Publisher<D> {
    /// See [`Rollout::with_grace`].
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { rollout: self.rollout.with_grace(grace), ..self }
    }

    /// See [`Rollout::with_patience`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { rollout: self.rollout.with_patience(patience), ..self }
    }

    /// Makes `next` the running configuration.
    pub async fn publish(&mut self, next: Resources, now: Instant) -> Result<Report, NotTaken> {
        self.perform(Input::Change(Arc::new(next)), now).await
    }

    /// Removes what is no longer needed at `now`.
    pub async fn remove(&mut self, now: Instant) -> Result<Report, NotTaken> {
        self.perform(Input::Tick, now).await
    }

    /// When the next removal is due, if there is one.
    pub fn next_removal(&self) -> Option<Instant> {
        self.rollout.next_removal()
    }

    /// Performs every step that follows from `input`, which comes at `now`. What is told last is what became of it.
    async fn perform(&mut self, input: Input, now: Instant) -> Result<Report, NotTaken> {
        let began = Instant::now();
        let mut result = Ok(Report::default());
        let mut steps = Vec::new();
        self.rollout.on(now, input, &mut steps);
        let mut ahead = VecDeque::from(steps);
        while let Some(step) = ahead.pop_front() {
            let answer = match step {
                Step::Put { kind, set, wait } => self.delivery.put(kind, &set, wait).await,
                Step::Sweep(set) => self.delivery.sweep(&set).await,
                Step::Tell(outcome) => {
                    result = match outcome {
                        Outcome::Live(report) | Outcome::Removed(report) => Ok(report),
                        Outcome::NotTaken(problem) => Err(problem),
                    };
                    continue;
                }
            };
            let mut steps = Vec::new();
            self.rollout.on(now + began.elapsed(), Input::Answer(answer), &mut steps);
            ahead.extend(steps);
        }
        result
    }
}

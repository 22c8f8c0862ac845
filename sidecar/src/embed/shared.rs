//! The state that the workers of a pool share with its callers: the queue, the jobs and the measured speed, behind one lock.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::drain::Drain;
use super::job::{Job, Shareable};
use super::queue::{Full, Queue, RequestId};
use super::rows::Rows;
use super::seat::Seat;
use crate::metrics::ModelMetrics;
use crate::outputs::Fault;

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When there will be room, at the speed measured.
    pub retry_after: Duration,
}

/// The queue and its jobs, and what wakes a worker.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The engine with all cores, for a batch that runs alone. `None` if every worker has all cores.
    pub(super) alone: Option<Mutex<Seat>>,
    wake: Condvar,
    pub(super) metrics: ModelMetrics,
    clock: Clock,
}

/// The clock. Tests have their own.
pub(super) type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) jobs: HashMap<RequestId, Shareable>,
    pub(super) drain: Drain,
    next: u64,
    pub(super) idle: usize,
    pub(super) running: usize,
    pub(super) running_tokens: usize,
    pub(super) closing: bool,
}

impl State {
    fn busy(&self, full: Full) -> Busy {
        Busy { retry_after: self.drain.estimate(full.tokens_ahead + self.running_tokens) }
    }
}

impl Shared {
    pub(super) fn new(queue: Queue, alone: Option<Seat>, metrics: ModelMetrics, clock: Clock) -> Self {
        let state = State {
            queue,
            jobs: HashMap::new(),
            drain: Drain::default(),
            next: 0,
            idle: 0,
            running: 0,
            running_tokens: 0,
            closing: false,
        };
        Self { state: Mutex::new(state), alone: alone.map(Mutex::new), wake: Condvar::new(), metrics, clock }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Waits until something has changed.
    pub(super) fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request of `inputs` inputs would find room now.
    pub(super) fn room(&self, inputs: usize) -> Result<(), Busy> {
        let state = self.lock();
        state.queue.room(inputs).map_err(|full| state.busy(full))
    }

    /// Puts a job in the queue, if there is room.
    pub(super) fn enter(&self, inputs: Rows, job: impl FnOnce(Rows) -> Job) -> Result<RequestId, Busy> {
        let mut state = self.lock();
        let id = RequestId(state.next);
        state.queue.push(id, inputs.iter().map(<[u32]>::len)).map_err(|full| state.busy(full))?;
        state.next += 1;
        state.jobs.insert(id, Arc::new(job(inputs)));
        self.gauge(&state);
        drop(state);
        self.wake.notify_all();
        Ok(id)
    }

    /// Removes a request whose caller has left or has its answer.
    pub(super) fn leave(&self, id: RequestId) {
        let mut state = self.lock();
        if state.jobs.remove(&id).is_some() {
            state.queue.cancel(id);
            self.gauge(&state);
        }
    }

    /// Fails the waiting requests, and ends every worker after its current batch.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        for job in state.jobs.values() {
            job.fail(Fault::Stopped);
        }
        drop(state);
        self.wake.notify_all();
    }

    pub(super) fn gauge(&self, state: &State) {
        self.metrics.load(state.queue.len(), state.running);
    }
}

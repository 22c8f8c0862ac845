//! The threads around a queue. A worker that is free takes what waits at once, never waiting for more: a batch is what
//! gathered while all workers were busy. Cores are divided between the workers; a batch beside which nothing runs has them all.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::Span;

use super::drain::Drain;
use super::job::{Fault, Job, Progress, Shareable, Ticket};
use super::queue::{Full, Packed, Queue, RequestId};
use super::rows::Rows;
use crate::engine::{Batch, Engine, EngineError, Parallel, Weights, pooling::normalize};
use crate::metrics::ModelMetrics;
use crate::models::recipe::Normalize;
use crate::telemetry::count;

/// Tokens of a batch on a CPU: beyond it batching gains nothing there, and callers wait longer.
const CPU_PADDED: usize = 512;

/// Tokens of a batch on a GPU.
const GPU_PADDED: usize = 32_768;

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Inputs that may wait.
    pub max_waiting: usize,
    /// Tokens of a batch, padding included; `None` for what suits the device.
    pub max_padded: Option<usize>,
    /// How many batches run at once.
    pub workers: usize,
    /// Cores for each.
    pub threads: usize,
    /// Whether embeddings are scaled to unit length.
    pub normalize: Normalize,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When there will be room, at the speed measured.
    pub retry_after: Duration,
}

/// Runs one model's requests.
pub struct Pool {
    shared: Arc<Shared>,
    dimensions: usize,
    workers: Vec<JoinHandle<()>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// What runs a batch beside which nothing else does: an engine with all cores. `None` where every worker's has them.
    alone: Option<Mutex<Seat>>,
    wake: Condvar,
    metrics: ModelMetrics,
    now: Clock,
}

/// What tells the time. Tests have their own.
type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

struct State {
    queue: Queue,
    jobs: HashMap<RequestId, Shareable>,
    drain: Drain,
    next: u64,
    idle: usize,
    running: usize,
    running_tokens: usize,
    closing: bool,
}

impl State {
    fn busy(&self, full: Full) -> Busy {
        Busy { retry_after: self.drain.estimate(full.tokens_ahead + self.running_tokens) }
    }
}

impl Pool {
    /// Starts the workers, each with its own engine of `weights`.
    pub fn start(
        weights: &Arc<dyn Weights>,
        settings: &PoolSettings,
        metrics: ModelMetrics,
    ) -> Result<Self, EngineError> {
        Self::start_by(Box::new(Instant::now), weights, settings, metrics)
    }

    fn start_by(
        now: Clock,
        weights: &Arc<dyn Weights>,
        settings: &PoolSettings,
        metrics: ModelMetrics,
    ) -> Result<Self, EngineError> {
        let description = weights.description().clone();
        let default = if description.device == "cpu" { CPU_PADDED } else { GPU_PADDED };
        let (workers, threads) = match description.parallel {
            Parallel::Batches => (settings.workers, settings.threads),
            Parallel::One => (1, settings.workers * settings.threads),
        };
        let state = State {
            queue: Queue::new(settings.max_waiting, settings.max_padded.unwrap_or(default)),
            jobs: HashMap::new(),
            drain: Drain::default(),
            next: 0,
            idle: 0,
            running: 0,
            running_tokens: 0,
            closing: false,
        };
        let seat = |threads| Ok(Seat { engine: weights.engine(threads)?, weights: Arc::clone(weights), threads });
        let alone = if workers > 1 { Some(Mutex::new(seat(workers * threads)?)) } else { None };
        let shared = Arc::new(Shared { state: Mutex::new(state), alone, wake: Condvar::new(), metrics, now });
        let mut pool = Self { shared, dimensions: description.dimensions, workers: Vec::with_capacity(workers) };
        for index in 0..workers {
            let mut worker = Worker {
                shared: Arc::clone(&pool.shared),
                seat: seat(threads)?,
                dimensions: description.dimensions,
                normalize: settings.normalize,
                out: Vec::new(),
            };
            let thread = Builder::new().name(format!("inference-{index}")).spawn(move || worker.work());
            pool.workers.push(thread.map_err(|error| EngineError::Run(format!("no thread for it: {error}")))?);
        }
        Ok(pool)
    }

    /// Whether a request of `inputs` inputs would find room now. It may have gone when the request is there.
    pub fn room(&self, inputs: usize) -> Result<(), Busy> {
        let state = self.shared.lock();
        state.queue.room(inputs).map_err(|full| state.busy(full))
    }

    /// Puts a request in the queue.
    pub fn submit(&self, inputs: Rows, span: Span) -> Result<Ticket, Busy> {
        let (sender, done) = oneshot::channel();
        let mut state = self.shared.lock();
        let id = RequestId(state.next);
        state.queue.push(id, inputs.iter().map(<[u32]>::len)).map_err(|full| state.busy(full))?;
        state.next += 1;
        state.jobs.insert(id, Arc::new(Job::new(inputs, self.dimensions, span, sender)));
        self.shared.gauge(&state);
        drop(state);
        self.shared.wake.notify_all();
        Ok(Ticket { id, shared: Arc::downgrade(&self.shared), done })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            for job in state.jobs.values() {
                job.fail(Fault::Stopped);
            }
        }
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches its panics; joining only waits for the batch that runs.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller of a request has left, or has its answer.
    pub(super) fn leave(&self, id: RequestId) {
        let mut state = self.lock();
        if state.jobs.remove(&id).is_some() {
            state.queue.cancel(id);
            self.gauge(&state);
        }
    }

    fn gauge(&self, state: &State) {
        self.metrics.load(state.queue.len(), state.running);
    }
}

/// An engine, and what makes another one in its place.
struct Seat {
    engine: Box<dyn Engine>,
    weights: Arc<dyn Weights>,
    threads: usize,
}

impl Seat {
    /// Runs `batch`. What goes wrong is logged here, without its input.
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), ()> {
        let (engine, inputs, width) = (&mut self.engine, batch.rows.len(), batch.width);
        match catch_unwind(AssertUnwindSafe(|| engine.embed(batch, out))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, inputs, width, "a batch failed");
                Err(())
            }
            Err(_) => {
                tracing::error!(inputs, width, "the engine panicked; it is made anew");
                // What it left behind cannot be trusted. If making another fails too, the old one has to do.
                if let Ok(Ok(engine)) = catch_unwind(AssertUnwindSafe(|| self.weights.engine(self.threads))) {
                    self.engine = engine;
                }
                Err(())
            }
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    seat: Seat,
    dimensions: usize,
    normalize: Normalize,
    out: Vec<f32>,
}

/// A batch that has been taken.
struct Taken {
    packed: Packed,
    /// The job of each input.
    jobs: Vec<Shareable>,
    /// Whether nothing else runs or waits.
    alone: bool,
}

impl Worker {
    fn work(&mut self) {
        while let Some(Taken { packed, jobs, alone }) = self.next() {
            let began = (self.shared.now)();
            let spans = spans(&packed, &jobs);
            let outcome = self.run(&packed, &jobs, alone);
            drop(spans);
            self.shared.metrics.batch(
                packed.items.len(),
                packed.padded(),
                (self.shared.now)().saturating_duration_since(began),
            );
            let ended = self.deliver(&packed, &jobs, outcome);
            self.finish(&packed, &ended);
        }
    }

    /// Waits for a batch. `None` when the pool closes.
    fn next(&self) -> Option<Taken> {
        let mut state = self.shared.lock();
        state.idle += 1;
        loop {
            if state.closing {
                return None;
            }
            let idle = state.idle;
            if let Some(packed) = state.queue.take(idle) {
                state.idle -= 1;
                let alone = state.running == 0 && state.queue.is_empty();
                state.running += packed.items.len();
                state.running_tokens += packed.tokens();
                state.drain.started((self.shared.now)());
                // Inputs of a job leave the queue with it, so every item has its job.
                let jobs = packed.items.iter().filter_map(|item| state.jobs.get(&item.request).cloned()).collect();
                self.shared.gauge(&state);
                return Some(Taken { packed, jobs, alone });
            }
            state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&mut self, packed: &Packed, jobs: &[Shareable], alone: bool) -> Result<(), ()> {
        let rows: Vec<&[u32]> = packed.items.iter().zip(jobs).map(|(item, job)| job.inputs.row(item.index)).collect();
        self.out.clear();
        let batch = Batch { rows: &rows, width: packed.width };
        match self.shared.alone.as_ref().filter(|_| alone) {
            Some(seat) => seat.lock().unwrap_or_else(PoisonError::into_inner).embed(batch, &mut self.out),
            None => self.seat.embed(batch, &mut self.out),
        }?;
        let dimensions = self.dimensions;
        if dimensions == 0 || self.out.len() != rows.len() * dimensions {
            tracing::error!(
                expected = rows.len() * dimensions,
                got = self.out.len(),
                "a batch gave too much or too little"
            );
            return Err(());
        }
        if self.normalize == Normalize::Unit {
            self.out.chunks_exact_mut(dimensions).for_each(normalize);
        }
        Ok(())
    }

    /// Hands the outputs to their jobs, and returns those that ended.
    fn deliver(&self, packed: &Packed, jobs: &[Shareable], outcome: Result<(), ()>) -> Vec<RequestId> {
        let mut ended = Vec::new();
        if outcome.is_ok() {
            for ((item, job), embedding) in packed.items.iter().zip(jobs).zip(self.out.chunks_exact(self.dimensions)) {
                if job.put(item.index, embedding) == Progress::Done {
                    ended.push(item.request);
                }
            }
        } else {
            for (item, job) in packed.items.iter().zip(jobs) {
                job.fail(Fault::Engine);
                ended.push(item.request);
            }
        }
        ended
    }

    fn finish(&self, packed: &Packed, ended: &[RequestId]) {
        let mut state = self.shared.lock();
        state.running -= packed.items.len();
        state.running_tokens -= packed.tokens();
        state.drain.finished((self.shared.now)(), packed.tokens());
        for id in ended {
            // A failed job may have more inputs waiting; nobody will read their outputs.
            if state.jobs.remove(id).is_some() {
                state.queue.cancel(*id);
            }
        }
        self.shared.gauge(&state);
    }
}

/// One span per request in the batch, open while it runs; and the end of its time in the queue.
fn spans(packed: &Packed, jobs: &[Shareable]) -> Vec<Span> {
    let mut last = None;
    let mut spans = Vec::new();
    for (item, job) in packed.items.iter().zip(jobs) {
        if last.replace(item.request) == Some(item.request) {
            continue;
        }
        job.queued.lock().unwrap_or_else(PoisonError::into_inner).take();
        spans.push(tracing::info_span!(
            parent: &job.span,
            "inference",
            batch.inputs = count(packed.items.len()),
            batch.padded_tokens = count(packed.padded())
        ));
    }
    spans
}

#[cfg(test)]
mod tests;

//! Runs the requests of one model on worker threads. A free worker takes what waits at once and never waits for more, so a batch
//! is what came while all workers were busy. The cores are divided between the workers; a batch that runs alone gets all of them.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use tokio::sync::mpsc::channel;
use tracing::Span;

use super::job::Job;
use super::normalization::Normalize;
use super::place::Place;
use super::queue::Queue;
use super::rows::Rows;
use super::seat::Seat;
use super::shared::{Busy, Clock, Shared};
use super::worker::Worker;
use crate::engine::{EngineError, Parallel, Weights};
use crate::metrics::ModelMetrics;
use crate::outputs::Outputs;

/// Tokens of a batch on a CPU. Larger batches gain nothing there, and callers wait longer.
const CPU_PADDED: usize = 512;

/// Tokens of a batch on a GPU.
const GPU_PADDED: usize = 32_768;

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Inputs that may wait.
    pub max_waiting: usize,
    /// Tokens of a batch, padding included. `None` means what suits the device.
    pub max_padded: Option<usize>,
    /// How many batches run at once.
    pub workers: usize,
    /// Cores for each.
    pub threads: usize,
    /// Whether embeddings are scaled to unit length.
    pub normalize: Normalize,
}

/// Runs one model's requests.
pub struct Pool {
    shared: Arc<Shared>,
    dimensions: usize,
    workers: Vec<JoinHandle<()>>,
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
        clock: Clock,
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
        let queue = Queue::new(settings.max_waiting, settings.max_padded.unwrap_or(default));
        let alone = if workers > 1 { Some(Seat::new(weights, workers * threads)?) } else { None };
        let shared = Arc::new(Shared::new(queue, alone, metrics, clock));
        let mut pool = Self { shared, dimensions: description.dimensions, workers: Vec::with_capacity(workers) };
        for index in 0..workers {
            let mut worker = Worker {
                shared: Arc::clone(&pool.shared),
                seat: Seat::new(weights, threads)?,
                dimensions: description.dimensions,
                normalize: settings.normalize,
                out: Vec::new(),
            };
            let thread = Builder::new().name(format!("inference-{index}")).spawn(move || worker.work());
            pool.workers.push(thread.map_err(|error| EngineError::Run(format!("no thread for it: {error}")))?);
        }
        Ok(pool)
    }

    /// Whether a request of `inputs` inputs would find room now. The room may be gone by the time it is submitted.
    pub fn room(&self, inputs: usize) -> Result<(), Busy> {
        self.shared.room(inputs)
    }

    /// Puts a request in the queue. All embeddings come as one piece, in the order of the inputs.
    pub fn submit(&self, inputs: Rows, span: Span) -> Result<Outputs<Vec<f32>>, Busy> {
        let (sender, embeddings) = channel(1);
        // A job is made only for a request that found room.
        let id = self.shared.enter(inputs, |inputs| Job::new(inputs, self.dimensions, span, sender))?;
        Ok(Outputs::new(embeddings, Place { id, shared: Arc::downgrade(&self.shared) }))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.close();
        for worker in self.workers.drain(..) {
            // A worker catches its panics, so joining only waits for the batch that runs.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests;

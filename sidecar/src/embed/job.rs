//! A request in a pool: its inputs, the embeddings so far, and the channel that they leave by.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::Sender;
use tracing::Span;

use super::rows::Rows;
use crate::outputs::Fault;
use crate::telemetry::count;

/// A request while it is in a pool.
pub(super) struct Job {
    pub(super) inputs: Rows,
    /// The request's span, parent of what happens to it here.
    pub(super) span: Span,
    /// The span of its time in the queue, from arrival until its first batch begins.
    pub(super) queued: Mutex<Option<Span>>,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    values: Vec<f32>,
    missing: usize,
    done: Option<Sender<Result<Vec<f32>, Fault>>>,
}

/// Whether a job has everything now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Done,
}

impl Job {
    pub(super) fn new(inputs: Rows, dimensions: usize, span: Span, done: Sender<Result<Vec<f32>, Fault>>) -> Self {
        let values = vec![0.0; inputs.len() * dimensions];
        let gathered = Gathered { values, missing: inputs.len(), done: Some(done) };
        let queued =
            tracing::info_span!(parent: &span, "queue", inputs = count(inputs.len()), tokens = count(inputs.tokens()));
        Self { inputs, span, queued: Mutex::new(Some(queued)), gathered: Mutex::new(gathered) }
    }

    /// Puts one embedding in its place.
    pub(super) fn put(&self, index: usize, embedding: &[f32]) -> Progress {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let start = index * embedding.len();
        if let Some(place) = gathered.values.get_mut(start..start + embedding.len()) {
            place.copy_from_slice(embedding);
        }
        gathered.missing = gathered.missing.saturating_sub(1);
        if gathered.missing > 0 {
            return Progress::Waiting;
        }
        let values = std::mem::take(&mut gathered.values);
        if let Some(done) = gathered.done.take() {
            // The channel has room for the only piece. If the caller has left, nobody listens.
            let _ = done.try_send(Ok(values));
        }
        Progress::Done
    }

    /// Ends the job without embeddings.
    pub(super) fn fail(&self, fault: Fault) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = gathered.done.take() {
            let _ = done.try_send(Err(fault));
        }
    }
}

/// A job as the queue and its batches share it.
pub(super) type Shareable = Arc<Job>;

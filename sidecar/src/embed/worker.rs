//! A thread that runs batches.

use std::sync::{Arc, PoisonError};

use tracing::Span;

use super::job::{Progress, Shareable};
use super::normalization::{Normalize, normalize};
use super::queue::{Packed, RequestId};
use super::seat::Seat;
use super::shared::Shared;
use crate::engine::Batch;
use crate::outputs::Fault;
use crate::telemetry::count;

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) seat: Seat,
    pub(super) dimensions: usize,
    pub(super) normalize: Normalize,
    /// The values of the last batch; kept, so that nothing is allocated once it has grown.
    pub(super) out: Vec<f32>,
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
    /// Runs batches until the pool closes.
    pub(super) fn work(&mut self) {
        while let Some(Taken { packed, jobs, alone }) = self.next() {
            let began = self.shared.now();
            let spans = spans(&packed, &jobs);
            let outcome = self.run(&packed, &jobs, alone);
            drop(spans);
            let took = self.shared.now().saturating_duration_since(began);
            self.shared.metrics.batch(packed.items.len(), packed.padded(), took);
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
                state.drain.started(self.shared.now());
                // Inputs of a job leave the queue with it, so every item has its job.
                let jobs = packed.items.iter().filter_map(|item| state.jobs.get(&item.request).cloned()).collect();
                self.shared.gauge(&state);
                return Some(Taken { packed, jobs, alone });
            }
            state = self.shared.wait(state);
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
        state.drain.finished(self.shared.now(), packed.tokens());
        for id in ended {
            // More inputs of a failed job may wait; nobody will read their outputs.
            if state.jobs.remove(id).is_some() {
                state.queue.cancel(*id);
            }
        }
        self.shared.gauge(&state);
    }
}

/// Ends the queue span of each request in the batch, and opens its inference span.
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

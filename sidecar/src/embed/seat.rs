//! Runs batches on one engine, and survives what goes wrong there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::{Batch, Engine, EngineError, Weights};

/// An engine, and what makes another one in its place.
pub(super) struct Seat {
    engine: Box<dyn Engine>,
    weights: Arc<dyn Weights>,
    threads: usize,
}

impl Seat {
    /// An engine of `weights` that may use `threads` cores.
    pub(super) fn new(weights: &Arc<dyn Weights>, threads: usize) -> Result<Self, EngineError> {
        Ok(Self { engine: weights.engine(threads)?, weights: Arc::clone(weights), threads })
    }

    /// Runs `batch`. What goes wrong is logged here, without its input.
    pub(super) fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), ()> {
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

//! What all streams share.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::aside::Aside;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::models::{Models, State};
use crate::settings::{Limits, Settings};

/// What all streams share.
pub struct Sidecar {
    pub(crate) models: Models,
    pub(crate) metrics: Metrics,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// Where long requests are read: with no more threads than inference has, which they compete with.
    pub(crate) aside: Aside,
    draining: AtomicBool,
}

impl Sidecar {
    /// What `settings` ask for; nothing is loaded yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self, prometheus::Error> {
        Ok(Self {
            models: Models::new(&settings.models),
            metrics: Metrics::new()?,
            limits: settings.limits.clone(),
            budget: Budget::new(settings.limits.max_bytes_in_flight),
            aside: Aside::new(settings.queue.cores()),
            draining: AtomicBool::new(false),
        })
    }

    /// Lets in nothing new from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is stopping.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether every model serves and nothing is stopping.
    pub fn ready(&self) -> bool {
        !self.draining() && self.models.iter().all(|entry| matches!(entry.state(), State::Ready(_)))
    }
}

//! What all streams share.

use tokio::sync::watch;

use crate::aside::Aside;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::models::{Models, Origin, State};
use crate::settings::{Limits, QueueSettings, Settings};

/// What all streams share.
pub struct Sidecar {
    pub(crate) models: Models,
    pub(crate) metrics: Metrics,
    /// How requests wait where a load does not say.
    pub(crate) queue: QueueSettings,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// Reads long requests, on no more threads than inference had at the start: the two compete for cores.
    pub(crate) aside: Aside,
    draining: watch::Sender<bool>,
}

impl Sidecar {
    /// What `settings` ask for; nothing is loaded yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::new()?;
        Ok(Self {
            models: Models::new(settings.onnxruntime.clone(), &metrics),
            metrics,
            queue: settings.queue.clone(),
            limits: settings.limits.clone(),
            budget: Budget::new(settings.limits.max_bytes_in_flight),
            aside: Aside::new(settings.queue.cores()),
            draining: watch::Sender::new(false),
        })
    }

    /// Refuses every new request from now on.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether it is stopping.
    pub fn draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Completes when it is stopping.
    pub(crate) async fn until_draining(&self) {
        // The sender is in `self`, so the wait cannot fail.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Whether every model of the settings file serves and the sidecar is not stopping. A model that was added by a call does not
    /// count: if it loads slowly or fails, the other models must stay in service.
    pub fn ready(&self) -> bool {
        let serves = |origin, state: &State| origin == Origin::Call || matches!(state, State::Ready(_));
        !self.draining() && self.models.all().iter().all(|entry| serves(entry.origin, &entry.state))
    }
}

//! The ways in which resources reach an Envoy.

pub mod files;

use std::time::Duration;

use crate::render::{Kind, Resources};
use crate::rollout::{NotTaken, Taken};

/// Performs the steps of a [`Rollout`](crate::rollout::Rollout) at one Envoy.
pub trait Deliver: Send {
    /// Delivers the resources of one kind, and waits up to `wait` until Envoy has confirmed them.
    fn put(
        &mut self,
        kind: Kind,
        set: &Resources,
        wait: Option<Duration>,
    ) -> impl Future<Output = Result<Taken, NotTaken>> + Send;

    /// Removes the secrets that `set` does not have.
    fn sweep(&mut self, set: &Resources) -> impl Future<Output = Result<Taken, NotTaken>> + Send;
}

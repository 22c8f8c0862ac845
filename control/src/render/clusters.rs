//! Where Envoy can send requests: one cluster for each provider, and Weir's own clusters.

mod breakers;
mod collector;
mod control;
mod door;
mod host;
mod no_plan;
mod provider;
mod sidecar;

pub(super) use collector::collector;
pub(super) use control::control;
pub(super) use door::door;
pub(super) use no_plan::no_plan;
pub(super) use provider::provider;
pub(super) use sidecar::sidecar;

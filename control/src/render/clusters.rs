//! Where requests can be sent: one cluster a provider, and those of Weir's own.

mod breakers;
mod collector;
mod door;
mod host;
mod no_plan;
mod provider;
mod sidecar;

pub(super) use collector::collector;
pub(super) use door::door;
pub(super) use no_plan::no_plan;
pub(super) use provider::provider;
pub(super) use sidecar::sidecar;

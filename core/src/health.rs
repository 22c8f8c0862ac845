//! The health of targets, as seen by the workers of one Envoy.

pub mod cooldown;

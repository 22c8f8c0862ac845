//! How targets stand, as the workers of one Envoy have seen it.

pub mod cooldown;

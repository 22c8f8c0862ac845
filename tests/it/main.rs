//! End-to-end tests: a real Envoy with the real filter, between a plain client and simulated providers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod again;
mod bombs;
mod callers;
mod cooldown;
mod corpus;
mod cors;
mod crash;
mod crowd;
mod dialects;
mod edge;
mod exhausted;
mod failover;
mod inside;
mod leases;
mod load;
mod outgrown;
mod quota;
mod records;
mod relay;
mod reload;
mod secrets;
mod sidecar;
mod signing;
mod spans;
mod steward;
mod stores;
mod streams;
mod tls;
mod translation;
mod transport;
mod uploads;
mod usage;

/// A gateway that the tests of a module share, and what is behind it.
struct Shared {
    upstream: weir_tests::Upstream,
    gateway: weir_tests::Gateway,
}

/// What the simulator answers to `Hi`.
const SAID: &str = "You said \"Hi\", and that is what I heard.";

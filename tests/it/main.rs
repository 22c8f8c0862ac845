//! End-to-end tests: a real Envoy with the real filter, between a plain client and simulated providers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod relay;

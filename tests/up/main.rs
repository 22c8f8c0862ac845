//! What a first user meets: `weir up` with its own Envoy, sidecar and simulator, and the official OpenAI SDKs before it.
//!
//! It runs the binary that lies beside this one: `cargo test --workspace` builds both, `cargo build -p weir` that alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod clients;
mod docs;
mod kit;
mod limits;
mod local;
mod matrix;
mod own;
mod quiet;
mod reload;
mod sdk;
mod start;
mod traces;
mod types;

/// What the simulator answers to `Hi`.
const SAID: &str = "You said \"Hi\", and that is what I heard.";

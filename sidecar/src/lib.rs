//! Local inference behind Envoy: an `ext_proc` server on a Unix socket that answers requests itself, in `OpenAI`'s shape,
//! from models that it holds.
//!
//! A request goes through [`ext_proc`] (Envoy's protocol) to [`api`] (`OpenAI`'s). [`models`] finds its model and makes tokens
//! of its texts; it waits in [`embed`] for others of its length and runs in an [`engine`]. What it gives comes back as
//! [`outputs`], a stream of pieces. [`server::run`] starts it all, and [`service`] loads and unloads models while it runs.
//!
//! What generates text will stand beside [`embed`], as `generate` with a scheduler, a cache and workers.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_precision_loss,
        clippy::float_cmp,
        clippy::needless_for_each,
        reason = "a test may panic"
    )
)]

mod accept;
pub mod admin;
pub mod api;
pub mod aside;
pub mod budget;
pub mod embed;
pub mod engine;
pub mod ext_proc;
pub mod file;
pub mod metrics;
pub mod models;
pub mod outputs;
pub mod server;
pub mod service;
pub mod settings;
pub mod sidecar;
pub mod telemetry;

pub use server::{Server, StartError, run};
pub use settings::Settings;
pub use sidecar::Sidecar;

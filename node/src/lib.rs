//! What `weir up` runs: Envoy, control, the sidecar and the simulator, under one supervisor.
//!
//! Start with [`node`]. `plan` settles what will run; [`configuration`], [`folders`] and [`filter`] answer its questions, and
//! `programs` says how each program is started. [`include`] writes the same configuration for an Envoy that somebody else
//! runs, and [`preview`] renders it and runs nothing. [`keys`] makes callers' keys, and [`models`] asks a running sidecar.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

pub mod admin;
mod backoff;
mod banner;
mod changes;
mod child;
pub mod configuration;
pub mod control;
mod drain;
mod file;
pub mod filter;
pub mod folders;
pub mod include;
pub mod keys;
pub mod launch;
pub mod ledger;
mod limits;
mod listener;
mod log;
pub mod models;
pub mod node;
pub mod options;
mod plan;
mod ports;
pub mod preview;
mod private;
pub mod problem;
mod programs;
mod readiness;
mod runtime;
pub mod say;
pub mod serve;
mod signals;
mod supervisor;

pub use options::Options;
pub use problem::{Outcome, Problem};
pub use weir_places as places;
pub use weir_sidecar::settings::EngineChoice;
pub use weir_sim as sim;

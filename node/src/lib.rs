//! What `weir up` runs: Envoy, the sidecar and the simulator under one supervisor, from the first start to the last request.
//!
//! Start with [`node`]. [`plan`] settles what will run and finds what is missing; [`configuration`], [`folders`] and
//! [`filter`] are what it asks. [`include`] writes the same for an Envoy that somebody else runs.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

pub mod admin;
mod banner;
mod changes;
mod child;
pub mod configuration;
mod drain;
pub mod filter;
pub mod folders;
mod http;
pub mod include;
pub mod keys;
pub mod launch;
mod limits;
mod listener;
pub mod models;
pub mod node;
pub mod options;
mod plan;
mod ports;
pub mod preview;
pub mod problem;
mod ready;
pub mod say;
pub mod serve;
pub mod signals;
mod supervisor;

pub use options::Options;
pub use problem::{Outcome, Problem};
pub use weir_places as places;
pub use weir_sidecar::settings::EngineChoice;
pub use weir_sim as sim;

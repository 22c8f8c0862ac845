//! From one YAML file to Envoy's resources, and from a change on disk to a change in Envoy.
//!
//! [`load`] reads the file and reports every error at once. [`render`] turns a configuration without errors into Envoy's
//! resources, none of which holds a secret. [`rollout`] decides in which order a change reaches Envoy, so that no request fails,
//! and [`deliver`] takes each step there. [`publisher`] joins the two, and [`watch`] gives it each change of the file.
//! [`explain`] says what would become of one request.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

pub mod admin;
pub mod alone;
pub mod deliver;
pub mod diagnostic;
pub mod environment;
pub mod explain;
pub mod ledger;
pub mod load;
pub mod publisher;
pub mod render;
pub mod rollout;
pub mod schema;
pub mod state;
pub mod watch;

pub use admin::AdminAddress;
pub use diagnostic::Diagnostic;
pub use environment::{Environment, References};
pub use load::{Loaded, load};
pub use weir_core::config::Preset;

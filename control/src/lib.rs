//! From one YAML file to Envoy's resources, and from a change on disk to a change in Envoy.
//!
//! [`load`] reads the file and reports every error at once; [`render`] turns what holds into Envoy's resources, none of
//! which holds a secret; [`publish`] writes them where Envoy watches, in an order that drops no request; [`watch`] does
//! all of it again when the file changes. [`explain`] tells what would become of one request.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

pub mod admin;
pub mod alone;
pub mod diagnostic;
pub mod environment;
pub mod explain;
pub mod load;
pub mod publish;
pub mod render;
pub mod schema;
pub mod watch;

pub use admin::AdminAddress;
pub use diagnostic::Diagnostic;
pub use environment::{Environment, References};
pub use load::{Loaded, load};

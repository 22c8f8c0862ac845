//! The sidecar as Envoy meets it: a real server on a Unix socket, a real `ext_proc` client, a real model.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a test may panic, and its modules share what they have"
)]

mod answers;
mod caller;
mod changes;
mod lifecycle;
mod models;
mod reference;

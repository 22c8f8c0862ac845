//! `weir` as its users run it: the binary itself, with a home of its own.
//!
//! What starts Envoy needs what `cargo xtask fetch` and `cargo xtask wasm` leave behind; `make test` runs both first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod check;
mod control;
mod fetched;
mod includes;
mod keys;
mod sim;
mod up;
mod usage;

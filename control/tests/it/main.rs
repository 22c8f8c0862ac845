//! The crate from outside: what operators are told, and what a real Envoy makes of what is rendered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod codes;
mod common;
mod diagnosed;
mod explained;
mod guards;
mod includes;
mod leases;
mod live;
mod nodes;
mod own;
mod reference;
mod rendered;
mod traffic;
mod watched;

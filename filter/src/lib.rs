//! The adapter between Envoy and [`weir_core`]: it reads what Envoy has, asks the core what to do, and does it.
//!
//! Two roles have a part in every request: [`edge`] in the listener's chain, and [`attempt`] in every provider cluster's upstream
//! chain. They know Envoy as a [`Host`](host::Host). The third, the [`steward`], runs once beside them.
//!
//! There are two shells around the roles. [`wasm`] is a proxy-wasm module, which any Envoy runs in its sandbox. [`native`] is a
//! dynamic module, which one Envoy loads as it is, for those who want the last microseconds. The target that is compiled for
//! decides which.
#![allow(missing_docs, reason = "what Envoy calls has no docs here")]

mod attempt;
mod cooldown;
mod edge;
mod effects;
mod host;
mod mailbox;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod shared;
mod steward;
mod waiting;
mod worker;
// Linted and tested natively too, where it is not part of the library.
#[cfg(any(target_arch = "wasm32", clippy, test))]
mod wasm;

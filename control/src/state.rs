//! Limits that several Envoys share: `weir control`.
//!
//! Each Envoy's steward posts what it has used to [`serve`], and gets leases. [`pools`] keeps one cell for each account in a
//! [`store`]; what happens in a cell is decided by [`weir_core::lease`]. Several processes may share a store, because a cell
//! is only ever replaced if it is still what was read. [`epoch`] tells when a store has lost data, and [`book`] asks the
//! ledger then.

pub mod book;
mod carry;
pub mod client;
pub mod epoch;
pub mod limits;
pub mod listen;
mod name;
pub mod pools;
pub mod serve;
pub mod store;
mod sweep;
mod tls;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_core::time::Instant;

/// What the system's clock shows.
pub fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Instant::default().after(since)
}

//! Every decision that Weir makes, as values: bytes and `now` come in, bytes and effects go out.
//!
//! No I/O, no clock, no randomness: reading a clock here does not compile. The filter, the control plane and the
//! command line are hosts that carry out what this crate decides. Start at [`edge`] and [`attempt`], the two roles that
//! a request passes through. [`provider`] has the APIs that providers speak, [`exchange`] joins them to callers'
//! dialects, and [`config`] is the operator's configuration.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod allow;
pub mod answer;
pub mod attempt;
pub mod config;
pub mod edge;
pub mod exchange;
pub mod health;
pub mod key;
pub mod lease;
pub mod listing;
pub mod load;
pub mod money;
mod percent;
pub mod plan;
pub mod price;
pub mod provider;
pub mod quota;
pub mod record;
pub mod role;
pub mod shared;
pub mod steward;
pub mod time;
pub mod upstream;
pub mod usage;

//! Every decision Weir takes, without doing any of them: bytes and `now` come in, bytes and effects go out.
//!
//! No I/O, no clock, no randomness: reading a clock here is a compile error. The filter, the control plane and the
//! command line are hosts that perform what this crate decides. Start at [`edge`] and [`attempt`], the two roles a
//! request passes; [`provider`] is where an upstream's dialect is spoken, [`config`] what the operator wrote.
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
pub mod listing;
pub mod load;
pub mod plan;
pub mod provider;
pub mod record;
pub mod shared;
pub mod steward;
pub mod time;
pub mod upstream;

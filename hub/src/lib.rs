//! The hub: requests and answers in a form that no caller's dialect and no provider owns.
//!
//! [`chat`], [`embed`] and [`piece`] are the hub itself. A [`dialect`] is one of the APIs that callers speak: it reads
//! requests into the hub and writes answers from it. [`codec`] finds values and events in bytes. Nothing here knows a
//! provider, a configuration or a host. There is no I/O, no clock and no randomness.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod buffer;
pub mod call;
pub mod chat;
pub mod codec;
pub mod dialect;
pub mod embed;
pub mod endpoint;
pub mod fault;
pub mod frames;
pub mod passthrough;
pub mod piece;
pub mod progress;
pub mod relay;
pub mod reply;
pub mod signature;
pub mod tail;
pub mod usage;

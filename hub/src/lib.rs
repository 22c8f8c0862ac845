//! The hub: what is asked and what is answered, whatever the words of callers and providers for it.
//!
//! [`chat`], [`embed`] and [`piece`] are the hub itself; a [`dialect`] is one of the APIs that callers speak, and reads into them and
//! writes from them. [`codec`] finds values and events in bytes. Nothing here knows a provider, a configuration or a host: no I/O, no
//! clock, no randomness.
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
pub mod usage;

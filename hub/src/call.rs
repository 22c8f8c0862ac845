//! One request of a caller, as it is passed on to whoever reads or writes it.

use crate::codec::json::Scan;
use crate::endpoint::{Delivery, Endpoint, UsageChunk};

/// One request of a caller, as scanned but not parsed.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// How the answer is to be delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
    /// The model that the caller named.
    pub model: &'a str,
    /// The features that an Anthropic caller turns on by name (`anthropic-beta`); empty if none.
    pub betas: &'a str,
    /// The caller's body, in the caller's dialect; valid JSON, an object. Of a form, its fields as one: those that are
    /// read as strings, the others as `true`; empty once it is known that it is served.
    pub body: &'a [u8],
    /// Where the body's top-level members lie.
    pub scan: &'a Scan,
}

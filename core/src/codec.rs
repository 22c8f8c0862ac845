//! Framing, proven once: JSON bodies, server-sent events, compressed answers.
//!
//! Cutting the input anywhere never changes the result, and held bytes are capped.

pub mod eventstream;
pub mod gzip;
pub mod json;
pub mod sse;

//! Framing, proven once: JSON bodies, event streams (server-sent and AWS's), compressed answers, uploaded forms.
//!
//! Cutting the input anywhere never changes the result, and held bytes are capped.

pub mod brotli;
pub mod encoding;
pub mod eventstream;
mod flaw;
pub mod gzip;
pub mod json;
pub mod multipart;
pub mod sse;

pub use flaw::{BadBody, Unreadable};

/// How much room an answer is given at a time.
const STEP: usize = 8 << 10;

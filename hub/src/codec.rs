//! The formats of bytes: JSON bodies, event streams (server-sent and AWS's), compressed answers, uploaded forms.
//!
//! Splits streams into events. The result does not depend on where the input is cut, and the bytes held have a limit.

pub mod brotli;
pub mod encoding;
pub mod eventstream;
mod flaw;
pub mod gzip;
pub mod json;
pub mod multipart;
pub mod sse;

pub use flaw::{BadBody, Unreadable};

/// The buffer for unpacked bytes grows by this much at a time.
const STEP: usize = 8 << 10;

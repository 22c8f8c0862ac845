//! Token counts in one shape, whatever the provider's own definition.

use serde::{Deserialize, Serialize};

/// Tokens that one answer used.
///
/// `input` includes cached tokens and `output` includes reasoning tokens, as OpenAI counts; a provider whose counts
/// exclude each other adds them up when it reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cached_read: u64,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Input tokens that were sound.
    pub audio_input: u64,
    /// Output tokens that were sound.
    pub audio_output: u64,
    /// The provider has not said (yet): what is here was counted from the answer's own pieces.
    pub estimated: bool,
}

/// Guesses how many tokens one delta is, by the bytes of its content. Most deltas are a single token, and few tokens are longer
/// than eight bytes; a longer delta is several, of four bytes each.
pub const fn guess(bytes: usize) -> u64 {
    match bytes {
        0 => 0,
        1..=8 => 1,
        _ => bytes as u64 / 4,
    }
}

//! Token counts with one definition for all providers.

use serde::{Deserialize, Serialize};

/// Tokens that one answer used.
///
/// `input` includes cached tokens and `output` includes reasoning tokens, as OpenAI counts them. A provider that counts
/// them separately adds them up when it reads them.
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
    /// Those of them that are kept for an hour instead of five minutes, if the provider tells them apart.
    #[serde(default)]
    pub cache_write_1h: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Input tokens of audio.
    pub audio_input: u64,
    /// Output tokens of audio.
    pub audio_output: u64,
    /// The provider has not given counts (yet); these are estimated from the answer's pieces.
    pub estimated: bool,
}

/// Guesses how many tokens one delta has, from the bytes of its content. Most deltas are a single token, and few tokens
/// are longer than eight bytes. A longer delta counts as several tokens of four bytes each.
pub const fn guess(bytes: usize) -> u64 {
    match bytes {
        0 => 0,
        1..=8 => 1,
        _ => bytes as u64 / 4,
    }
}

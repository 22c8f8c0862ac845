//! What a caller can ask for, and how the answer is to be delivered.

use serde::{Deserialize, Serialize};

/// An endpoint that reaches a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 2] = [Self::Chat, Self::Embeddings];

    /// The path that callers use, without a query.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    /// The endpoint's name in the configuration and in `gen_ai.operation.name`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

/// How an answer reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Delivery {
    /// One JSON body.
    Whole,
    /// Server-sent events.
    Streamed,
}

/// Whether the caller wants the usage chunk of a stream (`stream_options.include_usage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageChunk {
    /// The caller asked for it.
    Wanted,
    /// The caller did not ask; Weir asks all the same and removes it.
    Unwanted,
}

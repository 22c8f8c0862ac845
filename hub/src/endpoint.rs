//! What a caller can ask for, at which path, and how the answer is delivered.

// A new endpoint must be decided about wherever an endpoint decides.
#![deny(clippy::wildcard_enum_match_arm)]

use serde::{Deserialize, Serialize};

/// An endpoint that reaches a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`, OpenAI's legacy text completions.
    Completions,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/messages`, Anthropic's.
    Messages,
    /// `POST /v1/messages/count_tokens`, Anthropic's.
    CountTokens,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`, Gemini's.
    GenerateContent,
    /// `POST /v1beta/models/{model}:countTokens`, Gemini's.
    CountContent,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1beta/models/{model}:embedContent`, Gemini's.
    EmbedContent,
    /// `POST /v1beta/models/{model}:batchEmbedContents`, Gemini's.
    BatchEmbedContents,
    /// `POST /v1/images/generations`
    Images,
    /// `POST /v1/images/edits`
    ImageEdits,
    /// `POST /v1/audio/transcriptions`
    Transcriptions,
    /// `POST /v1/audio/translations`
    Translations,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/rerank`, in the shape of Cohere and Jina.
    Rerank,
}

/// Whose API an endpoint belongs to. This decides the format of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// OpenAI's API, and the endpoints that others have added around it.
    #[default]
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

/// The purpose of an endpoint. This decides which providers can serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A conversation, which goes through the hub if the provider speaks another dialect.
    Chat,
    /// Vectors of texts, through the hub of embeddings.
    Embed,
    /// The number of tokens of a conversation.
    Count,
    /// Anything without a hub: a provider that serves it gets the caller's bytes.
    Relayed,
}

/// The format of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON object.
    Json,
    /// `multipart/form-data`, with a file.
    Multipart,
}

/// What a call asks for, except its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How the answer is delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtPath<'p> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The model and the delivery, if the path names them instead of the body.
    pub in_path: Option<(&'p str, Delivery)>,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 17] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::GenerateContent,
        Self::CountContent,
        Self::Embeddings,
        Self::EmbedContent,
        Self::BatchEmbedContents,
        Self::Images,
        Self::ImageEdits,
        Self::Transcriptions,
        Self::Translations,
        Self::Speech,
        Self::Moderations,
        Self::Rerank,
    ];

    /// The endpoint at `path`, which has no query.
    pub fn at(path: &str) -> Option<AtPath<'_>> {
        // Google's clients use several versions of the API.
        let below = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"));
        if let Some((model, verb)) = below.and_then(|rest| rest.rsplit_once(':')) {
            let (endpoint, delivery) = match verb {
                "generateContent" => (Self::GenerateContent, Delivery::Whole),
                "streamGenerateContent" => (Self::GenerateContent, Delivery::Streamed),
                "countTokens" => (Self::CountContent, Delivery::Whole),
                "embedContent" => (Self::EmbedContent, Delivery::Whole),
                "batchEmbedContents" => (Self::BatchEmbedContents, Delivery::Whole),
                _ => return None,
            };
            return Some(AtPath { endpoint, in_path: Some((model, delivery)) });
        }
        // Cohere's own clients use their own version.
        let path = if path == "/v2/rerank" { Self::Rerank.path() } else { path };
        let endpoint = Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)?;
        // The path of a Gemini endpoint names a model, and was handled above.
        (endpoint.family() != Family::Gemini).then_some(AtPath { endpoint, in_path: None })
    }

    /// The path that callers use, without a query.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::GenerateContent => "/v1beta/models/{model}:generateContent",
            Self::CountContent => "/v1beta/models/{model}:countTokens",
            Self::Embeddings => "/v1/embeddings",
            Self::EmbedContent => "/v1beta/models/{model}:embedContent",
            Self::BatchEmbedContents => "/v1beta/models/{model}:batchEmbedContents",
            Self::Images => "/v1/images/generations",
            Self::ImageEdits => "/v1/images/edits",
            Self::Transcriptions => "/v1/audio/transcriptions",
            Self::Translations => "/v1/audio/translations",
            Self::Speech => "/v1/audio/speech",
            Self::Moderations => "/v1/moderations",
            Self::Rerank => "/v1/rerank",
        }
    }

    /// The endpoint's name in the configuration and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::GenerateContent => "generate_content",
            Self::CountContent => "count_content",
            Self::Embeddings => "embeddings",
            Self::EmbedContent => "embed_content",
            Self::BatchEmbedContents => "batch_embed_contents",
            Self::Images => "images",
            Self::ImageEdits => "image_edits",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Speech => "speech",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
        }
    }

    /// Reads the name that [`name`](Self::name) writes.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.name() == name)
    }

    /// `gen_ai.operation.name`, as OpenTelemetry's conventions define it.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses | Self::Messages => "chat",
            Self::GenerateContent => "generate_content",
            Self::Completions => "text_completion",
            Self::EmbedContent | Self::BatchEmbedContents => "embeddings",
            Self::CountTokens
            | Self::CountContent
            | Self::Embeddings
            | Self::Images
            | Self::ImageEdits
            | Self::Transcriptions
            | Self::Translations
            | Self::Speech
            | Self::Moderations
            | Self::Rerank => self.name(),
        }
    }

    /// Whose API it belongs to.
    pub const fn family(self) -> Family {
        match self {
            Self::Messages | Self::CountTokens => Family::Anthropic,
            Self::GenerateContent | Self::CountContent | Self::EmbedContent | Self::BatchEmbedContents => {
                Family::Gemini
            }
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Images
            | Self::ImageEdits
            | Self::Transcriptions
            | Self::Translations
            | Self::Speech
            | Self::Moderations
            | Self::Rerank => Family::OpenAi,
        }
    }

    /// What it is for.
    pub const fn task(self) -> Task {
        match self {
            Self::Chat | Self::Completions | Self::Responses | Self::Messages | Self::GenerateContent => Task::Chat,
            Self::Embeddings | Self::EmbedContent | Self::BatchEmbedContents => Task::Embed,
            Self::CountTokens | Self::CountContent => Task::Count,
            Self::Images
            | Self::ImageEdits
            | Self::Transcriptions
            | Self::Translations
            | Self::Speech
            | Self::Moderations
            | Self::Rerank => Task::Relayed,
        }
    }

    /// Whether it asks a chat model for an answer, so that any chat provider can serve it.
    pub const fn is_chat(self) -> bool {
        matches!(self.task(), Task::Chat)
    }

    /// Whether it embeds texts, so that any provider with an embedding model can serve it.
    pub const fn embeds(self) -> bool {
        matches!(self.task(), Task::Embed)
    }

    /// Whether it counts the tokens of a chat request.
    pub const fn counts(self) -> bool {
        matches!(self.task(), Task::Count)
    }

    /// The format of its request bodies.
    pub const fn body(self) -> BodyKind {
        match self {
            Self::ImageEdits | Self::Transcriptions | Self::Translations => BodyKind::Multipart,
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::CountTokens
            | Self::GenerateContent
            | Self::CountContent
            | Self::Embeddings
            | Self::EmbedContent
            | Self::BatchEmbedContents
            | Self::Images
            | Self::Speech
            | Self::Moderations
            | Self::Rerank => BodyKind::Json,
        }
    }

    /// The largest request body in bytes, unless the configuration sets another.
    pub const fn default_body_limit(self) -> u64 {
        match self {
            Self::Embeddings
            | Self::EmbedContent
            | Self::BatchEmbedContents
            | Self::Images
            | Self::Moderations
            | Self::Speech => 4 << 20,
            Self::Rerank => 8 << 20,
            // OpenAI takes audio files of 25 MB and images of up to 50 MB; the form around a file needs room, too.
            Self::Transcriptions | Self::Translations => 26 << 20,
            Self::ImageEdits => 51 << 20,
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::CountTokens
            | Self::GenerateContent
            | Self::CountContent => 16 << 20,
        }
    }
}

impl Family {
    /// The filter state that marks a caller who speaks another API than OpenAI's. Its value is the request's id.
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => None,
            Self::Anthropic => Some("wasm.weir.anthropic"),
            Self::Gemini => Some("wasm.weir.gemini"),
        }
    }

    /// The API that a caller probably speaks, judged by a path that does not exist.
    pub fn at(path: &str) -> Self {
        if path.starts_with("/v1/messages") {
            Self::Anthropic
        } else if path.starts_with("/v1beta/") {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }
}

/// How an answer reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Delivery {
    /// One body.
    Whole,
    /// Piece by piece: server-sent events, or the bytes of a file while it is being made.
    Streamed,
}

/// Whether the caller wants the usage chunk of a stream (`stream_options.include_usage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageChunk {
    /// The caller asked for it.
    Wanted,
    /// The caller did not ask for it. Weir asks for it anyway, and removes it.
    Unwanted,
}

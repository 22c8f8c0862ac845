//! The hub of embeddings: what a caller asks and what comes back, whatever the provider's words for it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::buffer::malformed;
use crate::codec::json::Raw;
use crate::endpoint::Endpoint;
use crate::fault::UpstreamFault;
use crate::usage::Usage;

/// What a caller asks of an embedding model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embed<'a> {
    /// The texts.
    pub inputs: Vec<Cow<'a, str>>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// How the vectors are to be written.
    pub encoding: Encoding,
    /// What the vectors are for, in Gemini's words: `RETRIEVAL_QUERY`.
    pub task: Option<Cow<'a, str>>,
    /// The title of what the texts are from, for a search in it.
    pub title: Option<Cow<'a, str>>,
    /// Fields without a place here, as written.
    pub extra: Vec<(Cow<'a, str>, Raw<'a>)>,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As JSON numbers.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats.
    Base64,
}

/// What an embedding model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors<'a> {
    /// The provider's name for the model; empty if it does not say.
    pub model: String,
    /// One JSON array of numbers for each text, in their order.
    pub vectors: Vec<Raw<'a>>,
    /// Tokens used.
    pub usage: Usage,
}

/// What callers of `endpoint` call the field that OpenAI's call `field`.
pub fn field(field: &str, endpoint: Endpoint) -> Cow<'_, str> {
    match (endpoint, field) {
        (Endpoint::EmbedContent | Endpoint::BatchEmbedContents, "dimensions") => "outputDimensionality".into(),
        (Endpoint::EmbedContent, "input") => "content".into(),
        (Endpoint::BatchEmbedContents, "input") => "requests".into(),
        _ => field.into(),
    }
}

/// Whether so many vectors are as many as there are texts.
pub fn one_for_each(texts: Option<usize>, found: usize) -> Result<(), UpstreamFault> {
    match texts.filter(|texts| *texts != found) {
        Some(texts) => Err(malformed(&format!("The provider gave {found} vectors for {texts} texts."))),
        None => Ok(()),
    }
}

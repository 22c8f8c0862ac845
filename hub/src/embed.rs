//! The hub for embeddings: what a caller asks and what comes back, in a form that no provider owns.

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
    /// How many numbers each vector must have.
    pub dimensions: Option<u64>,
    /// How the vectors are written.
    pub encoding: Encoding,
    /// The purpose of the vectors, in Gemini's terms: `RETRIEVAL_QUERY`.
    pub task: Option<Cow<'a, str>>,
    /// The title of the document that the texts are from, for search.
    pub title: Option<Cow<'a, str>>,
    /// Fields that have no place in this struct, as written.
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

/// The answer of an embedding model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors<'a> {
    /// The provider's name for the model; empty if it does not say.
    pub model: String,
    /// One JSON array of numbers for each text, in the order of the texts.
    pub vectors: Vec<Raw<'a>>,
    /// Tokens used.
    pub usage: Usage,
}

/// The name that callers of `endpoint` use for the field that OpenAI calls `field`.
pub fn field(field: &str, endpoint: Endpoint) -> Cow<'_, str> {
    match (endpoint, field) {
        (Endpoint::EmbedContent | Endpoint::BatchEmbedContents, "dimensions") => "outputDimensionality".into(),
        (Endpoint::EmbedContent, "input") => "content".into(),
        (Endpoint::BatchEmbedContents, "input") => "requests".into(),
        _ => field.into(),
    }
}

/// Checks that there are as many vectors as texts, if the number of texts is known.
pub fn one_for_each(texts: Option<usize>, found: usize) -> Result<(), UpstreamFault> {
    match texts.filter(|texts| *texts != found) {
        Some(texts) => Err(malformed(&format!("The provider gave {found} vectors for {texts} texts."))),
        None => Ok(()),
    }
}

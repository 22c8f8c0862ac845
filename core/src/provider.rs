//! The APIs that providers speak. Each provider is one file, one line in [`ALL`] and one fixture folder.
//!
//! A provider speaks to one kind of upstream. A call in the upstream's own dialect is [relayed](Provider::relay): the
//! bytes pass, and only what must change is changed. Any other call goes through a hub: a chat is
//! [written](ChatApi::write) from a [`Chat`], and its answer is [read](ChatApi::reader) as pieces.
//! [`exchange`](crate::exchange) decides between the two. To add a provider, write `provider/name.rs`, add it to
//! [`ALL`], and put cases in `tests/fixtures/name/`.

mod answer_tool;
mod anthropic;
mod azure;
mod bedrock;
mod claude;
mod cohere;
mod gemini;
mod local;
mod misfit;
mod mistral;
mod named;
mod notes;
mod oneinfer;
mod openai;
mod parts;
mod redact;
mod system;
mod target;
pub(crate) mod tool_names;
mod vertex;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;
use weir_hub::embed::{Embed, Vectors};
use weir_hub::endpoint::{Asked, Endpoint};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::frames::Framing;
use weir_hub::piece::Calls;
use weir_hub::reply::{Reader, Reply};

use crate::upstream::{Upstream, Url};

pub use notes::Notes;
pub(crate) use notes::in_header;
pub use target::To;
pub use tool_names::{Renamed, ToolName};

/// Every provider that the configuration can name as a `dialect`.
pub static ALL: [&dyn Provider; 10] = [
    &openai::OpenAi,
    &anthropic::Anthropic,
    &azure::Azure,
    &bedrock::Bedrock,
    &cohere::Cohere,
    &gemini::Gemini,
    &local::Local,
    &mistral::Mistral,
    &oneinfer::OneInfer,
    &vertex::Vertex,
];

/// The provider called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Provider> {
    ALL.into_iter().find(|provider| provider.name() == name)
}

/// What to send upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The path below the provider's endpoint, with a leading slash and, if needed, a query: `/chat/completions`.
    pub path: String,
    /// Headers of only this request (name in lower case, value).
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// What was left out or emulated.
    pub notes: Notes,
    /// Which of the answer's tool calls the caller receives.
    pub calls: Calls,
    /// Tools that got other names.
    pub renamed: Renamed,
}

impl Ask {
    /// A request with `body` to `path`.
    pub fn new(path: impl Into<String>, body: Body) -> Self {
        let (headers, notes) = (Vec::new(), Notes::default());
        Self { path: path.into(), headers, body, notes, calls: Calls::All, renamed: Renamed::default() }
    }

    /// A request with a JSON body to `path`.
    pub fn json(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(path, Body::Replaced(body))
    }
}

/// The body that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The caller's bytes, unchanged.
    AsIs,
    /// These bytes instead.
    Replaced(Vec<u8>),
}

impl Body {
    /// How many bytes have to be written.
    pub fn written(&self) -> usize {
        match self {
            Self::AsIs => 0,
            Self::Replaced(with) => with.len(),
        }
    }
}

/// How an upstream is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over the network, at the endpoint in the configuration.
    Url,
    /// Through Envoy's `ext_proc`, to the local sidecar.
    Sidecar,
}

/// The header that carries a provider's credential; Envoy's credential injector writes it, never the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialHeader {
    /// Header name, lower case.
    pub name: &'static str,
    /// The text before the credential, with its space: `"Bearer "`.
    pub prefix: &'static str,
}

/// Speaks to one kind of upstream in its API.
///
/// Pure and stateless: anything that lives as long as an answer belongs in the [`Reader`] or [`Reply`] that it returns.
/// It never sees a partial event: only [`codec`](weir_hub::codec) splits streams into events, and its tests cover every
/// cut.
pub trait Provider: Send + Sync {
    /// The name used as `dialect` in the configuration, and as `gen_ai.provider.name`.
    fn name(&self) -> &'static str;

    /// The maker's own endpoint: `https://api.openai.com/v1`. Empty if each account has its own.
    fn endpoint(&self) -> &'static str {
        ""
    }

    /// Endpoints at which others serve this API and each account has a host of its own, unless a preset names them:
    /// `https://openai.azure.com/openai/v1`.
    fn elsewhere(&self) -> &'static [&'static str] {
        &[]
    }

    /// Why this API cannot begin at `url`, and which URL is probably meant.
    fn misplaced(&self, url: &Url, upstream: &Upstream) -> Option<(String, Url)> {
        let _ = (url, upstream);
        None
    }

    /// How Envoy reaches it.
    fn reach(&self) -> Reach {
        Reach::Url
    }

    /// The header for the credential; `None` if the upstream takes none.
    fn credential(&self) -> Option<CredentialHeader>;

    /// The service name with which AWS requests are signed (`SigV4`), if signing replaces a credential header.
    fn signing(&self) -> Option<&'static str> {
        None
    }

    /// Headers of every request to this upstream (name in lower case, value).
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether calls to `model` are relayed, because the upstream serves `endpoint` in the caller's own dialect. This
    /// depends on the model: a cloud may serve models of several makers, each in its own dialect.
    fn relays(&self, model: &str, endpoint: Endpoint, upstream: &Upstream) -> bool;

    /// The path below the endpoint, if a call for a model with the same name can be sent unchanged. Such a body is
    /// never read again. Only for calls that are [relayed](Self::relays).
    fn untouched(&self, asked: Asked, upstream: &Upstream) -> Option<&'static str> {
        let _ = (asked, upstream);
        None
    }

    /// Writes a call that is in the upstream's own dialect; refuses what this upstream does not accept. Only for calls
    /// that are [relayed](Self::relays).
    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let _ = call;
        Err(to.wrong_endpoint())
    }

    /// Starts reading an answer that is relayed. Only for calls that are [relayed](Self::relays).
    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply>;

    /// How to chat in its own API; `None` if it only serves chats that are relayed.
    fn chat_api(&self) -> Option<&dyn ChatApi> {
        None
    }

    /// How to embed in its own API; `None` if it has no embeddings, or has them in OpenAI's API.
    fn embed_api(&self) -> Option<&dyn EmbedApi> {
        None
    }

    /// How to count tokens; `None` if it cannot.
    fn count_api(&self) -> Option<&dyn CountApi> {
        None
    }

    /// The most texts in one request for embeddings. A try is one request, so a call with more texts can only go to
    /// another provider.
    fn most_texts(&self, model: &str) -> usize {
        let _ = model;
        usize::MAX
    }

    /// Reads a failure: whose fault it was, and what to say about it.
    ///
    /// `status` is not 2xx; `body` may be empty, cut off, or not JSON.
    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault;

    /// Reads an error in an event or in a message of an answer whose status was a success; `None` if there is no error.
    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        let _ = answer;
        None
    }
}

/// Chats in an upstream's own API.
pub trait ChatApi {
    /// Writes a chat in this upstream's API.
    ///
    /// Refuses what it cannot express through [`To::unsupported`], by the field's name. Nothing is dropped silently.
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Whether `model` accepts reasoning that has this proof.
    fn takes_back(&self, proof: &str, model: &str, upstream: &Upstream) -> bool {
        let _ = (proof, model, upstream);
        false
    }

    /// Whether `model` reads files in Google's store (`gs://`).
    fn reads_buckets(&self, model: &str) -> bool {
        let _ = model;
        false
    }

    /// The tool names that `model` accepts; a tool with another name is [renamed](Ask::renamed).
    fn tool_name(&self, model: &str) -> ToolName {
        let _ = model;
        ToolName::USUAL
    }

    /// The framing of streamed answers to a chat.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Starts reading the answer to a chat.
    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader>;
}

/// Embeddings in an upstream's own API.
pub trait EmbedApi {
    /// Writes a request for embeddings in this upstream's API.
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Reads the answer to a request for embeddings; `None` if it is not in the format that the API promises.
    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>>;
}

/// Counts of tokens in an upstream's own API.
pub trait CountApi {
    /// Writes a request that counts the tokens of `chat` as this upstream would receive it.
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Reads the count; `None` if the answer is not in the format that the API promises.
    fn counted(&self, answer: Raw<'_>) -> Option<u64>;
}

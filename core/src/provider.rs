//! The providers: one file each, one line in [`ALL`] each, one fixture folder each.
//!
//! A provider speaks to one kind of upstream. What a caller says in the same dialect is [relayed](Provider::relay): the
//! bytes pass, and only what must change is changed. Anything else goes through a hub: a chat is [written](ChatApi::write)
//! from a [`Chat`], and its answer [read](ChatApi::reader) as pieces. To add one, write `provider/name.rs`, add it to
//! [`ALL`], and put cases under `tests/fixtures/name/`.

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

/// Every provider that can be named in the configuration as a `dialect`.
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
    /// Path below the provider's endpoint, with a leading slash and, where it needs one, a query: `/chat/completions`.
    pub path: String,
    /// Headers of this request alone (name in lower case, value).
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// What was left out or is had in another way.
    pub notes: Notes,
    /// Which of the answer's calls the caller is told of.
    pub calls: Calls,
    /// Tools that were given other names.
    pub renamed: Renamed,
}

impl Ask {
    /// `body` for `path`.
    pub fn new(path: impl Into<String>, body: Body) -> Self {
        let (headers, notes) = (Vec::new(), Notes::default());
        Self { path: path.into(), headers, body, notes, calls: Calls::All, renamed: Renamed::default() }
    }

    /// JSON for `path`.
    pub fn json(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(path, Body::Replaced(body))
    }
}

/// A body as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes that came, untouched.
    AsIs,
    /// Other bytes.
    Replaced(Vec<u8>),
}

impl Body {
    /// How many bytes there are to write.
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
    /// Through Envoy's `ext_proc`, next door.
    Sidecar,
}

/// The header that carries a provider's credential; Envoy's credential injector writes it, never the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialHeader {
    /// Header name, lower case.
    pub name: &'static str,
    /// What stands before the credential, with its space: `"Bearer "`.
    pub prefix: &'static str,
}

/// Speaks one upstream's dialect.
///
/// Pure and stateless: what lives as long as an answer belongs in the [`Reader`] or [`Reply`] it returns. Never sees a
/// partial frame; framing is proven once, in [`codec`](weir_hub::codec).
pub trait Provider: Send + Sync {
    /// The name used as `dialect` in the configuration, and as `gen_ai.provider.name`.
    fn name(&self) -> &'static str;

    /// The endpoint of its maker: `https://api.openai.com/v1`. Empty where each account has one of its own.
    fn endpoint(&self) -> &'static str {
        ""
    }

    /// Where others serve this API, each account below a host of its own, if no preset says so:
    /// `https://openai.azure.com/openai/v1`.
    fn elsewhere(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is wrong with `url` as the place where this API begins, and which is meant.
    fn misplaced(&self, url: &Url, upstream: &Upstream) -> Option<(String, Url)> {
        let _ = (url, upstream);
        None
    }

    /// How Envoy gets there.
    fn reach(&self) -> Reach {
        Reach::Url
    }

    /// Where the credential goes; `None` for an upstream that takes none.
    fn credential(&self) -> Option<CredentialHeader>;

    /// The service for which AWS signs requests (`SigV4`), where that takes the place of a credential header.
    fn signing(&self) -> Option<&'static str> {
        None
    }

    /// Headers that every request to this upstream carries (name in lower case, value).
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether bytes pass to `model` as they come, because the upstream serves `endpoint` in the caller's own dialect for it: a cloud may
    /// serve models of several makers, each in its own dialect.
    fn relays(&self, model: &str, endpoint: Endpoint, upstream: &Upstream) -> bool;

    /// The path below the endpoint, if a call for a model of the same name can go up as it is: nothing to add, nothing to
    /// change. Such a body is never looked at again. Only for what is [relayed](Self::relays).
    fn untouched(&self, asked: Asked, upstream: &Upstream) -> Option<&'static str> {
        let _ = (asked, upstream);
        None
    }

    /// Writes the call, which is in the upstream's own dialect; refuses what this upstream does not take. Only for what
    /// is [relayed](Self::relays).
    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let _ = call;
        Err(to.wrong_endpoint())
    }

    /// Starts reading an answer that is passed on as it comes. Only for what is [relayed](Self::relays).
    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply>;

    /// How it is asked to chat, in its own API; `None` if it serves no chats but those that are relayed.
    fn chat_api(&self) -> Option<&dyn ChatApi> {
        None
    }

    /// How it is asked to embed in its own API; `None` if it does not, or is asked in OpenAI's words.
    fn embed_api(&self) -> Option<&dyn EmbedApi> {
        None
    }

    /// How it is asked to count tokens; `None` if it does not.
    fn count_api(&self) -> Option<&dyn CountApi> {
        None
    }

    /// The most texts that one request for embeddings may have; what has more can only go elsewhere, since a try is one request.
    fn most_texts(&self, model: &str) -> usize {
        let _ = model;
        usize::MAX
    }

    /// Reads a failure: whose fault it was, and what to tell.
    ///
    /// `status` is not 2xx; `body` may be empty, cut, or no JSON at all.
    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault;

    /// Reads an error that came as an event, or as a message, of an answer that began as a success; `None` if it is none.
    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        let _ = answer;
        None
    }
}

/// Chats, in an upstream's own API.
pub trait ChatApi {
    /// Writes a chat as this upstream expects to receive it.
    ///
    /// What cannot be expressed is refused through [`To::unsupported`], by the field's name; nothing is dropped in silence.
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Whether `model` takes back what was thought with this proof.
    fn takes_back(&self, proof: &str, model: &str, upstream: &Upstream) -> bool {
        let _ = (proof, model, upstream);
        false
    }

    /// Whether `model` reads files in Google's store (`gs://`).
    fn reads_buckets(&self, model: &str) -> bool {
        let _ = model;
        false
    }

    /// What `model` takes as a tool's name; others are [given](Ask::renamed) another one.
    fn tool_name(&self, model: &str) -> ToolName {
        let _ = model;
        ToolName::USUAL
    }

    /// How streamed answers to a chat are framed.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Starts reading the answer to a chat.
    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader>;
}

/// Embeddings, in an upstream's own API.
pub trait EmbedApi {
    /// Writes a request for embeddings as this upstream expects to receive it.
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Reads the answer to a request for embeddings; `None` if it is not what the upstream promises.
    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>>;
}

/// Counts of tokens, in an upstream's own API.
pub trait CountApi {
    /// Writes a request to count the tokens of what `chat` asks, as this upstream would receive it.
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject>;

    /// Reads how many tokens were counted; `None` if the answer is not what the upstream promises.
    fn counted(&self, answer: Raw<'_>) -> Option<u64>;
}

//! The providers: one file each, one line in [`ALL`] each, one fixture folder each.
//!
//! A provider speaks to one kind of upstream. What a caller says in the same dialect is [relayed](Provider::relay): the
//! bytes pass, and only what must change is changed. Anything else goes through a hub: a chat is [written](Provider::write)
//! from a [`Chat`], and its answer [read](Provider::reader) as pieces. To add one, write `provider/name.rs`, add it to
//! [`ALL`], and put cases under `tests/fixtures/name/`.

mod answer;
mod answer_tool;
mod anthropic;
mod azure;
mod bedrock;
mod bound;
mod cohere;
mod count;
mod embedding;
mod gemini;
mod held;
mod judge;
mod local;
mod mistral;
mod named;
mod oneinfer;
mod openai;
mod pairs;
mod parts;
mod passing;
mod progress;
mod relay;
pub mod signature;
mod system;
mod to;
mod told;
mod tool_names;
pub(crate) mod translate;
#[cfg(test)]
pub(crate) mod trial;
mod vertex;
mod words;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::chat::Chat;
use crate::codec::json::{Raw, Scan, scan};
use crate::config::{Upstream, Url};
use crate::dialect::{self, Dialect};
use crate::embed::{Embed, Encoding, Vectors};
use crate::endpoint::{Delivery, Endpoint, UsageChunk};
use crate::fault::{Reject, UpstreamFault};
use crate::piece::Calls;

pub use answer::{Event, Flow, Passage, Pieces, Reader, Reply};
pub use judge::{Judge, Reworded};
pub use progress::{Progress, Signs};
pub(crate) use to::{MOST_NOTED, in_header};
pub use to::{Notes, To};
pub use told::told;
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

/// One request of a caller, as scanned but not parsed.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// How the answer is to be delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
    /// The model that the caller named.
    pub model: &'a str,
    /// The features that an Anthropic caller turns on by name (`anthropic-beta`); empty if none.
    pub betas: &'a str,
    /// The caller's body, in the caller's dialect; valid JSON, an object. Of a form, its fields as one: those that are
    /// read as strings, the others as `true`; empty once it is known that it is served.
    pub body: &'a [u8],
    /// Where the body's top-level members lie.
    pub scan: &'a Scan,
}

/// What a [`Reply`] must know of the call that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyStart<'a> {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// How the answer is delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
    /// How the caller wants vectors written.
    pub encoding: Encoding,
    /// The model that was asked, as the upstream names it: for answers that do not say.
    pub model: &'a str,
    /// Names the answer where its upstream does not; letters, digits and `-`.
    pub id: &'a str,
    /// Now, in seconds since the Unix epoch: `created` in answers whose upstream does not say.
    pub created: u64,
    /// What the answer repeats of its request; see [`Dialect::echo`](dialect::Dialect::echo).
    pub echo: &'a str,
    /// What the upstream says its answer is (`content-type`); empty if it does not.
    pub content_type: &'a str,
    /// Which of the answer's calls the caller is told of.
    pub calls: Calls,
    /// Tools that the answer calls by other names; see [`Renamed`].
    pub renamed: &'a [(String, String)],
    /// How many texts were to be embedded, where that is known.
    pub texts: Option<usize>,
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

/// How an upstream's streams are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's binary event streams.
    EventStream,
}

/// Speaks one upstream's dialect.
///
/// Pure and stateless: what lives as long as an answer belongs in the [`Reader`] or [`Reply`] it returns. Never sees a
/// partial frame; framing is proven once, in [`codec`](crate::codec).
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

    /// Whether the upstream serves `endpoint` in the caller's own dialect, for some of its models at least. What becomes of one call
    /// is [`relays_to`](Self::relays_to)'s to say.
    fn relays(&self, endpoint: Endpoint, upstream: &Upstream) -> bool;

    /// Whether bytes can pass to `model` in particular: a cloud may serve models of several makers, each in its own dialect.
    fn relays_to(&self, model: &str, endpoint: Endpoint, upstream: &Upstream) -> bool {
        let _ = model;
        self.relays(endpoint, upstream)
    }

    /// The path below the endpoint, if a call for a model of the same name can go up as it is: nothing to add, nothing to
    /// change. Such a body is never looked at again. Only for what is [relayed](Self::relays).
    fn untouched(&self, call: Untouched, upstream: &Upstream) -> Option<&'static str> {
        let _ = (call, upstream);
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

    /// Writes a chat as this upstream expects to receive it.
    ///
    /// What cannot be expressed is refused through [`To::unsupported`], by the field's name; nothing is dropped in silence.
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let _ = chat;
        Err(to.wrong_endpoint())
    }

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

    /// Starts reading the answer to a chat; `None` if the upstream serves no chats.
    fn reader(&self, start: &ReplyStart<'_>) -> Option<Box<dyn Reader>> {
        let _ = start;
        None
    }

    /// Writes a request for embeddings as this upstream expects to receive it. Not for who is asked in OpenAI's words for it,
    /// which [relays](Self::relays) those.
    fn embed(&self, embed: &Embed<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let _ = embed;
        Err(to.wrong_endpoint())
    }

    /// The most texts that one request for embeddings may have; what has more can only go elsewhere, since a try is one request.
    fn most_texts(&self, model: &str) -> usize {
        let _ = model;
        usize::MAX
    }

    /// Reads the answer to a request for embeddings; `None` if it is not what the upstream promises.
    fn embedded<'a>(&self, answer: Raw<'a>) -> Option<Vectors<'a>> {
        let _ = answer;
        None
    }

    /// Writes a request to count the tokens of what `chat` asks, as this upstream would receive it.
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let _ = chat;
        Err(to.wrong_endpoint())
    }

    /// Reads how many tokens were counted; `None` if the answer is not what the upstream promises.
    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        let _ = answer;
        None
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

/// A call of which only this is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untouched {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// How the answer is to be delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
}

/// Writes `call` for `model` at `upstream`: relayed where both sides speak the same dialect, else through a hub.
pub fn ask(call: &Call<'_>, upstream: &Upstream, model: &str) -> Result<Ask, Reject> {
    let Some(provider) = by_name(&upstream.dialect) else { return Err(Reject::unserved(call)) };
    let mut to = To::new(provider, upstream, model, call);
    embedding::within(provider, call, &to)?;
    let ask = if provider.relays_to(model, call.endpoint, upstream) {
        provider.relay(call, &mut to)
    } else if let Some(dialect) = dialect::of(call.endpoint) {
        match dialect.reword(call) {
            None => through_hub(provider, dialect, call, &mut to),
            Some(body) => through_hub(provider, dialect, &Call { body: &body, scan: &scan(&body)?, ..*call }, &mut to),
        }
    } else if call.endpoint.embeds() {
        embedding::ask(provider, call, &mut to)
    } else if call.endpoint.counts() {
        count::ask(provider, call, &mut to)
    } else {
        Err(to.wrong_endpoint())
    };
    let ask = to.told(ask).map(|ask| Ask { notes: to.notes, calls: to.calls, renamed: to.renamed, ..ask })?;
    let (limit, length) = (upstream.longest(), ask.body.written());
    if length > limit { Err(Reject::Grown { limit, provider: upstream.provider.clone() }) } else { Ok(ask) }
}

fn through_hub(
    provider: &dyn Provider,
    dialect: &dyn Dialect,
    call: &Call<'_>,
    to: &mut To<'_>,
) -> Result<Ask, Reject> {
    let chat = dialect.read(call)?;
    to.known(&chat);
    provider.write(&to.fitted(provider, &chat), to)
}

/// How the caller wants vectors written, if it asks for any.
pub fn encoding(call: &Call<'_>) -> Encoding {
    if call.endpoint == Endpoint::Embeddings { embedding::encoding(call) } else { Encoding::Float }
}

/// How many texts the call wants embedded; `None` for another call.
pub fn texts(call: &Call<'_>) -> Option<usize> {
    call.endpoint.embeds().then(|| embedding::texts(call))
}

/// What an answer to the call repeats of it; empty where answers repeat nothing, or pass as they come.
pub fn echo(call: &Call<'_>, upstream: &Upstream, model: &str) -> String {
    let relays = by_name(&upstream.dialect).is_some_and(|provider| provider.relays_to(model, call.endpoint, upstream));
    if relays {
        String::new()
    } else {
        dialect::of(call.endpoint).map_or_else(String::new, |dialect| dialect.echo(call))
    }
}

/// Whether `model` at `upstream` can serve the call; see [`Judge`], which is for several.
pub fn accepts(call: &Call<'_>, upstream: &Upstream, model: &str) -> Result<(), Reject> {
    Judge::of(call, &Reworded::default()).accepts(upstream, model)
}

/// Starts reading the answer to a call at `upstream`.
pub fn reply(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>) -> Box<dyn Reply> {
    // Of what passes as it comes nothing can be left out.
    if !provider.relays_to(start.model, start.endpoint, upstream) || start.calls == Calls::First {
        if let (Some(dialect), Some(reader)) = (dialect::of(start.endpoint), provider.reader(start)) {
            return translate::reply(dialect, provider.framing(), reader, start);
        }
        if start.endpoint.embeds() {
            return Box::new(embedding::Embedded::new(provider, upstream, start));
        }
        if start.endpoint.counts() {
            return Box::new(count::Counted::new(provider, start));
        }
    }
    provider.relayed(start)
}

//! The providers: one file each, one line in [`ALL`] each, one fixture folder each.
//!
//! A provider translates between what callers speak (OpenAI's API today; see [`dialect`](crate::dialect)) and what one
//! kind of upstream speaks. To add one, write `provider/name.rs`, add it to [`ALL`], and put cases under
//! `tests/fixtures/name/`.

mod anthropic;
mod local;
mod openai;
mod words;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::Scan;
use crate::endpoint::{Delivery, Endpoint, UsageChunk};
use crate::fault::{Reject, UpstreamFault};
use crate::usage::Usage;

/// Every provider that can be named in the configuration as a `dialect`.
pub static ALL: [&dyn Provider; 3] = [&openai::OpenAi, &anthropic::Anthropic, &local::Local];

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
    /// The caller's body, in the caller's dialect; valid JSON, an object.
    pub body: &'a [u8],
    /// Where the body's top-level members lie.
    pub scan: &'a Scan,
}

/// What a [`Reply`] must know of the call that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyStart {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// How the answer is delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
    /// Now, in seconds since the Unix epoch: `created` in answers whose upstream does not say.
    pub created: u64,
}

/// What to send upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Path below the provider's endpoint, with a leading slash: `/chat/completions`.
    pub path: String,
    /// The body.
    pub body: Body,
}

/// A body as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes that came, untouched.
    AsIs,
    /// Other bytes.
    Replaced(Vec<u8>),
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
/// Pure and stateless: what lives as long as an answer belongs in the [`Reply`] it returns. Never sees a partial frame;
/// framing is proven once, in [`codec`](crate::codec).
pub trait Provider: Send + Sync {
    /// The name used as `dialect` in the configuration, and as `gen_ai.provider.name`.
    fn name(&self) -> &'static str;

    /// How Envoy gets there.
    fn reach(&self) -> Reach {
        Reach::Url
    }

    /// Where the credential goes; `None` for an upstream that takes none.
    fn credential(&self) -> Option<CredentialHeader>;

    /// Headers that every request to this upstream carries (name in lower case, value).
    fn headers(&self) -> &'static [(&'static str, &'static str)];

    /// Whether this upstream's model `model` can serve the call, judged cheaply from its top-level fields: called for every target when
    /// the plan is made. The refusal names the field.
    fn accepts(&self, call: &Call<'_>, model: &str) -> Result<(), Reject>;

    /// The path below the endpoint, if a call for a model of the same name can go up as it is: same dialect, nothing to
    /// add. Such a body is never looked at again.
    fn untouched(&self, endpoint: Endpoint, delivery: Delivery, usage: UsageChunk) -> Option<&'static str> {
        let _ = (endpoint, delivery, usage);
        None
    }

    /// Writes the call as this upstream expects to receive it, for its model `model`.
    fn ask(&self, call: &Call<'_>, model: &str) -> Result<Ask, Reject>;

    /// Starts reading the answer to one call.
    fn reply(&self, start: ReplyStart) -> Box<dyn Reply>;

    /// Reads a failure: whose fault it was, and what to tell.
    ///
    /// `status` is not 2xx; `body` may be empty, cut, or no JSON at all.
    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault;
}

/// What becomes of the chunk that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The caller receives exactly the bytes of this chunk; nothing was written to `out`.
    AsIs,
    /// The caller receives what was appended to `out` instead, possibly nothing: bytes may be held for a later chunk, or
    /// held bytes come before this chunk's.
    Rewritten,
}

/// Reads one successful answer (2xx), chunk by chunk, and writes it in the caller's dialect.
///
/// Chunks are cut anywhere; the answer written is the same wherever they are cut. For [`Delivery::Whole`] the caller of
/// this trait may pass the body in one piece or many; nothing is written before [`end`](Self::end) unless passed as is.
pub trait Reply: Send {
    /// Reads the next bytes (identity-encoded), and appends what the caller receives to `out`, unless the
    /// chunk passes as it is.
    ///
    /// An error before [`begun`](Self::begun) is a failed try; after it, the stream ends with an error event. What was
    /// appended to `out` before the error came earlier in the stream, and still belongs to the caller.
    fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// The upstream ended the answer cleanly. An error if the answer is incomplete by its own dialect (no terminal event,
    /// JSON cut short). [`Passage::AsIs`] means that nothing is to be added.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault>;

    /// The first token was seen: first content, reasoning, tool-call or refusal delta, or a finish reason. A whole answer
    /// has begun when it is complete, which may be at [`end`](Self::end).
    fn begun(&self) -> bool;

    /// The answer is complete: everything that the caller must receive has been written.
    fn done(&self) -> bool;

    /// Tokens so far; final once the upstream has said.
    fn usage(&self) -> Usage;

    /// The model that answered, as the upstream names it.
    fn model(&self) -> Option<&str>;
}

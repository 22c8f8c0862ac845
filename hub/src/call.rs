//! One request of a caller, as it is passed to the code that reads or writes it.

use alloc::string::{String, ToString};

use crate::codec::json::Scan;
use crate::embed::Encoding;
use crate::endpoint::Asked;
use crate::fault::Reject;
use crate::piece::Calls;

/// One request of a caller, as scanned but not parsed.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub asked: Asked,
    /// The model that the caller named.
    pub model: &'a str,
    /// The Anthropic features that the caller turns on by name (`anthropic-beta`); empty if none.
    pub betas: &'a str,
    /// The caller's body, in the caller's dialect: valid JSON, an object. A form is shown as an object of its fields:
    /// the value of each field that is read as text, `true` for each other field. Empty once it is known that the
    /// request is served.
    pub body: &'a [u8],
    /// Where the body's top-level members lie.
    pub scan: &'a Scan,
}

impl Call<'_> {
    /// The refusal of a request whose model does not serve this endpoint.
    pub fn unserved(&self) -> Reject {
        Reject::WrongEndpoint { model: self.model.to_string(), path: self.asked.endpoint.path() }
    }
}

/// What a [`Reply`](crate::reply::Reply) must know about the call that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyStart<'a> {
    /// What was asked for.
    pub asked: Asked,
    /// How the caller wants vectors written.
    pub encoding: Encoding,
    /// The model that was asked, as the upstream names it. Used if the answer does not name its model.
    pub model: &'a str,
    /// The answer's name if its upstream gives none: letters, digits and `-`.
    pub id: &'a str,
    /// Now, in seconds since the Unix epoch. Used for `created` if the upstream does not give it.
    pub created: u64,
    /// What the answer repeats from its request; see [`Dialect::echo`](dialect::Dialect::echo).
    pub echo: &'a str,
    /// The answer's `content-type`; empty if the upstream gives none.
    pub content_type: &'a str,
    /// Which of the answer's tool calls the caller receives.
    pub calls: Calls,
    /// Tools that the model knows by other names than the caller; see [`Renamed`].
    pub renamed: &'a [(String, String)],
    /// How many texts were to be embedded, if that is known.
    pub texts: Option<usize>,
}

//! One request of a caller, as it is passed on to whoever reads or writes it.

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
    /// The features that an Anthropic caller turns on by name (`anthropic-beta`); empty if none.
    pub betas: &'a str,
    /// The caller's body, in the caller's dialect; valid JSON, an object. Of a form, its fields as one: those that are
    /// read as strings, the others as `true`; empty once it is known that it is served.
    pub body: &'a [u8],
    /// Where the body's top-level members lie.
    pub scan: &'a Scan,
}

impl Call<'_> {
    /// The refusal, where the model that it names does not serve what it asks for.
    pub fn unserved(&self) -> Reject {
        Reject::WrongEndpoint { model: self.model.to_string(), path: self.asked.endpoint.path() }
    }
}

/// What a [`Reply`](crate::reply::Reply) must know of the call that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyStart<'a> {
    /// What was asked for.
    pub asked: Asked,
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

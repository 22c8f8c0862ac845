//! A request that a dialect answers.

use bytes::Bytes;
use hyper::{HeaderMap, http::request::Parts};
use serde_json::Value;

use super::{Dialect, Failure, failure, headers};
use crate::{
    Options,
    answer::Delivery,
    reply::{Decision, json},
    seen::Ticket,
    state::State,
};

/// A request that found its line of the table.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a Bytes,
    pub(crate) ticket: &'a Ticket,
    /// Which line of the table it is.
    pub(crate) line: usize,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) delivery: Delivery,
    /// The model, where it stands in the path.
    pub(crate) model: Option<String>,
    /// Names this request.
    pub(crate) id: String,
}

impl Call<'_> {
    pub(crate) fn options(&self) -> &Options {
        &self.state.options
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// How the answer is to come: by the path, or by `stream` in the body.
    pub(crate) fn delivery(&self, body: &Value) -> Delivery {
        match body.get("stream").and_then(Value::as_bool) {
            Some(true) => Delivery::Streamed,
            _ => self.delivery,
        }
    }

    /// Says no in the dialect's words.
    pub(crate) fn refuse(&self, why: &Failure) -> Decision {
        Decision::now(failure(self.dialect, why, &self.id))
    }

    /// Says what was found, at once and in one piece.
    pub(crate) fn tell(&self, found: Result<Bytes, Failure>) -> Decision {
        match found {
            Err(why) => self.refuse(&why),
            Ok(body) => Decision::now(json(headers(self.dialect, &self.id, Delivery::Whole), 200, body)),
        }
    }
}

//! A request that a dialect answers.

use bytes::Bytes;
use hyper::{HeaderMap, http::request::Parts};
use serde_json::Value;

use super::{Dialect, Failure, failure, headers};
use crate::{
    Billed, Effort, Options, Outcome,
    answer::{Delivery, Usage},
    bill::{Making, NAMES},
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

    /// Bills a request for `model`: what it cost to read at once, and what is said as it is [said](crate::bill::Said).
    pub(crate) fn bill(&self, model: &str, usage: Usage, making: Making) {
        let named = |name: &'static str| Some((name, self.header(name)?.to_owned()));
        let billed = || Billed {
            id: self.id.clone(),
            dialect: self.dialect.folder(),
            path: self.head.uri.path().to_owned(),
            model: model.to_owned(),
            names: NAMES.into_iter().filter_map(named).collect(),
            input: usage.input.into(),
            cached: usage.cache.read.into(),
            written: usage.cache.written.into(),
            output: 0,
            reasoning: 0,
            told: false,
            outcome: Outcome::Open,
        };
        // A benchmark wants to measure something else.
        let listed = (self.options().effort == Effort::Read).then(billed);
        self.ticket.bill(self.state.bill.open(model, usage, making, listed));
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

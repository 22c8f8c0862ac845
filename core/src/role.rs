//! What both roles of a request have done, and what becomes of what just came.
//!
//! A role is told what has come, in order, and says as values what its host must do: so the order of all that stands in the core once, and
//! a host performs without deciding.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::answer::Answer;
use crate::health::cooldown::Cooldown;
use crate::plan::{Origin, Plan};
use crate::quota::{Claim, Later};
use crate::record::Progress;
use crate::record::span::Attribute;

/// What the host must now do, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the plan's text.
    Plan(String),
    /// Keep the plan for the first try on this worker, which then need not read its text.
    Planned(Box<Plan>),
    /// Keep what later tries must take under limits of their targets.
    Later(Box<Later>),
    /// Ask control for these, which no lease covers, and tell the role what became of it. The request is held meanwhile.
    Lease(Vec<Claim>),
    /// Choose the route anew: the filter state that it goes by has changed.
    ChooseRoute,
    /// Store the request's id where it marks whose API the caller speaks.
    Mark(&'static str, String),
    /// Store the failed tries in words.
    Tries(String),
    /// Tell the edge that wrote the plan how far its answer has come.
    Progress(Origin, Progress),
    /// Let a target cool down.
    Cool(Cooldown),
    /// This provider, which could not be reached, has been.
    Reached(String),
    /// Store an attribute for Envoy's spans.
    Span(Attribute, String),
    /// Leave of the request's headers only those that go up to any provider, with the values that they have there, and those that this
    /// provider always gets. What may hold an earlier try's key goes first, unread.
    Clean {
        /// An earlier try has left its headers.
        after_another: bool,
    },
    /// Set one of the request's headers.
    RequestHeader(&'static str, String),
    /// Replace the request's body.
    RequestBody(Vec<u8>),
    /// Replace all response headers.
    Headers(Vec<(&'static str, String)>),
    /// Set the answer's `content-length`, in bytes.
    Length(usize),
    /// Replace the bytes that just came (for an answer that was held by the host: all of them).
    Body(Vec<u8>),
    /// Answer the caller in the provider's stead, and let no other target be tried.
    Answer(Answer),
    /// Store the record's line for the access log.
    Record(String),
    /// End the answer once what was passed so far is with the caller: nothing more is read of the provider.
    End(End),
}

/// How an answer is ended that its provider has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete.
    Whole,
    /// It is not, and its last event is an error, which tells the caller so.
    Error,
    /// It is not, and nothing but a broken connection can tell the caller so.
    Broken,
}

/// What becomes of what just came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// The host holds it, headers included.
    Hold,
    /// The role must see these bytes of the body first: they are its next input.
    Read {
        /// Where they begin, in bytes.
        start: usize,
        /// Where they end.
        end: usize,
    },
    /// The role must know whether more can be reserved for its answer: that is its next input.
    Reserve {
        /// How many output tokens the answer has.
        output: u64,
    },
}

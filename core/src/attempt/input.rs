//! The one way into a try: what it is told, and in which order it decides.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use weir_hub::endpoint::Family;
use weir_hub::fault::HostFault;

use super::request::Request;
use super::{Attempt, Begun, Connection, Exhausted, MAX_WHOLE, RequestPlan, Unbegun};
use crate::answer::Answer;
use crate::plan::Plan;
use crate::provider::Body;
use crate::role::{Effect, Flow};
use crate::time::Instant;
use crate::upstream::Upstream;

/// What a try is told, in this order. The answer's headers come by a [verb of their own](Attempt::response_headers).
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// This much of the request's body has come, in bytes; `end` if that is all.
    Request {
        /// How much.
        size: usize,
        /// Nothing more comes.
        end: bool,
    },
    /// The request has ended with trailers.
    RequestTrailers,
    /// The request's body, for which [`Flow::Read`] asked.
    RequestBytes {
        /// The caller's `content-type`.
        content_type: &'a str,
        /// All of the body.
        body: &'a [u8],
    },
    /// This much of the answer's body is at hand, in bytes: what came last, or all that the host holds.
    Answer {
        /// How much.
        size: usize,
        /// Nothing more comes.
        end: bool,
    },
    /// The bytes of the answer, for which [`Flow::Read`] asked.
    AnswerBytes {
        /// They.
        bytes: &'a [u8],
        /// Nothing more comes.
        end: bool,
    },
    /// What became of reserving more for the answer, for which [`Flow::Reserve`] asked.
    Reserved {
        /// How many output tokens are reserved now, or the name of the limit that has no room for more.
        outcome: Result<u64, &'a str>,
        /// The bytes of the answer that were read last.
        bytes: &'a [u8],
    },
    /// The stream is gone, and no answer has come of it.
    Gone {
        /// What the host knows of its connection.
        connection: Connection,
        /// The plan's text, if the host can still write it.
        plan: Option<&'a str>,
    },
}

/// What a try must know of the request's body before anything goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    Nothing,
    Length,
    Body,
}

impl Attempt {
    /// Begins the try that `plan` says is next. `None` if there is none: the caller is answered.
    pub fn start(
        upstream: &Arc<Upstream>,
        plan: Option<Plan>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Option<Self> {
        let begun = plan.ok_or(Unbegun::Fault(HostFault::NoPlan));
        match begun.and_then(|plan| Self::begin_next(upstream, plan, now)) {
            Ok(Begun { mut attempt, plan, tries, span, request }) => {
                effects.push(Effect::Plan(plan));
                effects.extend(tries.map(Effect::Tries));
                effects.extend(span.map(|(attribute, value)| Effect::Span(attribute, value)));
                effects.push(Effect::Clean { after_another: attempt.follows_another() });
                attempt.awaits = match request {
                    RequestPlan::AsIs { path } => {
                        effects.extend(path.map(|path| Effect::RequestHeader(":path", path)));
                        Awaits::Nothing
                    }
                    RequestPlan::NeedsLength => Awaits::Length,
                    RequestPlan::NeedsBody => Awaits::Body,
                };
                Some(attempt)
            }
            Err(Unbegun::Fault(fault)) => {
                effects.push(Effect::Answer(Answer::problem(&fault.problem(), Family::default())));
                None
            }
            Err(Unbegun::Exhausted(exhausted)) => {
                let Exhausted { origin, plan, progress, answer } = *exhausted;
                effects.extend([Effect::Plan(plan), Effect::Progress(origin, progress), Effect::Answer(answer)]);
                None
            }
        }
    }

    /// Advances by one input. Appends what the host must now do, in order.
    pub fn on(&mut self, now: Instant, input: Input<'_>, effects: &mut Vec<Effect>) -> Flow {
        match input {
            Input::Request { size, end } => {
                self.size = size;
                match self.awaits {
                    Awaits::Nothing => Flow::Continue,
                    Awaits::Length | Awaits::Body if !end => Flow::Hold,
                    Awaits::Body => Flow::Read { start: 0, end: size },
                    Awaits::Length => {
                        let written = self.request_as_it_is(size);
                        self.send(written, effects)
                    }
                }
            }
            Input::RequestTrailers => self.on(now, Input::Request { size: self.size, end: true }, effects),
            Input::RequestBytes { content_type, body } => {
                let written = self.request(content_type, body);
                self.send(written, effects)
            }
            Input::Answer { size, end } if !end && self.wants_whole_answer() => {
                if size <= MAX_WHOLE {
                    Flow::Hold
                } else {
                    self.too_long(now, effects)
                }
            }
            Input::Answer { size, .. } => Flow::Read { start: 0, end: size },
            Input::AnswerBytes { bytes, end } => self.response_body(bytes, end, now, effects),
            Input::Reserved { outcome, bytes } => {
                self.reserved(outcome.map_err(ToString::to_string), bytes, now, effects)
            }
            Input::Gone { connection, plan } => {
                effects.extend(self.unreachable(connection, now).map(Effect::Cool));
                let text = plan.and_then(|plan| self.ended_unanswered(plan, connection, now));
                effects.extend(text.map(Effect::Plan));
                Flow::Continue
            }
        }
    }

    /// Sends the request as it was written, or answers the caller.
    fn send(&mut self, written: Result<Request, Answer>, effects: &mut Vec<Effect>) -> Flow {
        match written {
            Ok(Request { path, headers, length, body }) => {
                effects.extend(path.map(|path| Effect::RequestHeader(":path", path)));
                effects.extend(headers.into_iter().map(|(name, value)| Effect::RequestHeader(name, value)));
                let length = length.map(|length| itoa::Buffer::new().format(length).into());
                effects.extend(length.map(|length| Effect::RequestHeader("content-length", length)));
                if let Body::Replaced(with) = body {
                    effects.push(Effect::RequestBody(with));
                }
                self.awaits = Awaits::Nothing;
                Flow::Continue
            }
            Err(answer) => {
                effects.push(Effect::Progress(self.plan.origin, self.refused(&answer)));
                effects.push(Effect::Answer(answer));
                Flow::Hold
            }
        }
    }
}

//! The one way into the edge: what it is told, and in which order it decides.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Edge, Forward, Leased, Phase, Planned};
use crate::answer::Answer;
use crate::config::Routing;
use crate::load::{Load, Share};
use crate::plan::Plan;
use crate::quota::{Taken, Worker};
use crate::record::{Ending, Progress, Stage};
use crate::role::{Effect, Flow};
use crate::shared::Shared;
use crate::time::Instant;

/// How much of a form is read in one go, in bytes.
const SLICE: usize = 256 << 10;

/// What the edge is told of a request after its [headers](Edge::request_headers), in this order.
#[derive(Debug)]
pub enum Input<'a> {
    /// This much of the body has come, in bytes; `end` if that is all.
    Body {
        /// How much.
        size: usize,
        /// Nothing more comes.
        end: bool,
    },
    /// The bytes that [`Flow::Read`] asked for. Fewer, or none, if the host has no more of them.
    Bytes(&'a [u8]),
    /// The request has ended with trailers.
    Trailers,
    /// Control was asked for what the request [waits](Effect::Lease) for.
    Leased(Leased),
    /// The request has ended, and its record is to be written.
    Ended(Box<Ended<'a>>),
}

/// How a request has ended.
#[derive(Debug)]
pub struct Ended<'a> {
    /// The plan as the tries have left it, if the edge [asked](Edge::needs) for it.
    pub plan: Option<Plan>,
    /// How far the answer has come.
    pub progress: Option<Progress>,
    /// What later tries have taken under limits of their targets.
    pub taken: Vec<Taken>,
    /// What Envoy knows, as far as the edge asked for it.
    pub ending: Ending<'a>,
}

/// What the edge must know at the end, of what costs to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The plan as the tries have left it: not if the first one answered.
    pub plan: bool,
    /// Why Envoy answered as it did: not if a complete answer passed as it came.
    pub details: bool,
    /// How the stream ended: not if the answer is complete.
    pub flags: bool,
}

/// What is around a request: it outlives all requests of a worker.
pub struct Around<'a> {
    /// The configuration.
    pub routing: &'a Routing,
    /// What the workers share.
    pub shared: &'a dyn Shared,
    /// What this worker has under way.
    pub load: &'a mut Load,
    /// This worker, as limits know it.
    pub worker: &'a mut Worker,
}

impl Edge {
    /// Reads the request's headers. All headers of the request from here on come back, unless it is answered: while they have just been
    /// read, changing them costs the least. What becomes of a request that is not answered is held until its body is known.
    pub fn request_headers<'h>(
        &mut self,
        headers: &[(&'h str, &'h str)],
        end: bool,
        around: &mut Around<'_>,
        effects: &mut Vec<Effect>,
    ) -> Option<Vec<(&'h str, Cow<'h, str>)>> {
        let read = self.headers(around.routing, headers, end);
        effects.extend(self.family.mark().map(|mark| Effect::Mark(mark, self.subject.request_id.clone())));
        let entered = if read.is_ok() { self.enter(around.routing, around.load) } else { Ok(Share::default()) };
        let passed = match read {
            Ok(passed) => Some(passed),
            Err(answer) => {
                effects.push(Effect::Answer(answer));
                return None;
            }
        };
        match entered {
            Ok(share) => {
                self.share = share;
                if self.asks_control() {
                    effects.extend(Self::to_control());
                }
            }
            Err(answer) => effects.push(Effect::Answer(answer)),
        }
        passed
    }

    /// Advances by one input. Appends what the host must now do, in order.
    pub fn on(&mut self, now: Instant, input: Input<'_>, around: &mut Around<'_>, effects: &mut Vec<Effect>) -> Flow {
        let outcome = match input {
            Input::Body { size, end } => self.arrived(now, size, end, around, effects),
            Input::Trailers => self.arrived(now, self.size, true, around, effects),
            Input::Bytes(bytes) => self.read(now, bytes, around, effects),
            Input::Leased(leased) => {
                self.leased(leased);
                self.go_on(now, around, effects)
            }
            Input::Ended(mut ended) => {
                self.keep(core::mem::take(&mut ended.taken));
                self.ended(*ended, around, effects);
                Ok(Flow::Continue)
            }
        };
        outcome.unwrap_or_else(|answer| {
            effects.push(Effect::Answer(answer));
            Flow::Hold
        })
    }

    /// Gives back the request's part of what its worker has under way: its stream is gone, however it ended.
    pub fn leave(&mut self, load: &mut Load) {
        load.leave(core::mem::take(&mut self.share));
    }

    fn arrived(
        &mut self,
        now: Instant,
        size: usize,
        end: bool,
        around: &mut Around<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<Flow, Answer> {
        if !matches!(self.phase, Phase::Body(..)) {
            let goes = self.plan.is_some() || self.asks_control();
            return Ok(if goes { Flow::Continue } else { Flow::Hold });
        }
        (self.size, self.whole) = (size, end);
        let mut share = core::mem::take(&mut self.share);
        let room = self.body_so_far(around.routing, size as u64, around.load, &mut share);
        self.share = share;
        room?;
        if self.reads_form() && self.scanned < size { Ok(self.next_slice()) } else { self.go_on(now, around, effects) }
    }

    /// Reads what it asked for of the body.
    fn read(
        &mut self,
        now: Instant,
        bytes: &[u8],
        around: &mut Around<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<Flow, Answer> {
        if !self.reads_form() {
            let planned = self.read_body(around, now, bytes)?;
            return Ok(self.tells(planned, effects));
        }
        self.scanned += bytes.len();
        self.slice(bytes)?;
        let more = !bytes.is_empty() && self.scanned < self.size;
        if more { Ok(self.next_slice()) } else { self.go_on(now, around, effects) }
    }

    fn next_slice(&self) -> Flow {
        Flow::Read { start: self.scanned, end: self.size.min(self.scanned + SLICE) }
    }

    /// All that has come has been read, where that can be before the end.
    fn go_on(&mut self, now: Instant, around: &mut Around<'_>, effects: &mut Vec<Effect>) -> Result<Flow, Answer> {
        match (self.whole, self.reads_form()) {
            (false, _) => Ok(Flow::Hold),
            (true, false) => Ok(Flow::Read { start: 0, end: self.size }),
            (true, true) => {
                let planned = self.read_form(around, now, self.size as u64)?;
                Ok(self.tells(planned, effects))
            }
        }
    }

    fn tells(&mut self, planned: Planned, effects: &mut Vec<Effect>) -> Flow {
        match planned {
            Planned::Forward(forward) => self.forwarded(forward, effects),
            Planned::Waits(claims) => {
                effects.push(Effect::Lease(claims));
                Flow::Hold
            }
        }
    }

    fn forwarded(&mut self, Forward { plan, trials, span }: Forward, effects: &mut Vec<Effect>) -> Flow {
        effects.extend(trials.into_iter().map(Effect::Cool));
        effects.push(Effect::Plan(plan));
        effects.extend(self.plan.clone().map(|plan| Effect::Planned(Box::new(plan))));
        effects.extend(self.later().map(|later| Effect::Later(Box::new(later))));
        effects.extend(span.into_iter().map(|(attribute, value)| Effect::Span(attribute, value)));
        // The route was chosen before this role ran, by a filter state that was not there yet.
        effects.push(Effect::ChooseRoute);
        Flow::Continue
    }

    fn ended(&mut self, ended: Ended<'_>, around: &Around<'_>, effects: &mut Vec<Effect>) {
        let Ended { plan, progress, ending, .. } = ended;
        // A caller who leaves before the answer leaves that behind.
        let unanswered = plan.as_ref().filter(|_| ending.connected && progress.is_none());
        effects.extend(unanswered.and_then(Plan::on_trial).map(|provider| Effect::Reached(provider.to_string())));
        let (routing, store) = (around.routing, around.shared.store());
        effects.push(Effect::Record(self.record(routing, store, plan, progress.as_ref(), &ending)));
    }

    /// What it must know at the end of a request whose answer has come as far as `progress` says. Only a request that was forwarded has an answer.
    pub fn needs(&self, progress: Option<&Progress>) -> Needs {
        let complete = progress.is_some_and(|progress| progress.stage == Stage::Done);
        let rewritten = progress.is_some_and(|progress| progress.rewritten);
        Needs { plan: self.needs_plan(progress), details: !complete || rewritten, flags: !complete }
    }

    /// Whether it has a plan, so that tries may have something to tell.
    pub fn is_forwarded(&self) -> bool {
        self.plan.is_some()
    }
}

/// The same where nothing but the cells is around.
#[cfg(test)]
impl Edge {
    pub(super) fn body(
        &mut self,
        routing: &Routing,
        shared: &dyn Shared,
        now: Instant,
        body: &[u8],
    ) -> Result<Forward, Answer> {
        let (load, worker) = (&mut Load::new(), &mut Worker::new(1));
        self.read_body(&mut Around { routing, shared, load, worker }, now, body).map(forwarded)
    }

    pub(super) fn form(
        &mut self,
        routing: &Routing,
        shared: &dyn Shared,
        now: Instant,
        len: u64,
    ) -> Result<Forward, Answer> {
        let (load, worker) = (&mut Load::new(), &mut Worker::new(1));
        self.read_form(&mut Around { routing, shared, load, worker }, now, len).map(forwarded)
    }
}

#[cfg(test)]
fn forwarded(planned: Planned) -> Forward {
    match planned {
        Planned::Forward(forward) => forward,
        Planned::Waits(claims) => panic!("it waits for {claims:?}"),
    }
}

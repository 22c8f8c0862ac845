//! Reads a 2xx answer: holds it until its first token, then writes it in the caller's dialect as it comes.

use alloc::borrow::Cow;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::take;

use weir_hub::dialect;
use weir_hub::endpoint::Delivery;
use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::reply::Passage;

use super::{Answering, Attempt, Headers, Last, MAX_HELD, Phase, too_long};
use crate::allow;
use crate::record::span;
use crate::record::{Progress, Stage};
use crate::role::{Effect, End, Flow};
use crate::time::Instant;

/// The assumed type of an answer that has no `content-type`.
const JSON: &str = "application/json";

impl Attempt {
    pub(super) fn read_answer(
        &mut self,
        mut answering: Answering,
        chunk: &[u8],
        end: bool,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let (mut written, mut outcome) = answering.read(chunk, end);
        if !end && outcome.is_ok() {
            outcome = answering.go_on(chunk, &mut written, now);
        }
        if written.as_ref().is_some_and(|written| written.len() + answering.waiting() > answering.most) {
            (written, outcome) = (Some(Vec::new()), Err(too_long()));
        }
        let fault = match outcome {
            Err(fault) if answering.held.is_some() => return self.fail(&fault, answering.status, None, now, effects),
            Err(fault) => Some(fault),
            Ok(()) => None,
        };
        if !end && fault.is_none() && answering.outgrows() {
            let output = answering.sure_output();
            self.phase = Phase::Outgrown(answering, written);
            return Flow::Reserve { output };
        }
        self.pass(answering, (chunk, end), (written, fault), now, effects)
    }

    /// It is known whether there is room for more output tokens: for how many in all, or which limit has none. `chunk` is
    /// what was read last.
    pub(super) fn reserved(
        &mut self,
        outcome: Result<u64, String>,
        chunk: &[u8],
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let (mut answering, mut written) = match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Outgrown(answering, written) => (answering, written),
            other => {
                self.phase = other;
                return Flow::Continue;
            }
        };
        match outcome {
            Ok(reserved) => answering.reserved = Some(reserved),
            Err(limit) => answering.end_at_limit(limit, chunk, &mut written),
        }
        self.pass(answering, (chunk, false), (written, None), now, effects)
    }

    /// Passes what was read last; `written` is what the caller receives in its place.
    fn pass(
        &mut self,
        mut answering: Answering,
        (chunk, end): (&[u8], bool),
        (written, fault): (Option<Vec<u8>>, Option<UpstreamFault>),
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let committed = answering.held.is_none();
        let waits = !end && fault.is_none() && answering.waits();
        // A whole answer is complete only at its end. Until then, none of it may look finished.
        let ready = match self.plan.asked.delivery {
            Delivery::Whole => end,
            // Envoy does not see what is held, and would end a try whose provider is still thinking.
            Delivery::Streamed => answering.reply.begun() && !waits || end || self.goes_on_alone(&answering, now),
        };
        if !committed && !ready {
            if let (Some(held), Some(bytes)) = (&mut answering.held, written.as_deref().or(Some(chunk))) {
                held.extend_from_slice(bytes);
                if self.plan.asked.delivery == Delivery::Streamed && held.len() > MAX_HELD {
                    let fault = UpstreamFault::new(FaultKind::Malformed, "no token within the first megabyte");
                    return self.fail(&fault, answering.status, None, now, effects);
                }
            }
            if !chunk.is_empty() {
                effects.push(Effect::Body(Vec::new()));
            }
            if waits {
                answering.last = Last::Waits(Vec::new());
            }
            self.phase = Phase::Answering(answering);
            return Flow::Hold;
        }
        let mut body = written;
        if waits {
            answering.last = Last::Waits(body.unwrap_or_else(|| chunk.to_vec()));
            effects.push(Effect::Body(Vec::new()));
            self.phase = Phase::Answering(answering);
            return Flow::Hold;
        }
        if let Last::Waits(last) = &mut answering.last {
            let mut last = take(last);
            last.extend_from_slice(body.as_deref().unwrap_or(chunk));
            body = Some(last);
            answering.last = Last::Waited;
        }
        if answering.first_token.is_none() && answering.reply.begun() {
            answering.first_token = Some(now - self.plan.since);
        }
        if !committed {
            let mut held = answering.held.take().unwrap_or_default();
            if !held.is_empty() {
                held.extend_from_slice(body.as_deref().unwrap_or(chunk));
                body = Some(held);
            }
            let length = body.as_ref().map_or(chunk.len(), Vec::len);
            if self.plan.asked.delivery == Delivery::Whole && answering.length != Some(length) {
                effects.push(Effect::Length(length));
            }
        }
        // An error cannot be told in the middle of audio.
        if let Some(fault) = fault.as_ref().filter(|_| self.sends_events(&answering)) {
            let mut told = body.take().unwrap_or_default();
            if let Some(event) = answering.reply.own_failure() {
                told.extend_from_slice(event.as_bytes());
            } else {
                let number = answering.reply.next_number();
                told.extend(dialect::error_event(self.plan.asked.endpoint, &fault.broken_off(), number));
            }
            body = Some(told);
        }
        if let Some(body) = body {
            answering.rewritten = self.plan.asked.delivery == Delivery::Whole;
            effects.push(Effect::Body(body));
        }
        self.tell(&mut answering, fault.as_ref(), end, effects);
        let ending = match &fault {
            // What still comes is not read: its provider may keep the stream open for as long as it likes.
            Some(_) if !self.sends_events(&answering) => Some(End::Broken),
            Some(_) => Some(End::Error),
            None if answering.reply.done() => Some(End::Whole),
            None => None,
        };
        let breaks = ending == Some(End::Broken);
        effects.extend(ending.filter(|_| breaks || !end).map(Effect::End));
        if ending.is_none() && !end {
            self.phase = Phase::Answering(answering);
        }
        // A clean end would make the answer look whole, so it must not get through.
        if breaks && end { Flow::Hold } else { Flow::Continue }
    }

    /// Whether a stream is passed on before its first token: its provider says that it is thinking, and there is no
    /// other target to ask.
    fn goes_on_alone(&self, answering: &Answering, now: Instant) -> bool {
        let thinks = answering.pace.as_ref().is_some_and(|pace| pace.thinks(self.plan.since, now));
        thinks && self.plan.next().is_none()
    }

    /// The caller's headers for an answer whose provider sent `theirs`: those on the allow-list, as a complete set.
    pub(super) fn headers<'h>(
        &self,
        answering: &Answering,
        theirs: &[(&'h str, &'h str)],
        now: Instant,
    ) -> Headers<'h> {
        let value =
            |wanted: &str| theirs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| Cow::Borrowed(*value));
        let mut headers = Vec::with_capacity(16);
        headers.extend(value(":status").map(|status| (":status", status)));
        let content_type = value("content-type").unwrap_or(Cow::Borrowed(JSON));
        match self.plan.asked.delivery {
            Delivery::Streamed if self.sends_events(answering) => {
                headers.push(("content-type", Cow::Borrowed("text/event-stream; charset=utf-8")));
                headers.push(("cache-control", Cow::Borrowed("no-cache")));
            }
            // Audio, while it is being made.
            Delivery::Streamed => headers.push(("content-type", content_type)),
            Delivery::Whole => {
                headers.push(("content-type", content_type));
                // The type is known only at the end, and it is nearly always this one.
                headers.extend(
                    answering.length.and_then(|_| value("content-length")).map(|length| ("content-length", length)),
                );
            }
        }
        headers.push(("x-weir-provider", Cow::Owned(self.upstream.provider.clone())));
        for (name, fields) in [("x-weir-dropped", &self.notes.dropped), ("x-weir-emulated", &self.notes.emulated)] {
            if !fields.is_empty() {
                headers.push((name, Cow::Owned(fields.join(", "))));
            }
        }
        headers.extend(allow::coming_back(theirs.iter().copied(), now));
        headers
    }

    /// Whether the caller receives server-sent events. A streamed chat always uses them.
    pub(super) fn sends_events(&self, answering: &Answering) -> bool {
        self.plan.asked.endpoint.is_chat() || answering.streams_events
    }

    /// Tells the host how far the answer has come, if this has changed.
    fn tell(&self, answering: &mut Answering, fault: Option<&UpstreamFault>, end: bool, effects: &mut Vec<Effect>) {
        let usage = answering.reply.usage();
        let over = end || fault.is_some() || answering.reply.done();
        if answering.reported == Some(usage) && !over {
            return;
        }
        answering.reported = Some(usage);
        let stage = match fault {
            Some(fault) => Stage::Cut(fault.kind),
            None if over => Stage::Done,
            None => Stage::Flowing,
        };
        let model = answering.reply.model().unwrap_or_default();
        if *answering.model != *model {
            answering.model = model.into();
        }
        let model = Rc::clone(&answering.model);
        if self.upstream.traced && over {
            effects.push(Effect::Span(span::RESPONSE_MODEL, model.to_string()));
            effects.push(Effect::Span(span::INPUT, usage.input.to_string()));
            effects.push(Effect::Span(span::OUTPUT, usage.output.to_string()));
            // The span leaves an empty value out. This clears an earlier try's error.
            let error = fault.map_or("", |fault| fault.kind.name());
            effects.push(Effect::Span(span::ERROR, error.to_string()));
        }
        let first_token = answering.first_token;
        let progress = Progress {
            status: answering.status,
            rewritten: answering.rewritten,
            first_token,
            usage,
            ended_by: answering.ended_by.clone(),
            ..self.progress(stage, String::new(), model)
        };
        effects.push(Effect::Progress(self.plan.origin, progress));
    }
}

/// An event of text needs no more room than this; for other events the output grows while it is written.
const MAX_ROOM: usize = 4 << 10;

/// An unpacked chunk is read in pieces of this size. Hardly any chunk is longer.
const PIECE: usize = 1 << 20;

impl Answering {
    /// Whether the stream goes on as it should, after reading `chunk`, for which the caller receives `written`. If the
    /// stream has stalled and lacks only its end, the end is added instead of waiting longer.
    fn go_on(&mut self, chunk: &[u8], written: &mut Option<Vec<u8>>, now: Instant) -> Result<(), UpstreamFault> {
        let signs = self.reply.progress().signs();
        let Some(pace) = self.pace.as_mut().filter(|_| !self.reply.done()) else { return Ok(()) };
        let Err(stalled) = pace.check(signs, now) else { return Ok(()) };
        let mut out = Vec::new();
        self.reply.end(&mut out).map_err(|_| stalled)?;
        written.get_or_insert_with(|| chunk.to_vec()).extend_from_slice(&out);
        Ok(())
    }

    /// Whether it has more output tokens than are reserved for it, and can be ended.
    fn outgrows(&self) -> bool {
        let Some(reserved) = self.reserved else { return false };
        self.sure_output() > reserved && self.reply.begun() && !self.reply.done()
    }

    /// The output tokens that it has at least. An estimate may be a little too high, and nobody's answer is ended for that.
    fn sure_output(&self) -> u64 {
        let usage = self.reply.usage();
        if usage.estimated { usage.output / 3 * 2 } else { usage.output }
    }

    /// Ends it because `limit` has no room for more, after `chunk`, for which the caller receives `written`. If its content is
    /// complete, it goes on to its own end: what it has used beyond the limit is a debt.
    fn end_at_limit(&mut self, limit: String, chunk: &[u8], written: &mut Option<Vec<u8>>) {
        self.reserved = None;
        let mut out = Vec::new();
        if self.reply.end_at_limit(&mut out) {
            written.get_or_insert_with(|| chunk.to_vec()).extend_from_slice(&out);
            self.ended_by = limit;
        }
    }

    /// Whether the latest bytes wait for the stream's end. This happens once; if the stream then goes on, nothing waits
    /// again.
    fn waits(&self) -> bool {
        matches!(self.last, Last::Passes) && self.reply.awaits_end()
    }

    /// How many bytes wait and must be written before those that come now.
    fn waiting(&self) -> usize {
        let last = if let Last::Waits(last) = &self.last { last.len() } else { 0 };
        self.held.as_ref().map_or(0, Vec::len) + last
    }

    /// Reads an unpacked chunk piece by piece, so that the output is not much larger than allowed.
    fn read_unpacked(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let (mut passage, mut read) = (Passage::AsIs, 0);
        for piece in plain.chunks(PIECE) {
            let outcome = self.reply.read(piece, out);
            match (passage, &outcome) {
                (Passage::AsIs, Ok(Passage::AsIs)) | (Passage::Rewritten, Ok(Passage::Rewritten) | Err(_)) => {}
                (Passage::Rewritten, Ok(Passage::AsIs)) => out.extend_from_slice(piece),
                (Passage::AsIs, Ok(Passage::Rewritten) | Err(_)) => {
                    out.splice(..0, plain.get(..read).unwrap_or_default().iter().copied());
                    passage = Passage::Rewritten;
                }
            }
            outcome?;
            if out.len() > self.most {
                return Err(too_long());
            }
            read += piece.len();
        }
        Ok(passage)
    }

    /// Reads one chunk, and the end if it is the last chunk. First of the pair: what the caller receives instead of the
    /// chunk.
    fn read(&mut self, chunk: &[u8], end: bool) -> (Option<Vec<u8>>, Result<(), UpstreamFault>) {
        let mut decoded = None;
        if let Some(decoder) = &mut self.decoder {
            let mut plain = Vec::new();
            let mut outcome = decoder.read(chunk, &mut plain);
            if end && outcome.is_ok() {
                outcome = decoder.end();
            }
            if let Err(fault) = outcome {
                return (Some(Vec::new()), Err(fault.into()));
            }
            decoded = Some(plain);
        }
        let mut out = Vec::with_capacity(self.written + self.written / 4);
        let passage = match decoded.as_deref() {
            Some(plain) => self.read_unpacked(plain, &mut out),
            None if chunk.is_empty() => Ok(Passage::AsIs),
            None => self.reply.read(chunk, &mut out),
        };
        let mut written = match passage {
            Ok(Passage::AsIs) => decoded,
            Ok(Passage::Rewritten) => {
                self.written = out.len().min(MAX_ROOM);
                Some(take(&mut out))
            }
            Err(fault) => return (Some(out), Err(fault)),
        };
        if end {
            let ended = self.reply.end(&mut out);
            if !out.is_empty() || ended.is_err() {
                written.get_or_insert_with(|| chunk.to_vec()).extend_from_slice(&out);
            }
            if let Err(fault) = ended {
                return (written, Err(fault));
            }
        }
        (written, Ok(()))
    }
}

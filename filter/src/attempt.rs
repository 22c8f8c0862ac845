//! The attempt role: one try at one provider; see [`weir_core::attempt`].

use std::borrow::Cow;
use std::mem::take;
use std::sync::Arc;

use weir_core::answer::Answer;
use weir_core::attempt::{Attempt, Effect, Exhausted, Flow, MAX_WHOLE, RequestPlan, Unbegun};
use weir_core::provider::Body;
use weir_core::upstream::Upstream;
use weir_core::{allow, plan};
use weir_hub::endpoint::Family;

use crate::cooldown::{self, begin};
use crate::host::{Buffer, Host, Map, Next, Role};
use crate::mailbox;

/// One try at one provider.
pub(crate) struct Try {
    upstream: Arc<Upstream>,
    attempt: Option<Attempt>,
    /// What must be known of the request's body before anything goes up.
    awaits: Awaits,
    /// How much of it has come.
    size: usize,
    effects: Vec<Effect>,
}

/// What must be known of the request's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Nothing,
    Length,
    Body,
}

impl Try {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, attempt: None, awaits: Awaits::Nothing, size: 0, effects: Vec::new() }
    }

    fn refuse(&mut self, answer: Answer) -> Next {
        self.attempt = None;
        Next::Answer(Box::new(answer))
    }

    fn write_request(&mut self, host: &mut impl Host, size: usize) -> Next {
        let Some(attempt) = &mut self.attempt else { return Next::Pause };
        let outcome = if self.awaits == Awaits::Length {
            attempt.request_as_it_is(size)
        } else {
            let kind = host.rewrite_headers(Map::Request, |headers| {
                let kind = headers.iter().find(|(name, _)| *name == "content-type");
                (kind.map_or_else(String::new, |(_, value)| (*value).to_owned()), None)
            });
            attempt.request(&kind, &host.body(Buffer::Request, size))
        };
        match outcome {
            Ok(request) => {
                if let Some(path) = &request.path {
                    host.set_header(Map::Request, ":path", path);
                }
                for (name, value) in &request.headers {
                    host.set_header(Map::Request, name, value);
                }
                if let Some(length) = request.length {
                    host.set_header(Map::Request, "content-length", &length.to_string());
                }
                if let Body::Replaced(with) = &request.body
                    && !host.replace_body(Buffer::Request, size, with)
                {
                    self.attempt = None;
                    return Next::Pause;
                }
                self.awaits = Awaits::Nothing;
                Next::Continue
            }
            Err(answer) => {
                let (origin, refused) = (attempt.origin(), attempt.refused(&answer));
                mailbox::tell(host, origin, refused);
                self.refuse(answer)
            }
        }
    }

    /// Performs what the core has decided; `size` is how many bytes the chunk at hand has.
    fn perform(&mut self, host: &mut impl Host, size: usize, flow: Flow) -> Next {
        let origin = self.attempt.as_ref().map(Attempt::origin).unwrap_or_default();
        let mut next = match flow {
            Flow::Continue => Next::Continue,
            Flow::Hold => Next::Pause,
        };
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Plan(text) => host.set_state(plan::KEY, &text),
                Effect::Tries(text) => host.set_state(plan::TRIES_KEY, &text),
                Effect::Progress(progress) => mailbox::tell(host, origin, progress),
                Effect::Span(attribute, value) => host.set_state(attribute.key, &value),
                Effect::Cool(cooldown) => begin(host, &cooldown),
                Effect::Reached(provider) => cooldown::reached(&host.cells(), &provider),
                Effect::Headers(with) => host.rewrite_headers(Map::Response, |_| {
                    ((), Some(with.into_iter().map(|(name, value)| (name, Cow::Owned(value))).collect()))
                }),
                Effect::Length(length) => host.set_header(Map::Response, "content-length", &length.to_string()),
                Effect::Body(with) => {
                    if !host.replace_body(Buffer::Response, size, &with) {
                        self.attempt = None;
                        return Next::Pause;
                    }
                }
                Effect::Answer(answer) => next = Next::Answer(Box::new(answer)),
                Effect::End(end) => host.end(origin.request, end),
            }
        }
        next
    }

    fn read_body(&mut self, host: &mut impl Host, size: usize, end: bool) -> Next {
        let Some(attempt) = &mut self.attempt else { return Next::Continue };
        let mut effects = take(&mut self.effects);
        let (flow, size) = if !end && attempt.wants_whole_answer() {
            if size <= MAX_WHOLE {
                return Next::Pause;
            }
            (attempt.too_long(host.now(), &mut effects), size)
        } else {
            let now = host.now();
            let chunk = host.body(Buffer::Response, size);
            (attempt.response_body(&chunk, end, now, &mut effects), chunk.len())
        };
        self.effects = effects;
        self.perform(host, size, flow)
    }
}

impl<H: Host> Role<H> for Try {
    fn request_headers(&mut self, host: &mut H, end: bool) -> Next {
        let text = host.state(plan::KEY).unwrap_or_default();
        let begun = match mailbox::planned(host, &text) {
            // Nothing has happened to it yet.
            Some(plan) => Attempt::begin_next(&self.upstream, plan, host.now()),
            None => Attempt::begin(&self.upstream, &mailbox::settled(text), host.now()),
        };
        match begun {
            Ok(begun) => {
                host.set_state(plan::KEY, &begun.plan);
                if let Some(tries) = begun.tries {
                    host.set_state(plan::TRIES_KEY, &tries);
                }
                if let Some((attribute, value)) = begun.span {
                    host.set_state(attribute.key, &value);
                }
                let mut attempt = begun.attempt;
                // Envoy has asked for a connection before it runs this: what is there now was there before.
                if attempt.may_repeat() && host.has_connection() {
                    attempt.keeps_connection();
                }
                clean(host, attempt.follows_another());
                for (name, value) in &self.upstream.headers {
                    host.set_header(Map::Request, name, value);
                }
                self.attempt = Some(attempt);
                match begun.request {
                    RequestPlan::AsIs { path } => {
                        if let Some(path) = path {
                            host.set_header(Map::Request, ":path", &path);
                        }
                        Next::Continue
                    }
                    needs => {
                        let length = needs == RequestPlan::NeedsLength;
                        self.awaits = if length { Awaits::Length } else { Awaits::Body };
                        if end { self.write_request(host, 0) } else { Next::Pause }
                    }
                }
            }
            Err(Unbegun::Fault(fault)) => self.refuse(Answer::problem(&fault.problem(), Family::default())),
            Err(Unbegun::Exhausted(exhausted)) => {
                let Exhausted { origin, plan, progress, answer } = *exhausted;
                host.set_state(plan::KEY, &plan);
                mailbox::tell(host, origin, progress);
                self.refuse(answer)
            }
        }
    }

    fn request_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        match (self.awaits, end) {
            (Awaits::Nothing, _) => Next::Continue,
            (_, false) => {
                self.size = size;
                Next::Pause
            }
            (_, true) => self.write_request(host, size),
        }
    }

    fn request_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::RequestTrailers);
        if self.awaits == Awaits::Nothing { Next::Continue } else { self.write_request(host, self.size) }
    }

    fn response_headers(&mut self, host: &mut H, end: bool) -> Next {
        let Some(attempt) = &mut self.attempt else { return Next::Continue };
        let (now, effects) = (host.now(), &mut self.effects);
        let flow = host.rewrite_headers(Map::Response, |headers| attempt.response_headers(headers, end, now, effects));
        self.perform(host, 0, flow)
    }

    fn response_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        self.read_body(host, size, end)
    }

    fn response_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::ResponseTrailers);
        self.read_body(host, usize::MAX >> 1, true)
    }

    fn done(&mut self, host: &mut H) {
        let Some(mut attempt) = self.attempt.take().filter(Attempt::is_unanswered) else { return };
        let connection = host.connection(attempt.origin().request);
        if let Some(cooldown) = attempt.unreachable(connection, host.now()) {
            begin(host, &cooldown);
        }
        match host.state(plan::KEY) {
            Some(latest) => {
                if let Some(text) = attempt.ended_unanswered(&latest, connection, host.now()) {
                    host.set_state(plan::KEY, &text);
                }
            }
            // A native filter's view of the stream is gone already.
            None => mailbox::leave(attempt, connection, host.now()),
        }
    }
}

/// Leaves of the request's headers only those that go up to any provider, with the values that they have there.
fn clean(host: &mut impl Host, follows_another: bool) {
    if follows_another {
        for name in allow::keys() {
            host.remove_header(Map::Request, name);
        }
    }
    host.retain_headers(Map::Request, allow::goes_up);
    if follows_another {
        for (name, value) in allow::WRITTEN {
            host.set_header(Map::Request, name, value);
        }
    }
}

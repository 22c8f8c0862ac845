//! The attempt role: one try at one provider; see [`weir_core::attempt`].

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use weir_core::answer::Answer;
use weir_core::attempt::{Attempt, Effect, Flow, MAX_WHOLE, RequestPlan};
use weir_core::config::Upstream;
use weir_core::endpoint::Family;
use weir_core::plan;
use weir_core::provider::Body;
use weir_core::rests::{self, Rest, Rests};

use crate::board;
use crate::host::{self, Buffer, Map};

/// Tries at a compare-and-swap before a rest is let go: it is a hint, and the next failure writes it again.
const SWAPS: usize = 8;

/// The plan's name among Envoy's properties.
const PLAN: &str = "filter_state\0wasm.weir.next";

/// One try at one provider.
pub(crate) struct Try {
    upstream: Rc<Upstream>,
    attempt: Option<Attempt>,
    /// What must be known of the request's body before anything goes up.
    awaits: Awaits,
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
    pub(crate) fn new(upstream: Rc<Upstream>) -> Self {
        Self { upstream, attempt: None, awaits: Awaits::Nothing, effects: Vec::new() }
    }

    fn refuse(&mut self, answer: &Answer) -> Action {
        self.attempt = None;
        host::respond(answer);
        Action::Pause
    }

    fn write_request(&mut self, size: usize) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Pause };
        let body = match self.awaits {
            Awaits::Body => host::body(Buffer::Request, size).unwrap_or_default(),
            Awaits::Length | Awaits::Nothing => Vec::new(),
        };
        let outcome = if self.awaits == Awaits::Length {
            attempt.request_as_it_is(size)
        } else {
            let headers = host::headers(Map::Request);
            let kind = headers.pairs().into_iter().find(|(name, _)| *name == "content-type").map(|(_, value)| value);
            attempt.request(kind.unwrap_or_default(), &body)
        };
        match outcome {
            Ok(request) => {
                if let Some(path) = &request.path {
                    host::set_header(Map::Request, ":path", path);
                }
                for (name, value) in &request.headers {
                    host::set_header(Map::Request, name, value);
                }
                if let Some(length) = request.length {
                    host::set_header(Map::Request, "content-length", &length.to_string());
                }
                if let Body::Replaced(with) = &request.body {
                    host::replace_body(Buffer::Request, body.len(), with);
                }
                self.awaits = Awaits::Nothing;
                Action::Continue
            }
            Err(answer) => {
                board::tell(attempt.origin(), attempt.refused(&answer));
                self.refuse(&answer)
            }
        }
    }

    /// Performs what the core has decided; `size` is how many bytes the chunk at hand has.
    fn perform(&mut self, size: usize) {
        let origin = self.attempt.as_ref().map(Attempt::origin).unwrap_or_default();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Plan(text) => host::set_filter_state(plan::KEY, &text),
                Effect::Tries(text) => host::set_filter_state(plan::TRIES_KEY, &text),
                Effect::Progress(progress) => board::tell(origin, progress),
                Effect::Span(attribute, value) => host::set_filter_state(attribute.key, &value),
                Effect::Rest(rest) => let_rest(&rest),
                Effect::Headers(headers) => host::replace_headers(Map::Response, &headers),
                Effect::Body(with) => host::replace_body(Buffer::Response, size, &with),
                Effect::Answer(answer) => host::respond(&answer),
            }
        }
    }

    fn read_body(&mut self, size: usize, end: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        if !end && attempt.wants_whole_answer() {
            if size <= MAX_WHOLE {
                return Action::Pause;
            }
            let flow = attempt.too_long(host::now(), &mut self.effects);
            self.perform(size);
            return action(flow);
        }
        let chunk = if size == 0 { Vec::new() } else { host::body(Buffer::Response, size).unwrap_or_default() };
        let flow = attempt.response_body(&chunk, end, host::now(), &mut self.effects);
        self.perform(chunk.len());
        action(flow)
    }
}

impl Context for Try {
    fn on_done(&mut self) -> bool {
        if let Some(attempt) = &mut self.attempt
            && attempt.is_unanswered()
            && let Some(latest) = host::text_property(PLAN)
        {
            let failed = host::text_property("upstream\0transport_failure_reason");
            let connected = failed.is_none_or(|reason| reason.is_empty());
            if let Some(text) = attempt.ended_unanswered(&latest, connected, host::now()) {
                host::set_filter_state(plan::KEY, &text);
            }
        }
        true
    }
}

impl HttpContext for Try {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let plan = host::text_property(PLAN).unwrap_or_default();
        match Attempt::begin(&self.upstream, &plan, host::now()) {
            Ok(begun) => {
                host::set_filter_state(plan::KEY, &begun.plan);
                if let Some(tries) = begun.tries {
                    host::set_filter_state(plan::TRIES_KEY, &tries);
                }
                if let Some((attribute, value)) = begun.span {
                    host::set_filter_state(attribute.key, &value);
                }
                self.attempt = Some(begun.attempt);
                match begun.request {
                    RequestPlan::AsIs { path } => {
                        if let Some(path) = path {
                            host::set_header(Map::Request, ":path", &path);
                        }
                        Action::Continue
                    }
                    needs => {
                        let length = needs == RequestPlan::NeedsLength;
                        self.awaits = if length { Awaits::Length } else { Awaits::Body };
                        if end { self.write_request(0) } else { Action::Pause }
                    }
                }
            }
            Err(fault) => self.refuse(&Answer::problem(&fault.problem(), Family::default())),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        match (self.awaits, end) {
            (Awaits::Nothing, _) => Action::Continue,
            (_, false) => Action::Pause,
            (_, true) => self.write_request(size),
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let headers = host::headers(Map::Response);
        let flow = attempt.response_headers(&headers.pairs(), end, host::now(), &mut self.effects);
        self.perform(0);
        action(flow)
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.read_body(size, end)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.read_body(usize::MAX >> 1, true)
    }
}

fn action(flow: Flow) -> Action {
    match flow {
        Flow::Continue => Action::Continue,
        Flow::Hold => Action::Pause,
    }
}

fn let_rest(rest: &Rest) {
    let now = host::now();
    for _ in 0..SWAPS {
        let (text, cas) = host::shared(rests::KEY);
        let mut rests = Rests::from_text(str::from_utf8(&text).unwrap_or_default());
        rests.add(rest.clone(), now);
        if host::set_shared(rests::KEY, rests.to_text().as_bytes(), cas) {
            return;
        }
    }
}

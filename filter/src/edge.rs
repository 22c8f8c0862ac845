//! The edge role: one request of a caller; see [`weir_core::edge`].

use std::mem::take;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use weir_core::answer::Answer;
use weir_core::config::Routing;
use weir_core::edge::Edge;
use weir_core::plan::{self, Plan};
use weir_core::record::{self, Ending};
use weir_core::rests::{self, Rests};

use crate::board;
use crate::host::{self, Buffer, Headers, Map};

/// `DownstreamConnectionTermination` among Envoy's response flags: the caller hung up.
const CALLER_LEFT: u64 = 1 << 14;

/// One request of a caller.
pub(crate) struct Request {
    id: u32,
    routing: Rc<Routing>,
    edge: Edge,
    stage: Stage,
}

enum Stage {
    /// The body is awaited; its headers are kept as they came.
    Reading(Option<Headers>),
    Forwarded,
    Answered,
}

impl Request {
    pub(crate) fn new(id: u32, routing: Rc<Routing>) -> Self {
        Self { id, routing, edge: Edge::new(board::origin(id)), stage: Stage::Reading(None) }
    }

    fn answer(&mut self, answer: &Answer) -> Action {
        self.stage = Stage::Answered;
        host::respond(answer);
        Action::Pause
    }

    fn forward(&mut self, size: usize) -> Action {
        let Stage::Reading(Some(headers)) = &self.stage else { return Action::Pause };
        let body = host::body(Buffer::Request, size).unwrap_or_default();
        let (resting, _) = host::shared(rests::KEY);
        let rests = Rests::from_text(str::from_utf8(&resting).unwrap_or_default());
        match self.edge.body(&self.routing, &rests, host::now(), &headers.pairs(), &body) {
            Ok(forward) => {
                host::replace_headers(Map::Request, &forward.headers);
                host::set_filter_state(plan::KEY, &forward.plan);
                for (attribute, value) in &forward.span {
                    host::set_filter_state(attribute.key, value);
                }
                // The route was chosen before this filter ran, by a filter state that was not there yet.
                host::clear_route_cache();
                self.stage = Stage::Forwarded;
                Action::Continue
            }
            Err(answer) => self.answer(&answer),
        }
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let headers = host::headers(Map::Request);
        match self.edge.headers(&self.routing, &headers.pairs(), end) {
            Ok(()) => {
                if let Some(mark) = self.edge.family().mark() {
                    host::set_filter_state(mark, "1");
                }
                self.stage = Stage::Reading(Some(headers));
                Action::Pause
            }
            Err(answer) => self.answer(&answer),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        match self.stage {
            Stage::Forwarded => Action::Continue,
            Stage::Answered => Action::Pause,
            Stage::Reading(_) if end => self.forward(size),
            Stage::Reading(_) => match self.edge.body_so_far(&self.routing, size) {
                Ok(()) => Action::Pause,
                Err(answer) => self.answer(&answer),
            },
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.stage {
            Stage::Reading(_) => self.forward(usize::MAX >> 1),
            Stage::Forwarded => Action::Continue,
            Stage::Answered => Action::Pause,
        }
    }

    fn on_log(&mut self) {
        let edge = take(&mut self.edge);
        let forwarded = matches!(self.stage, Stage::Forwarded);
        let progress = if forwarded { board::take(self.id) } else { None };
        let needs_plan = forwarded && edge.needs_plan(progress.as_ref());
        let plan = needs_plan
            .then(|| host::text_property("filter_state\0wasm.weir.next"))
            .flatten()
            .and_then(|text| Plan::from_text(&text));
        // A property costs about a microsecond; an answer that is complete needs no explanation.
        let complete = progress.as_ref().is_some_and(|progress| progress.stage == record::Stage::Done);
        let details = if complete { None } else { host::text_property("response\0code_details") };
        let flags = if complete { None } else { host::number_property("response\0flags") };
        let ending = Ending {
            now: host::now(),
            client_left: flags.unwrap_or_default() & CALLER_LEFT != 0,
            details: details.as_deref().unwrap_or_default(),
        };
        host::set_filter_state(record::KEY, &edge.record(plan, progress.as_ref(), &ending));
    }
}

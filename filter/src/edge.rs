//! The edge role: one request of a caller; see [`weir_core::edge`].

use std::cell::Cell;
use std::mem::take;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use weir_core::answer::Answer;
use weir_core::config::Routing;
use weir_core::edge::{Edge, LARGE_BODY};
use weir_core::plan::{self, Plan};
use weir_core::record::{self, Ending};
use weir_core::rests::{self, Rests};

use crate::board;
use crate::host::{self, Buffer, Headers, Map};

/// `DownstreamConnectionTermination` among Envoy's response flags: the caller hung up.
const CALLER_LEFT: u64 = 1 << 14;

/// How much of a form is looked at in one go.
const SLICE: usize = 256 << 10;

thread_local! {
    /// What the large bodies of this worker's requests hold, in bytes.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// One request of a caller.
pub(crate) struct Request {
    id: u32,
    routing: Rc<Routing>,
    edge: Edge,
    stage: Stage,
    /// How much of the body has come.
    size: usize,
    /// How much of it has been scanned, where it is a form.
    scanned: usize,
    /// Its part of what is held.
    holds: u64,
}

enum Stage {
    /// The body is awaited; its headers are kept as they came.
    Reading(Option<Headers>),
    Forwarded,
    Answered,
}

impl Request {
    pub(crate) fn new(id: u32, routing: Rc<Routing>) -> Self {
        Self {
            id,
            routing,
            edge: Edge::new(board::origin(id)),
            stage: Stage::Reading(None),
            size: 0,
            scanned: 0,
            holds: 0,
        }
    }

    fn answer(&mut self, answer: &Answer) -> Action {
        self.stage = Stage::Answered;
        host::respond(answer);
        Action::Pause
    }

    /// Looks at what has come of the body; `size` is how much that is.
    fn read(&mut self, size: usize) -> Result<(), Answer> {
        self.size = size;
        let len = size as u64;
        let others = HELD.get() - self.holds;
        self.edge.body_so_far(&self.routing, len, others)?;
        if len > LARGE_BODY {
            self.holds = len;
            HELD.set(others + len);
        }
        while self.edge.reads_form() && self.scanned < size {
            let slice = host::slice(Buffer::Request, self.scanned, SLICE.min(size - self.scanned)).unwrap_or_default();
            if slice.is_empty() {
                break;
            }
            self.scanned += slice.len();
            self.edge.slice(&slice)?;
        }
        Ok(())
    }

    fn forward(&mut self, size: usize) -> Action {
        if let Err(answer) = self.read(size) {
            return self.answer(&answer);
        }
        let Stage::Reading(Some(headers)) = &self.stage else { return Action::Pause };
        let (resting, _) = host::shared(rests::KEY);
        let rests = Rests::from_text(str::from_utf8(&resting).unwrap_or_default());
        let outcome = if self.edge.reads_form() {
            self.edge.form(&self.routing, &rests, host::now(), &headers.pairs(), size as u64)
        } else {
            let body = host::body(Buffer::Request, size).unwrap_or_default();
            self.edge.body(&self.routing, &rests, host::now(), &headers.pairs(), &body)
        };
        match outcome {
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

impl Drop for Request {
    fn drop(&mut self) {
        HELD.set(HELD.get() - self.holds);
    }
}

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
            Stage::Reading(_) => match self.read(size) {
                Ok(()) => Action::Pause,
                Err(answer) => self.answer(&answer),
            },
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.stage {
            Stage::Reading(_) => self.forward(self.size),
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

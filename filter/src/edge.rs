//! The edge role: one request of a caller; see [`weir_core::edge`].

use std::cell::RefCell;
use std::mem::take;
use std::sync::Arc;

use weir_core::answer::Answer;
use weir_core::attempt::Connection;
use weir_core::config::Routing;
use weir_core::edge::Edge;
use weir_core::load::{Load, Share};
use weir_core::plan::{self, Plan};
use weir_core::record::{self, Ending};

use crate::cooldown::{self, begin};
use crate::host::{Buffer, Host, Map, Next, Role};
use crate::mailbox;
use crate::shared::View;

/// `DownstreamConnectionTermination` among Envoy's response flags: the caller hung up.
const CALLER_LEFT: u64 = 1 << 14;

/// How much of a form is looked at in one go.
const SLICE: usize = 256 << 10;

thread_local! {
    /// What this worker has under way.
    static LOAD: RefCell<Load> = const { RefCell::new(Load::new()) };
}

/// One request of a caller.
pub(crate) struct Request {
    id: u32,
    routing: Arc<Routing>,
    edge: Edge,
    stage: Stage,
    /// How much of the body has come.
    size: usize,
    /// How much of it has been scanned, where it is a form.
    scanned: usize,
    /// Its part of what is under way.
    share: Share,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    /// The body is awaited.
    Reading,
    Forwarded,
    Answered,
}

impl Request {
    pub(crate) fn new(host: &impl Host, id: u32, routing: Arc<Routing>) -> Self {
        Self {
            id,
            routing,
            edge: Edge::new(mailbox::origin(host, id), host.now()),
            stage: Stage::Asked,
            size: 0,
            scanned: 0,
            share: Share::default(),
        }
    }

    fn answer(&mut self, answer: Answer) -> Next {
        self.stage = Stage::Answered;
        Next::Answer(Box::new(answer))
    }

    /// Looks at what has come of the body; `size` is how much that is.
    fn read(&mut self, host: &impl Host, size: usize) -> Result<(), Answer> {
        self.size = size;
        let (edge, share) = (&mut self.edge, &mut self.share);
        LOAD.with_borrow_mut(|load| edge.body_so_far(&self.routing, size as u64, load, share))?;
        while self.edge.reads_form() && self.scanned < size {
            let slice = host.slice(Buffer::Request, self.scanned, SLICE.min(size - self.scanned));
            if slice.is_empty() {
                break;
            }
            self.scanned += slice.len();
            self.edge.slice(&slice)?;
        }
        Ok(())
    }

    fn forward(&mut self, host: &mut impl Host, size: usize) -> Next {
        if let Err(answer) = self.read(host, size) {
            return self.answer(answer);
        }
        self.stage = Stage::Forwarded;
        let shared = View(host.cells());
        let outcome = if self.edge.reads_form() {
            self.edge.form(&self.routing, &shared, host.now(), size as u64)
        } else {
            let body = host.body(Buffer::Request, size);
            self.edge.body(&self.routing, &shared, host.now(), &body)
        };
        match outcome {
            Ok(forward) => {
                for trial in forward.trials {
                    begin(host, &trial);
                }
                host.set_state(plan::KEY, &forward.plan);
                mailbox::plan(self.id, self.edge.planned());
                for (attribute, value) in &forward.span {
                    host.set_state(attribute.key, value);
                }
                // The route was chosen before this filter ran, by a filter state that was not there yet.
                host.clear_route_cache();
                Next::Continue
            }
            Err(answer) => self.answer(answer),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        LOAD.with_borrow_mut(|load| load.leave(take(&mut self.share)));
    }
}

impl<H: Host> Role<H> for Request {
    fn request_headers(&mut self, host: &mut H, end: bool) -> Next {
        let read = host.rewrite_headers(Map::Request, |headers| match self.edge.headers(&self.routing, headers, end) {
            Ok(passed) => (Ok(()), Some(passed)),
            Err(answer) => (Err(answer), None),
        });
        if let Some(mark) = self.edge.family().mark() {
            host.set_state(mark, &self.edge.subject().request_id);
        }
        let entered = read.and_then(|()| LOAD.with_borrow_mut(|load| self.edge.enter(&self.routing, load)));
        match entered {
            Ok(share) => {
                self.share = share;
                self.stage = Stage::Reading;
                Next::Pause
            }
            Err(answer) => self.answer(answer),
        }
    }

    fn request_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        match self.stage {
            Stage::Forwarded => Next::Continue,
            Stage::Asked | Stage::Answered => Next::Pause,
            Stage::Reading if end => self.forward(host, size),
            Stage::Reading => match self.read(host, size) {
                Ok(()) => Next::Pause,
                Err(answer) => self.answer(answer),
            },
        }
    }

    fn request_trailers(&mut self, host: &mut H) -> Next {
        // What a caller's trailers say is for no provider.
        host.clear(Map::RequestTrailers);
        match self.stage {
            Stage::Reading => self.forward(host, self.size),
            Stage::Forwarded => Next::Continue,
            Stage::Asked | Stage::Answered => Next::Pause,
        }
    }

    fn response_headers(&mut self, host: &mut H, _: bool) -> Next {
        if let Some((name, value)) = self.edge.answer_header() {
            host.set_header(Map::Response, name, value);
        }
        Next::Continue
    }

    fn response_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::ResponseTrailers);
        Next::Continue
    }

    fn log(&mut self, host: &mut H) {
        let edge = take(&mut self.edge);
        let forwarded = matches!(self.stage, Stage::Forwarded);
        let progress = if forwarded { mailbox::take(host, self.id) } else { None };
        let needs_plan = forwarded && edge.needs_plan(progress.as_ref());
        let text = needs_plan.then(|| host.state(plan::KEY)).flatten().map(mailbox::settled);
        let plan = text.and_then(|text| Plan::from_text(&text));
        mailbox::close(self.id);
        // What Envoy knows costs a wasm filter about a microsecond; an answer that is complete needs no explanation.
        let complete = progress.as_ref().is_some_and(|progress| progress.stage == record::Stage::Done);
        let rewritten = progress.as_ref().is_some_and(|progress| progress.rewritten);
        let details = if complete && !rewritten { None } else { host.details() };
        let flags = if complete { 0 } else { host.flags() };
        let connected = !needs_plan || host.connection(self.id) == Connection::Made;
        // A caller who leaves before the answer leaves that behind.
        if let Some(provider) = plan.as_ref().filter(|_| connected && progress.is_none()).and_then(Plan::on_trial) {
            cooldown::reached(&host.cells(), provider);
        }
        let ending = Ending {
            now: host.now(),
            connected,
            client_left: flags & CALLER_LEFT != 0,
            caller_paused: !complete && host.caller_is_paused(),
            details: details.as_deref().unwrap_or_default(),
        };
        host.set_state(record::KEY, &edge.record(plan, progress.as_ref(), &ending));
    }
}

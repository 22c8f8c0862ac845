//! The edge role: one request of a caller; see [`weir_core::edge`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use weir_core::attempt::Connection;
use weir_core::config::Routing;
use weir_core::edge::{ADDRESS, Around, CERTIFICATE, CLAIM, Client, Edge, Ended, Input, Leased, USER};
use weir_core::load::Load;
use weir_core::plan::{self, Plan};
use weir_core::quota::Worker;
use weir_core::quota::headers::{OF_PROVIDERS, OVER};
use weir_core::record::Ending;
use weir_core::role::{Effect, Flow};
use weir_core::time::Instant;

use crate::host::{Buffer, Host, Map, Next, Role};
use crate::shared::View;
use crate::{effects, mailbox, waiting, worker};

/// `DownstreamConnectionTermination` among Envoy's response flags: the caller hung up.
const CALLER_LEFT: u64 = 1 << 14;

/// What Envoy's formatter writes where there is no value.
const NO_VALUE: &str = "-";

/// About as many effects as a request has before it goes on.
const EFFECTS: usize = 8;

thread_local! {
    /// What this worker has under way.
    static LOAD: RefCell<Load> = const { RefCell::new(Load::new()) };
}

/// One request of a caller.
pub(crate) struct Request {
    id: u32,
    routing: Arc<Routing>,
    edge: Edge,
    effects: Vec<Effect>,
    /// Since when it waits until control was asked.
    waits: Option<Instant>,
}

impl Request {
    pub(crate) fn new(host: &impl Host, id: u32, routing: Arc<Routing>) -> Self {
        let edge = Edge::new(mailbox::origin(host, id), host.now());
        Self { id, routing, edge, effects: Vec::with_capacity(EFFECTS), waits: None }
    }

    /// Tells the role one thing, and performs what it has decided.
    fn on(&mut self, host: &mut impl Host, input: Input<'_>) -> Next {
        let mut flow = self.read(host, input);
        while let Some(Effect::Lease(claims)) = self.effects.pop_if(|effect| matches!(effect, Effect::Lease(_))) {
            let since = *self.waits.get_or_insert_with(|| host.now());
            let Some(leased) = waiting::wait(host, self.id, claims, since) else { break };
            flow = self.read(host, Input::Leased(leased));
        }
        self.perform(host, flow)
    }

    /// Tells the role one thing, and what it then wants to see of the body.
    fn read(&mut self, host: &impl Host, input: Input<'_>) -> Flow {
        let now = host.now();
        let mut flow = self.tell(host, now, input);
        while let Flow::Read { start, end } = flow {
            let bytes = match start {
                0 => host.body(Buffer::Request, end),
                _ => Cow::Owned(host.slice(Buffer::Request, start, end - start)),
            };
            flow = self.tell(host, now, Input::Bytes(&bytes));
        }
        flow
    }

    fn tell(&mut self, host: &impl Host, now: Instant, input: Input<'_>) -> Flow {
        let shared = View(host.cells());
        let Self { routing, edge, effects, .. } = self;
        worker::with(host, routing, |worker| {
            LOAD.with_borrow_mut(|load| {
                let mut around = Around { routing, shared: &shared, load, worker };
                edge.on(now, input, &mut around, effects)
            })
        })
    }

    fn perform(&mut self, host: &mut impl Host, flow: Flow) -> Next {
        effects::perform(host, Some(self.id), 0, self.effects.drain(..), flow, &[]).unwrap_or(Next::Pause)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        LOAD.with_borrow_mut(|load| self.edge.leave(load));
        waiting::leave(self.id);
        // It failed before its end was told, or Envoy never told it.
        let mut left = self.edge.abandoned();
        left.extend(mailbox::abandoned(self.id));
        worker::abandon(&self.routing, left);
    }
}

impl<H: Host> Role<H> for Request {
    fn request_headers(&mut self, host: &mut H, end: bool) -> Next {
        let Self { edge, routing, effects, .. } = self;
        if let Some(client) = client(host, routing) {
            edge.comes_from(client);
        }
        let shared = View(host.cells());
        host.rewrite_headers(Map::Request, |headers| {
            LOAD.with_borrow_mut(|load| {
                // Nothing is taken before the body has come.
                let mut around = Around { routing, shared: &shared, load, worker: &mut Worker::default() };
                ((), edge.request_headers(headers, end, &mut around, effects))
            })
        });
        let flow = if self.edge.asks_control() { Flow::Continue } else { Flow::Hold };
        self.perform(host, flow)
    }

    fn request_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        self.on(host, Input::Body { size, end })
    }

    fn request_trailers(&mut self, host: &mut H) -> Next {
        // What a caller's trailers say is for no provider.
        host.clear(Map::RequestTrailers);
        self.on(host, Input::Trailers)
    }

    fn leased(&mut self, host: &mut H, leased: Leased) -> Next {
        self.on(host, Input::Leased(leased))
    }

    fn response_headers(&mut self, host: &mut H, _: bool) -> Next {
        if self.edge.asks_control() {
            self.edge.control_answered(host.rewrite_headers(Map::Response, |headers| (status(headers), None)));
        }
        if let Some((name, value)) = self.edge.answer_header() {
            host.set_header(Map::Response, name, value);
        }
        if !self.routing.quotas.is_empty() {
            let headers = self.edge.limit_headers(&self.routing, host.now());
            if headers.iter().any(|(name, _)| *name != OVER) {
                for name in OF_PROVIDERS {
                    host.remove_header(Map::Response, name);
                }
            }
            for (name, value) in &headers {
                host.set_header(Map::Response, name, value);
            }
        }
        Next::Continue
    }

    fn response_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::ResponseTrailers);
        Next::Continue
    }

    fn log(&mut self, host: &mut H) {
        waiting::leave(self.id);
        let progress = if self.edge.is_forwarded() { mailbox::take(host, self.id) } else { None };
        // What Envoy knows costs a wasm filter about a microsecond.
        let needs = self.edge.needs(progress.as_ref());
        let text = needs.plan.then(|| host.state(plan::KEY)).flatten().map(|text| mailbox::settled(host, text));
        let plan = text.and_then(|text| Plan::from_text(&text));
        let details = needs.details.then(|| host.details()).flatten();
        let ending = Ending {
            now: host.now(),
            connected: !needs.plan || host.connection(self.id) == Connection::Made,
            client_left: needs.flags && host.flags() & CALLER_LEFT != 0,
            caller_paused: needs.flags && host.caller_is_paused(),
            details: details.as_deref().unwrap_or_default(),
        };
        let taken = mailbox::taken(self.id);
        mailbox::close(self.id);
        self.on(host, Input::Ended(Box::new(Ended { plan, progress, taken, ending })));
    }
}

/// The answer's status; 0 if it has none.
fn status(headers: &[(&str, &str)]) -> u16 {
    let status = headers.iter().find(|(name, _)| *name == ":status");
    status.and_then(|(_, status)| status.parse().ok()).unwrap_or_default()
}

/// What is known of the client, as far as the configuration needs it: asking costs a wasm filter about a microsecond each time.
fn client(host: &impl Host, routing: &Routing) -> Option<Client> {
    let identities = &routing.identities;
    if identities.is_empty() {
        return None;
    }
    let set = |name| host.state(name).filter(|value| !value.is_empty() && value != NO_VALUE);
    let by_claim = identities.claim.is_some();
    let by_certificate = !identities.certificates.is_empty();
    Some(Client {
        address: identities.by_address.then(|| set(ADDRESS).or_else(|| host.address())).flatten(),
        claim: by_claim.then(|| set(CLAIM)).flatten(),
        user: by_claim.then(|| set(USER)).flatten(),
        certificate: by_certificate.then(|| set(CERTIFICATE).or_else(|| host.certificate())).flatten(),
    })
}

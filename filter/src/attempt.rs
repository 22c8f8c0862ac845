//! The attempt role: one try at one provider; see [`weir_core::attempt`].

use std::borrow::Cow;
use std::sync::Arc;

use weir_core::attempt::{Attempt, Connection, Input, Takes};
use weir_core::plan::{self, Origin, Plan};
use weir_core::quota::{Unmet, Worker};
use weir_core::role::{Effect, Flow};
use weir_core::time::Instant;
use weir_core::upstream::Upstream;

use crate::host::{Buffer, Host, Map, Next, Role};
use crate::{effects, mailbox, worker};

/// About as many effects as a try has before its request goes on.
const EFFECTS: usize = 8;

/// One try at one provider.
pub(crate) struct Try {
    upstream: Arc<Upstream>,
    attempt: Option<Attempt>,
    effects: Vec<Effect>,
}

impl Try {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, attempt: None, effects: Vec::with_capacity(EFFECTS) }
    }

    /// Tells the role one thing; what it has decided is still to be performed.
    fn tell(&mut self, now: Instant, input: Input<'_>) -> Flow {
        match &mut self.attempt {
            Some(attempt) => attempt.on(now, input, &mut self.effects),
            None => Flow::Continue,
        }
    }

    /// Performs what the role has decided; `size` is how many bytes the body at hand has.
    fn perform(&mut self, host: &mut impl Host, size: usize, flow: Flow) -> Next {
        let origin = self.attempt.as_ref().map(Attempt::origin).unwrap_or_default();
        let request = mailbox::is_own(host, origin).then_some(origin.request);
        let next = effects::perform(host, request, size, self.effects.drain(..), flow, &self.upstream.headers);
        if matches!(next, None | Some(Next::Answer(_))) {
            // The stream is gone, or ends with this.
            self.attempt = None;
        }
        next.unwrap_or(Next::Pause)
    }

    /// More of the request has come.
    fn request(&mut self, host: &mut impl Host, now: Instant, input: Input<'_>) -> Next {
        let mut flow = self.tell(now, input);
        let mut size = 0;
        if let Flow::Read { end, .. } = flow {
            size = end;
            let content_type = host.rewrite_headers(Map::Request, |headers| {
                let content_type = headers.iter().find(|(name, _)| *name == "content-type");
                (content_type.map_or_else(String::new, |(_, value)| (*value).to_owned()), None)
            });
            let body = host.body(Buffer::Request, size);
            flow = self.tell(now, Input::RequestBytes { content_type: &content_type, body: &body });
        }
        self.perform(host, size, flow)
    }

    /// More of the answer has come.
    fn answer(&mut self, host: &mut impl Host, size: usize, end: bool) -> Next {
        let mut at_hand = size;
        let now = host.now();
        let mut flow = self.tell(now, Input::Answer { size, end });
        if let Flow::Read { end: last, .. } = flow {
            let bytes: Cow<'_, [u8]> = host.body(Buffer::Response, last);
            at_hand = bytes.len();
            flow = self.tell(now, Input::AnswerBytes { bytes: &bytes, end });
            if let (Flow::Reserve { output }, Some(attempt)) = (flow, &self.attempt) {
                let outcome = extend(host, attempt, output, now);
                let outcome = outcome.as_ref().copied().map_err(String::as_str);
                flow = self.tell(now, Input::Reserved { outcome, bytes: &bytes });
            }
        }
        self.perform(host, at_hand, flow)
    }
}

/// Takes what a later try needs under limits, or says why it cannot. Where the filter's code was replaced meanwhile, nothing is known of it,
/// and nothing is taken.
fn take_later(host: &impl Host, origin: Origin, takes: &Takes, now: Instant) -> Result<(), Unmet> {
    if !mailbox::is_own(host, origin) {
        return Ok(());
    }
    let Takes { target, billed } = takes;
    mailbox::take_later(origin.request, |later| {
        let take = |worker: &mut Worker| later.take(&host.cells(), worker, (*target, billed), now);
        worker::with_known(host, take).map(|taken| ((), taken))
    })
    .map(drop)
}

/// Takes more for an answer that has so many output tokens: for how many there is room then, or which limit has none. Where nothing is
/// known of its limits, it goes on.
fn extend(host: &impl Host, attempt: &Attempt, output: u64, now: Instant) -> Result<u64, String> {
    let origin = attempt.origin();
    if !mailbox::is_own(host, origin) {
        return Ok(u64::MAX);
    }
    let extended = mailbox::take_later(origin.request, |later| {
        worker::with_known(host, |worker| later.extend(&host.cells(), worker, (attempt.target(), output), now))
    });
    extended.map(|room| room.unwrap_or(u64::MAX))
}

impl<H: Host> Role<H> for Try {
    fn request_headers(&mut self, host: &mut H, end: bool) -> Next {
        let text = host.state(plan::KEY).unwrap_or_default();
        // Nothing has happened yet to a plan that waits for its first try.
        let plan = mailbox::planned(host, &text).or_else(|| Plan::from_text(&mailbox::settled(host, text)));
        let now = host.now();
        self.attempt = Attempt::start(&self.upstream, plan, now, &mut self.effects);
        let Some(attempt) = &mut self.attempt else { return self.perform(host, 0, Flow::Hold) };
        if let Some(Err(unmet)) = attempt.takes().map(|takes| take_later(host, attempt.origin(), &takes, now)) {
            attempt.refuse(unmet, now, &mut self.effects);
            return self.perform(host, 0, Flow::Hold);
        }
        // Envoy has asked for a connection before it runs this: what is there now was there before.
        if attempt.may_repeat() && host.has_connection() {
            attempt.keeps_connection();
        }
        self.request(host, now, Input::Request { size: 0, end })
    }

    fn request_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        self.request(host, host.now(), Input::Request { size, end })
    }

    fn request_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::RequestTrailers);
        self.request(host, host.now(), Input::RequestTrailers)
    }

    fn response_headers(&mut self, host: &mut H, end: bool) -> Next {
        let Some(attempt) = &mut self.attempt else { return Next::Continue };
        let (now, effects) = (host.now(), &mut self.effects);
        let flow = host.rewrite_headers(Map::Response, |headers| attempt.response_headers(headers, end, now, effects));
        self.perform(host, 0, flow)
    }

    fn response_body(&mut self, host: &mut H, size: usize, end: bool) -> Next {
        self.answer(host, size, end)
    }

    fn response_trailers(&mut self, host: &mut H) -> Next {
        host.clear(Map::ResponseTrailers);
        self.answer(host, usize::MAX >> 1, true)
    }

    fn done(&mut self, host: &mut H) {
        let Some(mut attempt) = self.attempt.take().filter(Attempt::is_unanswered) else { return };
        // What Envoy says of a connection, it says by the number of a request of this worker's own filter.
        let connection = match attempt.origin() {
            origin if mailbox::is_own(host, origin) => host.connection(origin.request),
            _ => Connection::Missing,
        };
        let plan = host.state(plan::KEY);
        attempt.on(host.now(), Input::Gone { connection, plan: plan.as_deref() }, &mut self.effects);
        self.perform(host, 0, Flow::Continue);
        if plan.is_none() {
            // A native filter's view of the stream is gone already.
            mailbox::leave(host, attempt, connection, host.now());
        }
    }
}

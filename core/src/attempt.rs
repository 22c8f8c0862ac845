//! The attempt role: one try at one target.
//!
//! It moves the plan on before anything can fail, writes the request for its provider, holds the answer until its first
//! token, and writes it in the caller's dialect. If a try fails before its first token, Envoy sees a 5xx or a 429, and
//! its retry policy begins the next try. The caller sees nothing of this.

mod answer;
mod failure;
mod input;
mod later;
mod pace;
mod request;
mod retry_after;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use weir_hub::call::ReplyStart;
use weir_hub::codec::encoding::Decoder;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{BodyKind, Delivery};
use weir_hub::fault::{FaultKind, HostFault, UpstreamFault};
use weir_hub::piece::Calls;
use weir_hub::reply::Reply;
use weir_hub::usage::Usage;

use crate::answer::Answer;
use crate::exchange;
use crate::health::cooldown::Cooldown;
use crate::plan::{self, Origin, Plan, exhausted};
use crate::provider::{self, Notes, Provider, Reach, Renamed};
use crate::record::span::{self, Attribute};
use crate::record::{Progress, Stage};
use crate::role::{Effect, Flow};
use crate::time::Instant;
use crate::upstream::Upstream;

pub use failure::PAUSE;
use input::Awaits;
pub use input::Input;
pub use later::Takes;
use pace::Pace;

/// At most this much of an error's body is read; providers' errors are much shorter.
const MAX_ERROR_BODY: usize = 64 << 10;

/// At most this much is held before the first token; pings and role deltas are much less.
const MAX_HELD: usize = 1 << 20;

/// The longest whole answer that the host holds. Envoy itself refuses an answer that is slightly longer, and then tries
/// no other target. A compressed answer may unpack to this much, and so may each chunk of a stream.
pub const MAX_WHOLE: usize = 16 << 20;

/// At most this much of an answer is written at once, even if the host would hold more.
const MAX_WRITTEN: usize = 3 * MAX_WHOLE;

/// Headers of an answer, to be written in place of those that it came with.
pub type Headers<'h> = Vec<(&'static str, Cow<'h, str>)>;

/// What the host knows of a try's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A connection was made.
    Made,
    /// The connection failed.
    Failed,
    /// No connection was made: it took too long, or the try ended first.
    Missing,
}

/// Why a try does not begin.
#[derive(Debug)]
enum Unbegun {
    /// A fault in Weir itself.
    Fault(HostFault),
    /// There is nothing left to try. The caller is told how all tries ended.
    Exhausted(Box<Exhausted>),
}

/// The end of a plan whose last try was never answered.
#[derive(Debug)]
struct Exhausted {
    /// The request.
    pub origin: Origin,
    /// The plan's text, to be stored.
    pub plan: String,
    /// How far the answer has come.
    pub progress: Progress,
    /// The answer for the caller.
    pub answer: Answer,
}

impl From<HostFault> for Unbegun {
    fn from(fault: HostFault) -> Self {
        Self::Fault(fault)
    }
}

/// One try at one target.
pub struct Attempt {
    provider: &'static dyn Provider,
    upstream: Arc<Upstream>,
    plan: Plan,
    /// What was left out of the request, or emulated.
    notes: Notes,
    /// How the caller wants vectors written.
    encoding: Encoding,
    /// What the answer repeats from the request.
    echo: String,
    /// Which of the answer's tool calls the caller receives.
    calls: Calls,
    /// Tools that the model knows by other names than the caller.
    renamed: Renamed,
    /// How many texts are to be embedded, if the request was read.
    texts: Option<usize>,
    phase: Phase,
    room: Room,
    /// Whether the try uses a connection that was open before it.
    kept: bool,
    /// What must be known of the request's body before anything goes up.
    awaits: Awaits,
    /// How much of it has come, in bytes.
    size: usize,
}

/// Whether the caller's answer can have a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Body,
    /// The provider's answer ended with its headers, and then Envoy lets no filter add a body.
    HeadersOnly,
}

enum Phase {
    /// The answer's headers have not come.
    Asked,
    /// An error's body is being collected.
    Failing(Failing),
    /// A 2xx answer is being read.
    Answering(Answering),
    /// It has outgrown what is reserved for it: what was read last passes when it is known whether there is room for more.
    Outgrown(Answering, Option<Vec<u8>>),
    /// Nothing more is read; bytes that still come are dropped.
    Over,
}

struct Failing {
    status: u16,
    retry_after: Option<Duration>,
    decoder: Option<Decoder>,
    /// The fault, if the headers alone have told it.
    fault: Option<UpstreamFault>,
    body: Vec<u8>,
}

struct Answering {
    reply: Box<dyn Reply>,
    decoder: Option<Decoder>,
    status: u16,
    /// Whether the provider says that the answer is server-sent events.
    streams_events: bool,
    /// The provider's `content-length`.
    length: Option<usize>,
    /// What the caller will receive, held until the first token; `None` after it.
    held: Option<Vec<u8>>,
    /// Whether the latest bytes wait for the stream's end.
    last: Last,
    /// For a stream: whether it goes on fast enough.
    pace: Option<Pace>,
    first_token: Option<Duration>,
    /// The usage that the host was last told.
    reported: Option<Usage>,
    /// The model that the host was last told.
    model: Rc<str>,
    /// Whether a whole answer was written anew.
    rewritten: bool,
    /// How many bytes were last written for a chunk; the next will be about as long.
    written: usize,
    /// At most this many bytes may be written at once.
    most: usize,
    /// How many output tokens it may have before more must be reserved, if a limit goes by them.
    reserved: Option<u64>,
    /// The limit that has ended it.
    ended_by: String,
}

/// What happens to the latest bytes.
enum Last {
    /// They pass at once.
    Passes,
    /// The answer seems to be complete, so the latest bytes wait for its end. Has only those that wait, if others have
    /// passed before.
    Waits(Vec<u8>),
    /// They have waited once and the end did not come; nothing waits again.
    Waited,
}

/// A try that has begun.
struct Begun {
    /// The try.
    pub attempt: Attempt,
    /// The plan's text, to be stored before anything else happens.
    pub plan: String,
    /// The text that describes the failed tries before this one, if there are any.
    pub tries: Option<String>,
    /// The attribute for Envoy's spans, if spans are written.
    pub span: Option<(Attribute, String)>,
    /// What to do with the request.
    pub request: RequestPlan,
}

/// How the request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestPlan {
    /// The body is unchanged. `path` is set if the caller's own path does not fit.
    AsIs {
        /// The provider's path.
        path: Option<String>,
    },
    /// [`Attempt::request`] must see the whole body first.
    NeedsBody,
    /// [`Attempt::request_as_it_is`] must know the body's length first.
    NeedsLength,
}

impl Attempt {
    /// Begins the try that is next in the plan with this text.
    #[cfg(test)]
    fn begin(upstream: &Arc<Upstream>, plan: &str, now: Instant) -> Result<Begun, Unbegun> {
        Self::begin_next(upstream, Plan::from_text(plan).ok_or(HostFault::NoPlan)?, now)
    }

    /// Begins the try that is next in `plan`.
    fn begin_next(upstream: &Arc<Upstream>, mut plan: Plan, now: Instant) -> Result<Begun, Unbegun> {
        let provider = provider::by_name(&upstream.dialect).ok_or(HostFault::NoConfig)?;
        let Some(model) = plan.begin(&upstream.provider, now).map(|target| target.model.clone()) else {
            let exhausted = Exhausted::of(&plan, now).ok_or(HostFault::NoPlan)?;
            return Err(Unbegun::Exhausted(Box::new(exhausted)));
        };
        let same = model == plan.model;
        // A later try finds the length and path that an earlier one wrote, so it must write both.
        let first = plan.begun == 1;
        let asked = plan.asked;
        let endpoint = asked.endpoint;
        // Counts the texts, to check that each gets a vector. For the local sidecar there is no need.
        let counts = endpoint.embeds() && provider.reach() == Reach::Url;
        let relays = same && first && !counts && plan.cap.is_none() && provider.relays(&model, endpoint, upstream);
        let untouched = relays.then(|| provider.untouched(asked, upstream)).flatten();
        let passes = same && endpoint.body() == BodyKind::Multipart;
        let request = match untouched {
            None if passes => RequestPlan::NeedsLength,
            None => RequestPlan::NeedsBody,
            Some(path) => {
                let path = [&upstream.prefix, path].concat();
                let fits = path == plan.asked.endpoint.path();
                RequestPlan::AsIs { path: (!fits).then_some(path) }
            }
        };
        let text = plan.to_text();
        let tries = (!plan.failed.is_empty()).then(|| plan.tries());
        let attempt = Self {
            provider,
            upstream: Arc::clone(upstream),
            plan,
            notes: Notes::default(),
            encoding: Encoding::Float,
            echo: String::new(),
            calls: Calls::All,
            renamed: Renamed::default(),
            texts: None,
            phase: Phase::Asked,
            room: Room::Body,
            kept: false,
            awaits: Awaits::Nothing,
            size: 0,
        };
        let span = upstream.traced.then(|| (span::PROVIDER, provider.name().to_string()));
        Ok(Begun { attempt, plan: text, tries, span, request })
    }

    /// Reads the answer's headers; `end` if no body follows. Returns all headers that the answer will have, unless the
    /// answer is a failure: changing headers costs the least while they have just been read. If the answer later turns
    /// out to be invalid, other headers replace them.
    pub fn response_headers<'h>(
        &mut self,
        headers: &[(&'h str, &'h str)],
        end: bool,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> (Flow, Option<Headers<'h>>) {
        let mut written = None;
        let value = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let status = value(":status").and_then(|status| status.parse().ok()).unwrap_or_default();
        let retry_after = value("retry-after").and_then(|asked| retry_after::read(asked, value("date"), now));
        effects.extend(self.plan.on_trial().map(|provider| Effect::Reached(provider.to_string())));
        let failed = !(200..300).contains(&status);
        let cap = if failed { MAX_ERROR_BODY } else { MAX_WHOLE };
        let decoder = Decoder::of(value("content-encoding").unwrap_or_default(), cap);
        let (decoder, unreadable) = match decoder {
            Ok(decoder) => (decoder, None),
            Err(fault) => (None, Some(fault)),
        };
        if unreadable.is_some() || failed {
            self.phase = Phase::Failing(Failing {
                status,
                retry_after,
                decoder,
                fault: unreadable.map(Into::into),
                body: Vec::new(),
            });
        } else {
            let asked = self.plan.asked;
            let model = self.plan.current().map_or("", |target| target.model.as_str());
            let Origin { vm, request } = self.plan.origin;
            let (mut numbers, mut more) = (itoa::Buffer::new(), itoa::Buffer::new());
            let id = ["weir-", numbers.format(vm), "-", more.format(request)].concat();
            let (encoding, created, echo) = (self.encoding, now.as_millis() / 1000, core::mem::take(&mut self.echo));
            let content_type = value("content-type").unwrap_or_default();
            let length = value("content-length").and_then(|length| length.parse().ok());
            let (id, echo, calls, renamed) = (&id, &echo, self.calls, &self.renamed);
            let start = ReplyStart {
                asked,
                encoding,
                model,
                id,
                created,
                echo,
                content_type,
                calls,
                renamed,
                texts: self.texts,
            };
            let reserved = self.plan.reserved.filter(|_| asked.delivery == Delivery::Streamed);
            let begin = if reserved.is_some() { exchange::endable } else { exchange::reply };
            let mut answering = Answering {
                reply: begin(self.provider, &self.upstream, &start),
                decoder,
                status,
                streams_events: content_type.starts_with("text/event-stream"),
                length,
                held: Some(Vec::new()),
                last: Last::Passes,
                pace: None,
                first_token: None,
                reported: None,
                model: "".into(),
                rewritten: false,
                written: 0,
                most: MAX_WRITTEN.min(self.upstream.longest()),
                reserved,
                ended_by: String::new(),
            };
            written = Some(self.headers(&answering, headers, now));
            // In any other answer, each byte is a part of the answer.
            if asked.delivery == Delivery::Streamed && self.sends_events(&answering) {
                answering.pace = Some(Pace::new(self.plan.limits, now));
            }
            self.phase = Phase::Answering(answering);
        }
        if !end {
            return (Flow::Hold, written);
        }
        self.room = Room::HeadersOnly;
        (self.response_body(&[], true, now, effects), written)
    }

    /// Whether the answer's body must come in one piece. The host then holds it, and passes all of it when it ends.
    fn wants_whole_answer(&self) -> bool {
        matches!(self.phase, Phase::Answering(_)) && self.plan.asked.delivery == Delivery::Whole
    }

    /// The answer that the host holds has become longer than [`MAX_WHOLE`], so the try has failed.
    fn too_long(&mut self, now: Instant, effects: &mut Vec<Effect>) -> Flow {
        self.fail(&too_long(), 200, None, now, effects)
    }

    /// Reads the next bytes of the answer; `end` if they are the last.
    fn response_body(&mut self, chunk: &[u8], end: bool, now: Instant, effects: &mut Vec<Effect>) -> Flow {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Asked | Phase::Outgrown(..) | Phase::Over => {
                if !chunk.is_empty() {
                    effects.push(Effect::Body(Vec::new()));
                }
                Flow::Continue
            }
            Phase::Failing(failing) => self.read_failure(failing, chunk, end, now, effects),
            Phase::Answering(answering) => self.read_answer(answering, chunk, end, now, effects),
        }
    }

    /// Whether it matters that the try uses a connection that was open before it. If nothing comes back on such a
    /// connection, its host has probably just closed it, and the same target is asked again.
    pub fn may_repeat(&self) -> bool {
        self.plan.next().is_none()
    }

    /// Notes that the try uses a connection that was open before it.
    pub fn keeps_connection(&mut self) {
        self.kept = true;
    }

    /// Envoy has ended the try. If it was never answered, returns the plan's text with what is known about its end.
    ///
    /// `connection` says whether there was a connection to the provider. `latest` is the plan that is stored now, which
    /// a later try may already have moved on.
    pub fn ended_unanswered(&mut self, latest: &str, connection: Connection, now: Instant) -> Option<String> {
        let latest = Plan::from_text(latest)?;
        if latest.begun != self.plan.begun || latest.failed.len() != self.plan.failed.len() {
            return None;
        }
        let connection = match (connection, &self.phase) {
            (Connection::Failed | Connection::Missing, _) => plan::Connection::Failed,
            (Connection::Made, Phase::Asked) if self.kept => plan::Connection::Kept,
            (Connection::Made, _) => plan::Connection::Own,
        };
        self.plan.end_unanswered(connection, now);
        Some(self.plan.to_text())
    }

    /// The cooldown of this try's provider, if nobody could connect to it. The sidecar is local and never cools down.
    fn unreachable(&self, connection: Connection, now: Instant) -> Option<Cooldown> {
        // If the caller leaves while the connection is being made, that proves nothing.
        let late = || now - self.plan.since + plan::LAG >= Duration::from_millis(self.upstream.connect_timeout);
        let failed = connection == Connection::Failed || connection == Connection::Missing && late();
        let cools = failed && self.provider.reach() == Reach::Url;
        cools.then(|| Cooldown::unreachable(&self.upstream.provider, self.upstream.version, now))
    }

    /// Whether the caller has received nothing from this try yet.
    pub fn is_unanswered(&self) -> bool {
        match &self.phase {
            Phase::Asked | Phase::Failing(_) => true,
            Phase::Answering(answering) | Phase::Outgrown(answering, _) => answering.held.is_some(),
            Phase::Over => false,
        }
    }

    fn progress(&self, stage: Stage, code: String, model: Rc<str>) -> Progress {
        let (begun, since) = (self.plan.begun, self.plan.since);
        Progress {
            begun,
            since,
            stage,
            code,
            status: 0,
            rewritten: false,
            first_token: None,
            usage: Usage::default(),
            model,
            ended_by: String::new(),
        }
    }

    /// Whether an earlier try has left its headers behind.
    fn follows_another(&self) -> bool {
        self.plan.begun > 1
    }

    /// The request that this try belongs to.
    pub fn origin(&self) -> Origin {
        self.plan.origin
    }
}

fn too_long() -> UpstreamFault {
    UpstreamFault::new(FaultKind::Malformed, "an answer longer than any that is held")
}

impl Exhausted {
    /// `None` if no try has begun.
    fn of(plan: &Plan, now: Instant) -> Option<Self> {
        if plan.begun == 0 {
            return None;
        }
        let answer = Answer::problem(&exhausted(plan, now), plan.asked.endpoint.family());
        let (begun, since, stage, code) = (plan.begun, plan.since, Stage::Failed, answer.outcome.clone());
        let (first_token, usage, model, ended_by) = (None, Usage::default(), "".into(), String::new());
        let progress =
            Progress { begun, since, stage, code, status: 0, rewritten: false, first_token, usage, model, ended_by };
        Some(Self { origin: plan.origin, plan: plan.to_text(), progress, answer })
    }
}

#[cfg(test)]
mod tests;

//! The attempt role: one try at one target.
//!
//! It advances the plan before anything can fail, writes the request for its provider, holds the answer until its first
//! token, and writes it in the caller's dialect. A try that fails before that looks to Envoy like a 5xx or 429, which
//! its retry policy takes to the next target; the caller sees nothing of it.

mod answer;
mod failure;
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
use crate::time::Instant;
use crate::upstream::Upstream;

pub use failure::PAUSE;
use pace::Pace;
pub use request::Request;

/// The most of an error's body that is read; providers' errors are far shorter.
const MAX_ERROR_BODY: usize = 64 << 10;

/// The most that is held before the first token; pings and role deltas come nowhere near.
const MAX_HELD: usize = 1 << 20;

/// The most of a whole answer that the host holds. Envoy refuses what is a little longer, and tries no other target then.
/// A compressed one may become as long, and so may each chunk of a stream.
pub const MAX_WHOLE: usize = 16 << 20;

/// The most that is written at once of an answer, where the host would hold more.
const MAX_WRITTEN: usize = 3 * MAX_WHOLE;

/// What the host must now do, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the plan's text.
    Plan(String),
    /// Store the failed tries in words.
    Tries(String),
    /// Store how far the answer has come.
    Progress(Progress),
    /// Let a target cool down.
    Cool(Cooldown),
    /// This provider, which could not be reached, has been.
    Reached(String),
    /// Store an attribute for Envoy's spans.
    Span(Attribute, String),
    /// Replace all response headers.
    Headers(Vec<(&'static str, String)>),
    /// Set the answer's `content-length`, in bytes.
    Length(usize),
    /// Replace the bytes that just came (for an answer that was held by the host: all of them).
    Body(Vec<u8>),
    /// Answer the caller in the provider's stead, and let no other target be tried.
    Answer(Answer),
    /// End the answer once what was passed so far is with the caller: nothing more is read of the provider.
    End(End),
}

/// How an answer is ended that its provider has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete.
    Whole,
    /// It is not, and the caller has been told so within it.
    Told,
    /// It is not, and nothing but a broken connection can tell the caller so.
    Broken,
}

/// Headers of an answer, to be written in place of those that it came with.
pub type Headers<'h> = Vec<(&'static str, Cow<'h, str>)>;

/// What becomes of what just came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// The host holds it, headers included.
    Hold,
}

/// What the host knows of a try's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// There was one.
    Made,
    /// It failed.
    Failed,
    /// There is none. It took too long, or the try ended before.
    Missing,
}

/// Why a try does not begin.
#[derive(Debug)]
pub enum Unbegun {
    /// Something in Weir itself did not work.
    Fault(HostFault),
    /// There is nothing left to try: the caller is told what became of all tries.
    Exhausted(Box<Exhausted>),
}

/// The end of a plan whose last try was never answered.
#[derive(Debug)]
pub struct Exhausted {
    /// The request.
    pub origin: Origin,
    /// The plan's text, to be stored.
    pub plan: String,
    /// How far the answer has come.
    pub progress: Progress,
    /// What the caller is told.
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
    /// What was left out of the request, or is had in another way.
    notes: Notes,
    /// How the caller wants vectors written.
    encoding: Encoding,
    /// What the answer repeats of the request.
    echo: String,
    /// Which of the answer's calls the caller is told of.
    calls: Calls,
    /// Tools that the answer calls by other names.
    renamed: Renamed,
    /// How many texts are to be embedded, where the request was read.
    texts: Option<usize>,
    phase: Phase,
    room: Room,
    /// The try has a connection that was there before it.
    kept: bool,
}

/// Whether the answer that came can take a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Body,
    /// It ended with its headers, and Envoy lets no filter add a body to those.
    HeadersOnly,
}

enum Phase {
    /// The answer's headers are awaited.
    Asked,
    /// An error's body is being collected.
    Failing(Failing),
    /// A 2xx answer is being read.
    Answering(Answering),
    /// Nothing more is read; what still comes is swallowed.
    Over,
}

struct Failing {
    status: u16,
    retry_after: Option<Duration>,
    decoder: Option<Decoder>,
    /// What is wrong, if the headers alone have told.
    fault: Option<UpstreamFault>,
    body: Vec<u8>,
}

struct Answering {
    reply: Box<dyn Reply>,
    decoder: Option<Decoder>,
    status: u16,
    /// Whether the provider says that they are server-sent events.
    streams_events: bool,
    /// `content-length` as the provider said it.
    length: Option<usize>,
    /// What the caller will receive, held until the first token; `None` once that has come.
    held: Option<Vec<u8>>,
    /// What came last, if the stream's end is to come with it.
    last: Last,
    /// Of a stream: whether it goes on.
    pace: Option<Pace>,
    first_token: Option<Duration>,
    /// Usage as last told to the host.
    told: Option<Usage>,
    /// The model that answers, as last told.
    model: Rc<str>,
    /// A whole answer was written anew.
    rewritten: bool,
    /// How many bytes were last written in place of a chunk: about so many will be.
    written: usize,
    /// The most that may be written at once.
    most: usize,
}

/// What becomes of what came last.
enum Last {
    /// It passes at once.
    Passes,
    /// The answer seems to be complete: it waits for the end. These bytes do, if others have passed before.
    Waits(Vec<u8>),
    /// It has waited in vain, and does no more.
    Waited,
}

/// A try that has begun.
pub struct Begun {
    /// It.
    pub attempt: Attempt,
    /// The plan's text, to be stored before anything else happens.
    pub plan: String,
    /// The failed tries before this one in words, if there are any.
    pub tries: Option<String>,
    /// The attribute for Envoy's spans, if they are written.
    pub span: Option<(Attribute, String)>,
    /// What to do with the request.
    pub request: RequestPlan,
}

/// How the request goes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestPlan {
    /// The body as it is; `path` where the caller's own does not fit.
    AsIs {
        /// The path to ask for.
        path: Option<String>,
    },
    /// [`Attempt::request`] must see the whole body first.
    NeedsBody,
    /// [`Attempt::request_as_it_is`] must know the body's length first.
    NeedsLength,
}

impl Attempt {
    /// Begins the try that the plan of this text says is next.
    pub fn begin(upstream: &Arc<Upstream>, plan: &str, now: Instant) -> Result<Begun, Unbegun> {
        Self::begin_next(upstream, Plan::from_text(plan).ok_or(HostFault::NoPlan)?, now)
    }

    /// Begins the try that `plan` says is next.
    pub fn begin_next(upstream: &Arc<Upstream>, mut plan: Plan, now: Instant) -> Result<Begun, Unbegun> {
        let provider = provider::by_name(&upstream.dialect).ok_or(HostFault::NoConfig)?;
        let Some(model) = plan.begin(&upstream.provider, now).map(|target| target.model.clone()) else {
            let exhausted = Exhausted::of(&plan, now).ok_or(HostFault::NoPlan)?;
            return Err(Unbegun::Exhausted(Box::new(exhausted)));
        };
        let same = model == plan.model;
        // A later try starts with the length and path that an earlier one left behind, and must write both.
        let first = plan.begun == 1;
        let asked = plan.asked;
        let endpoint = asked.endpoint;
        // Texts are counted, so that there is a vector for each; of the sidecar next door that is known.
        let counts = endpoint.embeds() && provider.reach() == Reach::Url;
        let relays = same && first && !counts && provider.relays(&model, endpoint, upstream);
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
        };
        let span = upstream.traced.then(|| (span::PROVIDER, provider.name().to_string()));
        Ok(Begun { attempt, plan: text, tries, span, request })
    }

    /// Reads the answer's headers; `end` if no body follows. All headers that the answer has from here on come back, unless it
    /// is a failure: while they have just been read, changing them costs the least. Should it turn out to be none after all,
    /// others take their place.
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
            let mut answering = Answering {
                reply: exchange::reply(self.provider, &self.upstream, &start),
                decoder,
                status,
                streams_events: content_type.starts_with("text/event-stream"),
                length,
                held: Some(Vec::new()),
                last: Last::Passes,
                pace: None,
                first_token: None,
                told: None,
                model: "".into(),
                rewritten: false,
                written: 0,
                most: MAX_WRITTEN.min(self.upstream.longest()),
            };
            written = Some(self.headers(&answering, headers, now));
            // Elsewhere each byte is a part of the answer.
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

    /// Whether the answer's body must come in one piece: the host then holds it and passes all of it at its end.
    pub fn wants_whole_answer(&self) -> bool {
        matches!(self.phase, Phase::Answering(_)) && self.plan.asked.delivery == Delivery::Whole
    }

    /// The answer that the host holds has become longer than [`MAX_WHOLE`]: the try has failed.
    pub fn too_long(&mut self, now: Instant, effects: &mut Vec<Effect>) -> Flow {
        self.fail(&too_long(), 200, None, now, effects)
    }

    /// Reads the next bytes of the answer; `end` if they are the last.
    pub fn response_body(&mut self, chunk: &[u8], end: bool, now: Instant, effects: &mut Vec<Effect>) -> Flow {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Asked | Phase::Over => {
                if !chunk.is_empty() {
                    effects.push(Effect::Body(Vec::new()));
                }
                Flow::Continue
            }
            Phase::Failing(failing) => self.read_failure(failing, chunk, end, now, effects),
            Phase::Answering(answering) => self.read_answer(answering, chunk, end, now, effects),
        }
    }

    /// Whether it matters that the try has a connection which was there before it: if nothing comes back on that, its host has
    /// most likely just closed it, and the same target is asked again.
    pub fn may_repeat(&self) -> bool {
        self.plan.next().is_none()
    }

    /// The try has a connection that was there before it.
    pub fn keeps_connection(&mut self) {
        self.kept = true;
    }

    /// The try is over for Envoy. If it was never answered, the plan's text with what is known of it.
    ///
    /// `connection` says whether a connection to the provider was made; `latest` is the plan as it is stored now, which
    /// a later try may already have advanced.
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

    /// The cooldown of this try's provider, if nobody could connect to it. The sidecar is next door, and never cools down.
    pub fn unreachable(&self, connection: Connection, now: Instant) -> Option<Cooldown> {
        // A caller who leaves while the connection is being made proves nothing.
        let late = || now - self.plan.since + plan::LAG >= Duration::from_millis(self.upstream.connect_timeout);
        let failed = connection == Connection::Failed || connection == Connection::Missing && late();
        let cools = failed && self.provider.reach() == Reach::Url;
        cools.then(|| Cooldown::unreachable(&self.upstream.provider, self.upstream.version, now))
    }

    /// Whether the caller has received nothing from this try yet.
    pub fn is_unanswered(&self) -> bool {
        match &self.phase {
            Phase::Asked | Phase::Failing(_) => true,
            Phase::Answering(answering) => answering.held.is_some(),
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
        }
    }

    /// Whether an earlier try has left its headers behind.
    pub fn follows_another(&self) -> bool {
        self.plan.begun > 1
    }

    /// The request that this is a try of.
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
        let (first_token, usage, model) = (None, Usage::default(), "".into());
        let progress = Progress { begun, since, stage, code, status: 0, rewritten: false, first_token, usage, model };
        Some(Self { origin: plan.origin, plan: plan.to_text(), progress, answer })
    }
}

#[cfg(test)]
mod tests;

//! The edge role: finds out who is calling, for which model, and in which order to try its targets.
//!
//! One [`Edge`] lives as long as one request of a caller. It sees the request before any route is chosen. It either
//! answers the request itself or forwards it with a [`Plan`]. At the end it composes the [record](crate::record).

mod caller;
mod input;
mod meant;
mod names;
mod other_models;
mod parts;
mod path;
mod plan;
mod quota;
mod rank;
mod usage;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::codec::multipart::{Boundary, Scanner};
use weir_hub::endpoint::{BodyKind, Delivery, Endpoint, Family};
use weir_hub::fault::{HostFault, Reject};

use crate::answer::Answer;
use crate::config::Routing;
use crate::health::cooldown::Cooldown;
use crate::key::KeyHash;
use crate::load::{Load, Share};
use crate::percent::percent_decoded;
use crate::plan::{Connection, Origin, Outcome, Plan};
use crate::quota::Claim;
use crate::quota::media::Files;
use crate::record::span::{self, Attribute};
use crate::record::{self, Ending, Progress, Record, Stage, Subject};
use crate::shared::Store;
use crate::time::Instant;
use crate::usage::Asker;
use crate::{allow, listing};

/// The fields of a form that Weir reads.
const FORM_FIELDS: [&str; 6] = ["model", "response_format", "stream", "user", "n", "quality"];

/// Envoy's own header. Without it Envoy finds no route. Each try removes it.
const SCHEME: &str = "x-forwarded-proto";

/// The header with the request id that the caller sent; `x-request-id` has Weir's.
pub const CALLERS_ID: &str = "x-weir-caller-request-id";

/// The longest id of a caller's that is recorded.
const LONGEST_ID: usize = 128;

pub use caller::{ADDRESS, CERTIFICATE, CLAIM, Client, USER};
pub use input::{Around, Ended, Input, Needs};
pub use quota::Leased;
use quota::Unplanned;

use caller::Caller;

/// One request of a caller, from its headers to its record.
#[derive(Debug, Default)]
pub struct Edge {
    origin: Origin,
    /// When the request began.
    began: Instant,
    family: Family,
    /// `anthropic-beta`, as the caller sent it.
    betas: String,
    phase: Phase,
    client: Client,
    subject: Subject,
    /// The plan before any try.
    plan: Option<Plan>,
    /// Its part of what its worker has under way.
    share: Share,
    /// What it has reserved under the limits that it meets.
    reserved: quota::Reserved,
    /// The files of its form.
    files: Files,
    /// How much of the body has come, in bytes.
    size: usize,
    /// That is all of it.
    whole: bool,
    /// How much of it has been read, if it is a form.
    scanned: usize,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Headers,
    /// The caller and the endpoint are known; the body has not come.
    Body(Wanted, KeyHash),
    /// Control answers it. Its body, if it has one, is not looked at.
    Control(KeyHash),
    /// A plan was written, or an answer was given.
    Over,
}

/// Where a request goes, according to its headers.
#[derive(Debug)]
enum Goes {
    /// To a model, once its body is read.
    ToModel(Endpoint),
    /// To control.
    ToControl(Asker),
}

/// What the request asks for, according to its path.
#[derive(Clone, Debug)]
struct Wanted {
    endpoint: Endpoint,
    /// The model and the delivery, if the path names them.
    in_path: Option<(String, Delivery)>,
    /// The reader of the body, if the body is a form.
    form: Option<Box<Form>>,
}

/// A form that is being read.
#[derive(Clone, Debug)]
struct Form {
    scanner: Scanner,
    /// The `content-type` that is sent on.
    content_type: String,
}

/// A request that goes on to a provider.
#[derive(Debug, PartialEq, Eq)]
struct Forward {
    /// The plan's text, for the filter state.
    plan: String,
    /// The cooldowns to store if this request finds out whether a provider can be reached again.
    trials: Vec<Cooldown>,
    /// Attributes for Envoy's spans, if they are written.
    span: Vec<(Attribute, String)>,
}

/// What becomes of a request whose body was read.
#[derive(Debug, PartialEq, Eq)]
enum Planned {
    Forward(Forward),
    /// It waits until control was asked for these.
    Waits(Vec<Claim>),
}

impl Edge {
    /// A request that begins now; its plan will have this `origin`.
    pub fn new(origin: Origin, now: Instant) -> Self {
        Self { origin, began: now, ..Self::default() }
    }

    /// Tells what is known of the client besides its request. This comes before the headers, if at all.
    pub fn comes_from(&mut self, client: Client) {
        self.client = client;
    }

    /// Reads the request's headers: all headers of the request from here on. An answer, if there is nothing to wait for: an
    /// error, or a path that Weir serves itself.
    fn headers<'h>(
        &mut self,
        routing: &Routing,
        headers: &[(&'h str, &'h str)],
        end: bool,
    ) -> Result<Vec<(&'h str, Cow<'h, str>)>, Answer> {
        let outcome = self.read_headers(routing, headers, end);
        let endpoint = match self.note(outcome)? {
            Goes::ToModel(endpoint) => endpoint,
            Goes::ToControl(asker) => return Ok(self.control_headers(headers, &asker)),
        };
        let passed = headers.iter().filter(|(name, _)| passes(name));
        let mut passed: Vec<(&str, Cow<'_, str>)> =
            passed.map(|(name, value)| (*name, Cow::Borrowed(passed_value(endpoint, name, value)))).collect();
        passed.extend(allow::WRITTEN.map(|(name, value)| (name, Cow::Borrowed(value))));
        passed.push(("content-type", self.content_type()));
        passed.push(("x-request-id", Cow::Owned(self.subject.request_id.clone())));
        Ok(passed)
    }

    /// Counts a request whose headers were read among those that its worker has under way, if there is room.
    fn enter(&mut self, routing: &Routing, load: &mut Load) -> Result<Share, Answer> {
        let (Phase::Body(_, key) | Phase::Control(key)) = self.phase else { return Ok(Share::default()) };
        let outcome = load.enter(routing, key).map_err(|reject| self.reject(&reject));
        self.note(outcome)
    }

    /// Refuses a body that has become too long, or that its worker has no room for: `len` is what has come so far, in bytes.
    fn body_so_far(&mut self, routing: &Routing, len: u64, load: &mut Load, share: &mut Share) -> Result<(), Answer> {
        let Phase::Body(Wanted { endpoint, .. }, _) = self.phase else { return Ok(()) };
        let outcome = within(routing, endpoint, len).and_then(|()| load.hold(share, routing, len));
        let outcome = outcome.map_err(|reject| self.reject(&reject));
        self.note(outcome)
    }

    /// Whether the body is a form. Then all of it must be given to [`slice`](Self::slice), in order, and
    /// [`read_form`](Self::read_form) must be called at its end, instead of [`read_body`](Self::read_body).
    fn reads_form(&self) -> bool {
        matches!(&self.phase, Phase::Body(Wanted { form: Some(_), .. }, _))
    }

    /// Reads the next bytes of a form.
    fn slice(&mut self, bytes: &[u8]) -> Result<(), Answer> {
        let Phase::Body(Wanted { form: Some(form), .. }, _) = &mut self.phase else { return Ok(()) };
        let outcome =
            form.scanner.read(bytes).map_err(|bad| Answer::problem(&Reject::from(bad).problem(), self.family));
        self.note(outcome)
    }

    /// The form has ended and has `len` bytes: plans the tries.
    fn read_form(&mut self, around: &mut Around<'_>, now: Instant, len: u64) -> Result<Planned, Answer> {
        let (outcome, before) = match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Body(Wanted { endpoint, form: Some(form), in_path }, key) => {
                // Only what may have to wait is read again.
                let kept = around.worker.is_sharing().then(|| form.clone());
                let outcome = self.plan_form(around, now, (endpoint, key), form.scanner, len);
                (outcome, kept.map(|form| Phase::Body(Wanted { endpoint, in_path, form: Some(form) }, key)))
            }
            _ => (Err(HostFault::Host.problem().into()), None),
        };
        self.planned(around.routing, outcome, before)
    }

    /// Reads the whole body and plans the tries.
    fn read_body(&mut self, around: &mut Around<'_>, now: Instant, body: &[u8]) -> Result<Planned, Answer> {
        let (outcome, before) = match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Body(wanted, key) => {
                let outcome = self.plan(around, now, (&wanted, key), body);
                (outcome, Some(Phase::Body(wanted, key)))
            }
            Phase::Headers | Phase::Control(_) | Phase::Over => (Err(HostFault::Host.problem().into()), None),
        };
        self.planned(around.routing, outcome, before)
    }

    /// `before` is the phase of a request that has to wait.
    fn planned(
        &mut self,
        routing: &Routing,
        outcome: Result<(Plan, Vec<Cooldown>), Unplanned>,
        before: Option<Phase>,
    ) -> Result<Planned, Answer> {
        let outcome = match (outcome, before) {
            (Err(Unplanned::Lease(claims)), Some(before)) => {
                self.phase = before;
                return Ok(Planned::Waits(claims));
            }
            (Err(Unplanned::Lease(_)), None) => Err(HostFault::Host.problem()),
            (Err(Unplanned::Problem(problem)), _) => Err(problem),
            (Ok(plan), _) => Ok(plan),
        };
        let outcome = outcome.map_err(|problem| Answer::problem(&problem, self.family));
        let (plan, trials) = self.note(outcome)?;
        let span = if routing.traced { attributes(&plan) } else { Vec::new() };
        let text = plan.to_text();
        self.plan = Some(plan);
        Ok(Planned::Forward(Forward { plan: text, trials, span }))
    }

    /// Whether [`record`](Self::record) needs the plan as the tries have left it: not if the first one answered.
    fn needs_plan(&self, progress: Option<&Progress>) -> bool {
        self.plan.is_some() && progress.is_none_or(|progress| progress.begun != 1 || progress.stage == Stage::Failed)
    }

    /// Composes the record. `plan` is the plan as the tries have left it, where [`needs_plan`](Self::needs_plan) says so.
    fn record(
        &mut self,
        routing: &Routing,
        store: Option<&dyn Store>,
        mut plan: Option<Plan>,
        progress: Option<&Progress>,
        ending: &Ending<'_>,
    ) -> String {
        if let (Some(plan), None, false) = (&mut plan, progress, ending.client_left) {
            plan.end_unanswered(if ending.connected { Connection::Own } else { Connection::Failed }, ending.now);
        }
        let refused = record::refused(ending.details);
        if let (Some(failed), Some((kind, _))) = (plan.as_mut().and_then(|plan| plan.failed.last_mut()), refused) {
            failed.outcome = Outcome::Fault(kind);
        }
        let plan = plan.or_else(|| {
            let mut plan = self.plan.take()?;
            if let Some(progress) = progress {
                (plan.begun, plan.since) = (progress.begun, progress.since);
            }
            Some(plan)
        });
        let reserved = core::mem::take(&mut self.reserved);
        let record = Record::of(&self.subject, plan.as_ref(), progress, ending).priced(routing.record_prices());
        let spent = store.map(|store| reserved.settle(&record, &routing.quotas, store)).unwrap_or_default();
        Record { limits: &spent, ..record }.line()
    }

    /// A header that every answer to this caller must have: the request's id, under the name that Anthropic's clients
    /// look for. The edge's own answers already have it.
    pub fn answer_header(&self) -> Option<(&'static str, &str)> {
        let id = self.subject.request_id.as_str();
        (self.family == Family::Anthropic && !id.is_empty()).then_some(("request-id", id))
    }

    /// Keeps the outcome of an early answer for the record.
    fn note<T>(&mut self, outcome: Result<T, Answer>) -> Result<T, Answer> {
        outcome.map_err(|mut answer| {
            self.phase = Phase::Over;
            self.subject.answered = Some(answer.outcome.clone());
            answer.headers.extend(self.answer_header().map(|(name, value)| (name, value.to_string())));
            answer
        })
    }

    fn read_headers(&mut self, routing: &Routing, headers: &[(&str, &str)], end: bool) -> Result<Goes, Answer> {
        let value = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let path = value(":path").unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = &*if routing.forgives_paths { path::merged(path) } else { Cow::Borrowed(path) };
        self.family = match Family::at(path) {
            // If the path is one that several APIs share, headers that only one API's clients send tell them apart.
            Family::OpenAi if value("anthropic-version").is_some() => Family::Anthropic,
            Family::OpenAi if value("x-goog-api-key").is_some() => Family::Gemini,
            family => family,
        };
        let method = value(":method").unwrap_or_default();
        self.subject.request_id = value("x-request-id").filter(|id| plausible_id(id)).unwrap_or_default().to_string();
        let callers = value(CALLERS_ID).filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
        self.subject.callers_id = callers.map(|id| id.chars().take(LONGEST_ID).collect()).unwrap_or_default();
        match path {
            "/readyz" if routing.draining => {
                let draining = Answer::json(br#"{"status":"draining"}"#.to_vec());
                return Err(Answer { status: 503, outcome: "draining".to_string(), ..draining });
            }
            "/healthz" | "/readyz" => return Err(Answer::json(br#"{"status":"ok"}"#.to_vec())),
            _ => {}
        }
        self.subject.application = caller::application(routing, value);
        let client = core::mem::take(&mut self.client);
        let caller = Caller::of(routing, &client, value).map_err(|reject| self.reject(&reject))?;
        self.subject.key = caller.name.to_string();
        self.subject.team = caller.team.to_string();
        self.subject.user = caller.user.clone().unwrap_or_default();
        caller.admit(routing, &client, self.began).map_err(|reject| self.reject(&reject))?;
        let rights = caller.rights(routing);
        if !routing.forgives_paths {
            let plain = path::plain(path);
            if path != plain {
                let reject = self.nothing_at(path, &plain);
                return Err(self.reject(&reject));
            }
        }
        if listing::is_at(path) && Endpoint::at(path).is_none() && !(method == "POST" && names_action(path)) {
            only("GET", method).map_err(|reject| self.reject(&reject))?;
            let list = listing::answer(routing, |model| rights.have_model(model), path, self.family);
            return Err(list.unwrap_or_else(|reject| self.reject(&reject)));
        }
        if path == crate::usage::PATH {
            return self.usage(routing, &caller, method);
        }
        let wanted = self.wanted(routing, path, query, value);
        let wanted = wanted.map_err(|reject| self.reject(&reject))?;
        if !rights.have_endpoint(wanted.endpoint) {
            return Err(self.reject(&Reject::EndpointNotAllowed { path: wanted.endpoint.path() }));
        }
        if end {
            let problem = "expected a JSON object, found an empty body";
            return Err(self.reject(&Reject::InvalidJson { offset: 0, line: 1, column: 1, problem }));
        }
        if wanted.endpoint.family() == Family::Anthropic {
            self.betas = value("anthropic-beta").filter(|betas| plausible_betas(betas)).unwrap_or_default().to_string();
        }
        let endpoint = wanted.endpoint;
        self.phase = Phase::Body(wanted, caller.hash);
        Ok(Goes::ToModel(endpoint))
    }

    /// The refusal of a `path`; `plain` is the same path in its plain form, which may or may not exist.
    fn nothing_at(&mut self, path: &str, plain: &str) -> Reject {
        let (family, meant) = meant::at(plain).unzip();
        // The caller's headers and the path's beginning are better evidence.
        if self.family == Family::OpenAi {
            self.family = family.unwrap_or_default();
        }
        Reject::UnknownPath { path: path.to_string(), meant }
    }

    /// What `path` asks for, if it exists.
    fn wanted<'h>(
        &mut self,
        routing: &Routing,
        path: &str,
        query: &str,
        value: impl Fn(&str) -> Option<&'h str>,
    ) -> Result<Wanted, Reject> {
        let Some(asked) = Endpoint::at(path) else { return Err(self.nothing_at(path, path)) };
        only("POST", value(":method").unwrap_or_default())?;
        let endpoint = asked.endpoint;
        self.subject.endpoint = Some(endpoint);
        self.family = endpoint.family();
        let length = value("content-length").and_then(|length| length.parse().ok());
        within(routing, endpoint, length.unwrap_or_default())?;
        let in_path = asked.in_path.map(|(model, delivery)| (percent_decoded(model), delivery));
        if in_path.as_ref().is_some_and(|(_, delivery)| *delivery == Delivery::Streamed)
            && !query.split('&').any(|pair| pair == "alt=sse")
        {
            let problem = "a stream is written as server-sent events only: ask with ?alt=sse".to_string();
            return Err(Reject::Invalid { field: "alt".to_string(), problem });
        }
        let form = match endpoint.body() {
            BodyKind::Json => None,
            BodyKind::Multipart => {
                let boundary = Boundary::parse(value("content-type").unwrap_or_default())?;
                Some(Box::new(Form {
                    scanner: Scanner::new(&boundary, &FORM_FIELDS),
                    content_type: boundary.content_type(),
                }))
            }
        };
        Ok(Wanted { endpoint, in_path, form })
    }

    /// The `content-type` that is sent on. Weir writes it anew: some clients do not say that they send JSON, or say
    /// something else. For a form, a parameter besides the boundary could make it a different form.
    fn content_type(&self) -> Cow<'static, str> {
        match &self.phase {
            Phase::Body(Wanted { form: Some(form), .. }, _) => Cow::Owned(form.content_type.clone()),
            _ => Cow::Borrowed("application/json"),
        }
    }

    fn reject(&self, reject: &Reject) -> Answer {
        let mut answer = Answer::problem(&reject.problem(), self.family);
        if let Reject::WrongMethod { allowed } = reject {
            let allowed = if *allowed == "GET" { "GET, HEAD" } else { allowed };
            answer.headers.push(("allow", allowed.to_string()));
        }
        answer
    }
}

/// Whether the path of a Gemini model ends with an action, as in `models/m:countTokens`.
fn names_action(path: &str) -> bool {
    let model = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"));
    model.is_some_and(|model| model.contains(':'))
}

/// Whether a request header goes on with the caller's value.
fn passes(name: &str) -> bool {
    match name {
        "x-request-id" | "content-type" => false,
        SCHEME => true,
        _ => allow::passes(name),
    }
}

/// The value with which a request header goes on.
fn passed_value<'h>(endpoint: Endpoint, name: &str, value: &'h str) -> &'h str {
    match name {
        // The caller's query is for Weir only.
        ":path" => endpoint.path(),
        _ => value,
    }
}

fn attributes(plan: &Plan) -> Vec<(Attribute, String)> {
    alloc::vec![
        (span::OPERATION, plan.asked.endpoint.operation().to_string()),
        (span::REQUEST_MODEL, plan.model.clone()),
        (span::TENANT, plan.tenant.clone()),
    ]
}

fn within(routing: &Routing, endpoint: Endpoint, len: u64) -> Result<(), Reject> {
    let limit = routing.body.of(endpoint);
    if len > limit { Err(Reject::BodyTooLarge { limit }) } else { Ok(()) }
}

fn only(allowed: &'static str, method: &str) -> Result<(), Reject> {
    let is_allowed = method == allowed || allowed == "GET" && method == "HEAD";
    if is_allowed { Ok(()) } else { Err(Reject::WrongMethod { allowed }) }
}

/// Whether the value of `anthropic-beta` can be written in a plan and a header without escaping.
fn plausible_betas(betas: &str) -> bool {
    betas.len() <= 1024 && betas.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_., ".contains(&b))
}

/// Whether a request id can be written in logs and headers without escaping.
fn plausible_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

#[cfg(test)]
mod tests;

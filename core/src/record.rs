//! The record of one request. It is a value that is made once, at the request's end; every writer reads it: the access
//! log's [line], and later metrics. [Spans](span) end before that, so their attributes are set while the request runs.
//!
//! It has no prompts and no secrets: only names, counts and times.

mod bill;
mod line;
mod progress;
pub mod span;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{BROKEN_OFF, FaultKind};

use crate::plan::{Candidate, Outcome, Plan, exhausted};
use crate::price::{Tariff, Tier};
use crate::time::Instant;
use crate::upstream::Upstream;

pub use bill::{Bill, BilledTry, Total, may_bill};
pub use line::ACCESS_LOG_FORMAT;
pub use progress::{PROGRESS_KEY, Progress, Stage};

/// The filter state that the edge role sets to the record's line.
pub const KEY: &str = "wasm.weir.record";

/// What the edge knows about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `x-request-id`.
    pub request_id: String,
    /// The request id that the caller sent; empty if none.
    pub callers_id: String,
    /// The name of the caller's key, or of what it is known by in place of one (`jwt:…`, `spiffe://…`); empty until it is known.
    pub key: String,
    /// The caller's team; empty if none.
    pub team: String,
    /// The user, as the caller's token or else the caller names it; empty if not at all.
    pub user: String,
    /// The application, as the caller names it; empty if not at all.
    pub application: String,
    /// What was asked for.
    pub endpoint: Option<Endpoint>,
    /// How the answer was to be delivered.
    pub delivery: Option<Delivery>,
    /// The model that the caller named.
    pub model: String,
    /// How many input tokens it has, as far as that can be estimated; 0 if nobody has.
    pub input_estimate: u64,
    /// The service tier that it asks for.
    pub tier: Tier,
    /// How many images it asks for.
    pub images: u64,
    /// The outcome, if the edge answered the request itself.
    pub answered: Option<String>,
    /// The targets that were not tried, and why, if no others were left and so there is no plan.
    pub passed_over: Vec<(Candidate, String)>,
}

/// How the request ended, according to Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// When it ended.
    pub now: Instant,
    /// Whether the caller hung up.
    pub client_left: bool,
    /// Whether the caller did not read what was sent.
    pub caller_paused: bool,
    /// Whether the latest try had a connection, if nothing came back from it.
    pub connected: bool,
    /// Envoy's `response.code_details`.
    pub details: &'a str,
}

/// For an answer that Envoy gave itself: what Envoy's reason says about the latest try, and the code that the caller is
/// told, if the try itself can know neither.
pub fn refused(details: &str) -> Option<(FaultKind, &'static str)> {
    match details {
        // The filter runs before the credential is written.
        "failed_to_inject_credential" => Some((FaultKind::Auth, "upstream_auth")),
        "response_payload_too_large" => Some((FaultKind::Malformed, "upstream_bad_answer")),
        _ => None,
    }
}

/// All that is known of one request at its end.
#[derive(Clone, Debug)]
pub struct Record<'r> {
    /// The outcome in one word: `ok`, or the code of the error that the caller received, as far as it is known.
    pub outcome: Cow<'r, str>,
    /// What the edge knows about the request.
    pub subject: &'r Subject,
    /// The plan, if there was anything to try.
    pub plan: Option<&'r Plan>,
    /// How far the answer has come, if it has begun or if the caller was told an error in its place.
    pub progress: Option<&'r Progress>,
    /// What targets cost, and the upstreams that they name.
    pub prices: Option<Prices<'r>>,
    /// What it has spent of limits.
    pub limits: &'r [Spent],
    /// How the request ended, according to Envoy.
    pub ending: Ending<'r>,
}

/// What a request has spent of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The limit's name.
    pub limit: String,
    /// Whose account.
    pub subject: String,
    /// The window in which it counts: its start in milliseconds since the Unix epoch, or 0.
    pub window: u64,
    /// How much, in the limit's unit.
    pub amount: u128,
    /// Whether it was over the limit, which is soft.
    pub over: bool,
    /// The number of the lease that it counts for, if the limit is shared with other Envoys: see [`lease`](crate::lease).
    pub lease: Option<u64>,
}

/// What is needed to tell what tries cost.
#[derive(Clone, Copy, Debug)]
pub struct Prices<'r> {
    /// What targets cost, as far as it is known.
    pub tariff: &'r Tariff,
    /// The upstreams that targets name: local ones are billed by the time that they work.
    pub upstreams: &'r BTreeMap<String, Upstream>,
}

/// One try in the record.
#[derive(Clone, Copy, Debug)]
pub struct Try<'r> {
    /// The target that it asked.
    pub target: Option<&'r Candidate>,
    /// How it ended: the name of an [`Outcome`], or the code that the caller was told.
    pub outcome: &'r str,
    /// The status of the provider's answer; 0 if there was none.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
    /// What its provider may bill; `None` if it cannot have billed anything.
    pub bill: Option<Bill>,
}

impl<'r> Record<'r> {
    /// The record of a request that has ended.
    pub fn of(
        subject: &'r Subject,
        plan: Option<&'r Plan>,
        progress: Option<&'r Progress>,
        ending: &Ending<'r>,
    ) -> Self {
        let outcome = outcome(subject, plan, progress, ending);
        Self { outcome, subject, plan, progress, prices: None, limits: &[], ending: *ending }
    }

    /// The same record with prices.
    #[must_use]
    pub fn priced(self, prices: Prices<'r>) -> Self {
        Self { prices: Some(prices), ..self }
    }

    /// The tries, in order.
    pub fn tries(&self) -> impl Iterator<Item = Try<'r>> {
        let record = self.clone();
        let failed = self.plan.into_iter().flat_map(|plan| plan.failed.iter().map(move |failed| (plan, failed)));
        let failed = failed.map(move |(plan, failed)| {
            let target = plan.targets.get(failed.target);
            let bills = may_bill(Some(failed.outcome), failed.status);
            let bill = bills.then(|| {
                let usage = bill::usage(record.subject, None);
                bill::bill(&record, target, usage, None, millis(failed.took))
            });
            Try { target, outcome: failed.outcome.name(), status: failed.status, took: failed.took, bill }
        });
        failed.chain(self.latest())
    }

    /// The latest try, unless it failed before it was answered.
    fn latest(&self) -> Option<Try<'r>> {
        let plan = self.plan.filter(|plan| plan.begun > 0 && !plan.latest_has_failed())?;
        let (target, took) = (plan.targets.get(plan.at), self.ending.now - plan.since);
        let (outcome, word) = latest(self.progress, &self.ending);
        let bills = bill::latest_may_bill(outcome, self.progress, self.ending.connected);
        let bill = bills.then(|| {
            let usage = bill::usage(self.subject, self.progress.map(|progress| progress.usage));
            bill::bill(self, target, usage, self.progress.map(|progress| progress.stage), millis(took))
        });
        Some(Try { target, outcome: word, status: self.progress.map_or(0, |progress| progress.status), took, bill })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The outcome in one word: `ok`, or the code of the error that the caller received, as far as it is known.
fn outcome<'r>(
    subject: &'r Subject,
    plan: Option<&Plan>,
    progress: Option<&'r Progress>,
    ending: &Ending<'_>,
) -> Cow<'r, str> {
    if let Some(answered) = &subject.answered {
        return Cow::Borrowed(answered);
    }
    if let Some((_, code)) = refused(ending.details) {
        return Cow::Borrowed(code);
    }
    if let (None, false, Some(plan)) = (progress, ending.client_left, plan.filter(|plan| plan.latest_has_failed())) {
        // The last try ended without an answer, so Envoy told the caller the error that the plan would have told.
        return Cow::Owned(exhausted(plan, ending.now).code);
    }
    let word = match progress.map(|progress| progress.stage) {
        // Envoy's own CORS filter has answered a browser's preflight request.
        None if ending.details == "cors_response" => "preflight",
        Some(Stage::Cut(_)) => BROKEN_OFF,
        Some(Stage::Flowing) if !ending.client_left && !ending.caller_paused => BROKEN_OFF,
        _ => latest(progress, ending).1,
    };
    Cow::Borrowed(word)
}

/// The outcome of the latest try, unless it failed before it was answered, and its name: for an error that the caller
/// was told, only the error's code.
fn latest<'p>(progress: Option<&'p Progress>, ending: &Ending<'_>) -> (Option<Outcome>, &'p str) {
    let outcome = match progress.map(|progress| (progress.stage, progress.code.as_str())) {
        _ if refused(ending.details).is_some() => refused(ending.details).map(|(kind, _)| Outcome::Fault(kind)),
        Some((Stage::Failed, code)) => return (None, code),
        Some((Stage::Done, _)) => Some(Outcome::Answered),
        Some((Stage::Cut(kind), _)) => Some(Outcome::Fault(kind)),
        _ if ending.client_left => Some(Outcome::ClientLeft),
        Some((Stage::Flowing, _)) if ending.caller_paused => Some(Outcome::SlowCaller),
        Some((Stage::Flowing, _)) => Some(Outcome::Fault(FaultKind::Cut)),
        None => Some(Outcome::Unanswered),
    };
    (outcome, outcome.map_or("", Outcome::name))
}

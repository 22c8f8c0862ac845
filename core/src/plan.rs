//! The plan of one request, as it travels in Envoy's filter state under [`KEY`].
//!
//! One text serves three readers: Envoy's cluster matcher looks at its start (the next target's cluster), Envoy's route
//! matcher at its end (the delivery class), and the attempt role at what lies between. It is self-contained: an attempt
//! needs no table that a reload or another worker could have changed.

mod exhausted;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use weir_hub::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_hub::fault::{FaultKind, Whose};

use crate::time::Instant;

pub use exhausted::{exhausted, exhausted_with};

/// The filter state that holds the plan. Wherever a filter sets it, its name begins as Envoy has a wasm filter's begin.
pub const KEY: &str = "wasm.weir.next";
/// The filter state that holds [`Plan::tries`], for the errors that Envoy makes itself.
pub const TRIES_KEY: &str = "wasm.weir.tries";

/// How long keep-alives may prolong a gap between tokens, where nobody says otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The limits in time of one try and of all of them, as a delivery class says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To the first token, or of a whole answer.
    pub first: Duration,
    /// Between tokens; of a whole answer, as `first`.
    pub gap: Duration,
    /// Between tokens where keep-alives come.
    pub keep_alive: Duration,
    /// Of all tries together, if they have one.
    pub total: Option<Duration>,
}

/// The name of the delivery class for these limits.
///
/// `stream-30000-30000-t600000`, `stream-30000-30000-k60000-t600000`, `whole-300000-t600000`. Filters of other versions read it too: what they do not
/// know they pass over, and what is not there has its default.
pub fn class(delivery: Delivery, limits: Limits) -> String {
    let Limits { first, gap, keep_alive, total } = limits;
    let mut name = match delivery {
        Delivery::Whole => format!("whole-{}", first.as_millis()),
        Delivery::Streamed => format!("stream-{}-{}", first.as_millis(), gap.as_millis()),
    };
    // Writing to a String cannot fail.
    if delivery == Delivery::Streamed && keep_alive != KEEP_ALIVE {
        let _ = write!(name, "-k{}", keep_alive.as_millis());
    }
    let _ = total.map(|total| write!(name, "-t{}", total.as_millis()));
    name
}

/// How every plan starts whose next target is in `cluster`.
pub fn cluster_prefix(cluster: &str) -> String {
    format!("{cluster}|")
}

/// How every plan ends whose delivery class is `class`.
pub fn class_suffix(class: &str) -> String {
    format!("#{class}")
}

/// What one request will try, and what it has tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who wrote it.
    pub origin: Origin,
    /// What is asked for.
    pub endpoint: Endpoint,
    /// How the answer is to be delivered.
    pub delivery: Delivery,
    /// Whether the caller wants a stream's usage chunk.
    pub usage: UsageChunk,
    /// Names the route that carries the limits.
    pub class: String,
    /// Whom the caller's key belongs to.
    pub tenant: String,
    /// The model that the caller named.
    pub model: String,
    /// The features that an Anthropic caller turns on by name.
    pub betas: String,
    /// What will be tried, in order.
    pub targets: Vec<Candidate>,
    /// Targets of the model that will not be tried, and why.
    pub passed_over: Vec<(Candidate, String)>,
    /// Which targets rest because nobody could connect to their provider, and are asked all the same, to see whether one can again:
    /// a bit for each, the first target's the lowest.
    pub trials: u16,
    /// When it was made.
    pub made: Instant,
    /// How many tries have begun.
    pub begun: usize,
    /// Which target the latest try asks.
    pub at: usize,
    /// When the latest try began.
    pub since: Instant,
    /// Tries that ended without an answer for the caller, in their order.
    pub failed: Vec<Failed>,
    /// What the first provider said to which the request was too long.
    pub too_long: Option<TooLong>,
}

/// The edge that wrote a plan: an attempt in the same VM can tell it things without asking the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The VM, by when it was started, in nanoseconds since the Unix epoch.
    pub vm: u64,
    /// The request, by its number within the VM.
    pub request: u32,
}

/// One upstream's model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The provider, which is also the cluster.
    pub provider: String,
    /// The model's name there.
    pub model: String,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which of the plan's targets.
    pub target: usize,
    /// A [`FaultKind`](weir_hub::fault::FaultKind)'s name, or [`UNANSWERED`].
    pub outcome: String,
    /// The upstream's status, 0 if none came.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub ended: Instant,
    /// Until when the upstream asked to be left alone.
    pub until: Option<Instant>,
    /// The try had a connection that was there already, and nothing came back on it: as if its host had just closed it.
    pub kept: bool,
}

impl Failed {
    /// The kind of its outcome, where that is a fault.
    pub fn kind(&self) -> Option<FaultKind> {
        FaultKind::from_name(&self.outcome)
    }
}

/// A request is too long for a model, in words for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The message.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// What programs go by beside the words.
    pub details: Option<String>,
}

/// The longest pause that a request waits for by itself.
const SHORT: Duration = Duration::from_secs(2);

/// How long the same target is left alone before it is asked once more. Envoy counts in seconds here, and adds up to half.
const PAUSE: Duration = Duration::from_secs(1);

/// The outcome of a try that was under way when the limit of all tries passed.
pub const DEADLINE: &str = "deadline";

/// By how much a limit may seem to pass too early: Envoy's timers count in milliseconds from where its event loop was.
pub(crate) const LAG: Duration = Duration::from_millis(20);

/// The outcome of a try in which nothing came back: the connection failed or was reset, or the limit passed.
pub const UNANSWERED: &str = "unanswered";

impl Plan {
    /// The provider of the latest try, if that finds out whether it can be reached again.
    pub fn on_trial(&self) -> Option<&str> {
        let target = self.current().filter(|_| self.trials >> self.at & 1 == 1)?;
        Some(target.provider.as_str())
    }

    /// The target of the latest try.
    pub fn current(&self) -> Option<&Candidate> {
        self.targets.get(self.at).filter(|_| self.begun > 0)
    }

    /// The limits in time of each try.
    pub fn limits(&self) -> Option<Limits> {
        limits_of(&self.class)
    }

    /// Whether the latest try has ended without an answer for the caller.
    pub fn latest_has_failed(&self) -> bool {
        self.begun > 0 && self.failed.len() >= self.begun
    }

    /// Whether the limit of all tries together has passed.
    pub fn is_over(&self, now: Instant) -> bool {
        self.limits().and_then(|limits| limits.total).is_some_and(|total| now - self.made + LAG >= total)
    }

    /// Which target is asked next, as far as is known; `None` if there is none.
    ///
    /// Nothing is known of a try that is under way but that it may end without an answer. A target of another provider comes first
    /// then: what such an end would say against its own provider's other targets is known only when the next try begins.
    pub fn next(&self) -> Option<usize> {
        let elsewhere = |i: &usize| self.of(*i) != self.current().map(|target| target.provider.as_str());
        if self.begun > 0 && !self.latest_has_failed() {
            return self.open().find(elsewhere).or_else(|| self.open().next());
        }
        self.open().next().or_else(|| self.repeats().then_some(self.at))
    }

    /// How long to wait before the next try; only the same target is worth waiting for.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let again = self.latest_has_failed() && self.next() == Some(self.at);
        let latest = self.failed.last().filter(|latest| again && !latest.kept)?;
        Some(latest.until.map_or(PAUSE, |until| (until - now).max(PAUSE)))
    }

    /// The targets that were not asked and are not passed over, in their order.
    fn open(&self) -> impl Iterator<Item = usize> {
        let asked = |i| self.begun > 0 && i == self.at || self.failed.iter().any(|failed| failed.target == i);
        (0..self.targets.len()).filter(move |i| !asked(*i) && !self.is_spoilt(*i))
    }

    fn of(&self, target: usize) -> Option<&str> {
        self.targets.get(target).map(|target| target.provider.as_str())
    }

    /// Whether a target would fail as an earlier one has: it is the same, and rests or was silent; its provider cannot be reached;
    /// or its model is the one for which the request is too long.
    fn is_spoilt(&self, target: usize) -> bool {
        let Some(target) = self.targets.get(target) else { return true };
        self.failed.iter().any(|failed| {
            let Some(asked) = self.targets.get(failed.target) else { return false };
            let same = asked == target;
            match failed.kind() {
                Some(FaultKind::ContextLength) => asked.model == target.model,
                Some(FaultKind::TooLarge | FaultKind::Unreachable) => asked.provider == target.provider,
                Some(FaultKind::Timeout) => same && failed.status == 0,
                Some(FaultKind::Auth | FaultKind::NotFound | FaultKind::Billing) => same,
                _ => same && failed.until.is_some(),
            }
        })
    }

    /// Whether the request is too long for every model that could be asked: those that failed otherwise would say so too, or cannot
    /// be asked before the operator has mended something.
    pub fn is_too_long(&self) -> bool {
        let model = |failed: &Failed| self.targets.get(failed.target).map(|target| target.model.as_str());
        let says_so = |failed: &&Failed| failed.kind() == Some(FaultKind::ContextLength);
        let too_long = |name| self.failed.iter().filter(says_so).any(|failed| model(failed) == name);
        self.failed
            .iter()
            .all(|failed| too_long(model(failed)) || failed.kind().map(FaultKind::whose) == Some(Whose::Ours))
    }

    /// Whether the latest target is worth another try: once, after a failure that passes.
    fn repeats(&self) -> bool {
        let Some(latest) = self.failed.last().filter(|_| self.latest_has_failed()) else { return false };
        let once = self.failed.iter().filter(|failed| failed.target == latest.target).count() == 1;
        let soon = latest.until.is_none_or(|until| until - latest.ended <= SHORT);
        let passes = match latest.kind() {
            Some(FaultKind::Unavailable | FaultKind::ErrorEvent | FaultKind::Cut) => true,
            // One that answers 408 is not silent.
            Some(FaultKind::Timeout) => latest.status != 0,
            Some(FaultKind::RateLimited) => latest.until.is_some(),
            // Envoy waits before a try only if it has an answer to read the wait from.
            Some(FaultKind::Reset) => latest.kept,
            _ => false,
        };
        once && soon && passes
    }

    /// Begins the next try at `provider`: a preceding one without a noted outcome was [`UNANSWERED`]. `None` if there is none left.
    ///
    /// The plan's text must be stored before anything of the try can fail, so that a retry moves on in any case.
    pub fn begin(&mut self, provider: &str, now: Instant) -> Option<&Candidate> {
        self.note_unanswered(now);
        if self.begun > 0 && self.is_over(now) {
            return None;
        }
        let open = self.open().find(|i| self.of(*i) == Some(provider));
        let again = || (self.of(self.at) == Some(provider) && self.repeats()).then_some(self.at);
        self.at = open.or_else(again)?;
        self.begun += 1;
        self.since = now;
        self.current()
    }

    /// Notes that the latest try failed.
    pub fn fail(&mut self, outcome: &str, status: u16, until: Option<Instant>, now: Instant) {
        if self.begun > 0 && !self.latest_has_failed() {
            let (outcome, took) = (outcome.to_string(), now - self.since);
            self.failed.push(Failed { target: self.at, outcome, status, took, ended: now, until, kept: false });
        }
    }

    /// Notes how the latest try, which ended without an answer, ended.
    pub fn end_unanswered(&mut self, connection: Connection, now: Instant) {
        let timed_out = self.limits().is_some_and(|limits| now - self.since + LAG >= limits.first);
        let outcome = match connection {
            // The limit begins with the connection.
            Connection::Failed => FaultKind::Unreachable.name(),
            _ if self.is_over(now) => DEADLINE,
            _ if timed_out => FaultKind::Timeout.name(),
            _ => FaultKind::Reset.name(),
        };
        self.fail(outcome, 0, None, now);
        if let Some(failed) = self.failed.last_mut() {
            failed.kept = connection == Connection::Kept && failed.kind() == Some(FaultKind::Reset);
        }
    }

    /// Notes that the latest try, if it has no outcome yet, was left unanswered.
    pub fn note_unanswered(&mut self, now: Instant) {
        self.fail(UNANSWERED, 0, None, now);
    }

    /// The tries in words, safe inside a JSON string: `a/gpt-4o: rate_limited (429); b/gpt-4o: cut`. The latest is
    /// [`UNANSWERED`] as long as it has no outcome: if Envoy itself then answers, that is what it was.
    pub fn tries(&self) -> String {
        let mut text = String::new();
        let mut one = |target: usize, outcome: &str, status: u16| {
            if !text.is_empty() {
                text.push_str("; ");
            }
            if let Some(target) = self.targets.get(target) {
                let model = target.model.replace(['"', '\\'], "_");
                let _ = write!(text, "{}/{model}: {outcome}", target.provider);
            }
            if status != 0 {
                let _ = write!(text, " ({status})");
            }
        };
        for failed in &self.failed {
            one(failed.target, &failed.outcome, failed.status);
        }
        if self.begun > 0 && !self.latest_has_failed() {
            one(self.at, UNANSWERED, 0);
        }
        for (i, (target, why)) in self.passed_over.iter().enumerate() {
            text.push_str(if i == 0 { ". Not asked: " } else { "; " });
            let model = target.model.replace(['"', '\\'], "_");
            let _ = write!(text, "{}/{model} ({})", target.provider, why.replace(['"', '\\'], "_"));
        }
        text
    }

    /// The plan as text.
    pub fn to_text(&self) -> String {
        // With nothing left, the same provider: a try that begins there knows how the last one has ended, and says so.
        let next = self.next().or((self.begun > 0).then_some(self.at));
        let next = next.and_then(|next| self.of(next)).unwrap_or_default();
        let mut text = String::with_capacity(96 + self.targets.len() * 32);
        let endpoint = self.endpoint.name();
        let delivery = if self.delivery == Delivery::Streamed { 's' } else { 'w' };
        let usage = if self.usage == UsageChunk::Wanted { 'u' } else { '-' };
        let Origin { vm, request } = self.origin;
        let since = self.since.as_nanos();
        text.push_str(next);
        text.push('|');
        number(&mut text, vm);
        text.push('.');
        number(&mut text, u64::from(request));
        text.push('|');
        number(&mut text, self.begun as u64);
        text.push('.');
        number(&mut text, self.at as u64);
        text.push('.');
        number(&mut text, u64::from(self.trials));
        text.push('|');
        number(&mut text, self.made.as_nanos());
        text.push('.');
        number(&mut text, since);
        text.push('|');
        text.push(delivery);
        text.push(usage);
        text.push_str(endpoint);
        text.push('|');
        escape(&mut text, &self.tenant);
        text.push('|');
        escape(&mut text, &self.model);
        text.push('|');
        escape(&mut text, &self.betas);
        text.push('|');
        for target in &self.targets {
            candidate(&mut text, target);
            text.push(',');
        }
        text.push('|');
        for (target, why) in &self.passed_over {
            candidate(&mut text, target);
            text.push('=');
            escape(&mut text, why);
            text.push(',');
        }
        text.push('|');
        for Failed { target, outcome, status, took, ended, until, kept } in &self.failed {
            let (took, ended, kept) = (took.as_micros(), ended.as_nanos(), if *kept { "k" } else { "" });
            // Writing to a String cannot fail.
            let _ = write!(text, "{target}={outcome}={status}={took}={ended}={kept}=");
            let _ = until.map(|until| write!(text, "{}", until.as_nanos()));
            text.push(',');
        }
        text.push('|');
        if let Some(TooLong { message, param, details }) = &self.too_long {
            escape(&mut text, message);
            for more in [param, details] {
                text.push('=');
                escape(&mut text, more.as_deref().unwrap_or_default());
            }
        }
        text.push('#');
        text.push_str(&self.class);
        text
    }

    /// Who wrote the plan that this is the text of.
    pub fn origin_of(text: &str) -> Option<Origin> {
        let (vm, request) = text.split('|').nth(1)?.split_once('.')?;
        Some(Origin { vm: vm.parse().ok()?, request: request.parse().ok()? })
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let (text, class) = text.rsplit_once('#')?;
        let mut fields = text.split('|');
        let _next = fields.next()?;
        let (vm, request) = fields.next()?.split_once('.')?;
        let origin = Origin { vm: vm.parse().ok()?, request: request.parse().ok()? };
        let mut numbers = fields.next()?.split('.');
        let begun = numbers.next()?.parse().ok()?;
        let at = numbers.next()?.parse().ok()?;
        let trials = numbers.next()?.parse().ok()?;
        let (made, since) = fields.next()?.split_once('.')?;
        let (made, since) = (instant(made)?, instant(since)?);
        let mut kind = fields.next()?.chars();
        let delivery = if kind.next()? == 's' { Delivery::Streamed } else { Delivery::Whole };
        let usage = if kind.next()? == 'u' { UsageChunk::Wanted } else { UsageChunk::Unwanted };
        let endpoint = Endpoint::from_name(kind.as_str())?;
        let tenant = unescape(fields.next()?)?;
        let model = unescape(fields.next()?)?;
        let betas = unescape(fields.next()?)?;
        let targets = items(fields.next()?).map(|item| read_candidate(item.split_once('=')?)).collect::<Option<_>>()?;
        let passed_over = items(fields.next()?)
            .map(|item| {
                let (target, why) = item.rsplit_once('=')?;
                Some((read_candidate(target.split_once('=')?)?, unescape(why)?))
            })
            .collect::<Option<_>>()?;
        let failed = items(fields.next()?).map(read_failed).collect::<Option<_>>()?;
        let too_long = match fields.next()? {
            "" => None,
            text => Some(read_too_long(text)?),
        };
        let class = class.to_string();
        Some(Self {
            origin,
            endpoint,
            delivery,
            usage,
            class,
            tenant,
            model,
            betas,
            targets,
            passed_over,
            trials,
            made,
            begun,
            at,
            since,
            failed,
            too_long,
        })
    }
}

/// What is known of the connection of a try that ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// There was none: it failed, or took too long.
    Failed,
    /// The try had one of its own, or an answer had begun on it.
    Own,
    /// The try had one that was there already, and nothing came back on it.
    Kept,
}

/// The limits that a delivery class says.
fn limits_of(class: &str) -> Option<Limits> {
    let mut parts = class.split('-').skip(1);
    let millis = |text: &str| text.parse().ok().map(Duration::from_millis);
    let first = millis(parts.next()?)?;
    let (mut gap, mut keep_alive, mut total) = (first, KEEP_ALIVE, None);
    for part in parts {
        if let Some(limit) = part.strip_prefix('k').and_then(millis) {
            keep_alive = limit;
        } else if let Some(limit) = part.strip_prefix('t').and_then(millis) {
            total = Some(limit);
        } else if let Some(limit) = millis(part) {
            gap = limit;
        }
    }
    Some(Limits { first, gap, keep_alive, total })
}

fn instant(nanos: &str) -> Option<Instant> {
    nanos.parse().ok().map(Instant::from_nanos)
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split_terminator(',')
}

fn candidate(text: &mut String, candidate: &Candidate) {
    escape(text, &candidate.provider);
    text.push('=');
    escape(text, &candidate.model);
}

fn read_candidate((provider, model): (&str, &str)) -> Option<Candidate> {
    Some(Candidate { provider: unescape(provider)?, model: unescape(model)? })
}

fn read_failed(item: &str) -> Option<Failed> {
    let mut parts = item.split('=');
    Some(Failed {
        target: parts.next()?.parse().ok()?,
        outcome: parts.next()?.to_string(),
        status: parts.next()?.parse().ok()?,
        took: Duration::from_micros(parts.next()?.parse().ok()?),
        ended: instant(parts.next()?)?,
        kept: parts.next()? == "k",
        until: match parts.next()? {
            "" => None,
            nanos => Some(instant(nanos)?),
        },
    })
}

fn read_too_long(text: &str) -> Option<TooLong> {
    let mut parts = text.split('=').map(unescape);
    let message = parts.next()??;
    let mut more = || parts.next()?.map(|text| (!text.is_empty()).then_some(text));
    Some(TooLong { message, param: more()?, details: more()? })
}

/// Every request has some, so they are written without the formatter.
fn number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Writes `field` without any of the characters that give the text its structure.
fn escape(text: &mut String, field: &str) {
    if field.bytes().all(|byte| byte.is_ascii_graphic() && !b"|#,=%".contains(&byte)) {
        return text.push_str(field);
    }
    for c in field.chars() {
        if "|#,=%".contains(c) || c.is_control() {
            let _ = write!(text, "%{:02x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
}

fn unescape(field: &str) -> Option<String> {
    let mut parts = field.split('%');
    let mut text = parts.next()?.to_string();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2)?;
        text.push(char::from(u8::from_str_radix(hex, 16).ok()?));
        text.push_str(rest);
    }
    Some(text)
}

#[cfg(test)]
mod tests;

//! The plan of one request, as it travels in Envoy's filter state under [`KEY`].
//!
//! One text serves three readers: Envoy's cluster matcher looks at its start (the next target's cluster), Envoy's route
//! matcher at its end (the delivery class), and the attempt role at what lies between. It is self-contained: an attempt
//! needs no table that a reload or another worker could have changed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use crate::endpoint::{Delivery, Endpoint, UsageChunk};
use crate::fault::FaultKind;
use crate::time::Instant;

/// The filter state that holds the plan. Wherever a filter sets it, its name begins as Envoy has a wasm filter's begin.
pub const KEY: &str = "wasm.weir.next";
/// The filter state that holds [`Plan::tries`], for the errors that Envoy makes itself.
pub const TRIES_KEY: &str = "wasm.weir.tries";

/// How long keep-alives may prolong a gap between tokens, where nobody says otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The limits in time of one try, as its delivery class says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To the first token, or of a whole answer.
    pub first: Duration,
    /// Between tokens; of a whole answer, as `first`.
    pub gap: Duration,
    /// Between tokens where keep-alives come.
    pub keep_alive: Duration,
}

/// The name of the delivery class for these limits, of a model with so many targets: with one, there is nothing to try again, and
/// its route spends nothing on that.
///
/// `stream-30000-30000`, `stream-30000-30000-k60000-once`, `whole-300000`. Filters of other versions read it too: what they do not
/// know they pass over, and what is not there has its default.
pub fn class(delivery: Delivery, limits: Limits, targets: usize) -> String {
    let Limits { first, gap, keep_alive } = limits;
    let once = if targets > 1 { "" } else { "-once" };
    let first = first.as_millis();
    match delivery {
        Delivery::Whole => format!("whole-{first}{once}"),
        Delivery::Streamed if keep_alive == KEEP_ALIVE => format!("stream-{first}-{}{once}", gap.as_millis()),
        Delivery::Streamed => format!("stream-{first}-{}-k{}{once}", gap.as_millis(), keep_alive.as_millis()),
    }
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
    /// How many tries have begun.
    pub begun: usize,
    /// When the latest try began.
    pub since: Instant,
    /// Tries that ended without an answer for the caller.
    pub failed: Vec<Failed>,
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
    /// A [`FaultKind`](crate::fault::FaultKind)'s name, or [`UNANSWERED`].
    pub outcome: String,
    /// The upstream's status, 0 if none came.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
    /// How long the upstream asked to be left alone, in whole milliseconds.
    pub retry_after: Option<Duration>,
}

/// By how much a limit may seem to pass too early: Envoy's timers count in milliseconds from where its event loop was.
const LAG: Duration = Duration::from_millis(20);

/// The outcome of a try in which nothing came back: the connection failed or was reset, or the limit passed.
pub const UNANSWERED: &str = "unanswered";

impl Plan {
    /// The target of the latest try.
    pub fn current(&self) -> Option<&Candidate> {
        self.targets.get(self.begun.checked_sub(1)?)
    }

    /// The limits in time of each try.
    pub fn limits(&self) -> Option<Limits> {
        limits_of(&self.class)
    }

    /// Whether the latest try is the last one.
    pub fn is_last(&self) -> bool {
        self.begun >= self.targets.len()
    }

    /// Whether the latest try has ended without an answer for the caller.
    pub fn latest_has_failed(&self) -> bool {
        self.begun.checked_sub(1).is_some_and(|latest| self.failed.last().is_some_and(|failed| failed.target == latest))
    }

    /// Begins the next try: a preceding one without a noted outcome was [`UNANSWERED`]. `None` if there is none left.
    ///
    /// The plan's text must be stored before anything of the try can fail, so that a retry moves on in any case.
    pub fn begin(&mut self, now: Instant) -> Option<&Candidate> {
        if self.begun >= self.targets.len() {
            return None;
        }
        self.note_unanswered(now);
        self.begun += 1;
        self.since = now;
        self.current()
    }

    /// Notes that the latest try failed.
    pub fn fail(&mut self, outcome: &str, status: u16, retry_after: Option<Duration>, now: Instant) {
        if let Some(target) = self.begun.checked_sub(1)
            && !self.latest_has_failed()
        {
            let (outcome, took) = (outcome.to_string(), now - self.since);
            self.failed.push(Failed { target, outcome, status, took, retry_after });
        }
    }

    /// Notes how the latest try, of which nothing came back, ended; `connected` says whether there was a connection.
    pub fn end_unanswered(&mut self, connected: bool, now: Instant) {
        let timed_out = self.limits().is_some_and(|limits| now - self.since + LAG >= limits.first);
        let outcome = match (connected, timed_out) {
            // The limit begins with the connection.
            (false, _) => "connect_failure",
            (true, true) => FaultKind::Timeout.name(),
            (true, false) => "reset",
        };
        self.fail(outcome, 0, None, now);
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
        if let Some(latest) = self.begun.checked_sub(1)
            && !self.latest_has_failed()
        {
            one(latest, UNANSWERED, 0);
        }
        text
    }

    /// The plan as text.
    pub fn to_text(&self) -> String {
        let next = self.targets.get(self.begun).map_or("", |target| target.provider.as_str());
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
        text.push('|');
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
        for Failed { target, outcome, status, took, retry_after } in &self.failed {
            // Writing to a String cannot fail.
            let _ = write!(text, "{target}={outcome}={status}={}=", took.as_micros());
            let _ = retry_after.map(|wait| write!(text, "{}", wait.as_millis()));
            text.push(',');
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
        let begun = fields.next()?.parse().ok()?;
        let since = Instant::from_nanos(fields.next()?.parse().ok()?);
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
            begun,
            since,
            failed,
        })
    }
}

/// The limits that a delivery class says.
fn limits_of(class: &str) -> Option<Limits> {
    let mut parts = class.split('-').skip(1);
    let millis = |text: &str| text.parse().ok().map(Duration::from_millis);
    let first = millis(parts.next()?)?;
    let gap = parts.next().and_then(millis).unwrap_or(first);
    let keep_alive = parts.find_map(|part| millis(part.strip_prefix('k')?)).unwrap_or(KEEP_ALIVE);
    Some(Limits { first, gap, keep_alive })
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
        retry_after: match parts.next()? {
            "" => None,
            millis => Some(Duration::from_millis(millis.parse().ok()?)),
        },
    })
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
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    const LIMITS: Limits =
        Limits { first: Duration::from_secs(5), gap: Duration::from_secs(9), keep_alive: KEEP_ALIVE };

    #[test]
    fn a_class_says_its_limits_to_filters_of_any_version() {
        let check = |class: &str, limits: Limits| assert_eq!(limits_of(class), Some(limits), "{class}");
        let short = Limits { keep_alive: Duration::from_secs(60), ..LIMITS };
        let whole = Limits { gap: LIMITS.first, ..LIMITS };
        check("stream-5000-9000", LIMITS);
        check("whole-5000-once", whole);
        check("stream-5000-9000-k60000-to-come-once", short);
        for targets in [1, 2] {
            check(&class(Delivery::Streamed, LIMITS, targets), LIMITS);
            check(&class(Delivery::Streamed, short, targets), short);
            check(&class(Delivery::Whole, LIMITS, targets), whole);
            // The one number that older filters read.
            assert_eq!(class(Delivery::Streamed, short, targets).split('-').nth(1), Some("5000"));
        }
        assert_eq!(limits_of("other"), None);
    }

    fn plan(model: &str, providers: &[&str]) -> Plan {
        let candidate = |provider: &&str| Candidate { provider: provider.to_string(), model: model.to_string() };
        Plan {
            origin: Origin { vm: 1_790_000_000_000_000_000, request: 7 },
            endpoint: Endpoint::Chat,
            delivery: Delivery::Streamed,
            usage: UsageChunk::Wanted,
            class: class(Delivery::Streamed, LIMITS, 2),
            tenant: "team-a".to_string(),
            model: model.to_string(),
            betas: "context-1m-2025-08-07".to_string(),
            targets: providers.iter().map(candidate).collect(),
            passed_over: vec![(candidate(&"resting"), "rate_limited until 12".to_string())],
            begun: 0,
            since: Instant::default(),
            failed: Vec::new(),
        }
    }

    #[test]
    fn its_text_starts_with_the_next_cluster_and_ends_with_the_class() {
        let mut plan = plan("m", &["a", "b"]);
        assert!(plan.to_text().starts_with(&cluster_prefix("a")));
        assert!(plan.to_text().ends_with(&class_suffix("stream-5000-9000")));
        plan.begin(Instant::default());
        assert!(plan.to_text().starts_with(&cluster_prefix("b")));
        plan.begin(Instant::default());
        assert!(plan.to_text().starts_with('|'), "an exhausted plan names no cluster");
        assert!(plan.begin(Instant::default()).is_none());
    }

    #[test]
    fn a_try_without_an_outcome_was_unanswered() {
        let mut plan = plan("m", &["a", "b", "c"]);
        plan.begin(Instant::from_nanos(1_000_000));
        plan.begin(Instant::from_nanos(3_000_000));
        plan.fail("rate_limited", 429, Some(Duration::from_secs(3)), Instant::from_nanos(4_000_000));
        plan.begin(Instant::from_nanos(5_000_000));
        let outcomes: Vec<_> = plan.failed.iter().map(|failed| (failed.target, failed.outcome.as_str())).collect();
        assert_eq!(outcomes, [(0, UNANSWERED), (1, "rate_limited")]);
        assert_eq!(plan.failed[0].took, Duration::from_millis(2));
    }

    proptest! {
        #[test]
        fn it_reads_back_what_it_wrote(model in "\\PC{1,40}", tenant in "[ -~]{0,20}", begun in 0usize..3) {
            let mut plan = plan(&model, &["a", "b-2", "c.x"]);
            plan.tenant = tenant;
            for i in 0..begun {
                plan.begin(Instant::from_nanos(i as u64 * 1000));
            }
            prop_assert_eq!(Plan::from_text(&plan.to_text()), Some(plan));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = Plan::from_text(&text);
        }
    }
}

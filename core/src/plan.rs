//! The plan of one request, as it travels in Envoy's filter state under [`KEY`].
//!
//! One [text](Plan::to_text) serves three readers. Envoy's cluster matcher looks at its start (the next target's
//! cluster), Envoy's route matcher at its end (the delivery class), and the attempt role at everything between. The
//! plan is self-contained: an attempt needs no table that a reload or another worker could have changed.

mod exhausted;
mod limits;
mod outcome;
mod text;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use weir_hub::endpoint::Asked;
use weir_hub::fault::{FaultKind, Whose};

use crate::time::Instant;

pub use exhausted::{exhausted, exhausted_with};
pub(crate) use limits::limits_of;
pub use limits::{KEEP_ALIVE, Limits, class};
pub use outcome::Outcome;

/// The filter state that holds the plan. Its name begins as Envoy begins the names of a wasm filter's state, whichever
/// filter sets it.
pub const KEY: &str = "wasm.weir.next";
/// The filter state that holds [`Plan::tries`], for the errors that Envoy makes itself.
pub const TRIES_KEY: &str = "wasm.weir.tries";

/// The start of every plan whose next target is in `cluster`.
pub fn cluster_prefix(cluster: &str) -> String {
    format!("{cluster}|")
}

/// The end of every plan whose delivery class is `class`.
pub fn class_suffix(class: &str) -> String {
    format!("#{class}")
}

/// What one request will try, and what it has tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who wrote it.
    pub origin: Origin,
    /// What is asked for.
    pub asked: Asked,
    /// Names the route that has the limits.
    pub class: String,
    /// The time limits of each try, and of all tries together.
    pub limits: Limits,
    /// The owner of the caller's key.
    pub tenant: String,
    /// The model that the caller named.
    pub model: String,
    /// The Anthropic features that the caller turns on by name.
    pub betas: String,
    /// The targets to try, in order.
    pub targets: Vec<Candidate>,
    /// Targets of the model that will not be tried, and why.
    pub passed_over: Vec<(Candidate, String)>,
    /// Targets that rest because nobody could connect to their provider, and that are asked anyway, to see whether it
    /// can be reached again. One bit for each target; the first target's is the lowest.
    pub trials: u16,
    /// When it was made.
    pub made: Instant,
    /// How many tries have begun.
    pub begun: usize,
    /// The index of the target that the latest try asks.
    pub at: usize,
    /// When the latest try began.
    pub since: Instant,
    /// Tries that ended without an answer for the caller, in order.
    pub failed: Vec<Failed>,
    /// What the first provider said for which the request was too long.
    pub too_long: Option<TooLong>,
    /// The most output tokens that it may ask for, where a limit goes by them and the caller asks for more.
    pub cap: Option<u64>,
    /// How many output tokens are reserved for its answer, where a limit goes by them and the answer is streamed.
    pub reserved: Option<u64>,
    /// Additions to the text that another version of Weir wrote and this one does not know. They are passed on unchanged.
    pub others: String,
}

/// The edge that wrote a plan. An attempt in the same VM can tell that edge things without asking the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// When the VM was started, in nanoseconds since the Unix epoch.
    pub vm: u64,
    /// The number of the request within the VM.
    pub request: u32,
}

/// One model at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The provider, which is also the cluster.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The index of the plan's target.
    pub target: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// The provider's status; 0 if none came.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub ended: Instant,
    /// Until when the provider asked not to be used.
    pub until: Option<Instant>,
    /// Whether the try used a connection that was open before it and nothing came back on it, as if its host had just
    /// closed it.
    pub kept: bool,
}

impl Failed {
    /// The kind of its outcome, if that is a fault.
    pub fn kind(&self) -> Option<FaultKind> {
        self.outcome.fault()
    }
}

/// What a provider said about a request that is too long for its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The message.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// More fields for programs.
    pub details: Option<String>,
}

/// The longest pause that a request itself waits for.
const SHORT: Duration = Duration::from_secs(2);

/// How long Weir waits before it asks the same target once more. Envoy counts this in seconds and adds up to half.
const PAUSE: Duration = Duration::from_secs(1);

/// Tolerance: Envoy's timers can fire up to this much early, because they count in milliseconds from the last turn of
/// its event loop.
pub(crate) const LAG: Duration = Duration::from_millis(20);

impl Plan {
    /// The provider of the latest try, if the try finds out whether that provider can be reached again.
    pub fn on_trial(&self) -> Option<&str> {
        let target = self.current().filter(|_| self.trials >> self.at & 1 == 1)?;
        Some(target.provider.as_str())
    }

    /// The target of the latest try.
    pub fn current(&self) -> Option<&Candidate> {
        self.targets.get(self.at).filter(|_| self.begun > 0)
    }

    /// Whether the latest try has ended without an answer for the caller.
    pub fn latest_has_failed(&self) -> bool {
        self.begun > 0 && self.failed.len() >= self.begun
    }

    /// Whether the time limit of all tries together has passed.
    pub fn is_over(&self, now: Instant) -> bool {
        self.limits.total.is_some_and(|total| now - self.made + LAG >= total)
    }

    /// The index of the target to ask next, as far as is known; `None` if there is none.
    ///
    /// While a try is under way, it is only known that it may end without an answer. Then a target of another provider
    /// comes first. What such an end says about the other targets of its own provider is known only when the next try
    /// begins.
    pub fn next(&self) -> Option<usize> {
        let elsewhere = |i: &usize| self.of(*i) != self.current().map(|target| target.provider.as_str());
        if self.begun > 0 && !self.latest_has_failed() {
            return self.open().find(elsewhere).or_else(|| self.open().next());
        }
        self.open().next().or_else(|| self.repeats().then_some(self.at))
    }

    /// How long to wait before the next try. Only the same target is worth waiting for.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let again = self.latest_has_failed() && self.next() == Some(self.at);
        let latest = self.failed.last().filter(|latest| again && !latest.kept)?;
        Some(latest.until.map_or(PAUSE, |until| (until - now).max(PAUSE)))
    }

    /// The targets that were neither asked nor passed over, in order.
    fn open(&self) -> impl Iterator<Item = usize> {
        let asked = |i| self.begun > 0 && i == self.at || self.failed.iter().any(|failed| failed.target == i);
        (0..self.targets.len()).filter(move |i| !asked(*i) && !self.is_spoilt(*i))
    }

    fn of(&self, target: usize) -> Option<&str> {
        self.targets.get(target).map(|target| target.provider.as_str())
    }

    /// Whether a target would fail as an earlier one has: it is the same target, and rests or did not answer; or its
    /// provider cannot be reached; or the request is too long for its model.
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

    /// Whether the request is too long for every model that could be asked. The targets that failed otherwise have the
    /// same model as one that said so, or cannot be asked before the operator has repaired something.
    pub fn is_too_long(&self) -> bool {
        let model = |failed: &Failed| self.targets.get(failed.target).map(|target| target.model.as_str());
        let says_so = |failed: &&Failed| failed.kind() == Some(FaultKind::ContextLength);
        let too_long = |name| self.failed.iter().filter(says_so).any(|failed| model(failed) == name);
        self.failed
            .iter()
            .all(|failed| too_long(model(failed)) || failed.kind().map(FaultKind::whose) == Some(Whose::Ours))
    }

    /// Whether the latest target is worth another try: only once, and only after a failure that passes.
    fn repeats(&self) -> bool {
        let Some(latest) = self.failed.last().filter(|_| self.latest_has_failed()) else { return false };
        let once = self.failed.iter().filter(|failed| failed.target == latest.target).count() == 1;
        let soon = latest.until.is_none_or(|until| until - latest.ended <= SHORT);
        let passes = match latest.kind() {
            Some(FaultKind::Unavailable | FaultKind::ErrorEvent | FaultKind::Cut) => true,
            // A target that answers 408 has answered.
            Some(FaultKind::Timeout) => latest.status != 0,
            Some(FaultKind::RateLimited) => latest.until.is_some(),
            // Envoy waits before a try only if there is an answer that says how long.
            Some(FaultKind::Reset) => latest.kept,
            _ => false,
        };
        once && soon && passes
    }

    /// Begins the next try at `provider`; `None` if there is none left. If the previous try has no outcome, it was
    /// [unanswered](Outcome::Unanswered).
    ///
    /// The plan's text must be stored before anything in the try can fail, so that a retry moves on in any case.
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
    pub fn fail(&mut self, outcome: Outcome, status: u16, until: Option<Instant>, now: Instant) {
        if self.begun > 0 && !self.latest_has_failed() {
            let took = now - self.since;
            self.failed.push(Failed { target: self.at, outcome, status, took, ended: now, until, kept: false });
        }
    }

    /// Notes how the latest try ended, which ended without an answer.
    pub fn end_unanswered(&mut self, connection: Connection, now: Instant) {
        let timed_out = now - self.since + LAG >= self.limits.first;
        let outcome = match connection {
            // The time limit begins with the connection.
            Connection::Failed => Outcome::Fault(FaultKind::Unreachable),
            _ if self.is_over(now) => Outcome::Deadline,
            _ if timed_out => Outcome::Fault(FaultKind::Timeout),
            _ => Outcome::Fault(FaultKind::Reset),
        };
        self.fail(outcome, 0, None, now);
        if let Some(failed) = self.failed.last_mut() {
            failed.kept = connection == Connection::Kept && failed.kind() == Some(FaultKind::Reset);
        }
    }

    /// The latest try, which follows another one, does not begin after all, for this reason, and there is no other.
    pub fn give_up(&mut self, why: String) {
        let Some(last) = self.failed.last().map(|failed| failed.target) else { return };
        let target = self.current().cloned();
        (self.begun, self.at) = (self.failed.len(), last);
        self.passed_over.extend(target.map(|target| (target, why)));
    }

    /// If the latest try has no outcome, notes that it was unanswered.
    pub fn note_unanswered(&mut self, now: Instant) {
        self.fail(Outcome::Unanswered, 0, None, now);
    }

    /// The tries as text, safe inside a JSON string: `a/gpt-4o: rate_limited (429); b/gpt-4o: cut`. While the latest
    /// has no outcome, it is [unanswered](Outcome::Unanswered): if Envoy itself then answers the caller, that was its
    /// outcome.
    pub fn tries(&self) -> String {
        let mut text = String::new();
        let mut one = |target: usize, outcome: Outcome, status: u16| {
            if !text.is_empty() {
                text.push_str("; ");
            }
            if let Some(target) = self.targets.get(target) {
                let model = target.model.replace(['"', '\\'], "_");
                let _ = write!(text, "{}/{model}: {}", target.provider, outcome.name());
            }
            if status != 0 {
                let _ = write!(text, " ({status})");
            }
        };
        for failed in &self.failed {
            one(failed.target, failed.outcome, failed.status);
        }
        if self.begun > 0 && !self.latest_has_failed() {
            one(self.at, Outcome::Unanswered, 0);
        }
        for (i, (target, why)) in self.passed_over.iter().enumerate() {
            text.push_str(if i == 0 { ". Not asked: " } else { "; " });
            let model = target.model.replace(['"', '\\'], "_");
            let _ = write!(text, "{}/{model} ({})", target.provider, why.replace(['"', '\\'], "_"));
        }
        text
    }
}

/// What is known about the connection of a try that ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// There was none: connecting failed or took too long.
    Failed,
    /// The try had its own connection, or an answer had begun on it.
    Own,
    /// The try used a connection that was open before it, and nothing came back.
    Kept,
}

#[cfg(test)]
mod tests;

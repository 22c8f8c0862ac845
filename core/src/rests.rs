//! Targets that rest: which one, until when, and why. One small text in shared data, read by every edge and written by
//! compare-and-swap whenever a try fails for a reason that outlasts it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::fault::{FaultKind, Whose};
use crate::plan::Candidate;
use crate::time::Instant;

/// The shared data key of the text.
pub const KEY: &str = "weir.rests";

/// How long a target rests after a 429 that does not say how long.
const RATE_LIMITED: Duration = Duration::from_secs(1);
/// How long a target rests after a fault of ours there: a wrong key does not mend itself.
const OURS: Duration = Duration::from_secs(60);
/// The longest rest that a provider can ask for.
const LONGEST: Duration = Duration::from_secs(3600);
/// More resting targets than this are forgotten, the soonest to wake first.
const MOST: usize = 256;

/// The targets that rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rests(Vec<Rest>);

/// One target's rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The provider's name.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Why.
    pub kind: FaultKind,
    /// Until when.
    pub until: Instant,
}

impl Rest {
    /// The rest that a fault calls for, if it does. `retry_after` is what the provider asked for.
    pub fn after(target: &Candidate, kind: FaultKind, retry_after: Option<Duration>, now: Instant) -> Option<Self> {
        let long = match (kind, kind.whose()) {
            (FaultKind::RateLimited, _) => retry_after.unwrap_or(RATE_LIMITED),
            (FaultKind::Unavailable, _) => retry_after?,
            (_, Whose::Ours) => OURS,
            _ => return None,
        };
        let until = now.after(long.min(LONGEST));
        Some(Self { provider: target.provider.clone(), model: target.model.clone(), kind, until })
    }
}

impl Rests {
    /// The rest of one target, if it rests at `now`.
    pub fn of(&self, provider: &str, model: &str, now: Instant) -> Option<&Rest> {
        self.0.iter().find(|rest| rest.until > now && rest.provider == provider && rest.model == model)
    }

    /// Adds a rest, or prolongs one, and forgets those that have ended.
    pub fn add(&mut self, rest: Rest, now: Instant) {
        self.0.retain(|old| old.until > now && (old.provider != rest.provider || old.model != rest.model));
        self.0.push(rest);
        self.0.sort_by_key(|rest| core::cmp::Reverse(rest.until));
        self.0.truncate(MOST);
    }

    /// As text: a line each. No name contains a tab or a line break: the configuration refuses control characters.
    pub fn to_text(&self) -> String {
        let line = |rest: &Rest| {
            format!("{}\t{}\t{}\t{}\n", rest.provider, rest.model, rest.kind.name(), rest.until.as_nanos())
        };
        self.0.iter().map(line).collect()
    }

    /// Reads what [`to_text`](Self::to_text) wrote; a line that is none is passed over.
    pub fn from_text(text: &str) -> Self {
        let read = |line: &str| {
            let mut fields = line.split('\t');
            Some(Rest {
                provider: fields.next()?.to_string(),
                model: fields.next()?.to_string(),
                kind: FaultKind::from_name(fields.next()?)?,
                until: Instant::from_nanos(fields.next()?.parse().ok()?),
            })
        };
        Self(text.lines().filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Candidate {
        Candidate { provider: "a".to_string(), model: "m".to_string() }
    }

    #[test]
    fn a_rate_limited_target_rests_as_long_as_it_asked() {
        let now = Instant::from_nanos(1);
        let mut rests = Rests::default();
        rests.add(Rest::after(&target(), FaultKind::RateLimited, Some(Duration::from_secs(7)), now).unwrap(), now);
        let rests = Rests::from_text(&rests.to_text());
        assert!(rests.of("a", "m", now.after(Duration::from_secs(6))).is_some());
        assert!(rests.of("a", "m", now.after(Duration::from_secs(8))).is_none());
        assert!(rests.of("a", "other", now).is_none());
    }

    #[test]
    fn a_fault_of_the_caller_rests_nobody() {
        assert_eq!(Rest::after(&target(), FaultKind::InvalidRequest, None, Instant::default()), None);
        assert_eq!(Rest::after(&target(), FaultKind::Cut, None, Instant::default()), None);
    }

    #[test]
    fn ended_rests_are_forgotten() {
        let mut rests = Rests::default();
        let rest = |model: &str, secs| Rest {
            model: model.to_string(),
            until: Instant::default().after(Duration::from_secs(secs)),
            provider: "a".to_string(),
            kind: FaultKind::RateLimited,
        };
        rests.add(rest("x", 1), Instant::default());
        rests.add(rest("y", 9), Instant::default().after(Duration::from_secs(2)));
        assert_eq!(rests.to_text().lines().count(), 1);
    }
}

//! Targets that rest: which one, until when, and why. One small text in shared data, read by every edge and written by
//! compare-and-swap whenever a try fails for a reason that outlasts it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use weir_hub::fault::{FaultKind, Whose};

use crate::plan::Candidate;
use crate::time::Instant;

/// The shared data key of the text.
pub const KEY: &str = "weir.rests";

/// How long a target rests after a 429 that does not say how long.
const RATE_LIMITED: Duration = Duration::from_secs(1);
/// How long a target rests after a fault of ours there: a wrong key does not mend itself.
const OURS: Duration = Duration::from_secs(60);
/// How long a provider rests to which nobody could connect: so long at first, and each time twice as long.
const UNREACHABLE: Duration = Duration::from_secs(1);
/// The longest that it rests.
const MOST_UNREACHABLE: Duration = Duration::from_secs(30);
/// How long one request has to show whether a provider can be reached again, before another may.
const TRIAL: Duration = Duration::from_secs(5);
/// How long it is remembered that a provider could not be reached, after its rest.
const REMEMBERED: Duration = Duration::from_secs(600);
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
    /// Which configuration of the provider: one that has changed is another provider.
    pub version: u32,
    /// The model's name there; empty for all of them.
    pub model: String,
    /// Why.
    pub kind: FaultKind,
    /// Until when.
    pub until: Instant,
    /// How often in a row, where it counts.
    pub times: u32,
    /// Somebody is finding out whether it is over.
    pub on_trial: bool,
}

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'r> {
    /// It can be asked.
    Free,
    /// It rests.
    Rests(&'r Rest),
    /// Its rest is over, but nobody knows yet whether its provider can be reached: one request may find out.
    Unproven(&'r Rest),
}

/// How long a target is to be left alone after a fault, if its provider asks for that: never longer than `longest`.
pub fn asked_for(kind: FaultKind, retry_after: Option<Duration>, longest: Duration) -> Option<Duration> {
    let long = match kind {
        FaultKind::RateLimited => retry_after.unwrap_or(RATE_LIMITED),
        FaultKind::Unavailable => retry_after?,
        _ => return None,
    };
    Some(long.min(longest))
}

impl Rest {
    /// The rest that a fault calls for, if it does. `asked` is what the provider [asked for](asked_for).
    pub fn after(
        target: &Candidate,
        version: u32,
        kind: FaultKind,
        asked: Option<Duration>,
        now: Instant,
    ) -> Option<Self> {
        let ours = (kind.whose() == Whose::Ours).then_some(OURS);
        let until = now.after(asked.or(ours)?);
        let (provider, model) = (target.provider.clone(), target.model.clone());
        Some(Self { provider, version, model, kind, until, times: 0, on_trial: false })
    }

    /// The rest of a provider to which nobody could connect.
    pub fn unreachable(provider: &str, version: u32, now: Instant) -> Self {
        let (provider, model, until) = (provider.to_string(), String::new(), now.after(UNREACHABLE));
        Self { provider, version, model, kind: FaultKind::Unreachable, until, times: 1, on_trial: false }
    }

    /// The same while one request finds out whether it is over: the others leave the provider alone.
    #[must_use]
    pub fn on_trial(&self, now: Instant) -> Self {
        Self { until: now.after(TRIAL), on_trial: true, ..self.clone() }
    }

    fn is_of(&self, provider: &str, version: u32, model: &str) -> bool {
        self.provider == provider && self.version == version && (self.model.is_empty() || self.model == model)
    }

    fn is_remembered(&self, now: Instant) -> bool {
        let beyond = if self.kind == FaultKind::Unreachable { REMEMBERED } else { Duration::ZERO };
        self.until.after(beyond) > now
    }
}

impl Rests {
    /// How one target stands at `now`.
    pub fn of(&self, provider: &str, version: u32, model: &str, now: Instant) -> Standing<'_> {
        let mut all = self.0.iter().filter(|rest| rest.is_remembered(now) && rest.is_of(provider, version, model));
        // The longest comes first.
        match all.next() {
            None => Standing::Free,
            Some(rest) if rest.until > now => Standing::Rests(rest),
            Some(rest) => Standing::Unproven(rest),
        }
    }

    /// Adds a rest, or prolongs one, and forgets those that have ended. `false` if nothing has changed.
    pub fn add(&mut self, mut rest: Rest, now: Instant) -> bool {
        let known = self.0.iter().find(|old| old.provider == rest.provider && old.model == rest.model);
        let known = known.filter(|old| old.version == rest.version && old.is_remembered(now));
        if let Some(old) = known.filter(|old| old.kind == FaultKind::Unreachable && !rest.on_trial) {
            if old.until > now && !old.on_trial {
                // One of many that have failed at the same time.
                return false;
            }
            rest.times = old.times.saturating_add(1);
            let long = UNREACHABLE.saturating_mul(1 << rest.times.saturating_sub(1).min(10));
            rest.until = now.after(long.min(MOST_UNREACHABLE));
        }
        self.0.retain(|old| old.is_remembered(now) && (old.provider != rest.provider || old.model != rest.model));
        self.0.push(rest);
        self.0.sort_by_key(|rest| core::cmp::Reverse(rest.until));
        self.0.truncate(MOST);
        true
    }

    /// `provider` has been reached. `false` if it was not known to rest for that.
    pub fn reached(&mut self, provider: &str) -> bool {
        let count = self.0.len();
        self.0.retain(|rest| rest.kind != FaultKind::Unreachable || rest.provider != provider);
        self.0.len() < count
    }

    /// As text: a line each. No name contains a tab or a line break: the configuration refuses control characters.
    pub fn to_text(&self) -> String {
        let line = |Rest { provider, version, model, kind, until, times, on_trial }: &Rest| {
            let (kind, until, on_trial) = (kind.name(), until.as_nanos(), u8::from(*on_trial));
            format!("{provider}\t{version}\t{model}\t{kind}\t{until}\t{times}\t{on_trial}\n")
        };
        self.0.iter().map(line).collect()
    }

    /// Reads what [`to_text`](Self::to_text) wrote; a line that is none is passed over.
    pub fn from_text(text: &str) -> Self {
        let read = |line: &str| {
            let mut fields = line.split('\t');
            Some(Rest {
                provider: fields.next()?.to_string(),
                version: fields.next()?.parse().ok()?,
                model: fields.next()?.to_string(),
                kind: FaultKind::from_name(fields.next()?)?,
                until: Instant::from_nanos(fields.next()?.parse().ok()?),
                times: fields.next()?.parse().ok()?,
                on_trial: fields.next()? == "1",
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

    fn rests(rests: &Rests, model: &str, at: Instant) -> bool {
        matches!(rests.of("a", 1, model, at), Standing::Rests(_))
    }

    #[test]
    fn a_rate_limited_target_rests_as_long_as_it_asked() {
        let now = Instant::from_nanos(1);
        let longest = Duration::from_secs(60);
        let asked = |secs| asked_for(FaultKind::RateLimited, Some(Duration::from_secs(secs)), longest);
        let mut all = Rests::default();
        all.add(Rest::after(&target(), 1, FaultKind::RateLimited, asked(7), now).unwrap(), now);
        let all = Rests::from_text(&all.to_text());
        assert!(rests(&all, "m", now.after(Duration::from_secs(6))));
        assert_eq!(all.of("a", 1, "m", now.after(Duration::from_secs(8))), Standing::Free);
        assert_eq!(all.of("a", 1, "other", now), Standing::Free);
        assert_eq!(all.of("a", 2, "m", now), Standing::Free, "another configuration is another provider");
        assert_eq!(asked(3600), Some(longest), "nobody can ask to be left alone for an hour");
        assert_eq!(asked_for(FaultKind::RateLimited, None, longest), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_fault_of_the_caller_rests_nobody() {
        let now = Instant::default();
        assert_eq!(Rest::after(&target(), 1, FaultKind::InvalidRequest, None, now), None);
        assert_eq!(Rest::after(&target(), 1, FaultKind::Cut, None, now), None);
    }

    #[test]
    fn ended_rests_are_forgotten() {
        let mut rests = Rests::default();
        let rest = |model: &str, secs| Rest {
            model: model.to_string(),
            ..Rest::after(&target(), 1, FaultKind::RateLimited, Some(Duration::from_secs(secs)), Instant::default())
                .unwrap()
        };
        rests.add(rest("x", 1), Instant::default());
        rests.add(rest("y", 9), Instant::default().after(Duration::from_secs(2)));
        assert_eq!(rests.to_text().lines().count(), 1);
    }

    /// A provider that was down for a while was asked by every request, each of which waited for it.
    #[test]
    fn who_cannot_be_reached_rests_longer_each_time_and_is_then_tried_by_one() {
        let at = |millis| Instant::default().after(Duration::from_millis(millis));
        let mut all = Rests::default();
        let fails = |all: &mut Rests, now| all.add(Rest::unreachable("a", 1, now), now);
        assert!(fails(&mut all, at(0)));
        assert!(!fails(&mut all, at(500)), "many that fail at once count once");
        assert!(rests(&all, "m", at(999)) && rests(&all, "any", at(999)));
        let Standing::Unproven(rest) = all.of("a", 1, "m", at(1001)) else { panic!("its rest is over") };
        let trial = rest.on_trial(at(1001));
        all.add(trial, at(1001));
        assert!(rests(&all, "m", at(1002)), "one finds out");
        fails(&mut all, at(1500));
        assert!(rests(&all, "m", at(3400)) && !rests(&all, "m", at(3600)), "twice as long");
        for i in 1..20 {
            let now = at(i * 40_000);
            let Standing::Unproven(rest) = all.of("a", 1, "m", now) else { panic!("longer than half a minute") };
            let trial = rest.on_trial(now);
            all.add(trial, now);
            fails(&mut all, now);
        }
        assert!(rests(&all, "m", at(19 * 40_000 + 29_000)));
        assert!(all.reached("a") && !all.reached("a"));
        assert_eq!(all.of("a", 1, "m", at(19 * 40_000)), Standing::Free);
    }
}

//! Cooldowns: which targets rest, until when, and why.
//!
//! A try that fails for a reason that outlasts it gives its target a cooldown, which is in a [cell](crate::shared) of
//! the target's own. An [`Index`] names all targets that may have one. A request reads the index first. If it names
//! none of the request's targets, the request reads no other cell.

mod index;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use weir_hub::fault::{FaultKind, Whose};

use crate::plan::Candidate;
use crate::shared::{Cell, Change, Count, Fields, Hint, Key, Reader, Shared};
use crate::time::Instant;

pub use index::Index;

/// The cooldown after a 429 that does not say how long to wait.
const RATE_LIMITED: Duration = Duration::from_secs(1);
/// The cooldown after a fault of ours: a wrong key does not repair itself.
const OURS: Duration = Duration::from_secs(60);
/// The first cooldown of a provider to which nobody could connect. Each further one is twice as long.
const UNREACHABLE: Duration = Duration::from_secs(1);
/// The longest such cooldown.
const MOST_UNREACHABLE: Duration = Duration::from_secs(30);
/// How long one request may try to reach a provider before another request may.
const TRIAL: Duration = Duration::from_secs(5);
/// How long after its cooldown a provider is remembered as one that could not be reached.
const REMEMBERED: Duration = Duration::from_secs(600);

/// One target's cooldown.
///
/// It is always written as a whole, and replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// The provider's name.
    pub provider: String,
    /// The version of the provider's configuration. A provider whose configuration has changed counts as another one.
    pub version: u32,
    /// The model's name at the provider; empty for all its models.
    pub model: String,
    /// The fault that caused it.
    pub kind: FaultKind,
    /// When it ends.
    pub until: Instant,
    /// How many times in a row, for faults of which the number matters.
    pub times: u32,
    /// Whether one request is finding out whether it is over.
    pub on_trial: bool,
}

/// How long a target must rest after a fault, if its provider asks for that; never longer than `longest`.
pub fn asked_for(kind: FaultKind, retry_after: Option<Duration>, longest: Duration) -> Option<Duration> {
    let long = match kind {
        FaultKind::RateLimited => retry_after.unwrap_or(RATE_LIMITED),
        FaultKind::Unavailable => retry_after?,
        _ => return None,
    };
    Some(long.min(longest))
}

impl Cooldown {
    /// The cooldown after a fault, if the fault causes one. `asked` is what the provider [asked for](asked_for).
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

    /// The cooldown of a provider to which nobody could connect.
    pub fn unreachable(provider: &str, version: u32, now: Instant) -> Self {
        let (provider, model, until) = (provider.to_string(), String::new(), now.after(UNREACHABLE));
        Self { provider, version, model, kind: FaultKind::Unreachable, until, times: 1, on_trial: false }
    }

    /// The same cooldown while one request finds out whether it is over. Other requests leave the provider alone.
    #[must_use]
    pub fn on_trial(&self, now: Instant) -> Self {
        Self { until: now.after(TRIAL), on_trial: true, ..self.clone() }
    }

    /// The key of a target's cell; `model` is empty for all models of a provider. No name contains a tab, because the
    /// configuration refuses control characters.
    pub fn key(provider: &str, model: &str) -> Key<Self> {
        Key::of(format!("weir.cooldown\t{provider}\t{model}"))
    }

    /// How to change the target's cell for this cooldown, if `old` is in it.
    pub fn over(&self, old: Option<&Self>, now: Instant) -> Change<Self> {
        let mut new = self.clone();
        let known = old.filter(|old| old.version == self.version && old.forgotten() > now);
        if let Some(old) = known.filter(|old| old.kind == FaultKind::Unreachable && !self.on_trial) {
            if old.until > now && !old.on_trial {
                // This failure is one of many at the same time.
                return Change::Keep;
            }
            new.times = old.times.saturating_add(1);
            let long = UNREACHABLE.saturating_mul(1 << new.times.saturating_sub(1).min(10));
            new.until = now.after(long.min(MOST_UNREACHABLE));
        }
        Change::Write(new)
    }

    /// How to change a provider's cell once the provider has been reached.
    pub fn reached(old: Option<&Self>) -> Change<Self> {
        if old.is_some_and(|old| old.kind == FaultKind::Unreachable) { Change::Clear } else { Change::Keep }
    }

    /// How to change a target's cell when ended cooldowns are cleared away.
    pub fn swept(old: Option<&Self>, now: Instant) -> Change<Self> {
        if old.is_some_and(|old| old.forgotten() <= now) { Change::Clear } else { Change::Keep }
    }

    /// When this cooldown no longer matters at all.
    fn forgotten(&self) -> Instant {
        let beyond = if self.kind == FaultKind::Unreachable { REMEMBERED } else { Duration::ZERO };
        self.until.after(beyond)
    }
}

/// The first layout.
const LAYOUT: u8 = 1;

impl Cell for Cooldown {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        Some(Self {
            provider: fields.text()?.to_string(),
            version: fields.number()?.try_into().ok()?,
            model: fields.text()?.to_string(),
            kind: FaultKind::from_name(fields.text()?)?,
            until: Instant::from_nanos(fields.number()?),
            times: fields.number().unwrap_or_default().try_into().unwrap_or(u32::MAX),
            on_trial: fields.number().unwrap_or_default() != 0,
        })
    }

    fn write(&self) -> Vec<u8> {
        let Self { provider, version, model, kind, until, times, on_trial } = self;
        let fields = Fields::of(LAYOUT).text(provider).number((*version).into()).text(model).text(kind.name());
        fields.number(until.as_nanos()).number((*times).into()).number((*on_trial).into()).end()
    }
}

impl Hint for Cooldown {}

/// Whether a target can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be asked.
    Free,
    /// It cools down.
    Cooling(Cooldown),
    /// Its cooldown is over, but it is unknown whether its provider can be reached: one request may find out.
    Unproven(Cooldown),
}

/// The cooldowns that the workers of one Envoy share, as a request reads them.
pub struct Cooldowns<'s> {
    shared: &'s dyn Shared,
    /// Read when first needed.
    index: OnceCell<Index>,
}

impl<'s> Cooldowns<'s> {
    /// The cooldowns in `shared`.
    pub fn of(shared: &'s dyn Shared) -> Self {
        Self { shared, index: OnceCell::new() }
    }

    /// Whether a target can be asked at `now`.
    pub fn standing(&self, provider: &str, version: u32, model: &str, now: Instant) -> Standing {
        let index = self.index.get_or_init(|| self.shared.read(&Index::KEY).unwrap_or_default());
        let cooldown = |model| {
            let listed = index.names(provider, model).then(|| self.shared.read(&Cooldown::key(provider, model)));
            listed.flatten().filter(|known: &Cooldown| known.version == version && known.forgotten() > now)
        };
        // The longer one counts.
        match cooldown("").into_iter().chain(cooldown(model)).max_by_key(|known| known.until) {
            None => Standing::Free,
            Some(known) if known.until > now => Standing::Cooling(known),
            Some(known) => Standing::Unproven(known),
        }
    }
}

/// How many cooldowns have begun since this Envoy was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The number.
    pub count: u64,
    /// Fields that a later version has written after it.
    unknown: Vec<u8>,
}

impl Begun {
    /// The key of its cell.
    pub const KEY: Key<Self> = Key::one("weir.cooldowns.begun");
}

impl Cell for Begun {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        Some(Self { count: fields.number()?, unknown: fields.unknown().to_vec() })
    }

    fn write(&self) -> Vec<u8> {
        Fields::of(LAYOUT).number(self.count).end_with(&self.unknown)
    }
}

impl Count for Begun {}

#[cfg(test)]
pub(crate) mod tests;

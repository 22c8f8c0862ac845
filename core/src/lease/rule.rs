//! How much a limit allows, by its kind.

use core::time::Duration;

use crate::time::Instant;

/// How much one account allows. It comes from the configuration and is no part of what is stored, so that a changed amount
/// keeps what was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// So much in a window.
    Budget {
        /// The amount.
        amount: u128,
        /// The window.
        window: Window,
    },
    /// So much in each period. It refills continuously.
    Rate {
        /// The amount in each period.
        amount: u128,
        /// The period; not zero.
        period: Duration,
        /// The most that can be used at once after a pause.
        burst: u128,
    },
    /// So many at the same time.
    Concurrency {
        /// The number.
        amount: u128,
        /// The longest that a request can last. For so long after its lease, an Envoy that has fallen silent is believed to go on
        /// with its requests, unless it has started again.
        longest: Duration,
    },
}

/// A budget's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first instant.
    pub start: Instant,
    /// Its end; `None` if it lasts for good.
    pub end: Option<Instant>,
}

/// How long after its end a budget's window still gives leases: for answers under way, and for clocks that go slow.
const GRACE: Duration = Duration::from_secs(3600);
/// How long before its beginning it does: for clocks that go fast.
const EARLY: Duration = Duration::from_secs(5);

impl Rule {
    /// Whether leases are given now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        match self {
            Self::Budget { window, .. } => {
                window.start <= now.after(EARLY) && window.end.is_none_or(|end| now < end.after(GRACE))
            }
            Self::Rate { .. } | Self::Concurrency { .. } => true,
        }
    }

    /// How long after its lease an Envoy that has fallen silent still counts.
    pub(super) fn linger(&self) -> Duration {
        if let Self::Concurrency { longest, .. } = self { *longest } else { Duration::ZERO }
    }

    /// In how many milliseconds the limit is whole again, if it lacks `spent`; 0 if never.
    pub fn reset_ms(&self, now: Instant, spent: u128) -> u64 {
        match *self {
            Self::Budget { window, .. } => {
                window.end.map_or(0, |end| end.as_millis().saturating_sub(now.as_millis()).max(1))
            }
            Self::Rate { amount, period, .. } => {
                let ms = spent.saturating_mul(period.as_millis()).div_ceil(amount.max(1));
                u64::try_from(ms).unwrap_or(u64::MAX)
            }
            Self::Concurrency { .. } => 0,
        }
    }
}

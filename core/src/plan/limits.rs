//! The limits in time of a request, and the delivery class that stands for them: each class is one of Envoy's routes.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use weir_hub::endpoint::Delivery;

/// How long keep-alives may prolong a gap between tokens, where nobody says otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The limits in time of one try and of all of them, as a delivery class says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Millis", into = "Millis")]
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
/// `stream-30000-30000-t600000`, `stream-30000-30000-k60000-t600000`, `whole-300000-t600000`, in milliseconds. It only tells one
/// route from another: the limits themselves travel beside it.
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

/// The same in milliseconds, as they stand in the filter's configuration.
#[derive(Serialize, Deserialize)]
struct Millis {
    first: u64,
    gap: u64,
    keep_alive: u64,
    total: Option<u64>,
}

impl From<Millis> for Limits {
    fn from(Millis { first, gap, keep_alive, total }: Millis) -> Self {
        let [first, gap, keep_alive] = [first, gap, keep_alive].map(Duration::from_millis);
        Self { first, gap, keep_alive, total: total.map(Duration::from_millis) }
    }
}

impl From<Limits> for Millis {
    fn from(Limits { first, gap, keep_alive, total }: Limits) -> Self {
        let [first, gap, keep_alive] = [first, gap, keep_alive].map(millis);
        Self { first, gap, keep_alive, total: total.map(millis) }
    }
}

/// Whole milliseconds.
pub(super) fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        Self { first: Duration::MAX, gap: Duration::MAX, keep_alive: Duration::MAX, total: None }
    }
}

/// The limits that the class of a plan says which has none of its own: filters wrote such plans up to 2026-11.
pub(crate) fn limits_of(class: &str) -> Option<Limits> {
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

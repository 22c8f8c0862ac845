//! The time limits of a request, and the delivery class that stands for them. Each class is one of Envoy's routes.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use weir_hub::endpoint::Delivery;

/// How long keep-alives may extend a gap between tokens, unless configured otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The time limits of one try and of all tries together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Millis", into = "Millis")]
pub struct Limits {
    /// Until the first token, or until the end of a whole answer.
    pub first: Duration,
    /// Between tokens. For a whole answer, the same as `first`.
    pub gap: Duration,
    /// Between tokens while keep-alives come.
    pub keep_alive: Duration,
    /// For all tries together, if there is one.
    pub total: Option<Duration>,
}

/// The name of the delivery class for these limits.
///
/// `stream-30000-30000-t600000`, `stream-30000-30000-k60000-t600000`, `whole-300000-t600000`, in milliseconds. The name
/// only identifies a route: the limits themselves are separate fields of the plan.
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

/// The same in milliseconds, as in the filter's configuration.
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

/// The limits that a class name contains, for a plan that has no limits of its own: filters wrote such plans until
/// 2026-11.
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

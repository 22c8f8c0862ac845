//! When other rates hold.

use serde::{Deserialize, Serialize};

use super::Rates;
use crate::time::Instant;

/// Rates that hold in some cases: where everything that it names is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Case {
    /// The request has more input tokens than this, cached ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// It is of this service tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// It was admitted at this time of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// It was admitted on one of these days of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// It was admitted at this time or later, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// It was admitted before this, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The rates; those that are absent stay as they are.
    pub rates: Rates,
}

/// How fast an answer has to be: many providers have a price for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// As usual.
    #[default]
    Standard,
    /// Within a day.
    Batch,
    /// When there is room.
    Flex,
    /// Before others.
    Priority,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// Its name in the configuration and in requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// Reads the name that [`name`](Self::name) writes.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// The tier that a request's `service_tier` asks for. Nobody is asked for a batch that way, and a value that Weir does
    /// not know is the standard one.
    pub fn asked(service_tier: &str) -> Self {
        Self::from_name(service_tier).filter(|tier| *tier != Self::Batch).unwrap_or_default()
    }
}

/// A time of the day, in minutes after midnight UTC. If it ends before it begins, midnight is in it; if it ends where it
/// begins, it is the whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Its first minute.
    pub from: u16,
    /// The minute after its last one.
    pub until: u16,
}

impl Hours {
    fn hold(self, minute: u16) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

/// Days of the week in UTC: one bit for each, Monday's is the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(pub u8);

impl Case {
    pub(super) fn is_for(&self, tier: Tier) -> bool {
        self.tier.is_none_or(|own| own == tier)
    }

    pub(super) fn is_above(&self, input: u64) -> bool {
        self.above.is_none_or(|above| input > above)
    }

    /// Whether its dates, days and hours hold `at`.
    pub(super) fn is_at(&self, at: Instant) -> bool {
        let minutes = at.as_millis() / 60_000;
        let minute = u16::try_from(minutes % 1440).unwrap_or_default();
        // The epoch was a Thursday.
        let day = (minutes / 1440 + 3) % 7;
        self.is_in_force(at)
            && self.hours.is_none_or(|hours| hours.hold(minute))
            && self.days.is_none_or(|days| days.0 >> day & 1 == 1)
    }

    /// Whether its dates hold `at`.
    pub(super) fn is_in_force(&self, at: Instant) -> bool {
        let at = at.as_millis();
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

//! The windows of a budget: from one instant to the next.
//!
//! The core knows no calendar and no time zones. The control plane writes the edges of the windows as instants in UTC,
//! for the next years. After the last one, windows go on with the length of the last.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Instant;

/// The windows of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Windows {
    /// One window, for good.
    #[default]
    Ever,
    /// Windows of the same length. One begins at `from`.
    Regular {
        /// When one of them begins, in seconds since the Unix epoch.
        from: u64,
        /// Their length, in seconds.
        length: u64,
    },
    /// Windows of the calendar: when each begins, in seconds since the Unix epoch, in order.
    Edges(Edges),
}

/// When windows begin, in seconds since the Unix epoch, in order. Limits with the same calendar share one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges(pub Arc<[u64]>);

impl Serialize for Edges {
    /// Each edge as the time since the one before, in seconds: shorter by half.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let before = core::iter::once(0).chain(self.0.iter().copied());
        to.collect_seq(self.0.iter().zip(before).map(|(edge, before)| edge - before))
    }
}

impl<'de> Deserialize<'de> for Edges {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut at = 0_u64;
        let edges = Vec::<u64>::deserialize(from)?.into_iter().map(|since| {
            at = at.saturating_add(since);
            at
        });
        Ok(Self(edges.collect()))
    }
}

/// One window, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it begins. It is also the window's name.
    pub start: u64,
    /// When the next one begins; `None` if none follows.
    pub end: Option<u64>,
}

impl Windows {
    /// The window in which `now` is.
    pub fn at(&self, now: Instant) -> Window {
        let secs = now.as_millis() / 1000;
        let window = |start: u64, end: u64| Window { start: start * 1000, end: Some(end * 1000) };
        match self {
            Self::Ever => Window { start: 0, end: None },
            Self::Regular { from, length } => {
                let length = (*length).max(1);
                let start = match secs.checked_sub(*from) {
                    Some(since) => from + since / length * length,
                    // Before the first edge that is written: as many whole windows earlier as it takes.
                    None => from.saturating_sub((from - secs).div_ceil(length) * length),
                };
                window(start, start.saturating_add(length))
            }
            Self::Edges(edges) => {
                let edges = &edges.0;
                let next = edges.partition_point(|edge| *edge <= secs);
                let edge = |at: usize| edges.get(at).copied();
                match (next.checked_sub(1).and_then(edge), edge(next)) {
                    (Some(start), Some(end)) => window(start, end),
                    (None, Some(first)) => window(0, first),
                    (Some(last), None) => {
                        let length = next.checked_sub(2).and_then(edge).map_or(0, |before| last - before);
                        if length == 0 {
                            return Window { start: last * 1000, end: None };
                        }
                        let start = last + (secs - last) / length * length;
                        window(start, start.saturating_add(length))
                    }
                    (None, None) => Window { start: 0, end: None },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(windows: &Windows, secs: u64) -> (u64, Option<u64>) {
        let Window { start, end } = windows.at(Instant::default().after(Duration::from_secs(secs)));
        (start / 1000, end.map(|end| end / 1000))
    }

    #[test]
    fn every_instant_is_in_the_window_that_has_begun() {
        let days = Windows::Regular { from: 100, length: 50 };
        for (now, window) in [(100, (100, 150)), (149, (100, 150)), (150, (150, 200)), (99, (50, 100)), (50, (50, 100))]
        {
            assert_eq!(at(&days, now), (window.0, Some(window.1)), "{now}");
        }
        let months = Windows::Edges(Edges([100, 131, 159].into()));
        for (now, window) in [(5, (0, 100)), (100, (100, 131)), (130, (100, 131)), (131, (131, 159))] {
            assert_eq!(at(&months, now), (window.0, Some(window.1)), "{now}");
        }
        assert_eq!(at(&months, 159), (159, Some(187)), "as long as the last one");
        assert_eq!(at(&months, 190), (187, Some(215)));
        let text = serde_json::to_string(&months).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str(&text).unwrap()), (r#"{"edges":[100,31,28]}"#, months));
        assert_eq!(at(&Windows::Ever, 7), (0, None));
        assert_eq!(at(&Windows::Edges(Edges([9].into())), 12), (9, None));
    }
}

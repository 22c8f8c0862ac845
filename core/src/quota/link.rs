//! What all workers know of control: how to reach it, and whether it answers.
//!
//! The steward creates the cell when control is configured. Where there is none, limits hold within this Envoy alone.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::shared::{Cell, Count, Fields, Key, Reader, Store, Swap};
use crate::time::Instant;

/// How long control may leave every call unanswered before it counts as away.
const AWAY: Duration = Duration::from_secs(1);

/// How control is reached, and whether it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The name of control's cluster in Envoy.
    pub cluster: String,
    /// This Envoy's name.
    pub node: String,
    /// A number of this start of the process.
    pub start: u64,
    /// The sequence number of the latest report.
    pub sequence: u64,
    /// When control last answered; zero if it never did.
    pub answered: Instant,
    /// Since when every call has failed; zero if the last one was answered.
    pub failing: Instant,
    /// How many amounts were admitted that no lease covered, because control was away.
    pub uncovered: u64,
    /// Whether the last report was written: this Envoy ends.
    pub ended: bool,
    /// Additions by another version of Weir.
    unknown: Vec<u8>,
}

impl Link {
    /// The cell.
    pub const KEY: Key<Self> = Key::one("weir.control");

    /// A link of an Envoy that has just started.
    pub fn new(cluster: &str, node: &str, now: Instant) -> Self {
        let start = now.as_nanos().max(1);
        Self { cluster: cluster.to_string(), node: node.to_string(), start, ..Self::default() }
    }

    /// Whether control is configured.
    pub fn is_there(store: &dyn Store) -> bool {
        store.get(Self::KEY.as_str()).is_some()
    }

    /// What is known of control; `None` if it is not configured.
    pub fn of(store: &dyn Store) -> Option<Self> {
        Self::read(&store.get(Self::KEY.as_str())?.0)
    }

    /// Whether control has not answered for so long that limits go by what they say of that.
    pub fn is_away(&self, now: Instant) -> bool {
        let fails = self.failing != Instant::default();
        self.ended || fails && (self.answered == Instant::default() || now - self.failing > AWAY)
    }

    /// Changes the cell. What it is then; `None` if it is not there or cannot be read.
    pub(super) fn change(store: &dyn Store, change: impl Fn(&mut Self)) -> Option<Self> {
        loop {
            let (bytes, number) = store.get(Self::KEY.as_str())?;
            let mut link = Self::read(&bytes)?;
            change(&mut link);
            match store.replace(Self::KEY.as_str(), &link.write(), number) {
                Swap::Done => return Some(link),
                Swap::Outrun => {}
                Swap::Refused => return None,
            }
        }
    }

    /// Notes that control has answered, or has failed to.
    pub(super) fn note(store: &dyn Store, answered: bool, now: Instant) {
        Self::change(store, |link| {
            if answered {
                (link.answered, link.failing) = (now, Instant::default());
            } else if link.failing == Instant::default() || now < link.failing {
                link.failing = now;
            }
        });
    }
}

/// The layout of the cell.
const LAYOUT: u8 = 1;

impl Cell for Link {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        let mut link = Self {
            cluster: fields.text()?.to_string(),
            node: fields.text()?.to_string(),
            start: fields.number()?,
            sequence: fields.number()?,
            answered: Instant::from_nanos(fields.number()?),
            failing: Instant::from_nanos(fields.number()?),
            uncovered: fields.number()?,
            ended: fields.number()? != 0,
            unknown: Vec::new(),
        };
        link.unknown = fields.unknown().to_vec();
        Some(link)
    }

    fn write(&self) -> Vec<u8> {
        let fields = Fields::of(LAYOUT).text(&self.cluster).text(&self.node);
        let (answered, failing) = (self.answered.as_nanos(), self.failing.as_nanos());
        let numbers = [self.start, self.sequence, answered, failing, self.uncovered, u64::from(self.ended)];
        numbers.into_iter().fold(fields, Fields::number).end_with(&self.unknown)
    }
}

impl Count for Link {}

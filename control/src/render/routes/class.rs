//! The limits in time of one delivery class.

use std::time::Duration;

/// The limits of one delivery class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Until a try's answer begins; of a whole answer, until it ends.
    pub(super) limit: Duration,
    /// Between tokens; not below `limit`. `None` for whole answers.
    pub(super) gap: Option<Duration>,
    /// The limit of all tries.
    pub(super) total: Duration,
    /// The longest that a connection may take.
    pub(super) connect: Duration,
    /// The most tries that a model of this class has: its targets, and the last one again.
    pub(super) tries: u32,
}

impl Class {
    /// The longest that can pass before an answer begins: all tries, and their connections.
    pub(super) fn until_begun(&self) -> Duration {
        (self.limit + self.connect).saturating_mul(self.tries).min(self.total)
    }

    /// What joins two of the same name, and so of the same limits.
    pub(super) fn join(&mut self, other: &Self) {
        self.tries = self.tries.max(other.tries);
        self.connect = self.connect.max(other.connect);
    }
}

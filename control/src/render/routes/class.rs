//! The limits in time of one delivery class.

use std::time::Duration;

/// The limits of one delivery class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Until the answer of a try begins, or until it ends if it is a whole one.
    pub(super) limit: Duration,
    /// Between tokens, and not below `limit`. `None` for whole answers.
    pub(super) gap: Option<Duration>,
    /// The limit of all tries.
    pub(super) total: Duration,
    /// How long it may take to connect.
    pub(super) connect: Duration,
    /// The most tries that a model of this class has: one for each target, and the last target again.
    pub(super) tries: u32,
}

impl Class {
    /// The longest time until an answer begins: all tries, with their connections.
    pub(super) fn until_begun(&self) -> Duration {
        (self.limit + self.connect).saturating_mul(self.tries).min(self.total)
    }

    /// Joins two classes of the same name, which therefore have the same limits.
    pub(super) fn join(&mut self, other: &Self) {
        self.tries = self.tries.max(other.tries);
        self.connect = self.connect.max(other.connect);
    }
}

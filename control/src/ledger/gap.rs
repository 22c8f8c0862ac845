//! What the rows cannot tell: times in which requests may be missing, and amounts that were booked without a request.

use std::fmt;

use super::row::Account;

/// A time in which requests may be missing from the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What tells this gap from all others, so that it is written once however often it is reported. Empty: every report is another.
    pub mark: String,
    /// The Envoy whose requests are missing.
    pub node: String,
    /// Why.
    pub kind: GapKind,
    /// When the time begins, in milliseconds since the epoch.
    pub from_ms: i64,
    /// When it ends.
    pub until_ms: i64,
    /// How many lines are missing, if it is known.
    pub lines: Option<u64>,
    /// Where, in words.
    pub detail: String,
}

/// Why requests may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapKind {
    /// Lines of the log could not be read.
    Unreadable,
    /// A file of the log went before it was read to its end.
    FileGone,
    /// A file of the log was emptied or replaced before it was known to be read to its end.
    Replaced,
    /// Envoy could not write lines: its counter `write_failed` rose.
    WriteFailed,
    /// An Envoy was killed: what it had not yet written is lost.
    Killed,
}

impl GapKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Unreadable, Self::FileGone, Self::Replaced, Self::WriteFailed, Self::Killed];

    /// The kind in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::FileGone => "file_gone",
            Self::Replaced => "replaced",
            Self::WriteFailed => "write_failed",
            Self::Killed => "killed",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for GapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An amount that changes what is spent of an account without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// What tells this booking from all others: written again with the same mark, it counts once, with the latest amount. Empty: every
    /// one counts.
    pub mark: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The Envoy that it is about; empty if none.
    pub node: String,
    /// What it is.
    pub kind: BookingKind,
    /// Whose.
    pub account: Account,
    /// What it adds to what is spent, in the limit's unit. A credit is negative.
    pub amount: i128,
    /// Why, in words.
    pub why: String,
}

/// What a booking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookingKind {
    /// What a killed Envoy had reserved: it stays spent, because a provider may bill it.
    Lost,
    /// What an operator gave.
    Credit,
}

impl BookingKind {
    /// The kind in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Credit => "credit",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Lost, Self::Credit].into_iter().find(|kind| kind.name() == name)
    }
}

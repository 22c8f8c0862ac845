//! Where the ledger is kept. A [`Store`] is a database; every change is one transaction.

use super::gap::{Booking, Gap};
use super::moment::{DAY, HOUR};
use super::row::{Account, Row};
use super::series::Series;
use super::sums::Sums;

/// A file of an access log, and how far it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of the file; a store never gives one twice.
    pub file: i64,
    /// The Envoy that writes the log.
    pub node: String,
    /// Where the file was when it was read last.
    pub path: String,
    /// The file system's device.
    pub device: u64,
    /// The file's number there. It can be given to another file once this one is gone.
    pub inode: u64,
    /// How many bytes have been read: always whole lines.
    pub offset: u64,
    /// The first bytes of the file, at most as many as were read: they tell whether it is the same file.
    pub head: Vec<u8>,
    /// A sum over the bytes before `offset`, which tells the same about the end of what was read.
    pub tail: u64,
    /// When it was read last, in milliseconds since the epoch.
    pub read_ms: i64,
    /// Whether it has been read to its end, and another file has taken its place.
    pub finished: bool,
}

/// A position that a batch moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The offset that the store must have now. `None` if it does not know the file yet. If it has another one, somebody else has
    /// read the file meanwhile, and nothing of the batch is written.
    pub from: Option<u64>,
    /// The new position.
    pub to: Position,
}

/// What is written in one transaction: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The Envoy that served the requests.
    pub node: String,
    /// The requests.
    pub rows: Vec<Row>,
    /// How far their files have been read with them.
    pub moves: Vec<Move>,
    /// Times in which requests may be missing.
    pub gaps: Vec<Gap>,
    /// Amounts without a request.
    pub bookings: Vec<Booking>,
    /// When the node's log was read to its end, in milliseconds since the epoch, if this says so.
    pub read_ms: Option<i64>,
    /// What Envoy's counter of writes that failed says, if it has changed.
    pub failed: Option<u64>,
}

/// What is known of one Envoy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// When it was last read to its end, in milliseconds since the epoch; 0 if never.
    pub read_ms: i64,
    /// What Envoy's counter of writes that failed said last.
    pub failed: u64,
}

/// What the rows say of one lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// The Envoy that wrote the rows; empty if there are none.
    pub node: String,
    /// What was used up of it, in the limit's unit.
    pub amount: i128,
}

/// The length of the steps in which sums are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

impl Span {
    /// Its length in milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }
}

/// Which names sums are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// All of them.
    Callers,
    /// All but those that callers choose in large numbers, users and applications. So there are few sums.
    Keys,
}

/// A range of sums: whole steps from one instant up to another, which is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which sums.
    pub detail: Detail,
    /// The steps.
    pub span: Span,
    /// The start of the first one, in milliseconds since the epoch.
    pub from_ms: i64,
    /// The end of the last one.
    pub until_ms: i64,
}

/// How long things are kept, in days. What has no end is kept for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Rows and their tries.
    pub rows: Option<u32>,
    /// Sums by hour.
    pub hours: Option<u32>,
    /// Sums by day, gaps and bookings.
    pub days: Option<u32>,
}

impl Default for Ages {
    /// Rows for a quarter, hours for a year and a month, days for good.
    fn default() -> Self {
        Self { rows: Some(90), hours: Some(400), days: None }
    }
}

impl From<weir_core::config::Ledger> for Ages {
    fn from(rule: weir_core::config::Ledger) -> Self {
        let weir_core::config::Ledger { rows, hours, days } = rule;
        Self { rows, hours, days }
    }
}

/// How much has been removed because of its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aged {
    /// Rows.
    pub rows: u64,
    /// Sums by hour or day.
    pub sums: u64,
    /// Whether there is more to remove.
    pub more: bool,
}

/// What is spent of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The account.
    pub account: Account,
    /// By rows and bookings together, in the limit's unit.
    pub amount: i128,
}

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has read the same file meanwhile. Nothing was written; ask for the positions again.
    #[error("another process has read the same log meanwhile")]
    Moved,
    /// A newer Weir has made the store.
    #[error("the ledger has layout {found}, and this weir knows up to {known}; use the newer weir that made it")]
    Newer {
        /// The store's layout.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// There is no store.
    #[error("{0}: there is no ledger")]
    Missing(String),
    /// The database said no.
    #[error("the ledger's database: {0}")]
    Database(String),
}

/// A database of the ledger.
pub trait Store {
    /// Every file of every log that was ever read. Files that are gone are kept: a copy of one that comes back must not count again.
    fn positions(&mut self) -> Result<Vec<Position>, StoreError>;

    /// Writes a batch in one transaction: rows, sums, positions, gaps and bookings, or nothing.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Gives each sum of a slice: the start of its step, the number of its series, and the sums.
    fn sums(&mut self, slice: Slice, each: &mut dyn FnMut(i64, i64, &Sums)) -> Result<(), StoreError>;

    /// The series that have sums, by number.
    fn series(&mut self) -> Result<Vec<(i64, Series)>, StoreError>;

    /// The first instant, in milliseconds since the epoch, from which there are sums by hour. Before it there are only days.
    fn hours_from(&mut self) -> Result<i64, StoreError>;

    /// The gaps that touch the time from one instant up to another.
    fn gaps(&mut self, from_ms: i64, until_ms: i64) -> Result<Vec<Gap>, StoreError>;

    /// The bookings in the time from one instant up to another.
    fn bookings(&mut self, from_ms: i64, until_ms: i64) -> Result<Vec<Booking>, StoreError>;

    /// What is spent of each account, by the requests of one Envoy, or of all with what was booked.
    ///
    /// A store of leases that lost its data is filled again from this. For one Envoy it also tells what the requests of a start
    /// that has ended settled: the difference to what was there before.
    fn spent(&mut self, node: Option<&str>) -> Result<Vec<Spent>, StoreError>;

    /// What is known of an Envoy's log.
    fn known(&mut self, node: &str) -> Result<Known, StoreError>;

    /// What the rows say of a lease of these limits: the names that one limit has had.
    fn leased(&mut self, limits: &[String], lease: u64) -> Result<Leased, StoreError>;

    /// Removes a part of what is too old, in a transaction that nobody waits long for.
    fn age(&mut self, ages: Ages, now_ms: i64) -> Result<Aged, StoreError>;
}

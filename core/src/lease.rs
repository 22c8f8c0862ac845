//! Leases: how several Envoys spend from one limit without ever being over it.
//!
//! Control keeps a [`Pool`] for each [`Account`]; each Envoy keeps a [`Held`]. An Envoy sends a [`Report`] and gets
//! [`Grants`]. What is granted counts as spent until it flows back, so nothing that is lost, repeated or reordered between
//! them can make them spend more than there is.
//!
//! **Running totals.** `granted`, `settled` and `reserved` are states, not differences, so a message can be repeated. An
//! Envoy takes a grant only if its epoch and version are newer than those that it has. Control takes a report only if its
//! sequence number is. Therefore, what control has written down as granted is never less than what the Envoy holds:
//! - Control raises it, with a new version, before the Envoy can know.
//! - Only the Envoy lowers it. It does so itself, under the version that it has, and tells control in every later report. Control
//!   follows only if that is still the newest version; otherwise the Envoy has yet to take a grant that was made without
//!   knowing.
//!
//! **Clocks.** A lease lasts from the moment at which the Envoy *sent* the report, on the Envoy's clock. Control writes down twice
//! that time and a margin, on its own clock, before it believes that the Envoy admits nothing more. So a slow answer does
//! no harm, nor does a clock that steps back once, because an Envoy whose clock shows a time before that moment admits
//! nothing. A lease that has expired does not give a budget anything back: nobody knows what was spent of it since the last
//! report. It stays spent, as [lost](Standing::lost), until the Envoy reports again or the ledger says what was spent.
//!
//! Amounts are whole numbers in the unit of the limit. Time is an argument.

mod held;
mod pool;
mod rule;
mod wire;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use held::{Held, Lacks};
pub use pool::{Ended, Exchange, Pool, Resolved, Standing};
pub use rule::{Rule, Window};
pub use wire::{Malformed, PATH};

/// How long a lease lasts for the Envoy.
pub const LEASE: Duration = Duration::from_secs(5);

/// The longest that an Envoy may wait for an answer to its report: a later one it must drop. A timer decides that, because a clock
/// can step.
pub const ANSWERED: Duration = Duration::from_secs(1);

/// How long after a report control believes that its sender may still admit requests: see the module's text about clocks.
pub const BELIEVED: Duration = Duration::from_secs(12);

/// One limit, for one subject, in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The limit's name.
    pub limit: String,
    /// Whose limit it is.
    pub subject: String,
    /// When a budget's window begins, in milliseconds since the Unix epoch; 0 for a rate, for concurrency, and for a budget that
    /// lasts for good.
    pub window_ms: u64,
}

/// What one start of an Envoy tells control.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The Envoy's name.
    pub node: String,
    /// A random number of this start of the process.
    pub start: u64,
    /// Grows with each report of this start, from 1.
    pub sequence: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether it is the last one: the Envoy has stopped to admit requests, and never will again.
    pub ending: bool,
    /// The state of accounts.
    pub accounts: Vec<State>,
}

/// The state of one account in one start of an Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The account.
    pub account: Account,
    /// When the Envoy began to count it, by whatever number it never uses twice. One that it forgot and counts anew from
    /// zero has another.
    pub since: u64,
    /// Whether the Envoy forgets it: nothing is free or reserved any more.
    pub ending: bool,
    /// What was used up, as a running total of this start.
    pub settled: u128,
    /// What is reserved now.
    pub reserved: u128,
    /// What the Envoy holds, as a running total of this start.
    pub granted: u128,
    /// The version of the last grant that it took.
    pub version: u64,
    /// The epoch of that grant.
    pub epoch: u64,
    /// The sum of the requests that wait.
    pub wanted: u128,
    /// The smallest of these requests.
    pub least: u128,
    /// What is counted, as [`Limit::unit`](crate::quota::Limit::unit) has it; 0 if an older version does not say.
    pub unit: u32,
}

/// Control's answer to a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The report's sequence number.
    pub sequence: u64,
    /// The epoch of the store. One that lost data has a higher one.
    pub epoch: u64,
    /// One for each account of the report that control knows.
    pub grants: Vec<Grant>,
}

/// A lease on one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account: Account,
    /// What this start may use up in all.
    pub granted: u128,
    /// Grows with each change of `granted`.
    pub version: u64,
    /// How long the lease lasts, in milliseconds from when the report was sent; 0: it is not renewed.
    pub expires_ms: u64,
    /// What is left of the whole limit: neither used up nor reserved, as far as control knows.
    pub left: u128,
    /// What is not used up of the whole limit: `left`, and what is reserved and may still flow back. A request that this
    /// does not cover need not be tried again before the limit resets.
    pub unspent: u128,
    /// In how many milliseconds the limit is whole again; 0 if it never is.
    pub reset_ms: u64,
    /// How much may stay free at the Envoy. More than this is to be given back with the next report.
    pub keep: u128,
    /// The unit of the report.
    pub unit: u32,
}

#[cfg(test)]
mod tests;

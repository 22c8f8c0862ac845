//! The ledger: what every request used and cost, read from the access log.
//!
//! The access log is the source. A [`Follower`] reads it by file and position, and a [`Store`] takes its rows together with the
//! new position in one transaction, so a process that is killed at any point neither loses a request nor counts one twice.
//! [`usage`] sums what is there, and [`reconcile`] compares it with what a provider says. What is missing is a row of its own,
//! a [`Gap`].

mod columns;
pub mod follow;
pub mod gap;
pub mod keeper;
pub mod moment;
pub mod question;
pub mod reconcile;
pub mod row;
pub mod series;
pub mod sqlite;
pub mod store;
pub mod sums;
pub mod usage;

pub use follow::{Follower, Step};
pub use gap::{Booking, Gap, GapKind};
pub use keeper::Keeper;
pub use question::Question;
pub use row::{Account, Row};
pub use series::Dimension;
pub use sqlite::Sqlite;
pub use store::{Ages, Batch, Store, StoreError};
pub use sums::Sums;
pub use usage::Usage;

/// The name of the embedded store's file, in Weir's state folder.
pub const FILE: &str = "ledger.sqlite";

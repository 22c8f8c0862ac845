//! Quotas: what callers may use, counted exactly across the workers of one Envoy.
//!
//! A request *reserves* what it may use before it is sent, and *settles* what it has used at its end. Settled and
//! reserved amounts together never exceed a hard limit. An answer that costs more than was reserved leaves a debt, which
//! counts before anything else.
//!
//! - [`limit`]: what a limit says. [`window`]: the windows of a budget.
//! - `account`: what one subject has taken of one limit; `bucket`: the cells that hold accounts.
//! - [`admission`]: takes from several accounts, all or nothing. `later`: what a request takes after it was admitted.
//! - [`link`] and [`exchange`]: what workers and steward know of control, which shares limits among Envoys, and tell it.

mod account;
pub mod admission;
mod amounts;
mod bucket;
mod claim;
pub mod estimate;
pub mod exchange;
pub mod headers;
mod later;
pub mod limit;
pub mod link;
pub mod media;
mod pack;
mod posted;
mod quotas;
pub mod refusal;
#[cfg(test)]
pub(crate) mod testing;
pub mod upkeep;
pub mod window;
pub mod workers;

pub use account::Standing;
pub use admission::{Asking, Refused, Shortfall, Taken, Worker, admit, foresee, has_room, is_covered, settle};
pub use amounts::{Amounts, Step};
pub use claim::{Claim, Want};
pub use later::{Later, Unmet};
pub use limit::{Alone, Dimension, Kind, Limit, Meter, Subject, VALUES, Who};
pub use posted::Posted;
pub use quotas::Quotas;
pub use window::{Edges, Window, Windows};

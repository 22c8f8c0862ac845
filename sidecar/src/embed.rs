//! Puts requests of concurrent streams into batches. [`Queue`] decides, [`Drain`] measures, both without threads or a
//! clock; [`Pool`] is the threads around them. Start at [`Pool::submit`].

mod drain;
mod job;
mod pool;
mod queue;
mod rows;

pub use drain::Drain;
pub use job::{Fault, Ticket};
pub use pool::{Busy, Pool, PoolSettings};
pub use queue::{Full, Item, Packed, Queue, RequestId};
pub use rows::Rows;

//! Puts requests of concurrent streams into batches. [`Queue`] decides, [`Drain`] measures, both without threads or a
//! clock; [`Pool`] is the threads around them. Start at [`Pool::submit`].

mod drain;
mod job;
mod normalization;
mod place;
mod pool;
mod queue;
mod rows;
mod seat;
mod shared;
mod worker;

pub use drain::Drain;
pub use normalization::{Normalize, normalize};
pub use pool::{Pool, PoolSettings};
pub use queue::{Full, Item, Packed, Queue, RequestId};
pub use rows::Rows;
pub use shared::Busy;

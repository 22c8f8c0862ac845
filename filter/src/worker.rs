//! This worker, as limits know it: a number that no other worker of this Envoy has or had.

use std::cell::RefCell;

use weir_core::quota::Worker;

use crate::host::Host;
use crate::mailbox;
use crate::shared::{Store, Swap};

thread_local! {
    /// Not there before its first request.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Does something with this worker.
pub(crate) fn with<T>(host: &impl Host, with: impl FnOnce(&mut Worker) -> T) -> T {
    WORKER.with_borrow_mut(|worker| with(worker.get_or_insert_with(|| new(host))))
}

/// A worker whose number is claimed by a cell of its own. Two may have begun in the same nanosecond.
fn new(host: &impl Host) -> Worker {
    let cells = host.cells();
    let mut id = mailbox::vm(host);
    while cells.create(&format!("weir.worker/{id}"), &[1]) == Swap::Outrun {
        id += 1;
    }
    Worker::new(id)
}

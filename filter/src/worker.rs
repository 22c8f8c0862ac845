//! This worker, as limits know it: a number that no other worker of this Envoy has or had.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use weir_core::config::Routing;
use weir_core::quota::link::Link;
use weir_core::quota::workers::{BEAT, beat};
use weir_core::quota::{Posted, Taken, Worker, settle};
use weir_core::shared::Change;
use weir_core::time::Instant;

use crate::host::Host;
use crate::mailbox;
use crate::shared::{Store, Swap, hint};

#[cfg(not(target_arch = "wasm32"))]
use weir_core::quota::workers::Life::Envoys as LIFE;
#[cfg(target_arch = "wasm32")]
use weir_core::quota::workers::Life::Own as LIFE;

thread_local! {
    /// Not there before its first request.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    /// When it last noted that it lives.
    static BEATEN: Cell<Instant> = const { Cell::new(Instant::from_nanos(0)) };
    /// What requests had reserved whose role failed before it could settle.
    static ABANDONED: RefCell<Vec<(Arc<Routing>, Vec<Taken>)>> = const { RefCell::new(Vec::new()) };
}

/// Does something with this worker, which is known.
pub(crate) fn with_known<T>(host: &impl Host, with: impl FnOnce(&mut Worker) -> T) -> T {
    WORKER.with_borrow_mut(|worker| with(worker.get_or_insert_with(|| new(host))))
}

/// Does something with this worker, for a request under `routing`.
pub(crate) fn with<T>(host: &impl Host, routing: &Routing, with: impl FnOnce(&mut Worker) -> T) -> T {
    if routing.quotas.is_empty() {
        return with(&mut Worker::default());
    }
    let cells = host.cells();
    WORKER.with_borrow_mut(|worker| {
        let worker = worker.get_or_insert_with(|| new(host));
        note(&cells, worker, host.now());
        for (routing, taken) in ABANDONED.take() {
            for taken in &taken {
                if let Some(limit) = routing.quotas.get(taken.number) {
                    settle(&cells, limit, taken, 0, host.now());
                }
            }
        }
        with(worker)
    })
}

/// Leaves what a request had reserved to whoever next has the cells at hand.
pub(crate) fn abandon(routing: &Arc<Routing>, taken: Vec<Taken>) {
    if !taken.is_empty() {
        // While a thread ends there may be no place any more, and no Envoy.
        let _ = ABANDONED.try_with(|left| left.borrow_mut().push((Arc::clone(routing), taken)));
    }
}

/// A worker whose number is claimed by a cell of its own. Two may have begun in the same nanosecond.
fn new(host: &impl Host) -> Worker {
    let cells = host.cells();
    let mut id = mailbox::vm(host);
    while cells.create(&format!("weir.worker/{id}"), &[1]) == Swap::Outrun {
        id += 1;
    }
    let mut worker = Worker::new(id);
    if Link::is_there(&cells) {
        worker.shares();
    }
    worker
}

/// Notes that this worker lives, if it has not done so for long. It has nothing to note before its first request.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "a native worker lives as long as Envoy"))]
pub(crate) fn tick(cells: &impl Store, now: Instant) {
    WORKER.with_borrow(|worker| worker.as_ref().map(|worker| note(cells, worker, now)));
}

fn note(cells: &impl Store, worker: &Worker, now: Instant) {
    let last = BEATEN.get();
    if now - last >= BEAT || now < last {
        BEATEN.set(now);
        beat(cells, worker.id(), LIFE, now);
    }
}

/// Posts the limits of a configuration where the steward finds them.
pub(crate) fn post(cells: &impl Store, routing: &Routing) {
    let posted = Posted(routing.quotas.all().to_vec());
    hint(cells, &Posted::KEY, |old| match old {
        Some(old) if old == posted => Change::Keep,
        None if posted.0.is_empty() => Change::Keep,
        _ => Change::Write(posted.clone()),
    });
}

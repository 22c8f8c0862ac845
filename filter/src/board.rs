//! What attempts tell the edges of the same worker: how far each request's answer has come.
//!
//! Both roles run on one thread, and in one VM where there is one, so a stream's progress need not go through the host at
//! every chunk. Only after the filter's code was replaced can an attempt run in a newer VM than its edge; it then tells by
//! filter state.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use weir_core::attempt::Attempt;
use weir_core::plan::{Origin, Plan};
use weir_core::record::{self, Progress};
use weir_core::time::Instant;

use crate::host::Host;

thread_local! {
    static VM: Cell<Option<u64>> = const { Cell::new(None) };
    static BOARD: RefCell<BTreeMap<u32, Progress>> = const { RefCell::new(BTreeMap::new()) };
    static LEFT: RefCell<BTreeMap<u32, Left>> = const { RefCell::new(BTreeMap::new()) };
    /// The edges whose request has not ended.
    static OPEN: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// An attempt that was never answered, and could not write so into the plan: its stream was gone.
struct Left {
    attempt: Attempt,
    connected: bool,
    at: Instant,
}

/// How the edge that is called `request` on this worker calls itself, until it is [closed](close).
pub(crate) fn origin(host: &impl Host, request: u32) -> Origin {
    OPEN.with_borrow_mut(|open| open.insert(request));
    Origin { vm: vm(host), request }
}

/// Tells the edge of `origin` how far its answer has come.
pub(crate) fn tell(host: &mut impl Host, origin: Origin, progress: Progress) {
    if origin.vm == vm(host) {
        BOARD.with_borrow_mut(|board| board.insert(origin.request, progress));
    } else {
        host.set_state(record::PROGRESS_KEY, &progress.to_text());
    }
}

/// Takes what was told last to the edge that is called `request`.
pub(crate) fn take(host: &impl Host, request: u32) -> Option<Progress> {
    BOARD
        .with_borrow_mut(|board| board.remove(&request))
        .or_else(|| Progress::from_text(&host.state(record::PROGRESS_KEY)?))
}

/// Leaves an attempt that was never answered for whoever reads the plan next.
pub(crate) fn leave(attempt: Attempt, connected: bool, at: Instant) {
    let Origin { request, .. } = attempt.origin();
    if OPEN.with_borrow(|open| open.contains(&request)) {
        LEFT.with_borrow_mut(|left| left.insert(request, Left { attempt, connected, at }));
    }
}

/// The plan's text with what its latest attempt left.
pub(crate) fn settled(text: String) -> String {
    LEFT.with_borrow_mut(|left| {
        let request = if left.is_empty() { None } else { Plan::from_text(&text).map(|plan| plan.origin.request) };
        let Some(mut left) = request.and_then(|request| left.remove(&request)) else { return text };
        left.attempt.ended_unanswered(&text, left.connected, left.at).unwrap_or(text)
    })
}

/// The request of the edge that is called `request` has ended: nobody asks what was left for it.
pub(crate) fn close(request: u32) {
    OPEN.with_borrow_mut(|open| open.remove(&request));
    LEFT.with_borrow_mut(|left| left.remove(&request));
}

/// This worker's filter, by when it was first asked.
fn vm(host: &impl Host) -> u64 {
    VM.get().unwrap_or_else(|| {
        let now = host.now().as_nanos();
        VM.set(Some(now));
        now
    })
}

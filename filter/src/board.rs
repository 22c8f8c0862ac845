//! What attempts tell the edges of the same VM: how far each request's answer has come.
//!
//! Both roles run in one VM on a worker, so a stream's progress need not go through the host at every chunk. Only after
//! the filter's code was replaced can an attempt run in a newer VM than its edge; it then tells by filter state.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use weir_core::plan::Origin;
use weir_core::record::{self, Progress};

use crate::host;

thread_local! {
    static VM: OnceCell<u64> = const { OnceCell::new() };
    static BOARD: RefCell<BTreeMap<u32, Progress>> = const { RefCell::new(BTreeMap::new()) };
}

/// How the edge of the context `request` calls itself.
pub(crate) fn origin(request: u32) -> Origin {
    Origin { vm: vm(), request }
}

/// Tells the edge of `origin` how far its answer has come.
pub(crate) fn tell(origin: Origin, progress: Progress) {
    if origin.vm == vm() {
        BOARD.with_borrow_mut(|board| board.insert(origin.request, progress));
    } else {
        host::set_filter_state(record::PROGRESS_KEY, &progress.to_text());
    }
}

/// Takes what was told last to the edge of the context `request`.
pub(crate) fn take(request: u32) -> Option<Progress> {
    BOARD
        .with_borrow_mut(|board| board.remove(&request))
        .or_else(|| Progress::from_text(&host::text_property("filter_state\0wasm.weir.progress")?))
}

/// This VM, by when it was first asked.
fn vm() -> u64 {
    VM.with(|vm| *vm.get_or_init(|| host::now().as_nanos()))
}

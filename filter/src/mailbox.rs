//! What edges and attempts of the same worker tell each other: the plan goes to the first try, and how far the answer has come
//! goes back.
//!
//! Both roles run on one thread, and in one VM where there is one, so a stream's progress need not go through the host at
//! every chunk. Only after the filter's code was replaced can an attempt run in a newer VM than its edge; it then tells by
//! filter state.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use weir_core::attempt::{Attempt, Connection};
use weir_core::plan::{Origin, Plan};
use weir_core::quota::{Later, Taken};
use weir_core::record::{self, Progress};
use weir_core::time::Instant;

use crate::host::Host;

thread_local! {
    static VM: Cell<Option<u64>> = const { Cell::new(None) };
    /// What is known of each edge's request, until that has ended.
    static OPEN: RefCell<ByRequest<Open>> = RefCell::default();
}

/// Something for each request of this worker, by what its edge calls itself.
pub(crate) type ByRequest<T> = HashMap<u32, T, BuildHasherDefault<Numbered>>;

/// Hashes numbers that nobody chooses and that count up.
#[derive(Default)]
pub(crate) struct Numbered(u64);

impl Hasher for Numbered {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Spreads what counts up over all bits, of which the table uses the upper and the lower ones.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

/// A request that has not ended.
#[derive(Default)]
struct Open {
    /// Its plan, until the first try takes it.
    plan: Option<Plan>,
    progress: Option<Progress>,
    /// What it may still take under limits, and what was taken.
    later: Option<Later>,
    taken: Vec<Taken>,
    left: Option<Left>,
}

/// An attempt that was never answered, and could not write so into the plan: its stream was gone.
struct Left {
    attempt: Attempt,
    connection: Connection,
    at: Instant,
}

/// Does something with what is known of a request that has not ended.
fn with_open<T>(request: u32, with: impl FnOnce(&mut Open) -> T) -> Option<T> {
    OPEN.with_borrow_mut(|open| open.get_mut(&request).map(with))
}

/// How the edge that is called `request` on this worker calls itself, until it is [closed](close).
pub(crate) fn origin(host: &impl Host, request: u32) -> Origin {
    OPEN.with_borrow_mut(|open| open.insert(request, Open::default()));
    Origin { vm: vm(host), request }
}

/// Keeps the plan of the edge that is called `request`, so that its first try need not read the text.
pub(crate) fn plan(request: u32, plan: Plan) {
    with_open(request, |open| open.plan = Some(plan));
}

/// The plan of this text, if no try has begun yet.
pub(crate) fn planned(host: &impl Host, text: &str) -> Option<Plan> {
    let origin = Plan::origin_of(text).filter(|origin| origin.vm == vm(host))?;
    with_open(origin.request, |open| open.plan.take())?
}

/// Keeps what the edge that is called `request` may still take.
pub(crate) fn later(request: u32, later: Later) {
    with_open(request, |open| open.later = Some(later));
}

/// Does something with what the edge that is called `request` may still take, if there is such a thing, and keeps what that has
/// taken for its end. `None` if there is nothing to take.
pub(crate) fn take_later<T, E>(
    request: u32,
    take: impl FnOnce(&mut Later) -> Result<(T, Vec<Taken>), E>,
) -> Result<Option<T>, E> {
    with_open(request, |open| {
        let Some(later) = open.later.as_mut() else { return Ok(None) };
        let (told, taken) = take(later)?;
        open.taken.extend(taken);
        Ok(Some(told))
    })
    .unwrap_or(Ok(None))
}

/// What was taken for the edge that is called `request` after it was admitted.
pub(crate) fn taken(request: u32) -> Vec<Taken> {
    with_open(request, |open| core::mem::take(&mut open.taken)).unwrap_or_default()
}

/// The same for an edge that is gone and has not asked: its role failed.
pub(crate) fn abandoned(request: u32) -> Vec<Taken> {
    // While a thread ends there may be nothing any more.
    let open = OPEN.try_with(|open| open.try_borrow_mut().ok()?.remove(&request));
    open.ok().flatten().map(|open| open.taken).unwrap_or_default()
}

/// Tells the edge of `origin` how far its answer has come.
pub(crate) fn tell(host: &mut impl Host, origin: Origin, progress: Progress) {
    if origin.vm == vm(host) {
        with_open(origin.request, |open| open.progress = Some(progress));
    } else {
        host.set_state(record::PROGRESS_KEY, &progress.to_text());
    }
}

/// Takes what was told last to the edge that is called `request`.
pub(crate) fn take(host: &impl Host, request: u32) -> Option<Progress> {
    with_open(request, |open| open.progress.take())
        .flatten()
        .or_else(|| Progress::from_text(&host.state(record::PROGRESS_KEY)?))
}

/// Whether `origin` is a request of this worker's filter. Another one has the same numbers, where the filter's code was replaced.
pub(crate) fn is_own(host: &impl Host, origin: Origin) -> bool {
    origin.vm == vm(host)
}

/// Leaves an attempt that was never answered for whoever reads the plan next.
pub(crate) fn leave(host: &impl Host, attempt: Attempt, connection: Connection, at: Instant) {
    if !is_own(host, attempt.origin()) {
        return;
    }
    with_open(attempt.origin().request, |open| open.left = Some(Left { attempt, connection, at }));
}

/// The plan's text with what its latest attempt left.
pub(crate) fn settled(host: &impl Host, text: String) -> String {
    let left = Plan::origin_of(&text)
        .filter(|origin| is_own(host, *origin))
        .and_then(|origin| with_open(origin.request, |open| open.left.take()).flatten());
    match left {
        Some(Left { mut attempt, connection, at }) => attempt.ended_unanswered(&text, connection, at).unwrap_or(text),
        None => text,
    }
}

/// The request of the edge that is called `request` has ended: nobody asks for what is known of it.
pub(crate) fn close(request: u32) {
    OPEN.with_borrow_mut(|open| open.remove(&request));
}

/// This worker's filter, by when it was first asked.
pub(crate) fn vm(host: &impl Host) -> u64 {
    VM.get().unwrap_or_else(|| {
        let now = host.now().as_nanos();
        VM.set(Some(now));
        now
    })
}

//! Requests of this worker that wait until control was asked for what no lease covers.
//!
//! One call is under way at a time. The first request that waits has it made, for all that wait then; its answer lets all of them
//! be decided again, and those that must wait on are in the next call. Envoy ends a call that takes too long, so nobody waits
//! longer than [`LONGEST`].
//!
//! A shell tells the requests itself: it alone can reach them.

use std::cell::RefCell;
use std::time::Duration;

use weir_core::edge::Leased;
use weir_core::quota::{Claim, exchange};
use weir_core::steward::Call;
use weir_core::time::Instant;

use crate::host::Host;
use crate::shared::Store;

/// The longest that a request waits.
const LONGEST: Duration = Duration::from_millis(50);

thread_local! {
    static ROOM: RefCell<Room> = const { RefCell::new(Room { waiting: Vec::new(), call: None, telling: false }) };
}

/// Those who wait. If there are any, a call is under way, or they are being told.
struct Room {
    waiting: Vec<Waiter>,
    call: Option<UnderWay>,
    /// They are being told: who waits again is in the call that is made then.
    telling: bool,
}

struct Waiter {
    request: u32,
    claims: Vec<Claim>,
    until: Instant,
    /// Whether the call under way asks for it.
    asked: bool,
}

/// A call that is under way.
struct UnderWay {
    sent: exchange::Sent,
    /// The request in whose stream it was made.
    by: u32,
    /// Its number in Envoy; `None` while Envoy is told to make it.
    token: Option<u64>,
    /// How it ended, if that came while Envoy was told to make it.
    ended: Option<bool>,
}

/// Those who wait no more, and what became of it.
pub(crate) type Told = Vec<(u32, Leased)>;

/// Has a request wait, which has done so since `since`. What became of it, if it need not wait or cannot.
pub(crate) fn wait(host: &impl Host, request: u32, claims: Vec<Claim>, since: Instant) -> Option<Leased> {
    let (now, until) = (host.now(), since.after(LONGEST));
    if now < since || now >= until {
        return Some(Leased::Failed);
    }
    let waits = ROOM.with_borrow_mut(|room| {
        room.waiting.retain(|waiter| waiter.request != request);
        room.waiting.push(Waiter { request, claims, until, asked: false });
        room.telling || room.call.is_some()
    });
    if waits {
        return None;
    }
    // Nobody else waits.
    begin(host, request)?.into_iter().find(|(told, _)| *told == request).map(|(_, leased)| leased)
}

/// Makes a call for all who wait. `None` while it is under way.
fn begin(host: &impl Host, by: u32) -> Option<Told> {
    let now = host.now();
    let (claims, until) = ROOM.with_borrow_mut(|room| {
        room.waiting.iter_mut().for_each(|waiter| waiter.asked = true);
        let claims: Vec<Claim> = room.waiting.iter().flat_map(|waiter| waiter.claims.iter().cloned()).collect();
        (claims, room.waiting.iter().map(|waiter| waiter.until).min().unwrap_or(now))
    });
    let Some((post, sent)) = exchange::ask(&host.cells(), &claims, now) else { return Some(all(false)) };
    ROOM.with_borrow_mut(|room| room.call = Some(UnderWay { sent, by, token: None, ended: None }));
    // Nothing is borrowed: Envoy may answer from within.
    let token = host.call_control(&Call::of(post, until - now));
    let ended = ROOM.with_borrow_mut(|room| {
        let call = room.call.as_mut()?;
        call.token = token;
        call.ended
    });
    match (token, ended) {
        (Some(_), None) => None,
        (_, Some(answered)) => Some(all(answered)),
        (None, None) => {
            exchange::failed(&host.cells(), now);
            Some(all(false))
        }
    }
}

/// All who wait, and whether control has answered.
fn all(answered: bool) -> Told {
    ROOM.with_borrow_mut(|room| {
        room.call = None;
        let told = room.waiting.drain(..).map(|Waiter { request, asked, .. }| {
            let leased = match (answered, asked) {
                (true, true) => Leased::Answered,
                (true, false) => Leased::Unasked,
                (false, _) => Leased::Failed,
            };
            (request, leased)
        });
        told.collect()
    })
}

/// The same, for a shell that tells them.
fn telling(told: Told) -> Told {
    ROOM.with_borrow_mut(|room| room.telling = !told.is_empty());
    told
}

/// The call with this number has ended, with a status and a body if there was a response. Whom the shell must tell now; then it
/// must ask for the [`next`].
pub(crate) fn ended(cells: &impl Store, token: u64, response: Option<(u16, &[u8])>, now: Instant) -> Told {
    let sent = ROOM.with_borrow_mut(|room| {
        let call = room.call.as_mut().filter(|call| call.token.is_none_or(|known| known == token))?;
        Some((std::mem::take(&mut call.sent), call.token.is_some()))
    });
    let Some((sent, is_made)) = sent else { return Told::new() };
    let body = response.filter(|(status, _)| (200..300).contains(status)).map(|(_, body)| body);
    let answered = body.is_some_and(|body| exchange::answered(cells, &sent, body, now));
    if body.is_none() {
        exchange::failed(cells, now);
    }
    if is_made {
        return telling(all(answered));
    }
    // Whoever has Envoy make the call goes on from here.
    ROOM.with_borrow_mut(|room| room.call.iter_mut().for_each(|call| call.ended = Some(answered)));
    Told::new()
}

/// All were told: makes the next call, for those who wait again, in the stream of one that `reach` finds. Whom the shell must tell
/// if it cannot be made.
pub(crate) fn next<H: Host>(reach: impl Fn(u32) -> Option<H>) -> Told {
    let waiting: Vec<u32> = ROOM.with_borrow_mut(|room| {
        room.telling = false;
        if room.call.is_some() { Vec::new() } else { room.waiting.iter().map(|waiter| waiter.request).collect() }
    });
    if waiting.is_empty() {
        return Told::new();
    }
    match waiting.into_iter().find_map(|request| Some((reach(request)?, request))) {
        Some((host, by)) => begin(&host, by).map(telling).unwrap_or_default(),
        None => telling(all(false)),
    }
}

/// A request is gone.
pub(crate) fn leave(request: u32) {
    // While a thread ends there may be no room any more.
    let _ = ROOM.try_with(|room| {
        if let Ok(mut room) = room.try_borrow_mut() {
            room.waiting.retain(|waiter| waiter.request != request);
        }
    });
}

/// The stream of a request is gone, and with it the call that was made in it, if it was. Then the shell must ask for the [`next`].
#[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "there a call outlives the stream"))]
pub(crate) fn is_lost(request: u32) -> bool {
    leave(request);
    ROOM.with_borrow_mut(|room| {
        let lost = room.call.as_ref().is_some_and(|call| call.by == request && call.token.is_some());
        if lost {
            room.call = None;
        }
        lost && !room.telling
    })
}

/// Whom the shell must tell that the call's answer has not come, though it is long overdue.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively nobody ticks"))]
pub(crate) fn overdue(now: Instant) -> Told {
    let overdue = ROOM.with_borrow_mut(|room| {
        let until = room.waiting.iter().map(|waiter| waiter.until).min();
        !room.telling && until.is_some_and(|until| until.after(LONGEST) <= now)
    });
    if overdue { telling(all(false)) } else { Told::new() }
}

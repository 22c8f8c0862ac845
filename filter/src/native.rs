//! The filter as one of Envoy's dynamic modules: a shared library in Envoy's own process, without a sandbox around it.
//!
//! Envoy calls the hooks below by name. A hook never lets a panic out: what one leaves behind is a stream that is answered
//! with an error. All contact with Envoy goes through [`host`].
#![allow(unsafe_code, reason = "Envoy calls hooks by their names and passes raw pointers")]

mod abi;
mod callout;
mod cells;
mod headers;
mod host;
mod steward;

use core::ffi::{c_char, c_void};
use core::ptr::null;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weir_core::answer::Answer;
use weir_core::config::{Role as Configured, Routing};
use weir_core::upstream::Upstream;
use weir_hub::endpoint::Family;
use weir_hub::fault::HostFault;

use self::abi::{Bytes, Header, status, unused};
#[cfg(test)]
pub(crate) use self::cells::{Cells, Shared};
use self::host::{Marks, Stream};
use crate::attempt::Try;
use crate::edge::Request;
use crate::host::{Buffer, Next, Role};
use crate::mailbox::ByRequest;
use crate::waiting::{self, Told};
use crate::worker;

/// One filter configuration, shared by all workers.
enum Plays {
    Edge(Arc<Routing>),
    Attempt(Arc<Upstream>),
}

/// A role in one stream.
struct Player {
    stream: *mut c_void,
    /// Not there while one of its hooks runs: Envoy may call another from within.
    role: Cell<Option<Box<dyn Role<Stream>>>>,
    marks: Marks,
    /// What an edge calls its request.
    request: Option<u32>,
}

thread_local! {
    /// How many requests this worker's edges have seen: what the next one calls itself.
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
    /// The edges whose streams are not destroyed, by what they call their requests.
    static EDGES: RefCell<ByRequest<*const Player>> = RefCell::default();
}

/// Runs one hook of the stream that `player` plays in.
///
/// Envoy calls hooks from within: while it is told an answer, and when a body that a role has written is longer than Envoy
/// holds, so that it answers the caller and destroys the try. A role is therefore never borrowed from the player, and a player
/// whose stream is destroyed meanwhile is given up when its hook ends.
///
/// # Safety
/// `player` is what [`filter_new`] returned for a stream that is not destroyed.
unsafe fn play(player: *const Player, hook: impl FnOnce(&mut dyn Role<Stream>, &mut Stream) -> Next) -> u32 {
    // SAFETY: it is freed by `destroy`, or below where that could not.
    let Some(Player { stream, role: place, marks, .. }) = (unsafe { player.as_ref() }) else { return status::STOP };
    let Some(mut role) = place.take() else { return status::STOP };
    // SAFETY: this hook's.
    let mut stream = unsafe { Stream::new(*stream, marks) };
    let next = catch_unwind(AssertUnwindSafe(|| hook(role.as_mut(), &mut stream)));
    if marks.gone.get() {
        // SAFETY: `filter_new` made it, and `destroy` has left it to this.
        drop(unsafe { Box::from_raw(player.cast_mut()) });
        return status::STOP;
    }
    place.set(Some(role));
    match next {
        Ok(Next::Continue) => status::CONTINUE,
        Ok(Next::Pause) => status::STOP,
        Ok(Next::Answer(answer)) => {
            stream.respond(&answer);
            status::STOP
        }
        Err(_) => {
            stream.respond(&Answer::problem(&HostFault::Host.problem(), Family::default()));
            status::STOP
        }
    }
}

fn configured(config: &[u8]) -> Option<Plays> {
    match Configured::read(config) {
        Ok(Configured::Edge(routing)) => {
            worker::post(&cells::shared(), &routing);
            Some(Plays::Edge(Arc::new(routing)))
        }
        Ok(Configured::Attempt(upstream)) => Some(Plays::Attempt(Arc::new(upstream))),
        Ok(Configured::Steward(_)) => {
            host::log("weir: the steward is no filter, but a bootstrap extension");
            None
        }
        Err(error) => {
            host::log(&format!("weir: the filter's configuration cannot be read: {error}"));
            None
        }
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_program_init")]
extern "C" fn program_init() -> *const c_char {
    // A panic's own message may quote what was being read.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        host::log(&format!("weir: the filter panicked at {place}"));
    }));
    abi::VERSION.as_ptr()
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_config_new")]
unsafe extern "C" fn config_new(_: *mut c_void, _name: Bytes, config: Bytes) -> *const Plays {
    // SAFETY: Envoy's bytes live as long as the call.
    let config = unsafe { host::seen(config) };
    let plays = catch_unwind(|| configured(config)).ok().flatten();
    plays.map_or(core::ptr::null(), |plays| Box::into_raw(Box::new(plays)))
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_config_destroy")]
unsafe extern "C" fn config_destroy(plays: *mut Plays) {
    // SAFETY: `config_new` made it, and Envoy gives it back once.
    drop(unsafe { Box::from_raw(plays) });
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_new")]
unsafe extern "C" fn filter_new(plays: *const Plays, stream: *mut c_void) -> *const Player {
    // SAFETY: the stream lives longer than its filters.
    let host = unsafe { Stream::new(stream, null()) };
    // SAFETY: `config_new` made it, and Envoy keeps it as long as there are filters of it.
    let (role, request): (Box<dyn Role<Stream>>, _) = match unsafe { plays.as_ref() } {
        Some(Plays::Edge(routing)) => {
            let id = REQUESTS.get().wrapping_add(1);
            REQUESTS.set(id);
            host.is_of(id);
            (Box::new(Request::new(&host, id, Arc::clone(routing))), Some(id))
        }
        Some(Plays::Attempt(upstream)) => (Box::new(Try::new(Arc::clone(upstream))), None),
        None => return core::ptr::null(),
    };
    let player = Player { stream, role: Cell::new(Some(role)), marks: Marks::default(), request };
    let player: *const Player = Box::into_raw(Box::new(player));
    if let Some(request) = request {
        EDGES.with_borrow_mut(|edges| edges.insert(request, player));
    }
    player
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_request_headers")]
unsafe extern "C" fn request_headers(_: *mut c_void, player: *const Player, end: bool) -> u32 {
    // SAFETY: Envoy passes a hook what `play` asks for.
    unsafe { play(player, |role, stream| role.request_headers(stream, end)) }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_request_body")]
unsafe extern "C" fn request_body(_: *mut c_void, player: *const Player, end: bool) -> u32 {
    // SAFETY: Envoy passes a hook what `play` asks for.
    unsafe {
        play(player, |role, stream| {
            let size = stream.body_size(Buffer::Request);
            role.request_body(stream, size, end)
        })
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_request_trailers")]
unsafe extern "C" fn request_trailers(_: *mut c_void, player: *const Player) -> u32 {
    // SAFETY: Envoy passes a hook what `play` asks for.
    unsafe { play(player, |role, stream| role.request_trailers(stream)) }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_response_headers")]
unsafe extern "C" fn response_headers(_: *mut c_void, player: *const Player, end: bool) -> u32 {
    // SAFETY: Envoy passes a hook what `note_end` asks for.
    unsafe { note_end(player, end) };
    // SAFETY: the player is still there: `note_end` calls no hook.
    unsafe { play(player, |role, stream| role.response_headers(stream, end)) }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_response_body")]
unsafe extern "C" fn response_body(_: *mut c_void, player: *const Player, end: bool) -> u32 {
    // SAFETY: Envoy passes a hook what `note_end` asks for.
    unsafe { note_end(player, end) };
    // SAFETY: the player is still there: `note_end` calls no hook.
    unsafe {
        play(player, |role, stream| {
            let size = stream.body_size(Buffer::Response);
            role.response_body(stream, size, end)
        })
    }
}

/// Notes whether the answer has ended.
///
/// # Safety
/// As for [`play`].
unsafe fn note_end(player: *const Player, end: bool) {
    // SAFETY: as for `play`.
    if let Some(Player { marks, .. }) = unsafe { player.as_ref() }.filter(|_| end) {
        marks.ended.set(true);
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_response_trailers")]
unsafe extern "C" fn response_trailers(_: *mut c_void, player: *const Player) -> u32 {
    // SAFETY: Envoy passes a hook what `note_end` asks for.
    unsafe { note_end(player, true) };
    // SAFETY: the player is still there: `note_end` calls no hook.
    unsafe { play(player, |role, stream| role.response_trailers(stream)) }
}

/// What an attempt has asked for by [`Host::end`](crate::host::Host::end), in the caller's stream.
#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_scheduled")]
unsafe extern "C" fn scheduled(_: *mut c_void, player: *const Player, event: u64) {
    // SAFETY: as for `play`.
    let Some(Player { stream, marks, .. }) = (unsafe { player.as_ref() }) else { return };
    // The provider may have ended it meanwhile.
    if !marks.ended.replace(true) {
        // SAFETY: this hook's. The player may be destroyed from within it, and is not looked at again.
        unsafe { Stream::new(*stream, null()) }.end_now(event);
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark")]
unsafe extern "C" fn above_high_watermark(_: *mut c_void, player: *const Player) {
    // SAFETY: Envoy passes a hook what `note_pause` asks for.
    unsafe { note_pause(player, true) };
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark")]
unsafe extern "C" fn below_low_watermark(_: *mut c_void, player: *const Player) {
    // SAFETY: Envoy passes a hook what `note_pause` asks for.
    unsafe { note_pause(player, false) };
}

/// Notes whether the caller leaves so much unread that Envoy reads no more of the provider.
///
/// # Safety
/// As for [`play`].
unsafe fn note_pause(player: *const Player, paused: bool) {
    // SAFETY: as for `play`.
    if let Some(Player { marks, .. }) = unsafe { player.as_ref() } {
        marks.paused.set(paused);
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_stream_complete")]
unsafe extern "C" fn stream_complete(_: *mut c_void, player: *const Player) {
    let hook = |role: &mut dyn Role<Stream>, stream: &mut Stream| {
        role.log(stream);
        Next::Pause
    };
    // What went wrong is in the log; nobody is left to be answered.
    // SAFETY: Envoy passes a hook what `play` asks for.
    unsafe {
        play(player, |role, stream| catch_unwind(AssertUnwindSafe(|| hook(role, stream))).unwrap_or(Next::Pause))
    };
}

#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_destroy")]
unsafe extern "C" fn destroy(player: *mut Player) {
    // SAFETY: `filter_new` made it, and Envoy gives it back once.
    let Some(Player { stream, role, marks, request }) = (unsafe { player.as_ref() }) else { return };
    let request = *request;
    if let Some(request) = request {
        host::gone(request);
        EDGES.with_borrow_mut(|edges| edges.remove(&request));
    }
    let Some(mut role) = role.take() else {
        // One of its hooks runs.
        marks.gone.set(true);
        return hand_over(request);
    };
    // SAFETY: Envoy's part of the filter is still there, though it can say nothing of its stream.
    let mut stream = unsafe { Stream::new(*stream, null()) };
    let _ = catch_unwind(AssertUnwindSafe(|| role.done(&mut stream)));
    // SAFETY: as above; no hook runs that could still need it.
    drop(unsafe { Box::from_raw(player) });
    hand_over(request);
}

/// A call to control ends with the stream in which it was made: another one of those who wait makes the next.
fn hand_over(request: Option<u32>) {
    if request.is_some_and(waiting::is_lost) {
        tell(waiting::next(reached));
    }
}

/// The stream of an edge that is not destroyed.
fn reached(request: u32) -> Option<Stream> {
    let player = EDGES.with_borrow(|edges| edges.get(&request).copied())?;
    // SAFETY: what is among the edges is not destroyed.
    let Player { stream, marks, .. } = unsafe { player.as_ref() }?;
    // SAFETY: it is used only until Envoy runs again.
    Some(unsafe { Stream::new(*stream, marks) })
}

/// Tells requests what became of what they wait for, until nobody is to be told.
fn tell(mut told: Told) {
    while !told.is_empty() {
        for (request, leased) in told {
            let Some(player) = EDGES.with_borrow(|edges| edges.get(&request).copied()) else { continue };
            // SAFETY: what is among the edges is not destroyed.
            let Some(Player { stream, .. }) = (unsafe { player.as_ref() }) else { continue };
            let stream = *stream;
            // SAFETY: as above.
            if unsafe { play(player, |role, stream| role.leased(stream, leased)) } == status::CONTINUE {
                // SAFETY: a stream that goes on is not destroyed. What follows from it may destroy it; it is not looked at again.
                unsafe { abi::continue_decoding(stream) };
            }
        }
        told = waiting::next(reached);
    }
}

/// A call to control has ended that was made in this stream, for all that wait.
#[unsafe(export_name = "envoy_dynamic_module_on_http_filter_http_callout_done")]
unsafe extern "C" fn callout_done(
    _: *mut c_void,
    _player: *const Player,
    id: u64,
    result: u32,
    headers: *const Header,
    headers_len: usize,
    chunks: *const Bytes,
    chunks_len: usize,
) {
    // SAFETY: Envoy's headers and bytes live as long as the call.
    let response = unsafe { callout::response(result, (headers, headers_len), (chunks, chunks_len)) };
    let response = response.as_ref().map(|(status, body)| (*status, body.as_slice()));
    let told = catch_unwind(AssertUnwindSafe(|| waiting::ended(&cells::shared(), id, response, host::now())));
    tell(told.unwrap_or_default());
}

unused! {
    callout_headers = "envoy_dynamic_module_on_http_filter_http_stream_headers",
    callout_data = "envoy_dynamic_module_on_http_filter_http_stream_data",
    callout_trailers = "envoy_dynamic_module_on_http_filter_http_stream_trailers",
    callout_complete = "envoy_dynamic_module_on_http_filter_http_stream_complete",
    callout_reset = "envoy_dynamic_module_on_http_filter_http_stream_reset",
    config_scheduled = "envoy_dynamic_module_on_http_filter_config_scheduled",
    local_reply = "envoy_dynamic_module_on_http_filter_local_reply",
}

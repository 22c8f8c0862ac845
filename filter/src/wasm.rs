//! The filter as a proxy-wasm module: runs in V8, in any Envoy and in every mesh that takes wasm.
//!
//! One plugin configuration a role. The third role, the steward, lives as long as the process: shared data would else end with the
//! last VM. All contact with Envoy goes through [`host`] and the hooks at the end of this file, which Envoy
//! calls by name.
//!
//! Envoy may call a hook while another one runs: when a body that a role has written is longer than Envoy holds, it answers
//! the caller and destroys the try from within that call. So a role is taken out of the table while one of its hooks runs,
//! and the table is borrowed by nobody then.
//!
//! Source: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>
#![allow(unsafe_code, reason = "Envoy calls hooks by their names and passes raw pointers")]

mod calls;
mod cells;
mod host;
mod steward;

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr::null_mut;
use std::sync::Arc;

use weir_core::answer::Answer;
use weir_core::config::{Role as Configured, Routing};
use weir_core::quota::workers::BEAT;
use weir_core::upstream::Upstream;
use weir_hub::endpoint::Family;
use weir_hub::fault::HostFault;

pub(crate) use self::cells::SharedData;
use self::host::{Level, Stream};
use crate::attempt::Try;
use crate::edge::Request;
use crate::host::{Next, Role};
use crate::mailbox::ByRequest;
use crate::waiting::{self, Told};
use crate::worker;

/// What a hook has Envoy do next, in the ABI.
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

thread_local! {
    /// What each plugin configuration has a stream play, by the number of its context.
    static CONFIGURED: RefCell<BTreeMap<u32, Plays>> = RefCell::default();
    /// The role in each stream, by the number of its context. It is not there while one of its hooks runs.
    static STREAMS: RefCell<ByRequest<Option<Player>>> = RefCell::default();
}

/// A role in one stream.
type Player = Box<dyn Role<Stream>>;

/// What the streams of one plugin configuration play, on one worker.
#[derive(Clone)]
enum Plays {
    /// The steward's configuration has no streams.
    Nothing,
    Edge(Arc<Routing>),
    Attempt(Arc<Upstream>),
}

fn configure(root: u32) -> Option<Plays> {
    match Configured::read(&host::configuration()) {
        Ok(Configured::Edge(routing)) => {
            worker::post(&SharedData, &routing);
            if !routing.quotas.is_empty() {
                host::tick_every(BEAT);
                calls::come_from(root);
            }
            Some(Plays::Edge(Arc::new(routing)))
        }
        Ok(Configured::Attempt(upstream)) => Some(Plays::Attempt(Arc::new(upstream))),
        Ok(Configured::Steward(settings)) => {
            steward::start(root, settings);
            Some(Plays::Nothing)
        }
        Err(error) => {
            host::log(Level::Error, &format!("weir: the plugin configuration cannot be read: {error}"));
            None
        }
    }
}

fn create(id: u32, root: u32) {
    let player: Option<Player> = match CONFIGURED.with_borrow(|configured| configured.get(&root).cloned()) {
        Some(Plays::Edge(routing)) => Some(Box::new(Request::new(&Stream::new(id), id, routing))),
        Some(Plays::Attempt(upstream)) => Some(Box::new(Try::new(upstream))),
        Some(Plays::Nothing) => Some(Box::new(Misplaced)),
        None => None,
    };
    if player.is_some() {
        STREAMS.with_borrow_mut(|streams| streams.insert(id, player));
    }
}

/// A stream in whose chain somebody has put the steward's configuration. It would wait for ever.
struct Misplaced;

impl Role<Stream> for Misplaced {
    fn request_headers(&mut self, _: &mut Stream, _: bool) -> Next {
        host::log(
            Level::Error,
            "weir: the steward is no filter; configure it as a bootstrap extension (envoy.bootstrap.wasm)",
        );
        Next::Answer(Box::new(Answer::problem(&HostFault::NoConfig.problem(), Family::default())))
    }

    fn request_body(&mut self, _: &mut Stream, _: usize, _: bool) -> Next {
        Next::Pause
    }
}

/// Runs one hook of a stream. Nothing goes on where there is no role: a stream without one has none that could let it pass, and
/// one whose role is at work is being destroyed.
fn play(id: u32, hook: impl FnOnce(&mut dyn Role<Stream>, &mut Stream) -> Next) -> u32 {
    let Some(mut role) = STREAMS.with_borrow_mut(|streams| streams.get_mut(&id).and_then(Option::take)) else {
        return PAUSE;
    };
    let next = hook(&mut *role, &mut Stream::new(id));
    // If the stream was destroyed meanwhile, Envoy has answered already.
    let gone = STREAMS.with_borrow_mut(|streams| match streams.get_mut(&id) {
        Some(place) => {
            *place = Some(role);
            None
        }
        None => Some(role),
    });
    if gone.is_some() {
        return PAUSE;
    }
    match next {
        Next::Continue => CONTINUE,
        Next::Pause => PAUSE,
        Next::Answer(answer) => {
            host::respond(&answer);
            PAUSE
        }
    }
}

/// Whether a stream has not been destroyed.
fn is_there(id: u32) -> bool {
    STREAMS.with_borrow(|streams| streams.contains_key(&id))
}

/// The version of the ABI, which Envoy looks for by name.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for what Envoy passes; [`host`] takes it over.
#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "malloc"))]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively, `malloc` is the C library's"))]
extern "C" fn allocate(size: usize) -> *mut u8 {
    match Layout::from_size_align(size, 1) {
        // SAFETY: it is of some size.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

#[unsafe(export_name = "_initialize")]
extern "C" fn initialize() {
    // A panic's own message may quote what was being read.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        host::log(Level::Critical, &format!("weir: the filter panicked at {place}"));
    }));
}

/// `root` is 0 for a plugin configuration, else the one that a stream is of.
#[unsafe(export_name = "proxy_on_context_create")]
extern "C" fn context_create(id: u32, root: u32) {
    if root == 0 {
        CONFIGURED.with_borrow_mut(|configured| configured.insert(id, Plays::Nothing));
    } else {
        create(id, root);
    }
}

#[unsafe(export_name = "proxy_on_configure")]
extern "C" fn configuration(id: u32, _: usize) -> bool {
    let plays = configure(id);
    let sound = plays.is_some();
    CONFIGURED.with_borrow_mut(|configured| configured.insert(id, plays.unwrap_or(Plays::Nothing)));
    sound
}

/// Asked for by the steward, by an edge with limits, and by [`Host::end`](crate::host::Host::end).
#[unsafe(export_name = "proxy_on_tick")]
extern "C" fn tick(root: u32) {
    let is_edge = CONFIGURED.with_borrow(|configured| matches!(configured.get(&root), Some(Plays::Edge(_))));
    if steward::is(root) {
        steward::tick(root);
    } else if is_edge {
        worker::tick(&SharedData, host::now());
        tell(waiting::overdue(host::now()));
    } else {
        host::tick();
    }
}

/// The answer to a call of the steward's, or to one that was made for requests that wait.
#[unsafe(export_name = "proxy_on_http_call_response")]
extern "C" fn call_response(root: u32, token: u32, headers: usize, size: usize, _trailers: usize) {
    if steward::is(root) {
        return steward::answered(root, headers, size);
    }
    let response = (headers > 0).then(|| calls::response(size));
    let response = response.as_ref().map(|(status, body)| (*status, body.as_slice()));
    tell(waiting::ended(&SharedData, token.into(), response, host::now()));
}

/// Tells requests what became of what they wait for, until nobody is to be told.
fn tell(mut told: Told) {
    while !told.is_empty() {
        for (id, leased) in told {
            if is_there(id) && host::turn_to(id) && play(id, |role, stream| role.leased(stream, leased)) == CONTINUE {
                host::go_on();
            }
        }
        told = waiting::next(|id| (is_there(id) && host::turn_to(id)).then(|| Stream::new(id)));
    }
}

#[unsafe(export_name = "proxy_on_request_headers")]
extern "C" fn request_headers(id: u32, _: usize, end: bool) -> u32 {
    play(id, |role, stream| role.request_headers(stream, end))
}

#[unsafe(export_name = "proxy_on_request_body")]
extern "C" fn request_body(id: u32, size: usize, end: bool) -> u32 {
    play(id, |role, stream| role.request_body(stream, size, end))
}

#[unsafe(export_name = "proxy_on_request_trailers")]
extern "C" fn request_trailers(id: u32, _: usize) -> u32 {
    play(id, |role, stream| role.request_trailers(stream))
}

#[unsafe(export_name = "proxy_on_response_headers")]
extern "C" fn response_headers(id: u32, _: usize, end: bool) -> u32 {
    play(id, |role, stream| role.response_headers(stream, end))
}

#[unsafe(export_name = "proxy_on_response_body")]
extern "C" fn response_body(id: u32, size: usize, end: bool) -> u32 {
    play(id, |role, stream| role.response_body(stream, size, end))
}

#[unsafe(export_name = "proxy_on_response_trailers")]
extern "C" fn response_trailers(id: u32, _: usize) -> u32 {
    play(id, |role, stream| role.response_trailers(stream))
}

#[unsafe(export_name = "proxy_on_log")]
extern "C" fn log(id: u32) {
    play(id, |role, stream| {
        role.log(stream);
        Next::Pause
    });
}

/// `true`: it may be deleted now.
#[unsafe(export_name = "proxy_on_done")]
extern "C" fn done(id: u32) -> bool {
    host::gone(id);
    play(id, |role, stream| {
        role.done(stream);
        Next::Pause
    });
    true
}

#[unsafe(export_name = "proxy_on_delete")]
extern "C" fn delete(id: u32) {
    // Dropped when nothing is borrowed any more.
    let (_stream, _configured) = (
        STREAMS.with_borrow_mut(|streams| streams.remove(&id)),
        CONFIGURED.with_borrow_mut(|configured| configured.remove(&id)),
    );
}

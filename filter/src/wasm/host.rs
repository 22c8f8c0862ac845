//! Envoy's side of the proxy-wasm ABI, without a panic.
//!
//! A panic would end the VM and with it every request of the worker: what cannot be had is `None` or an empty value.
//!
//! Source: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>
#![allow(unsafe_code, reason = "calls the host by raw pointers")]

use core::ptr::{null, null_mut};
use core::time::Duration;
use std::borrow::Cow;
use std::cell::RefCell;

use weir_core::answer::Answer;
use weir_core::attempt::Connection;
use weir_core::role::End;
use weir_core::steward::Call;
use weir_core::time::Instant;

use super::cells::SharedData;
use super::{calls, is_there};
use crate::host::{self, Buffer, Host, Map};

/// The plugin's configuration, among the ABI's buffers.
const CONFIGURATION: u32 = 7;
/// How loud a line of the log is.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Error = 4,
    Critical = 5,
}

/// A request, among the ABI's kinds of streams.
const REQUEST: u32 = 0;
/// An answer.
const RESPONSE: u32 = 1;

const OK: u32 = 0;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_close_stream(kind: u32) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, len: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

/// Takes over memory that the host has filled.
pub(super) fn taken(status: u32, data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if status != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    #[allow(clippy::same_length_and_capacity, reason = "that is how it was allocated; see below")]
    // SAFETY: the host asked `malloc` for exactly `size` bytes, which came from a Vec of that
    // capacity, has filled them, and gives up its claim.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to Envoy's log.
pub(super) fn log(level: Level, line: &str) {
    // SAFETY: pointer and length belong to one string that outlives the call.
    unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// The plugin's configuration.
pub(super) fn configuration() -> Vec<u8> {
    bytes(CONFIGURATION, 0, usize::MAX >> 1)
}

/// Answers the request from here.
pub(super) fn respond(answer: &Answer) {
    let headers = serialized(&answer.headers);
    let (body, details) = (&answer.body, &answer.outcome);
    // SAFETY: pointers and lengths belong to values that outlive the call.
    unsafe {
        proxy_send_local_response(
            u32::from(answer.status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        );
    }
}

thread_local! {
    /// The streams that are to be broken, with the number of ticks until then.
    static ENDING: RefCell<Vec<(u32, u32)>> = const { RefCell::new(Vec::new()) };
}

/// A tick, in milliseconds.
const TICK: u32 = 100;

/// How many ticks a stream lives on that has told an error. Within the hook that asks for its end, what is passed on has not got to
/// the caller; and most providers end a stream themselves when they have told an error, which is the better end.
const SOON: u32 = 1;

/// How many ticks a stream lives on that is complete: some callers read to its end, and would take a break for an error.
const LATE: u32 = 100;

/// A stream is gone: there is nothing to break any more. The host may still know its number.
pub(super) fn gone(stream: u32) {
    ENDING.with_borrow_mut(|ending| ending.retain(|(ending, _)| *ending != stream));
}

/// Has the plugin configuration at hand tick so often.
pub(super) fn tick_every(period: Duration) {
    // SAFETY: a number only.
    unsafe { proxy_set_tick_period_milliseconds(u32::try_from(period.as_millis()).unwrap_or(u32::MAX)) };
}

/// Breaks the streams whose time has come.
pub(super) fn tick() {
    let mut due = Vec::new();
    let idle = ENDING.with_borrow_mut(|ending| {
        ending.retain_mut(|(stream, ticks)| {
            *ticks -= 1;
            if *ticks == 0 {
                due.push(*stream);
            }
            *ticks > 0
        });
        ending.is_empty()
    });
    if idle {
        // SAFETY: a number only.
        unsafe { proxy_set_tick_period_milliseconds(0) };
    }
    // Last, since it calls hooks from within.
    for stream in due {
        // SAFETY: numbers only.
        unsafe {
            if proxy_set_effective_context(stream) == OK {
                proxy_close_stream(RESPONSE);
            }
        }
    }
}

/// The stream whose hook runs, by the number of its context. The ABI knows which that is.
pub(super) struct Stream(u32);

impl Stream {
    pub(super) fn new(id: u32) -> Self {
        Self(id)
    }
}

impl Host for Stream {
    type Cells = SharedData;

    fn now(&self) -> Instant {
        now()
    }

    fn rewrite_headers<T>(
        &mut self,
        map: Map,
        with: impl for<'h> FnOnce(&[(&'h str, &'h str)]) -> (T, Option<host::Headers<'h>>),
    ) -> T {
        let before = headers(map);
        let (told, after) = with(&before.pairs());
        if let Some(after) = after {
            let bytes = serialized(&after);
            // SAFETY: pointers and lengths belong to values that outlive the call.
            unsafe { proxy_set_header_map_pairs(number(map), bytes.as_ptr(), bytes.len()) };
        }
        told
    }

    fn retain_headers(&mut self, map: Map, stays: impl Fn(&str) -> bool) {
        let headers = headers(map);
        for (name, _) in headers.pairs().into_iter().filter(|(name, _)| !stays(name)) {
            self.remove_header(map, name);
        }
    }

    fn clear(&mut self, map: Map) {
        let none = serialized::<&str, &str>(&[]);
        // SAFETY: pointers and lengths belong to values that outlive the call.
        unsafe { proxy_set_header_map_pairs(number(map), none.as_ptr(), none.len()) };
    }

    fn set_header(&mut self, map: Map, name: &str, value: &str) {
        // SAFETY: pointers and lengths belong to values that outlive the call.
        unsafe {
            proxy_replace_header_map_value(number(map), name.as_ptr(), name.len(), value.as_ptr(), value.len());
        }
    }

    fn remove_header(&mut self, map: Map, name: &str) {
        // SAFETY: pointers and lengths belong to values that outlive the call.
        unsafe { proxy_remove_header_map_value(number(map), name.as_ptr(), name.len()) };
    }

    fn body(&self, buffer: Buffer, size: usize) -> Cow<'_, [u8]> {
        if size == 0 { Cow::Borrowed(&[]) } else { Cow::Owned(bytes(buffer as u32, 0, size)) }
    }

    fn slice(&self, buffer: Buffer, start: usize, max: usize) -> Vec<u8> {
        bytes(buffer as u32, start, max)
    }

    fn replace_body(&mut self, buffer: Buffer, size: usize, with: &[u8]) -> bool {
        // SAFETY: pointers and lengths belong to values that outlive the call.
        unsafe { proxy_set_buffer_bytes(buffer as u32, 0, size, with.as_ptr(), with.len()) };
        is_there(self.0)
    }

    fn state(&self, name: &str) -> Option<String> {
        text(&format!("filter_state\0{name}"))
    }

    fn set_state(&mut self, name: &str, value: &str) {
        // The host adds the prefix.
        let name = name.strip_prefix("wasm.").unwrap_or(name);
        // SAFETY: pointers and lengths belong to values that outlive the call.
        unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    }

    fn address(&self) -> Option<String> {
        text("source\0address")
    }

    fn certificate(&self) -> Option<String> {
        text("connection\0uri_san_peer_certificate")
    }

    fn details(&self) -> Option<String> {
        text("response\0code_details")
    }

    fn connection(&self, _: u32) -> Connection {
        let failed = || property("upstream\0transport_failure_reason").is_some_and(|reason| !reason.is_empty());
        match self.has_connection() {
            true => Connection::Made,
            false if failed() => Connection::Failed,
            false => Connection::Missing,
        }
    }

    fn has_connection(&self) -> bool {
        property("upstream\0local_address").is_some_and(|address| !address.is_empty())
    }

    /// The ABI does not say.
    fn caller_is_paused(&self) -> bool {
        false
    }

    fn flags(&self) -> u64 {
        property("response\0flags").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// The ABI can break a stream, and knows no other way to end one before its provider does.
    fn end(&mut self, _: u32, end: End) {
        let ticks = if end == End::Whole { LATE } else { SOON };
        ENDING.with_borrow_mut(|ending| ending.push((self.0, ticks)));
        // SAFETY: a number only.
        unsafe { proxy_set_tick_period_milliseconds(TICK) };
    }

    fn clear_route_cache(&mut self) {
        let name = "clear_route_cache";
        let (mut data, mut size) = (null_mut(), 0);
        // SAFETY: the name, and the variables that the host writes a pointer and a size into, outlive the call.
        let status =
            unsafe { proxy_call_foreign_function(name.as_ptr(), name.len(), null(), 0, &raw mut data, &raw mut size) };
        drop(taken(status, data, size));
    }

    fn cells(&self) -> Self::Cells {
        SharedData
    }

    /// By the plugin configuration, which outlives every stream.
    fn call_control(&self, made: &Call) -> Option<u64> {
        let token = calls::by_configuration(made);
        turn_to(self.0);
        token
    }

    fn warn(&self, line: &str) {
        log(Level::Error, line);
    }
}

/// Lets a request go on that was held. It is the one that is [at hand](turn_to).
pub(super) fn go_on() {
    // SAFETY: a number only.
    unsafe { proxy_continue_stream(REQUEST) };
}

/// Has all that follows in this hook be about a stream. Whether it is there.
pub(super) fn turn_to(stream: u32) -> bool {
    // SAFETY: a number only.
    unsafe { proxy_set_effective_context(stream) == OK }
}

/// The time; 1970 if the host has no clock.
pub(super) fn now() -> Instant {
    let mut nanos = 0;
    // SAFETY: the host writes one number into a variable that outlives the call.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    Instant::from_nanos(nanos)
}

/// A header map's number in the ABI.
fn number(map: Map) -> u32 {
    match map {
        Map::Request => 0,
        Map::RequestTrailers => 1,
        Map::Response => 2,
        Map::ResponseTrailers => 3,
    }
}

/// At most `max` bytes of a buffer, from `start`; requests are 0 in the ABI, answers 1.
pub(super) fn bytes(buffer: u32, start: usize, max: usize) -> Vec<u8> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes a pointer and a size into two variables that outlive the call.
    let status = unsafe { proxy_get_buffer_bytes(buffer, start, max, &raw mut data, &raw mut size) };
    taken(status, data, size).unwrap_or_default()
}

/// A property, by its path with a NUL between parts.
fn property(path: &str) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the path, and the variables that the host writes into, outlive the call.
    let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    taken(status, data, size)
}

fn text(path: &str) -> Option<String> {
    String::from_utf8(property(path)?).ok()
}

fn headers(map: Map) -> Headers {
    headers_of(number(map))
}

/// The headers of a map, by its number in the ABI.
pub(super) fn headers_of(map: u32) -> Headers {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes a pointer and a size into two variables that outlive the call.
    let status = unsafe { proxy_get_header_map_pairs(map, &raw mut data, &raw mut size) };
    Headers(taken(status, data, size).unwrap_or_default())
}

/// Headers as the host has written them: a count, then the sizes, then each name and value with a NUL behind it.
pub(super) struct Headers(Vec<u8>);

impl Headers {
    /// Name and value of each.
    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let bytes = self.0.as_slice();
        let number = |at: usize| -> Option<usize> {
            let bytes = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let count = number(0).unwrap_or_default().min(bytes.len() / 8);
        let mut pairs = Vec::with_capacity(count);
        let mut at = 4 + count * 8;
        for i in 0..count {
            let (Some(name_len), Some(value_len)) = (number(4 + i * 8), number(8 + i * 8)) else { break };
            let value_at = at + name_len + 1;
            let name = bytes.get(at..at + name_len).and_then(|name| str::from_utf8(name).ok());
            let value = bytes.get(value_at..value_at + value_len).and_then(|value| str::from_utf8(value).ok());
            if let (Some(name), Some(value)) = (name, value) {
                pairs.push((name, value));
            }
            at = value_at + value_len + 1;
        }
        pairs
    }
}

#[allow(clippy::cast_possible_truncation, reason = "no header is longer than 4 GiB")]
pub(super) fn serialized<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Vec<u8> {
    let size = headers.iter().map(|(name, value)| name.as_ref().len() + value.as_ref().len() + 10).sum::<usize>();
    let mut bytes = Vec::with_capacity(4 + size);
    bytes.extend_from_slice(&(headers.len() as u32).to_le_bytes());
    for (name, value) in headers {
        bytes.extend_from_slice(&(name.as_ref().len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.as_ref().len() as u32).to_le_bytes());
    }
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_ref().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_ref().as_bytes());
        bytes.push(0);
    }
    bytes
}

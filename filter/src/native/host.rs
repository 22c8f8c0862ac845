//! Envoy as a [`Host`], by its dynamic module ABI.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::null;
use core::slice;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

use super::callout;
use super::cells::{self, Shared};
use super::headers::{Changes, Write};
use weir_core::answer::Answer;
use weir_core::attempt::Connection;
use weir_core::role::End;
use weir_core::steward::Call;
use weir_core::time::Instant;

use super::abi::{self, Bytes, Header, attribute, body};
use crate::host::{self, Buffer, Host, Map};
use crate::mailbox::ByRequest;

thread_local! {
    /// The callers' streams that are not destroyed, by what their edges call themselves.
    static REQUESTS: RefCell<ByRequest<abi::Stream>> = RefCell::default();
}

/// What the hook of a scheduled event is told: to end the answer cleanly, or to break it.
const FINISH: u64 = 0;
const BREAK: u64 = 1;

/// What is known of a stream from one of its hooks to the next.
#[derive(Default)]
pub(super) struct Marks {
    /// It was destroyed while a hook ran.
    pub(super) gone: Cell<bool>,
    /// The answer has ended here.
    pub(super) ended: Cell<bool>,
    /// The caller does not read, so that Envoy does not read the provider either.
    pub(super) paused: Cell<bool>,
}

/// A stream, for as long as one of its hooks runs.
pub(super) struct Stream {
    stream: abi::Stream,
    marks: *const Marks,
}

impl Stream {
    /// # Safety
    /// `stream` is what Envoy passed to a hook that does not end before this does, and `marks` is null or lives as long.
    pub(super) unsafe fn new(stream: *mut c_void, marks: *const Marks) -> Self {
        Self { stream, marks }
    }

    fn marks(&self) -> Option<&Marks> {
        // SAFETY: it lives as long as this.
        unsafe { self.marks.as_ref() }
    }

    /// Says that this is the caller's stream of the edge that is called `request`, until it is [`gone`].
    pub(super) fn is_of(&self, request: u32) {
        REQUESTS.with_borrow_mut(|requests| requests.insert(request, self.stream));
    }

    /// How much is there of a body: what is held, and what has come with this hook.
    pub(super) fn body_size(&self, buffer: Buffer) -> usize {
        // SAFETY: the stream lives as long as its hook, and so as `self`.
        self.parts(buffer).map(|part| unsafe { abi::body_size(self.stream, part) }).sum()
    }

    fn attribute(&self, attribute: u32) -> Option<&str> {
        let mut value = Bytes::NONE;
        // SAFETY: the stream lives as long as its hook; Envoy writes one string into `value` before it returns.
        let found = unsafe { abi::attribute_string(self.stream, attribute, &raw mut value) };
        // SAFETY: Envoy's string lives as long as the stream.
        if found { str::from_utf8(unsafe { seen(value) }).ok() } else { None }
    }

    /// Answers the request from here. Envoy may end the stream before this returns.
    pub(super) fn respond(&self, answer: &Answer) {
        let headers: Vec<Header> = answer.headers.iter().map(|(name, value)| header(name, value)).collect();
        let (body, details) = (Bytes::of(&answer.body), Bytes::of(answer.outcome.as_bytes()));
        // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
        unsafe {
            abi::send_response(self.stream, u32::from(answer.status), headers.as_ptr(), headers.len(), body, details);
        }
    }

    /// Ends the answer as was asked for by [`Host::end`], which gave `event`. Not from within another hook: Envoy ends the stream.
    pub(super) fn end_now(&self, event: u64) {
        if event == BREAK {
            // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
            unsafe { abi::reset_stream(self.stream, abi::LOCAL_RESET, Bytes::of(b"weir_broken_off")) };
        } else {
            // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
            unsafe { abi::send_response_data(self.stream, Bytes::of(b""), true) };
        }
    }

    /// The parts of a body in their order, and each byte once: at the end of what another filter held, both are the same.
    fn parts(&self, buffer: Buffer) -> impl Iterator<Item = u32> + use<> {
        let (same, held, received) = match buffer {
            Buffer::Request => (
                // SAFETY: the stream lives as long as its hook, and so as `self`.
                unsafe { abi::received_is_buffered_request(self.stream) },
                body::BUFFERED_REQUEST,
                body::RECEIVED_REQUEST,
            ),
            Buffer::Response => (
                // SAFETY: the stream lives as long as its hook, and so as `self`.
                unsafe { abi::received_is_buffered_response(self.stream) },
                body::BUFFERED_RESPONSE,
                body::RECEIVED_RESPONSE,
            ),
        };
        (!same).then_some(held).into_iter().chain([received])
    }

    /// The pieces of a body's part in Envoy's memory, valid until the part is changed or the hook ends.
    fn chunks(&self, part: u32) -> Vec<&[u8]> {
        // SAFETY: the stream lives as long as its hook, and so as `self`.
        let count = unsafe { abi::body_chunks_size(self.stream, part) };
        let mut chunks = vec![Bytes::NONE; count];
        // SAFETY: the stream lives as long as its hook; Envoy writes at most `count` chunks, for which there is room, before it returns.
        if count == 0 || !unsafe { abi::body_chunks(self.stream, part, chunks.as_mut_ptr()) } {
            return Vec::new();
        }
        // SAFETY: what changes a body takes the stream mutably, and the stream does not outlive the hook.
        chunks.into_iter().map(|chunk| unsafe { seen(chunk) }).collect()
    }

    /// The headers in Envoy's memory, valid until they are changed or the hook ends.
    fn shown(&self, map: u32) -> Vec<(&[u8], &[u8])> {
        // SAFETY: the stream lives as long as its hook, and so as `self`.
        let count = unsafe { abi::headers_size(self.stream, map) };
        let mut shown: Vec<Header> = Vec::with_capacity(count);
        // SAFETY: the stream lives as long as its hook; Envoy writes `count` headers, for which there is room, before it returns.
        if count == 0 || !unsafe { abi::get_headers(self.stream, map, shown.as_mut_ptr()) } {
            return Vec::new();
        }
        // SAFETY: Envoy has written as many as it said that there are.
        unsafe { shown.set_len(count) };
        // SAFETY: what changes headers takes the stream mutably, and the stream does not outlive the hook.
        shown.into_iter().map(|header| unsafe { (seen(header.name), seen(header.value)) }).collect()
    }

    fn set(&mut self, map: u32, name: &[u8], value: Bytes) {
        // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
        unsafe { abi::set_header(self.stream, map, Bytes::of(name), value) };
    }
}

impl Host for Stream {
    type Cells = Shared;

    fn now(&self) -> Instant {
        now()
    }

    /// Envoy has no call for all at once, and each one costs as much as reading them all: only what differs is written.
    fn rewrite_headers<T>(
        &mut self,
        map: Map,
        with: impl for<'h> FnOnce(&[(&'h str, &'h str)]) -> (T, Option<host::Headers<'h>>),
    ) -> T {
        let map = number(map);
        let (told, changes) = {
            let shown = self.shown(map);
            let (told, after) = with(&pairs(&shown));
            (told, after.map(|after| Changes::of(&shown, &after)))
        };
        let changes = changes.unwrap_or_default();
        for name in changes.gone() {
            self.set(map, name, Bytes::NONE);
        }
        for (write, name, value) in changes.writes() {
            match write {
                Write::Set => self.set(map, name, Bytes::of(value)),
                Write::Add => {
                    // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
                    unsafe { abi::add_header(self.stream, map, Bytes::of(name), Bytes::of(value)) };
                }
            }
        }
        told
    }

    fn retain_headers(&mut self, map: Map, stays: impl Fn(&str) -> bool) {
        let map = number(map);
        // One whose name is no text is none that anything wants.
        let gone = self.shown(map).into_iter().map(|(name, _)| name);
        let gone = gone.filter(|name| !text(name).is_some_and(&stays)).map(<[u8]>::to_vec);
        for name in gone.collect::<Vec<_>>() {
            self.set(map, &name, Bytes::NONE);
        }
    }

    fn clear(&mut self, map: Map) {
        self.retain_headers(map, |_| false);
    }

    fn set_header(&mut self, map: Map, name: &str, value: &str) {
        self.set(number(map), name.as_bytes(), Bytes::of(value.as_bytes()));
    }

    fn remove_header(&mut self, map: Map, name: &str) {
        self.set(number(map), name.as_bytes(), Bytes::NONE);
    }

    fn body(&self, buffer: Buffer, size: usize) -> Cow<'_, [u8]> {
        if size == 0 {
            return Cow::Borrowed(&[]);
        }
        let mut chunks: Vec<&[u8]> = self.parts(buffer).flat_map(|part| self.chunks(part)).collect();
        match chunks.len() {
            0 | 1 => Cow::Borrowed(chunks.pop().unwrap_or_default()),
            _ => Cow::Owned(chunks.concat()),
        }
    }

    fn slice(&self, buffer: Buffer, start: usize, max: usize) -> Vec<u8> {
        let mut slice = Vec::new();
        let mut skip = start;
        for chunk in self.parts(buffer).flat_map(|part| self.chunks(part)) {
            let rest = chunk.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(chunk.len());
            slice.extend_from_slice(rest.get(..max - slice.len()).unwrap_or(rest));
            if slice.len() == max {
                break;
            }
        }
        slice
    }

    fn replace_body(&mut self, buffer: Buffer, _: usize, with: &[u8]) -> bool {
        let mut written = with.is_empty();
        // What came last is what Envoy passes on; there is none with trailers.
        let parts: Vec<u32> = self.parts(buffer).collect();
        for part in parts.into_iter().rev() {
            // SAFETY: the stream lives as long as its hook, and so as `self`.
            let size = unsafe { abi::body_size(self.stream, part) };
            if size > 0 {
                // SAFETY: the stream lives as long as its hook, and so as `self`.
                unsafe { abi::drain_body(self.stream, part, size) };
            }
            // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
            written = written || unsafe { abi::append_body(self.stream, part, Bytes::of(with)) };
            if self.marks().is_some_and(|marks| marks.gone.get()) {
                return false;
            }
        }
        true
    }

    fn state(&self, name: &str) -> Option<String> {
        let mut value = Bytes::NONE;
        // SAFETY: the stream lives as long as its hook; Envoy writes one string into `value` before it returns.
        let found = unsafe { abi::get_filter_state(self.stream, Bytes::of(name.as_bytes()), &raw mut value) };
        // SAFETY: Envoy's string lives until the state is set anew.
        found.then(|| str::from_utf8(unsafe { seen(value) }).ok().map(str::to_owned)).flatten()
    }

    fn set_state(&mut self, name: &str, value: &str) {
        // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
        unsafe { abi::set_filter_state(self.stream, Bytes::of(name.as_bytes()), Bytes::of(value.as_bytes())) };
    }

    fn address(&self) -> Option<String> {
        self.attribute(attribute::SOURCE_ADDRESS).map(str::to_owned)
    }

    fn certificate(&self) -> Option<String> {
        self.attribute(attribute::URI_SAN_PEER_CERTIFICATE).map(str::to_owned)
    }

    fn details(&self) -> Option<String> {
        self.attribute(attribute::RESPONSE_CODE_DETAILS).map(str::to_owned)
    }

    /// A try that is destroyed has lost sight of its stream, but the caller's still knows about the latest connection.
    fn connection(&self, request: u32) -> Connection {
        let stream = REQUESTS.with_borrow(|requests| requests.get(&request).copied());
        // SAFETY: what is among the requests is not destroyed.
        let Some(stream) = stream.map(|stream| unsafe { Self::new(stream, null()) }) else {
            return Connection::Missing;
        };
        let failed =
            || stream.attribute(attribute::UPSTREAM_TRANSPORT_FAILURE_REASON).is_some_and(|why| !why.is_empty());
        match stream.has_connection() {
            true => Connection::Made,
            false if failed() => Connection::Failed,
            false => Connection::Missing,
        }
    }

    fn has_connection(&self) -> bool {
        // SAFETY: the stream lives as long as its hook, and so as `self`.
        unsafe { abi::upstream_connection(self.stream) != 0 }
    }

    fn caller_is_paused(&self) -> bool {
        self.marks().is_some_and(|marks| marks.paused.get())
    }

    fn flags(&self) -> u64 {
        let mut flags = MaybeUninit::zeroed();
        // SAFETY: the stream lives as long as its hook; Envoy writes one number into `flags` before it returns.
        let found = unsafe { abi::attribute_int(self.stream, attribute::RESPONSE_FLAGS, flags.as_mut_ptr()) };
        // SAFETY: it was zero before Envoy may have written it.
        if found { unsafe { flags.assume_init() } } else { 0 }
    }

    /// The caller's stream is ended, in a hook of its own: within this one, what is passed on has not got there.
    fn end(&mut self, request: u32, end: End) {
        let Some(stream) = REQUESTS.with_borrow(|requests| requests.get(&request).copied()) else { return };
        let event = if end == End::Broken { BREAK } else { FINISH };
        // SAFETY: what is among the requests is not destroyed; the event is dropped if it is by then.
        unsafe {
            let scheduler = abi::scheduler_new(stream);
            abi::scheduler_commit(scheduler, event);
            abi::scheduler_delete(scheduler);
        }
    }

    fn clear_route_cache(&mut self) {
        // SAFETY: the stream lives as long as its hook, and so as `self`.
        unsafe { abi::clear_route_cache(self.stream) };
    }

    fn cells(&self) -> Self::Cells {
        cells::shared()
    }

    fn call_control(&self, made: &Call) -> Option<u64> {
        callout::begin(made, |id, cluster, headers, body, timeout| {
            // SAFETY: the stream lives as long as its hook; Envoy copies what the pointers show before it returns.
            unsafe { abi::callout(self.stream, id, cluster, headers.as_ptr(), headers.len(), body, timeout) }
        })
        .ok()
    }

    fn warn(&self, line: &str) {
        log(line);
    }
}

/// The time; 1970 if the clock is before that.
pub(super) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::from_nanos(since.as_nanos().try_into().unwrap_or(u64::MAX))
}

/// Those headers whose name and value are text.
fn pairs<'h>(shown: &[(&'h [u8], &'h [u8])]) -> Vec<(&'h str, &'h str)> {
    let mut pairs = Vec::with_capacity(shown.len());
    pairs.extend(shown.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))));
    pairs
}

/// Bytes as text, which in headers is nearly always ASCII, and that is sooner told.
fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { str::from_utf8_unchecked(bytes) });
    }
    str::from_utf8(bytes).ok()
}

/// Writes a line to Envoy's log.
pub(super) fn log(line: &str) {
    // SAFETY: Envoy copies the line before it returns.
    unsafe { abi::log(abi::ERROR, Bytes::of(line.as_bytes())) };
}

/// The stream of the edge that is called `request` is destroyed.
pub(super) fn gone(request: u32) {
    REQUESTS.with_borrow_mut(|requests| requests.remove(&request));
}

/// What Envoy shows.
///
/// # Safety
/// The bytes must live, unchanged, for `'a`.
pub(super) unsafe fn seen<'a>(bytes: Bytes) -> &'a [u8] {
    // SAFETY: what is not null shows `len` bytes, which live for `'a`, as the caller vouches.
    if bytes.data.is_null() { &[] } else { unsafe { slice::from_raw_parts(bytes.data, bytes.len) } }
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header { name: Bytes::of(name.as_bytes()), value: Bytes::of(value.as_bytes()) }
}

/// A header map's number in the ABI.
fn number(map: Map) -> u32 {
    match map {
        Map::Request => abi::headers::REQUEST,
        Map::RequestTrailers => abi::headers::REQUEST_TRAILERS,
        Map::Response => abi::headers::RESPONSE,
        Map::ResponseTrailers => abi::headers::RESPONSE_TRAILERS,
    }
}

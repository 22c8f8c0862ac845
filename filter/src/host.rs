//! Envoy's side of the ABI, without a panic.
//!
//! `proxy_wasm`'s own `Context` methods unwrap, and its `hostcalls` panic on a status they do not expect; either ends
//! the VM and with it every request of the worker. So the imports are declared here, and what cannot be had is `None`
//! or an empty value. This is the only place with `unsafe`.
//!
//! Source: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>
#![allow(unsafe_code)]

use core::ptr::{null, null_mut};

use proxy_wasm::types::LogLevel;

/// A header map, by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) enum Map {
    /// The request's headers.
    Request = 0,
    /// The response's headers.
    Response = 2,
}

/// A buffer, by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) enum Buffer {
    /// The request's body.
    Request = 0,
    /// The response's body.
    Response = 1,
    /// The plugin's configuration.
    Configuration = 7,
}

const OK: u32 = 0;
const CAS_MISMATCH: u32 = 8;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, len: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> u32;
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
fn taken(status: u32, data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if status != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    #[allow(clippy::same_length_and_capacity)] // That is how the SDK's allocator made it; see below.
    // SAFETY: the host asked `proxy_on_memory_allocate` for exactly `size` bytes, which came from a Vec of that
    // capacity, has filled them, and gives up its claim.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Writes a line to Envoy's log.
pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: pointer and length belong to one string that outlives the call. (So for every call below.)
    unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// Nanoseconds since the Unix epoch; 0 if the host has no clock.
pub(crate) fn now() -> weir_core::time::Instant {
    let mut nanos = 0;
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    weir_core::time::Instant::from_nanos(nanos)
}

/// The plugin's configuration.
pub(crate) fn plugin_configuration() -> Vec<u8> {
    body(Buffer::Configuration, usize::MAX >> 1).unwrap_or_default()
}

/// The first `max` bytes of a buffer.
pub(crate) fn body(buffer: Buffer, max: usize) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = unsafe { proxy_get_buffer_bytes(buffer as u32, 0, max, &raw mut data, &raw mut size) };
    taken(status, data, size)
}

/// At most `max` bytes of a buffer, from `start`.
pub(crate) fn slice(buffer: Buffer, start: usize, max: usize) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = unsafe { proxy_get_buffer_bytes(buffer as u32, start, max, &raw mut data, &raw mut size) };
    taken(status, data, size)
}

/// Replaces the `len` bytes that a buffer holds.
pub(crate) fn replace_body(buffer: Buffer, len: usize, with: &[u8]) {
    unsafe { proxy_set_buffer_bytes(buffer as u32, 0, len, with.as_ptr(), with.len()) };
}

/// All headers of a map.
pub(crate) fn headers(map: Map) -> Headers {
    let (mut data, mut size) = (null_mut(), 0);
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
    Headers(taken(status, data, size).unwrap_or_default())
}

/// Replaces all headers of a map.
pub(crate) fn replace_headers<N: AsRef<str>, V: AsRef<str>>(map: Map, headers: &[(N, V)]) {
    let bytes = serialized(headers);
    unsafe { proxy_set_header_map_pairs(map as u32, bytes.as_ptr(), bytes.len()) };
}

/// Sets one header.
pub(crate) fn set_header(map: Map, name: &str, value: &str) {
    unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

/// A property, by its path with a NUL between parts.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    taken(status, data, size)
}

/// A property that is text.
pub(crate) fn text_property(path: &str) -> Option<String> {
    String::from_utf8(property(path)?).ok()
}

/// A property that is an unsigned number.
pub(crate) fn number_property(path: &str) -> Option<u64> {
    Some(u64::from_le_bytes(property(path)?.try_into().ok()?))
}

/// Sets a filter state object, which Envoy then calls `wasm.{name}`.
pub(crate) fn set_filter_state(name: &str, value: &str) {
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// A value of shared data, with the number that [`set_shared`] must be given.
pub(crate) fn shared(key: &str) -> (Vec<u8>, u32) {
    let (mut data, mut size, mut cas) = (null_mut(), 0, 0);
    let status = unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut size, &raw mut cas) };
    (taken(status, data, size).unwrap_or_default(), cas)
}

/// Sets a value of shared data. `false` if another worker was first: read again and decide anew.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> bool {
    CAS_MISMATCH != unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

/// Answers the request from here.
pub(crate) fn respond(answer: &weir_core::answer::Answer) {
    let headers = serialized(&answer.headers);
    let (body, details) = (&answer.body, &answer.outcome);
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

/// Lets Envoy choose the route anew, by what the filter state says now.
pub(crate) fn clear_route_cache() {
    let name = "clear_route_cache";
    let (mut data, mut size) = (null_mut(), 0);
    let status =
        unsafe { proxy_call_foreign_function(name.as_ptr(), name.len(), null(), 0, &raw mut data, &raw mut size) };
    drop(taken(status, data, size));
}

/// Headers as the host has written them: a count, then the sizes, then each name and value with a NUL behind it.
pub(crate) struct Headers(Vec<u8>);

impl Headers {
    /// Name and value of each, in order. One that is not UTF-8 is left out: no header that Weir reads or passes on is.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
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

#[allow(clippy::cast_possible_truncation)] // No header is longer than 4 GiB.
fn serialized<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Vec<u8> {
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

//! Calls out, by the ABI.
#![allow(unsafe_code, reason = "calls the host by raw pointers")]

use std::cell::Cell;

use weir_core::steward::Call;

use super::host::{bytes, headers_of, serialized, turn_to};

/// The body of a call's response.
const CALL_RESPONSE_BODY: u32 = 4;

/// The headers of a call's response, among the ABI's header maps.
const CALL_RESPONSE: u32 = 6;

const OK: u32 = 0;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
}

thread_local! {
    /// The plugin configuration that calls control.
    static CALLER: Cell<u32> = const { Cell::new(0) };
}

/// Has the plugin configuration of this number call control.
pub(super) fn come_from(root: u32) {
    CALLER.set(root);
}

/// Makes a call by that plugin configuration, which outlives every stream. All that follows in this hook is about it. The call's
/// number; `None` if it was not made.
pub(super) fn by_configuration(call: &Call) -> Option<u64> {
    let root = CALLER.get();
    if root == 0 || !turn_to(root) {
        return None;
    }
    begin(call).ok().map(u64::from)
}

/// Makes a call. Its number, or why not.
pub(super) fn begin(call: &Call) -> Result<u32, u32> {
    let length = call.body.len().to_string();
    let headers = [
        (":method", "POST"),
        (":path", call.path),
        (":authority", &*call.cluster),
        ("content-type", "application/x-protobuf"),
        ("content-length", &*length),
    ];
    let headers = serialized(&headers);
    let trailers = serialized::<&str, &str>(&[]);
    let timeout = u32::try_from(call.timeout.as_millis()).unwrap_or(u32::MAX);
    let (cluster, body, mut token) = (&call.cluster, &call.body, 0);
    // SAFETY: what the pointers show outlives the call, and the host copies it.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    };
    if status == OK { Ok(token) } else { Err(status) }
}

/// The response to a call: its status, and its body of so many bytes.
pub(super) fn response(size: usize) -> (u16, Vec<u8>) {
    let headers = headers_of(CALL_RESPONSE);
    let status = headers.pairs().into_iter().find(|(name, _)| *name == ":status");
    let status = status.and_then(|(_, status)| status.parse().ok()).unwrap_or_default();
    (status, if size == 0 { Vec::new() } else { bytes(CALL_RESPONSE_BODY, 0, size) })
}

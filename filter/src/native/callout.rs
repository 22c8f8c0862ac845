//! Calls out, by Envoy's dynamic module ABI.

use core::slice;

use weir_core::steward::Call;

use super::abi::{self, Bytes, Header};
use super::host::{header, seen};

/// Makes a call by one of Envoy's functions. Its number, or what Envoy says instead.
pub(super) fn begin(call: &Call, make: impl FnOnce(*mut u64, Bytes, &[Header], Bytes, u64) -> u32) -> Result<u64, u32> {
    let length = call.body.len().to_string();
    let headers = [
        header(":method", "POST"),
        header(":path", call.path),
        header(":authority", &call.cluster),
        header("content-type", "application/x-protobuf"),
        header("content-length", &length),
    ];
    let timeout = u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX);
    let mut id = 0;
    let begun = make(&raw mut id, Bytes::of(call.cluster.as_bytes()), &headers, Bytes::of(&call.body), timeout);
    if begun == abi::callout::BEGUN { Ok(id) } else { Err(begun) }
}

/// What Envoy tells of a call that has ended: status and body, if there was a response.
///
/// # Safety
/// What the pointers show must live, unchanged, as long as this runs; there are as many as is said, or the pointer is null.
pub(super) unsafe fn response(
    result: u32,
    headers: (*const Header, usize),
    chunks: (*const Bytes, usize),
) -> Option<(u16, Vec<u8>)> {
    if result != abi::callout::RESPONSE {
        return None;
    }
    // SAFETY: as the caller says.
    let (headers, chunks) = unsafe { (all(headers), all(chunks)) };
    // SAFETY: as above.
    let status = headers.iter().find(|header| unsafe { seen(header.name) } == b":status");
    // SAFETY: as above.
    let status = status.and_then(|header| str::from_utf8(unsafe { seen(header.value) }).ok());
    // SAFETY: as above.
    let body = chunks.iter().map(|chunk| unsafe { seen(*chunk) }).collect::<Vec<_>>().concat();
    Some((status.and_then(|status| status.parse().ok()).unwrap_or_default(), body))
}

/// What Envoy shows; empty if it shows nothing.
///
/// # Safety
/// `first` is null or the first of `len`, and they must live, unchanged, for `'a`.
unsafe fn all<'a, T>((first, len): (*const T, usize)) -> &'a [T] {
    // SAFETY: as the caller says.
    if first.is_null() { &[] } else { unsafe { slice::from_raw_parts(first, len) } }
}

//! The part of Envoy's dynamic module ABI that the filter uses: what Envoy offers, and the shapes that cross over.
//!
//! Source: <https://github.com/envoyproxy/envoy/blob/main/source/extensions/dynamic_modules/abi/abi.h>, version
//! [`VERSION`]. Envoy promises to load a module of one version also in its next minor release.

use core::ffi::{CStr, c_void};

/// The version of the ABI, which Envoy compares with its own.
pub(super) const VERSION: &CStr = c"v0.2.0";

/// Bytes of whoever passes them.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Bytes {
    pub(super) data: *const u8,
    pub(super) len: usize,
}

impl Bytes {
    pub(super) const NONE: Self = Self { data: core::ptr::null(), len: 0 };

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// A header, of whoever passes it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Header {
    pub(super) name: Bytes,
    pub(super) value: Bytes,
}

/// `envoy_dynamic_module_type_http_header_type`.
pub(super) mod headers {
    pub(in crate::native) const REQUEST: u32 = 0;
    pub(in crate::native) const REQUEST_TRAILERS: u32 = 1;
    pub(in crate::native) const RESPONSE: u32 = 2;
    pub(in crate::native) const RESPONSE_TRAILERS: u32 = 3;
}

/// `envoy_dynamic_module_type_http_body_type`.
pub(super) mod body {
    pub(in crate::native) const RECEIVED_REQUEST: u32 = 0;
    pub(in crate::native) const BUFFERED_REQUEST: u32 = 1;
    pub(in crate::native) const RECEIVED_RESPONSE: u32 = 2;
    pub(in crate::native) const BUFFERED_RESPONSE: u32 = 3;
}

/// `envoy_dynamic_module_type_attribute_id`.
pub(super) mod attribute {
    pub(in crate::native) const RESPONSE_CODE_DETAILS: u32 = 16;
    pub(in crate::native) const RESPONSE_FLAGS: u32 = 17;
    pub(in crate::native) const SOURCE_ADDRESS: u32 = 24;
    pub(in crate::native) const URI_SAN_PEER_CERTIFICATE: u32 = 37;
    pub(in crate::native) const UPSTREAM_TRANSPORT_FAILURE_REASON: u32 = 52;
}

/// What the hooks answer: `FilterHeadersStatus`, `FilterDataStatus` and `FilterTrailersStatus` begin alike.
pub(super) mod status {
    pub(in crate::native) const CONTINUE: u32 = 0;
    /// Of a body: it is kept until there is more.
    pub(in crate::native) const STOP: u32 = 1;
}

/// What a callout is told to have become: `envoy_dynamic_module_type_http_callout_init_result`, then `…_callout_result`.
pub(super) mod callout {
    pub(in crate::native) const BEGUN: u32 = 0;
    pub(in crate::native) const NO_CLUSTER: u32 = 2;
    /// There is a response, be it Envoy's own.
    pub(in crate::native) const RESPONSE: u32 = 0;
}

/// `envoy_dynamic_module_type_metrics_result_Success`.
pub(super) const METRIC_DEFINED: u32 = 0;

/// What defines a statistic: the extension, its name, the names of its labels, and where its number goes.
pub(super) type Define = unsafe extern "C" fn(*mut c_void, Bytes, *const Bytes, usize, *mut usize) -> u32;

/// `envoy_dynamic_module_type_log_level_Error`.
pub(super) const ERROR: u32 = 4;

/// `envoy_dynamic_module_type_http_filter_stream_reset_reason_LocalReset`.
pub(super) const LOCAL_RESET: u32 = 0;

pub(super) type Stream = *mut c_void;

unsafe extern "C" {
    #[link_name = "envoy_dynamic_module_callback_log"]
    pub(super) fn log(level: u32, line: Bytes);
    #[link_name = "envoy_dynamic_module_callback_register_function"]
    pub(super) fn register_function(name: Bytes, function: *const c_void) -> bool;
    #[link_name = "envoy_dynamic_module_callback_get_function"]
    pub(super) fn get_function(name: Bytes, function: *mut *const c_void) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_get_headers_size"]
    pub(super) fn headers_size(stream: Stream, map: u32) -> usize;
    #[link_name = "envoy_dynamic_module_callback_http_get_headers"]
    pub(super) fn get_headers(stream: Stream, map: u32, into: *mut Header) -> bool;
    /// Removes the header where the value is null.
    #[link_name = "envoy_dynamic_module_callback_http_set_header"]
    pub(super) fn set_header(stream: Stream, map: u32, name: Bytes, value: Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_add_header"]
    pub(super) fn add_header(stream: Stream, map: u32, name: Bytes, value: Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_send_response"]
    pub(super) fn send_response(
        stream: Stream,
        status: u32,
        headers: *const Header,
        headers_len: usize,
        body: Bytes,
        details: Bytes,
    );
    #[link_name = "envoy_dynamic_module_callback_http_send_response_data"]
    pub(super) fn send_response_data(stream: Stream, data: Bytes, end: bool);
    #[link_name = "envoy_dynamic_module_callback_http_filter_reset_stream"]
    pub(super) fn reset_stream(stream: Stream, reason: u32, details: Bytes);
    /// Something that can be told to run a stream's `scheduled` hook later, if the stream is still there then.
    #[link_name = "envoy_dynamic_module_callback_http_filter_scheduler_new"]
    pub(super) fn scheduler_new(stream: Stream) -> *mut c_void;
    #[link_name = "envoy_dynamic_module_callback_http_filter_scheduler_commit"]
    pub(super) fn scheduler_commit(scheduler: *mut c_void, event: u64);
    #[link_name = "envoy_dynamic_module_callback_http_filter_scheduler_delete"]
    pub(super) fn scheduler_delete(scheduler: *mut c_void);
    #[link_name = "envoy_dynamic_module_callback_http_get_body_size"]
    pub(super) fn body_size(stream: Stream, body: u32) -> usize;
    #[link_name = "envoy_dynamic_module_callback_http_get_body_chunks_size"]
    pub(super) fn body_chunks_size(stream: Stream, body: u32) -> usize;
    #[link_name = "envoy_dynamic_module_callback_http_get_body_chunks"]
    pub(super) fn body_chunks(stream: Stream, body: u32, into: *mut Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_append_body"]
    pub(super) fn append_body(stream: Stream, body: u32, data: Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_drain_body"]
    pub(super) fn drain_body(stream: Stream, body: u32, len: usize) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_received_buffered_request_body"]
    pub(super) fn received_is_buffered_request(stream: Stream) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_received_buffered_response_body"]
    pub(super) fn received_is_buffered_response(stream: Stream) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_set_filter_state_bytes"]
    pub(super) fn set_filter_state(stream: Stream, name: Bytes, value: Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_get_filter_state_bytes"]
    pub(super) fn get_filter_state(stream: Stream, name: Bytes, into: *mut Bytes) -> bool;
    /// Lets a request go on that was held. Envoy may call hooks from within.
    #[link_name = "envoy_dynamic_module_callback_http_filter_continue_decoding"]
    pub(super) fn continue_decoding(stream: Stream);
    /// Makes a call, which ends with the stream. Envoy may call the hook of the answer before this returns.
    #[link_name = "envoy_dynamic_module_callback_http_filter_http_callout"]
    pub(super) fn callout(
        stream: Stream,
        id: *mut u64,
        cluster: Bytes,
        headers: *const Header,
        headers_len: usize,
        body: Bytes,
        timeout_milliseconds: u64,
    ) -> u32;
    #[link_name = "envoy_dynamic_module_callback_http_clear_route_cache"]
    pub(super) fn clear_route_cache(stream: Stream);
    /// The number of the connection to the provider; 0 if there is none.
    #[link_name = "envoy_dynamic_module_callback_http_get_upstream_connection_id"]
    pub(super) fn upstream_connection(stream: Stream) -> u64;
    #[link_name = "envoy_dynamic_module_callback_http_filter_get_attribute_string"]
    pub(super) fn attribute_string(stream: Stream, attribute: u32, into: *mut Bytes) -> bool;
    #[link_name = "envoy_dynamic_module_callback_http_filter_get_attribute_int"]
    pub(super) fn attribute_int(stream: Stream, attribute: u32, into: *mut u64) -> bool;
    // The bootstrap extension's, by what Envoy gave when it was configured. All of it on the main thread.
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_timer_new"]
    pub(super) fn timer_new(config: *mut c_void) -> *mut c_void;
    /// The timer fires once.
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_timer_enable"]
    pub(super) fn timer_enable(timer: *mut c_void, milliseconds: u64);
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_timer_delete"]
    pub(super) fn timer_delete(timer: *mut c_void);
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_config_signal_init_complete"]
    pub(super) fn signal_init_complete(config: *mut c_void);
    /// Envoy may call the hook of the answer before this returns.
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_http_callout"]
    pub(super) fn bootstrap_callout(
        config: *mut c_void,
        id: *mut u64,
        cluster: Bytes,
        headers: *const Header,
        headers_len: usize,
        body: Bytes,
        timeout_milliseconds: u64,
    ) -> u32;
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_config_define_counter"]
    pub(super) fn define_counter(
        config: *mut c_void,
        name: Bytes,
        labels: *const Bytes,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_config_increment_counter"]
    pub(super) fn add_to_counter(
        config: *mut c_void,
        id: usize,
        labels: *const Bytes,
        labels_len: usize,
        by: u64,
    ) -> u32;
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_config_define_gauge"]
    pub(super) fn define_gauge(
        config: *mut c_void,
        name: Bytes,
        labels: *const Bytes,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    #[link_name = "envoy_dynamic_module_callback_bootstrap_extension_config_set_gauge"]
    pub(super) fn set_gauge(config: *mut c_void, id: usize, labels: *const Bytes, labels_len: usize, value: u64)
    -> u32;
}

/// Hooks that Envoy wants to find and that mean nothing here: what they tell of is never asked for.
macro_rules! unused {
    ($($name:ident = $symbol:literal),* $(,)?) => {
        $(
            #[unsafe(export_name = $symbol)]
            extern "C" fn $name() -> u32 {
                $crate::native::abi::status::CONTINUE
            }
        )*
    };
}
pub(super) use unused;

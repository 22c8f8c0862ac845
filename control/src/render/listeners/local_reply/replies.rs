//! Envoy's own replies, and what a caller sees instead of each.

/// What a caller sees instead of one of Envoy's own replies.
pub(super) struct Reply {
    pub(super) when: When,
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

pub(super) enum When {
    Flags(&'static [&'static str]),
    Details(&'static [&'static str]),
    /// The details begin with this.
    Begin(&'static str),
    /// The request was for control.
    ToControl,
    /// The request has no plan, and so was sent to the cluster without hosts.
    WithoutPlan,
}

use When::{Begin, Details, Flags, ToControl, WithoutPlan};

/// Envoy takes the first that fits. One request can have several flags: `URX` comes with the flag of the last try.
pub(super) const REPLIES: [Reply; 19] = [
    Reply {
        when: ToControl,
        status: 503,
        kind: "server_error",
        code: "usage_unavailable",
        message: "`weir control`, which knows what was used, did not answer; try again later.",
    },
    Reply {
        when: WithoutPlan,
        status: 500,
        kind: "server_error",
        code: "no_plan",
        message: "The request reached the router without a plan; see the gateway's log.",
    },
    Reply {
        when: Flags(&["UO"]),
        status: 503,
        kind: "upstream_error",
        code: "overloaded",
        message: "As many requests as allowed are under way to the provider.",
    },
    Reply {
        when: Details(&["response_timeout", "stream_idle_timeout"]),
        status: 504,
        kind: "upstream_error",
        code: "deadline_exceeded",
        message: "No provider answered within the limit of all tries (`limits.total`).",
    },
    Reply {
        when: Flags(&["UT", "SI", "UMSDR", "DT"]),
        status: 504,
        kind: "upstream_error",
        code: "upstream_timeout",
        message: "No provider answered within its limit.",
    },
    Reply {
        when: Flags(&["UH", "UF", "UC", "UR", "UPE", "LR", "DF", "DO", "URX"]),
        status: 503,
        kind: "upstream_error",
        code: "upstream_unavailable",
        message: "No provider of this model could be reached.",
    },
    Reply {
        when: Details(&["failed_to_inject_credential"]),
        status: 502,
        kind: "upstream_error",
        code: "upstream_auth",
        message: "The gateway's credential for the provider could not be read.",
    },
    Reply {
        when: Details(&["response_payload_too_large"]),
        status: 502,
        kind: "upstream_error",
        code: "upstream_bad_answer",
        message: "The provider's answer is longer than any that is held.",
    },
    Reply {
        when: Details(&["wasm_fail_stream"]),
        status: 500,
        kind: "server_error",
        code: "internal_error",
        message: "The gateway could not process the request; see its log.",
    },
    Reply {
        when: Flags(&["NC"]),
        status: 500,
        kind: "server_error",
        code: "no_plan",
        message: "The request reached the router without a plan; see the gateway's log.",
    },
    Reply {
        when: Flags(&["NR"]),
        status: 404,
        kind: "invalid_request_error",
        code: "unknown_path",
        message: "There is nothing at this path.",
    },
    Reply {
        when: Flags(&["OM"]),
        status: 503,
        kind: "server_error",
        code: "overloaded",
        message: "The gateway is at its limits.",
    },
    Reply {
        when: Details(&["request_overall_timeout", "request_header_timeout"]),
        status: 408,
        kind: "invalid_request_error",
        code: "request_timeout",
        message: "The request did not arrive in time.",
    },
    Reply {
        when: Details(&[
            "http1.headers_too_large",
            "http2.headers_too_large",
            "request_headers_too_large",
            "http1.too_many_headers",
            "http2.too_many_headers",
        ]),
        status: 431,
        kind: "invalid_request_error",
        code: "headers_too_large",
        message: "The request's headers are too large.",
    },
    Reply {
        when: Details(&["low_version"]),
        status: 426,
        kind: "invalid_request_error",
        code: "bad_request",
        message: "This is too old a version of HTTP: use HTTP/1.1 or HTTP/2.",
    },
    Reply {
        when: Details(&["upgrade_failed"]),
        status: 400,
        kind: "invalid_request_error",
        code: "bad_request",
        message: "There is no WebSocket here, nor any other protocol to change to: ask by HTTP.",
    },
    // Envoy sets the flag for this, `DPE`, only after the reply is made.
    Reply {
        when: Begin("http1."),
        status: 400,
        kind: "invalid_request_error",
        code: "bad_request",
        message: "This is no valid HTTP request.",
    },
    Reply {
        when: Details(&["request_payload_too_large"]),
        status: 413,
        kind: "invalid_request_error",
        code: "request_too_large",
        message: "The body is longer than any endpoint allows.",
    },
    Reply {
        when: Details(&[
            "path_normalization_failed",
            "missing_host_header",
            "missing_path_rejected",
            "absolute_path_rejected",
        ]),
        status: 400,
        kind: "invalid_request_error",
        code: "bad_request",
        message: "The request's path or host is not valid.",
    },
];

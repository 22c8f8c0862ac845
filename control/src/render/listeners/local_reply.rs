//! Errors that Envoy makes itself, as the error object of the API that the caller speaks.
//!
//! Told apart by Envoy's response flags, and where it sets none, by its response code details. The filter's own replies
//! have neither and pass untouched.

use serde_json::{Value, json};
use weir_hub::dialect;
use weir_hub::endpoint::Family;
use weir_hub::fault::{Problem, Retry};

use super::mark::on_a_route_of_ours;
use crate::render::message::cel;
use crate::render::node::Door;

/// What a caller sees instead of one of Envoy's own replies.
struct Reply {
    when: When,
    status: u16,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
}

enum When {
    Flags(&'static [&'static str]),
    Details(&'static [&'static str]),
    /// The details begin so.
    Begin(&'static str),
    /// It came to the cluster without hosts, which is where requests are that have no plan.
    WithoutPlan,
}

use When::{Begin, Details, Flags, WithoutPlan};

/// In order; the first that fits is taken. One request can have several flags (`URX` joins the last try's).
const REPLIES: [Reply; 18] = [
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
    // Its flag, `DPE`, is set only after the reply was made.
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

/// The listener's `local_reply_config`.
pub(super) fn config(door: &Door) -> Value {
    // Of a connection manager that has other routes too, only what happens on Weir's.
    let ours = matches!(door, Door::Chain(_)).then(on_a_route_of_ours);
    json!({ "mappers": REPLIES.iter().flat_map(|reply| mappers(reply, ours.as_ref())).collect::<Vec<_>>() })
}

/// The mappers of one reply: what a provider may have to do with names the tries, if there was more than one.
fn mappers(reply: &Reply, ours: Option<&Value>) -> Vec<Value> {
    // Text that the filter has made fit to be shown; `json_format` makes it fit for JSON.
    let tried = format!("{} Tried: %FILTER_STATE({TRIES}:PLAIN)%.", reply.message);
    let mut mappers = Vec::new();
    for family in [Family::Anthropic, Family::Gemini, Family::OpenAi] {
        let marked = family.mark().map(has);
        let mut add = |tries: Option<Value>, message: &str| {
            let filters: Vec<Value> =
                [Some(when(reply)), marked.clone(), tries, ours.cloned()].into_iter().flatten().collect();
            let filter = match filters.as_slice() {
                [one] => one.clone(),
                _ => json!({ "and_filter": { "filters": filters } }),
            };
            mappers.push(mapper(reply, family, &filter, message));
        };
        if reply.status >= 500 {
            add(Some(has(TRIES)), &tried);
        }
        add(None, reply.message);
    }
    mappers
}

/// Whether the filter has set a filter state object.
fn has(name: &str) -> Value {
    cel(&format!("'{name}' in filter_state"))
}

/// Where the filter keeps the failed tries in words.
const TRIES: &str = weir_core::plan::TRIES_KEY;

fn mapper(reply: &Reply, family: Family, filter: &Value, message: &str) -> Value {
    let problem = Problem {
        status: reply.status,
        kind: reply.kind,
        code: reply.code.to_owned(),
        message: message.to_owned(),
        param: None,
        details: None,
        retry_after: None,
        retry: if passes(reply) { Retry::Own } else { Retry::No },
    };
    let error: Value = serde_json::from_slice(&dialect::error(family, &problem)).unwrap_or_default();
    let forbids = json!({
        "header": { "key": "x-should-retry", "value": "false" },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    json!({
        "filter": filter,
        "status_code": reply.status,
        "headers_to_add": if passes(reply) { Vec::new() } else { vec![forbids] },
        "body_format_override": { "json_format": error, "content_type": "application/json" },
    })
}

/// Whether the same request may succeed later: SDKs then go by their own rule. (They repeat a 408, too.)
fn passes(reply: &Reply) -> bool {
    reply.code != "upstream_auth" && (reply.status >= 500 || reply.status == 408)
}

fn when(reply: &Reply) -> Value {
    match &reply.when {
        Flags(flags) => json!({ "response_flag_filter": { "flags": flags } }),
        Details(details) => {
            let tests: Vec<String> =
                details.iter().map(|detail| format!("response.code_details == '{detail}'")).collect();
            cel(&tests.join(" || "))
        }
        WithoutPlan => cel(&format!(
            "response.code_details == 'no_healthy_upstream' && !('{}' in filter_state)",
            weir_core::plan::KEY
        )),
        When::Begin(with) => cel(&format!("response.code_details.startsWith('{with}')")),
    }
}

//! Errors that Envoy makes itself, as the error object of the API that the caller speaks.
//!
//! Envoy's response flags tell these errors apart, or its response code details if it sets no flag. The filter's own replies
//! have neither, and pass unchanged.

mod replies;

use serde_json::{Value, json};
use weir_hub::dialect;
use weir_hub::endpoint::Family;
use weir_hub::fault::{Problem, Retry};

use super::mark::on_a_route_of_ours;
use crate::render::message::cel;
use crate::render::node::Door;
use replies::When::{Begin, Details, Flags, ToControl, WithoutPlan};
use replies::{REPLIES, Reply};

/// The listener's `local_reply_config`.
pub(super) fn config(door: &Door) -> Value {
    // If the connection manager has other routes too, only Weir's are meant.
    let ours = matches!(door, Door::Chain(_)).then(on_a_route_of_ours);
    json!({ "mappers": REPLIES.iter().flat_map(|reply| mappers(reply, ours.as_ref())).collect::<Vec<_>>() })
}

/// The mappers of one reply. If a provider may be the cause, the message names the failed tries, if there were any.
fn mappers(reply: &Reply, ours: Option<&Value>) -> Vec<Value> {
    // The filter has made sure that this text may be shown. `json_format` escapes it for JSON.
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

/// Whether the filter has set this object of the filter state.
fn has(name: &str) -> Value {
    cel(&format!("'{name}' in filter_state"))
}

/// The object of the filter state in which the filter keeps the failed tries as text.
const TRIES: &str = weir_core::plan::TRIES_KEY;

fn mapper(reply: &Reply, family: Family, filter: &Value, message: &str) -> Value {
    let problem = Problem {
        retry: if passes(reply) { Retry::Own } else { Retry::No },
        ..Problem::new(reply.status, reply.kind, reply.code, message)
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

/// Whether the same request may succeed later. Then SDKs follow their own rule for retries, by which they also repeat a 408.
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
        ToControl => cel(&format!("'{}' in filter_state && response.code >= 500", weir_core::usage::MARK)),
        WithoutPlan => cel(&format!(
            "response.code_details == 'no_healthy_upstream' && !('{}' in filter_state)",
            weir_core::plan::KEY
        )),
        Begin(with) => cel(&format!("response.code_details.startsWith('{with}')")),
    }
}

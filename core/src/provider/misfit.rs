//! Errors of a request that does not fit a schema, in the format of servers that use Pydantic: Mistral, vLLM and
//! others.

use alloc::string::{String, ToString};

use weir_hub::codec::json::{Kind, Raw};
use weir_hub::fault::{FaultKind, UpstreamFault};

use super::redact;

/// The first place that does not fit the schema, and what is wrong there.
pub(super) fn misfit(body: Raw<'_>, kind: FaultKind) -> Option<UpstreamFault> {
    let details = [Some(body), body.get("message")].into_iter().flatten().filter_map(|value| value.get("detail"));
    let first = details.filter(|detail| detail.kind() == Kind::Array).find_map(|list| list.items().next())?;
    let mut place = String::new();
    for step in first.get("loc").unwrap_or(Raw::NULL).items() {
        match step.string() {
            Some(name) if name == "body" && place.is_empty() => {}
            Some(name) => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(&name);
            }
            None => {
                place.push('[');
                place.push_str(step.text());
                place.push(']');
            }
        }
    }
    let problem = first.get("msg").and_then(Raw::string)?;
    let message = if place.is_empty() { problem.to_string() } else { alloc::format!("{place}: {problem}") };
    let param = Some(place).filter(|place| !place.is_empty()).map(|place| redact::fit(&place));
    let code = first.get("type").and_then(Raw::string).map(|kind| redact::fit(&kind));
    Some(UpstreamFault { code, param, ..UpstreamFault::new(kind, redact::fit(&message)) })
}

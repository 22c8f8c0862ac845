//! Mistral's errors: `{"object":"error","message":…,"type":…,"code":"3230"}`. If the request does not fit the schema,
//! the error is a list of places, `{"detail":[{"loc":["body","temperature"],"msg":…}]}`, alone or in the message.

use weir_hub::codec::json::{Raw, check};
use weir_hub::fault::{FaultKind, UpstreamFault};

use crate::provider::misfit::misfit;
use crate::provider::named::judged;
use crate::provider::{openai, redact};

/// Reads an answer whose status is not 2xx.
pub(super) fn fault(status: u16, body: &[u8]) -> UpstreamFault {
    let json = core::str::from_utf8(body).ok().and_then(|text| check(text).ok());
    if let Some(fault) = json.and_then(|json| misfit(json, openai::by_status(status))) {
        return judged(status, fault);
    }
    let mut fault = openai::fault(status, body);
    let kind = json.and_then(|json| json.get("type")).and_then(Raw::string).unwrap_or_default();
    let says = |words: &str| fault.message.contains(words);
    fault.kind = match &*kind {
        "invalid_model" => FaultKind::NotFound,
        "guardrail_violation" => FaultKind::ContentPolicy,
        "rate_limited" | "service_tier_capacity_exceeded" => FaultKind::RateLimited,
        _ if says("maximum context length") => FaultKind::ContextLength,
        _ => fault.kind,
    };
    // Its codes are numbers; the type says what they mean.
    if !kind.is_empty() {
        fault.code = Some(redact::fit(&kind));
    }
    judged(status, UpstreamFault { rests: true, ..fault })
}

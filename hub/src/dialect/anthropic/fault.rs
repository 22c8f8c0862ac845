//! Anthropic's error object. Its `type` follows from the status. Weir's own stable `code`, the field at fault, and the
//! details that some clients read are added to it.
//!
//! <https://platform.claude.com/docs/en/api/errors>

use alloc::vec::Vec;

use crate::codec::json::write::object;
use crate::fault::Problem;

/// The body of an error answer: `{"type":"error","error":{"type":…,"message":…,"code":…,"param":…}}`.
pub fn error(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + problem.message.len() + problem.code.len());
    body(&mut out, problem);
    out
}

/// The event that ends a failed stream; no `message_stop` follows it.
pub fn error_event(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(120 + problem.message.len() + problem.code.len());
    out.extend_from_slice(b"event: error\ndata: ");
    body(&mut out, problem);
    out.extend_from_slice(b"\n\n");
    out
}

fn body(out: &mut Vec<u8>, problem: &Problem) {
    object(out, |body| {
        body.string("type", "error");
        body.object("error", |error| {
            error.string("type", kind(problem.status));
            error.string("message", &problem.message);
            error.string("code", &problem.code);
            if let Some(param) = &problem.param {
                error.string("param", param);
            }
            if let Some(details) = &problem.details {
                error.raw("details", &details.0);
            }
        });
    });
}

const fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Call;
    use crate::codec::json::Scan;
    use crate::dialect;
    use crate::endpoint::Asked;
    use crate::endpoint::{Delivery, Endpoint, UsageChunk};
    use crate::fault::{FaultKind, HostFault, Reject, UpstreamFault};
    use alloc::format;
    use alloc::string::{String, ToString};

    #[test]
    fn an_error_is_what_the_sdks_expect() {
        let problem = Reject::Missing { field: "max_tokens".to_string() }.problem();
        let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Missing required parameter: 'max_tokens'.","code":"missing_required_parameter","param":"max_tokens"}}"#;
        assert_eq!(String::from_utf8(error(&problem)).unwrap(), body);
        assert_eq!(String::from_utf8(error_event(&problem)).unwrap(), format!("event: error\ndata: {body}\n\n"));
    }

    #[test]
    fn the_type_follows_from_the_status() {
        let check = |problem: &Problem, expect: &str| {
            let body = String::from_utf8(error(problem)).unwrap();
            assert!(body.contains(&format!(r#""error":{{"type":"{expect}""#)), "{body}");
        };
        check(&Reject::NoKey.problem(), "authentication_error");
        check(&Reject::ModelNotAllowed { model: "m".into() }.problem(), "permission_error");
        check(&Reject::UnknownModel { model: "m".into() }.problem(), "not_found_error");
        check(&Reject::BodyTooLarge { limit: 7 }.problem(), "request_too_large");
        check(&Reject::Grown { limit: 7, provider: "p".into() }.problem(), "request_too_large");
        check(&Reject::WrongMethod { allowed: "POST" }.problem(), "invalid_request_error");
        check(&UpstreamFault::new(FaultKind::ContextLength, "long").problem(), "invalid_request_error");
        check(&HostFault::NoConfig.problem(), "overloaded_error");
        check(&HostFault::Host.problem(), "api_error");
        for (status, expect) in [(429, "rate_limit_error"), (504, "timeout_error"), (502, "api_error")] {
            check(&Problem { status, ..HostFault::Host.problem() }, expect);
        }
    }

    #[test]
    fn a_count_of_tokens_is_refused_in_the_same_words() {
        let scan = Scan::default();
        let call = Call {
            asked: Asked { endpoint: Endpoint::CountTokens, delivery: Delivery::Whole, usage: UsageChunk::Unwanted },
            model: "m",
            betas: "",
            body: b"{}",
            scan: &scan,
        };
        let problem = call.unserved().problem();
        let body = String::from_utf8(dialect::error(call.asked.endpoint.family(), &problem)).unwrap();
        assert!(body.starts_with(r#"{"type":"error","error":{"type":"invalid_request_error""#), "{body}");
        assert!(body.contains("does not serve /v1/messages/count_tokens"), "{body}");
    }
}

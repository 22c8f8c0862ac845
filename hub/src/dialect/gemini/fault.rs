//! Google's error object. Its `status` follows from the HTTP status. Weir's own stable code and the field at fault are
//! in its details.
//!
//! <https://google.aip.dev/193>, <https://ai.google.dev/gemini-api/docs/troubleshooting>

use alloc::format;
use alloc::vec::Vec;

use crate::codec::json::write::{Object, object};
use crate::fault::Problem;

/// The body of an error answer: `{"error":{"code":…,"message":…,"status":…,"details":[…]}}`.
pub fn error(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + problem.message.len() + problem.code.len());
    body(&mut out, problem);
    out
}

/// The event that ends a failed stream.
pub fn error_event(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + problem.message.len() + problem.code.len());
    out.extend_from_slice(b"data: ");
    body(&mut out, problem);
    out.extend_from_slice(b"\n\n");
    out
}

fn body(out: &mut Vec<u8>, problem: &Problem) {
    object(out, |body| {
        body.object("error", |error| {
            error.number("code", problem.status.into());
            error.string("message", &problem.message);
            error.string("status", status(problem.status));
            let details: [Option<Detail>; 3] = [
                Some(info),
                problem.param.is_some().then_some(violation),
                problem.retry_after.is_some().then_some(wait),
            ];
            error.array("details", details.into_iter().flatten(), |out, detail| {
                object(out, |to| detail(to, problem));
            });
        });
    });
}

type Detail = fn(&mut Object<'_>, &Problem);

fn info(detail: &mut Object<'_>, problem: &Problem) {
    detail.string("@type", "type.googleapis.com/google.rpc.ErrorInfo");
    detail.string("reason", &problem.code.to_ascii_uppercase());
    detail.string("domain", "weir");
    detail.object("metadata", |metadata| {
        metadata.string("code", &problem.code);
        if let Some(param) = &problem.param {
            metadata.string("param", param);
        }
    });
}

fn violation(detail: &mut Object<'_>, problem: &Problem) {
    detail.string("@type", "type.googleapis.com/google.rpc.BadRequest");
    detail.array("fieldViolations", &problem.param, |out, param| {
        object(out, |violation| {
            violation.string("field", param);
            violation.string("description", &problem.message);
        });
    });
}

fn wait(detail: &mut Object<'_>, problem: &Problem) {
    detail.string("@type", "type.googleapis.com/google.rpc.RetryInfo");
    let wait = problem.retry_after.unwrap_or_default();
    detail.string("retryDelay", &format!("{}s", wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))));
}

const fn status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{HostFault, Reject};
    use alloc::string::String;
    use core::time::Duration;

    #[test]
    fn an_error_is_what_the_sdks_expect() {
        let problem = Reject::Missing { field: "contents".into() }.problem();
        let body = concat!(
            r#"{"error":{"code":400,"message":"Missing required parameter: 'contents'.","status":"INVALID_ARGUMENT","#,
            r#""details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MISSING_REQUIRED_PARAMETER","#,
            r#""domain":"weir","metadata":{"code":"missing_required_parameter","param":"contents"}},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents","#,
            r#""description":"Missing required parameter: 'contents'."}]}]}}"#
        );
        assert_eq!(String::from_utf8(error(&problem)).unwrap(), body);
        assert_eq!(String::from_utf8(error_event(&problem)).unwrap(), format!("data: {body}\n\n"));
    }

    #[test]
    fn the_status_follows_from_https() {
        let check = |status, expect: &str| {
            let problem = Problem { status, ..HostFault::Host.problem() };
            let body = String::from_utf8(error(&problem)).unwrap();
            assert!(body.contains(&format!(r#""status":"{expect}""#)), "{body}");
        };
        check(401, "UNAUTHENTICATED");
        check(404, "NOT_FOUND");
        check(413, "INVALID_ARGUMENT");
        check(429, "RESOURCE_EXHAUSTED");
        check(500, "INTERNAL");
        check(503, "UNAVAILABLE");
        check(504, "DEADLINE_EXCEEDED");
        let problem = Problem { retry_after: Some(Duration::from_millis(1500)), ..HostFault::Host.problem() };
        assert!(String::from_utf8(error(&problem)).unwrap().contains(r#""retryDelay":"2s""#));
    }
}

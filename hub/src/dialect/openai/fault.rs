//! OpenAI's error object.

use alloc::vec::Vec;

use crate::codec::json::write;
use crate::fault::Problem;

/// The body of an error answer: `{"error":{"message":…,"type":…,"param":…,"code":…}}`.
pub fn error(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + problem.message.len() + problem.code.len());
    out.extend_from_slice(b"{\"error\":");
    error_object(&mut out, problem);
    out.push(b'}');
    out
}

/// The event that ends a failed stream; no `[DONE]` follows it.
pub fn error_event(problem: &Problem) -> Vec<u8> {
    let mut out = Vec::with_capacity(104 + problem.message.len() + problem.code.len());
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(b"{\"error\":");
    error_object(&mut out, problem);
    out.extend_from_slice(b"}\n\n");
    out
}

/// The value of the member `error`.
pub fn error_object(out: &mut Vec<u8>, problem: &Problem) {
    out.extend_from_slice(b"{\"message\":");
    write::string(out, &problem.message);
    out.extend_from_slice(b",\"type\":");
    write::string(out, problem.kind);
    out.extend_from_slice(b",\"param\":");
    match &problem.param {
        Some(param) => write::string(out, param),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"code\":");
    write::string(out, &problem.code);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Reject;
    use alloc::string::{String, ToString};

    #[test]
    fn an_error_is_what_the_sdks_expect() {
        let problem = Reject::Missing { field: "model".to_string() }.problem();
        let body = r#"{"error":{"message":"Missing required parameter: 'model'.","type":"invalid_request_error","param":"model","code":"missing_required_parameter"}}"#;
        assert_eq!(String::from_utf8(error(&problem)).unwrap(), body);
        assert_eq!(String::from_utf8(error_event(&problem)).unwrap(), alloc::format!("data: {body}\n\n"));
        assert!(String::from_utf8(error(&Reject::NoKey.problem())).unwrap().contains(r#""param":null"#));
    }
}

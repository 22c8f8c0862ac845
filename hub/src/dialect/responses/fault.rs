//! The event that ends a failed stream.

use alloc::vec::Vec;

use crate::codec::json::write::object;
use crate::dialect::openai;
use crate::fault::Problem;

/// An `error` event. SDKs raise the member called `error`; the API's own event has the same members at its top level.
///
/// <https://platform.openai.com/docs/api-reference/responses-streaming/error>
pub fn error_event(problem: &Problem, number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + 2 * problem.message.len());
    out.extend_from_slice(b"event: error\ndata: ");
    object(&mut out, |event| {
        event.string("type", "error");
        event.number("sequence_number", number);
        event.string("code", &problem.code);
        event.string("message", &problem.message);
        match &problem.param {
            Some(param) => event.string("param", param),
            None => event.raw("param", "null"),
        }
        openai::error_object(event.member("error"), problem);
    });
    out.extend_from_slice(b"\n\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Reject;
    use alloc::string::{String, ToString};

    #[test]
    fn it_is_both_the_apis_event_and_what_the_sdks_raise() {
        let problem = Reject::Missing { field: "model".to_string() }.problem();
        let event = String::from_utf8(error_event(&problem, 7)).unwrap();
        let data = r#"{"type":"error","sequence_number":7,"code":"missing_required_parameter","message":"Missing required parameter: 'model'.","param":"model","error":{"message":"Missing required parameter: 'model'.","type":"invalid_request_error","param":"model","code":"missing_required_parameter"}}"#;
        assert_eq!(event, alloc::format!("event: error\ndata: {data}\n\n"));
    }
}

use super::*;
use crate::codec::json::scan;
use crate::endpoint::UsageChunk;

fn call(body: &str, endpoint: Endpoint, model: &str) -> Result<Ask, Reject> {
    let scan = scan(body.as_bytes())?;
    let (delivery, usage, body) = (Delivery::Whole, UsageChunk::Unwanted, body.as_bytes());
    let call = Call { endpoint, delivery, usage, model: "asked", betas: "", body, scan: &scan };
    let upstream = Upstream { dialect: "gemini".into(), ..Upstream::default() };
    crate::provider::ask(&call, &upstream, model)
}

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    match call(body, Endpoint::Chat, model)?.body {
        Body::Replaced(body) => Ok(String::from_utf8(body).unwrap()),
        Body::AsIs => panic!("it is translated"),
    }
}

fn with(member: &str, model: &str) -> Result<String, Reject> {
    asked(&format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{member}}}"#), model)
}

fn refused(outcome: Result<String, Reject>) -> (String, String) {
    let problem = outcome.unwrap_err().problem();
    (problem.code, problem.param.unwrap_or_default())
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member, "gemini-2.5-pro"));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    check(r#""logit_bias":{"50256":-100}"#, "logit_bias");
    check(r#""metadata":{"a":"b"}"#, "metadata");
    check(r#""modalities":["text","audio"]"#, "modalities");
    check(r#""service_tier":"scale""#, "service_tier");
    check(r#""store":true"#, "store");
    check(r#""reasoning_effort":"none""#, "reasoning_effort");
    check(r#""web_search_options":{"user_location":{}}"#, "web_search_options.user_location");
    check(&format!(r#"{tool},"parallel_tool_calls":false"#), "parallel_tool_calls");
    check(&format!(r#"{tool},"response_format":{{"type":"json_object"}}"#), "response_format");
    check(r#""brand_new":1"#, "brand_new");
}

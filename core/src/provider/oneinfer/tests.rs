use alloc::format;
use alloc::string::String;

use weir_hub::endpoint::Delivery;
use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, refused, upstream, written};
use crate::provider::Notes;

fn sent(body: &str, model: &str, drop_unsupported: bool) -> Result<(String, Notes), Reject> {
    let upstream = Upstream { drop_unsupported, ..upstream("oneinfer") };
    let ask = trial::sent(&upstream, Endpoint::Chat, Delivery::Whole, body, model)?;
    let notes = ask.notes.clone();
    Ok((written(ask), notes))
}

fn with(member: &str) -> Result<(String, Notes), Reject> {
    sent(&chat(member), "openai/gpt-4o", false)
}

#[test]
fn a_models_maker_stands_before_the_first_slash() {
    let check = |model: &str, expect: (Option<&str>, &str)| assert_eq!(ask::named(model), expect);
    check("anthropic/claude-sonnet-4-6", (Some("anthropic"), "claude-sonnet-4-6"));
    check("novita/deepseek/deepseek-v3.1", (Some("novita"), "deepseek/deepseek-v3.1"));
    check("gpt-4o-mini", (None, "gpt-4o-mini"));
    check("/gpt-4o-mini", (None, "/gpt-4o-mini"));
    check("openai/", (None, "openai/"));
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    check(tool, "tools");
    check(&format!(r#"{tool},"tool_choice":"none""#), "tools");
    check(r#""tool_choice":"required""#, "tool_choice");
    check(r#""response_format":{"type":"json_object"}"#, "response_format.type");
    check(r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#, "response_format");
    check(r#""reasoning_effort":"low""#, "reasoning_effort");
    check(r#""top_k":5"#, "top_k");
    check(r#""seed":5"#, "seed");
    check(r#""n":2"#, "n");
    check(r#""logprobs":true"#, "logprobs");
    check(r#""logprobs":true,"top_logprobs":3"#, "top_logprobs");
    check(r#""logit_bias":{"5":1}"#, "logit_bias");
    check(r#""presence_penalty":0.5"#, "presence_penalty");
    check(r#""frequency_penalty":0.5"#, "frequency_penalty");
    check(r#""metadata":{"a":"b"}"#, "metadata");
    check(r#""service_tier":"priority""#, "service_tier");
    // The operator chooses the maker, in the target's name.
    check(r#""provider":"anthropic""#, "provider");
    check(r#""brand_new":1"#, "brand_new");
}

#[test]
fn messages_are_text_or_refused_by_path() {
    let check = |message: &str, field: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}},{message}]}}"#);
        assert_eq!(refused(sent(&body, "gpt-4o", false)).1, field, "{message}");
        let (dropped, notes) = sent(&body, "gpt-4o", true).unwrap();
        assert_eq!(notes.dropped, [field]);
        assert!(dropped.contains(r#"[{"role":"user","content":"a"}"#), "{dropped}");
    };
    let part = |part: &str| format!(r#"{{"role":"user","content":[{{"type":"text","text":"b"}},{part}]}}"#);
    check(
        &part(r#"{"type":"image_url","image_url":{"url":"https://e.org/a.png"}}"#),
        "messages[1].content[1].image_url",
    );
    check(
        &part(r#"{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}"#),
        "messages[1].content[1].input_audio",
    );
    check(
        &part(r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}"#),
        "messages[1].content[1].file",
    );
    check(
        r#"{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        "messages[1].tool_calls",
    );
    check(r#"{"role":"tool","tool_call_id":"1","content":"r"}"#, "messages[1].content[0]");
    let lines = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
        {"role":"assistant","content":""},{"role":"assistant","reasoning_content":"hm","content":"c"}]}"#;
    let expect = r#""messages":[{"role":"user","content":"a\nb"},{"role":"assistant","content":"c"}]}"#;
    assert!(sent(lines, "gpt-4o", false).unwrap().0.ends_with(expect));
    assert_eq!(refused(sent(r#"{"messages":[{"role":"user","content":""}]}"#, "gpt-4o", false)).1, "messages");
}

#[test]
fn what_promises_nothing_is_left_out_and_noted() {
    let (sent, notes) = with(r#""user":"ann","prompt_cache_key":"k","reasoning_effort":"none""#).unwrap();
    assert_eq!(sent, r#"{"provider":"openai","model":"gpt-4o","messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(notes.dropped, ["reasoning_effort", "user", "prompt_cache_key"]);
}

#[test]
fn faults_are_told_apart() {
    let check = |status, body: &str, expect, message: &str| {
        let fault = OneInfer.fault(status, body.as_bytes());
        assert_eq!((fault.kind, fault.message.as_str()), (expect, message), "{status} {body}");
    };
    let envelope = |message: &str, error: &str| {
        format!(r#"{{"api_details":{{"api_status":"failure","api_message":"{message}"}},"data":{{}},"error":{error}}}"#)
    };
    check(400, &envelope("no", r#"{"error_description":"wrong"}"#), FaultKind::InvalidRequest, "wrong");
    check(400, &envelope("no", r#"{"message":"wrong"}"#), FaultKind::InvalidRequest, "wrong");
    check(400, &envelope("no", r#""wrong""#), FaultKind::InvalidRequest, "wrong");
    check(400, &envelope("no", "{}"), FaultKind::InvalidRequest, "no");
    check(401, r#"{"detail":"Invalid token"}"#, FaultKind::Auth, "Invalid token");
    check(403, r#"{"detail":"Insufficient credit balance"}"#, FaultKind::Billing, "Insufficient credit balance");
    check(403, r#"{"message":"Forbidden"}"#, FaultKind::Auth, "Forbidden");
    check(
        422,
        r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#,
        FaultKind::InvalidRequest,
        "messages: Field required",
    );
    let long = "This model's maximum context length is 128000 tokens.";
    check(400, &envelope("no", &format!(r#"{{"message":"{long}"}}"#)), FaultKind::ContextLength, long);
    check(502, "<html>", FaultKind::Unavailable, "The provider answered with status 502 and no error message.");
}

use alloc::string::String;
use alloc::{format, vec};

use weir_hub::endpoint::Delivery;
use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, refused, upstream};
use crate::provider::{Body, Notes};

fn sent(endpoint: Endpoint, body: &str, model: &str) -> Result<(String, Notes), Reject> {
    let ask = trial::sent(&upstream("cohere"), endpoint, Delivery::Whole, body, model)?;
    match ask.body {
        Body::Replaced(body) => Ok((String::from_utf8(body).unwrap(), ask.notes)),
        Body::AsIs => Ok((body.into(), ask.notes)),
    }
}

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    sent(Endpoint::Chat, body, model).map(|(body, _)| body)
}

fn with(member: &str) -> Result<String, Reject> {
    asked(&chat(member), "command-a-03-2025")
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    check(r#""n":2"#, "n");
    check(r#""logprobs":true,"top_logprobs":3"#, "top_logprobs");
    check(r#""logit_bias":{"50256":-100}"#, "logit_bias");
    check(r#""temperature":1.5"#, "temperature");
    check(r#""presence_penalty":-0.5"#, "presence_penalty");
    check(r#""frequency_penalty":1.5"#, "frequency_penalty");
    check(r#""metadata":{"a":"b"}"#, "metadata");
    check(r#""service_tier":"flex""#, "service_tier");
    check(r#""reasoning_effort":"low""#, "reasoning_effort");
    check(r#""brand_new":1"#, "brand_new");
}

/// The Responses API accepts items in any order, and agents insert what the user says meanwhile.
#[test]
fn results_come_before_what_a_person_says_in_between() {
    let messages = r#"{"role":"user","content":"x"},{"role":"assistant","tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"hm"},
            {"role":"tool","tool_call_id":"b","content":"2"}"#;
    let body = asked(&format!(r#"{{"messages":[{messages}]}}"#), "command-a-03-2025").unwrap();
    let end = r#"{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"},{"role":"user","content":"hm"}]}"#;
    assert!(body.ends_with(end), "{body}");
}

/// A result remained without content, and an image that the model made remained in its message, so the request was
/// refused.
#[test]
fn of_parts_that_are_left_out_nothing_stays() {
    let lenient = Upstream { drop_unsupported: true, ..upstream("cohere") };
    let sent = |endpoint, body: &str| {
        let ask = trial::sent(&lenient, endpoint, Delivery::Whole, body, "command-a-03-2025").unwrap();
        trial::written(ask)
    };
    let result = r#"{"messages":[{"role":"tool","tool_call_id":"1","content":[
        {"type":"image_url","image_url":{"url":"https://e.org/a.png"}}]}]}"#;
    let empty = r#""messages":[{"role":"tool","tool_call_id":"1","content":""}]"#;
    assert!(sent(Endpoint::Chat, result).contains(empty));
    let made = r#"{"input":[{"role":"user","content":"a"},{"type":"image_generation_call","result":"AAAA"}]}"#;
    assert!(sent(Endpoint::Responses, made).contains(r#""messages":[{"role":"user","content":"a"}]"#));
}

#[test]
fn parts_that_cannot_be_expressed_are_refused_by_path() {
    let check = |message: &str, field: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}},{message}]}}"#);
        assert_eq!(refused(asked(&body, "command-a-03-2025")).1, field, "{message}");
    };
    let file =
        |data: &str| format!(r#"{{"role":"user","content":[{{"type":"file","file":{{"file_data":"data:{data}"}}}}]}}"#);
    check(&file("application/pdf;base64,AAAA"), "messages[1].content[0].file");
    check(&file("text/plain;base64,/w=="), "messages[1].content[0].file");
    check(
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}]}"#,
        "messages[1].content[1].input_audio",
    );
    check(
        r#"{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":{"url":"https://e.org/a.png"}}]}"#,
        "messages[1].content[0].image_url",
    );
}

#[test]
fn what_says_nothing_is_no_message() {
    let body = r#"{"messages":[{"role":"user","content":""},{"role":"assistant","reasoning_content":"hm","content":""},
        {"role":"user","content":"a"}]}"#;
    let sent = asked(body, "command-a-03-2025").unwrap();
    assert!(sent.contains(r#""messages":[{"role":"user","content":"a"}]"#), "{sent}");
    assert_eq!(refused(asked(r#"{"messages":[{"role":"user","content":""}]}"#, "command-a-03-2025")).1, "messages");
}

#[test]
fn a_choice_of_one_tool_is_no_choice() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;
    let choose = |choice: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{tools},"tool_choice":{choice}}}"#);
        sent(Endpoint::Chat, &body, "command-a-03-2025")
    };
    let named = |name: &str| format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#);
    let (body, notes) = choose(&named("g")).unwrap();
    assert!(body.contains(r#""name":"g""#) && !body.contains(r#""name":"f""#), "{body}");
    assert!(body.contains(r#""tool_choice":"REQUIRED""#), "{body}");
    assert_eq!(notes.emulated, ["tool_choice"]);
    assert_eq!(refused(choose(&named("h"))).1, "tool_choice");
    assert!(choose(r#""none""#).unwrap().0.contains(r#""tool_choice":"NONE""#));
    assert!(!choose(r#""auto""#).unwrap().0.contains("tool_choice"));
    assert_eq!(refused(with(r#""tool_choice":"required""#)).1, "tool_choice");
}

#[test]
fn what_promises_nothing_is_left_out_and_noted() {
    let body = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}],
        "user":"ann","prompt_cache_key":"k"}"#;
    let (sent, notes) = sent(Endpoint::Chat, body, "command-a-03-2025").unwrap();
    assert_eq!(sent, r#"{"model":"command-a-03-2025","messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(notes.dropped, ["user", "messages.cache_control", "prompt_cache_key"]);
}

#[test]
fn thinking_leaves_room_for_the_answer() {
    let check = |member: &str, expect: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{member}}}"#);
        let sent = asked(&body, "command-a-reasoning-08-2025").unwrap();
        assert!(sent.contains(expect), "{sent}");
    };
    check(r#""reasoning_effort":"low""#, r#""thinking":{"type":"enabled","token_budget":2048}"#);
    check(r#""reasoning_effort":"low","max_tokens":1000"#, r#""thinking":{"type":"enabled","token_budget":500}"#);
    check(r#""reasoning_effort":"max","max_tokens":1000"#, r#""thinking":{"type":"enabled"}"#);
    check(r#""reasoning_effort":"none""#, r#""thinking":{"type":"disabled"}"#);
    check(r#""thinking":{"type":"enabled","budget_tokens":1500}"#, r#""token_budget":1500"#);
    assert_eq!(refused(with(r#""thinking":{"type":"hard"}"#)).1, "thinking.type");
    assert_eq!(refused(with(r#""documents":"all of them""#)).1, "documents");
}

#[test]
fn a_rerank_is_refused_for_what_this_version_does_not_have() {
    let check = |member: &str, field: &str| {
        let body = format!(r#"{{"model":"m","query":"q",{member}}}"#);
        assert_eq!(refused(sent(Endpoint::Rerank, &body, "rerank-v3.5")).1, field, "{member}");
    };
    check(r#""documents":["a"],"return_documents":true"#, "return_documents");
    check(r#""documents":["a"],"rank_fields":["text"]"#, "rank_fields");
    check(r#""documents":["a",{"image":"https://e.org/a.png"}]"#, "documents[1]");
    check(r#""documents":"a""#, "documents");
    check(r#""top_n":1"#, "documents");
    let as_is = r#"{"model":"rerank-v3.5","query":"q","documents":["a"]}"#;
    assert_eq!(sent(Endpoint::Rerank, as_is, "rerank-v3.5").unwrap().0, as_is);
}

#[test]
fn embeddings_say_what_they_are_for() {
    let embed = |member: &str| {
        sent(Endpoint::Embeddings, &format!(r#"{{"model":"m",{member}}}"#), "embed-v4.0").map(|(body, _)| body)
    };
    assert!(embed(r#""input":"a""#).unwrap().contains(r#""input_type":"search_document""#));
    assert!(embed(r#""input":"a","input_type":"clustering""#).unwrap().contains(r#""input_type":"clustering""#));
    assert_eq!(refused(embed(r#""input":"a","brand_new":1"#)).1, "brand_new");
    assert_eq!(refused(embed(&format!(r#""input":[{}]"#, vec![r#""a""#; 97].join(",")))).1, "input");
}

#[test]
fn a_status_of_its_own_is_understood() {
    let check = |status, body: &str, expect| assert_eq!(Cohere.fault(status, body.as_bytes()).kind, expect, "{body}");
    check(498, r#"{"message":"blocked"}"#, FaultKind::ContentPolicy);
    check(400, r#"{"message":"too many tokens: size limit exceeded by 11326 tokens."}"#, FaultKind::ContextLength);
    check(429, r#"{"message":"limited to 1000 API calls / month"}"#, FaultKind::Billing);
    check(503, "upstream connect error", FaultKind::Unavailable);
}

/// A server made with `FastAPI` that serves Cohere's models reports a request that does not fit the schema as a list of
/// places.
#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let body =
        r#"{"detail":[{"loc":["body","temperature"],"msg":"Input should be at most 1","type":"less_than_equal"}]}"#;
    let fault = Cohere.fault(422, body.as_bytes());
    assert_eq!((fault.kind, &*fault.message), (FaultKind::InvalidRequest, "temperature: Input should be at most 1"));
    assert_eq!(fault.param.as_deref(), Some("temperature"));
    assert_eq!(Cohere.fault(422, br#"{"detail":"no such model"}"#).message, "no such model");
}

/// <https://docs.cohere.com/reference/chat>, `stop_sequences`
#[test]
fn no_more_than_five_sequences_stop_an_answer() {
    let (code, param) = refused(with(r#""stop":["a","b","c","d","e","f"]"#));
    assert_eq!((code.as_str(), param.as_str()), ("invalid_value", "stop"));
}

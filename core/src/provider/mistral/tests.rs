use alloc::format;

use weir_hub::endpoint::Delivery;
use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, upstream};

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    trial::asked(&upstream("mistral"), body, model)
}

fn with(member: &str, model: &str) -> Result<String, Reject> {
    asked(&chat(member), model)
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let problem = with(member, "mistral-large-latest").unwrap_err().problem();
        assert_eq!(problem.param.as_deref(), Some(field), "{member}");
    };
    check(r#""logit_bias":{"5":1}"#, "logit_bias");
    check(r#""logprobs":true"#, "logprobs");
    check(r#""top_logprobs":2"#, "logprobs");
    check(r#""service_tier":"flex""#, "service_tier");
    check(r#""top_k":5"#, "top_k");
    check(r#""store":true"#, "store");
    check(r#""temperature":1.6"#, "temperature");
    check(r#""brand_new":1"#, "brand_new");
    check(r#""tool_choice":"required""#, "tool_choice");
    let safe = with(r#""safe_prompt":true,"user":"u","seed":3,"max_tokens":9"#, "mistral-large-latest").unwrap();
    assert!(safe.ends_with(r#""max_tokens":9,"random_seed":3,"safe_prompt":true}"#), "{safe}");
}

#[test]
fn what_other_endpoints_lack_is_refused_by_name() {
    let upstream = Upstream { drop_unsupported: true, ..upstream("mistral") };
    let check = |endpoint, body: &str, expect: Option<(&str, &str)>| {
        let asked = trial::sent(&upstream, endpoint, Delivery::Whole, body, "m");
        let told = asked.as_ref().err().map(|reject| (reject.problem().code, reject.problem().param.unwrap()));
        assert_eq!(told.as_ref().map(|(code, field)| (&**code, &**field)), expect, "{body}");
    };
    let hear = |body: &str, lacks: Option<&str>| {
        check(Endpoint::Transcriptions, body, lacks.map(|field| ("unsupported_parameter", field)));
    };
    hear(r#"{"file":true,"model":"m","language":true,"temperature":true,"diarize":true}"#, None);
    hear(r#"{"file":true,"model":"m","response_format":"json","stream":"false"}"#, None);
    hear(r#"{"file":true,"model":"m","response_format":"verbose_json"}"#, Some("response_format"));
    hear(r#"{"file":true,"model":"m","prompt":true}"#, Some("prompt"));
    hear(r#"{"file":true,"model":"m","timestamp_granularities[]":true}"#, Some("timestamp_granularities[]"));
    hear(r#"{"file":true,"model":"m","stream":"true"}"#, Some("stream"));
    check(Endpoint::Moderations, r#"{"model":"m","input":["a","b"]}"#, None);
    let image = r#"{"model":"m","input":["a",{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]}"#;
    check(Endpoint::Moderations, image, Some(("invalid_value", "input[1]")));
    check(Endpoint::Translations, "{}", Some(("endpoint_not_supported", "model")));
}

#[test]
fn an_effort_is_what_the_model_understands() {
    let check = |effort: &str, model: &str, expect: Option<&str>| {
        let body = with(&format!(r#""reasoning_effort":"{effort}""#), model).unwrap();
        let expect = expect.map(|effort| format!(r#""reasoning_effort":"{effort}"}}"#));
        assert!(expect.map_or(!body.contains("effort"), |expect| body.ends_with(&expect)), "{body}");
    };
    check("low", "mistral-small-latest", Some("high"));
    check("minimal", "mistral-small-latest", Some("none"));
    check("low", "mistral-large-4-0", Some("low"));
    check("xhigh", "mistral-large-4-0", Some("high"));
    check("low", "magistral-medium-latest", None);
}

#[test]
fn messages_are_brought_into_order() {
    let check = |messages: &str, expect: &str| {
        let body = asked(&format!("{{\"messages\":[{messages}]}}"), "mistral-large-latest").unwrap();
        assert_eq!(body, format!("{{\"model\":\"mistral-large-latest\",\"messages\":[{expect}]}}"));
    };
    check(
        r#"{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"developer","content":"c"},{"role":"user","content":"d"}"#,
        r#"{"role":"system","content":"c"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"d"}"#,
    );
    let call = |id: &str| {
        format!(
            r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"{id}","content":"r"}}"#
        )
    };
    let user = r#"{"role":"user","content":"a"}"#;
    check(
        &format!("{user},{},{user}", call("abcDEF123")),
        &format!("{user},{},{{\"role\":\"assistant\",\"content\":\"Noted.\"}},{user}", call("abcDEF123")),
    );
    check(&format!("{user},{}", call("call_1")), &format!("{user},{}", call(&call_id("call_1"))));
    check(
        &format!(r#"{user},{{"role":"assistant","content":"{{"}}"#),
        &format!(r#"{user},{{"role":"assistant","content":"{{","prefix":true}}"#),
    );
}

#[test]
fn a_name_for_a_call_is_nine_letters_and_digits_and_stays() {
    assert_eq!(call_id("abcDEF123"), "abcDEF123");
    for id in ["", "call_1", "call_2", "toolu_01A09q90qw90lq917835lq9", "abcdefgh-"] {
        let name = call_id(id);
        assert!(name.len() == 9 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        assert_eq!(name, call_id(id));
    }
    assert_ne!(call_id("call_1"), call_id("call_2"));
}

#[test]
fn faults_are_told_apart() {
    let check = |status, body: &str, expect| {
        let fault = Mistral.fault(status, body.as_bytes());
        assert_eq!((fault.kind, fault.param.as_deref().unwrap_or_default()), expect, "{status} {body}");
    };
    let misfit = r#"{"detail":[{"type":"less_than_equal","loc":["body","messages",0,"content"],"msg":"Too hot"}]}"#;
    check(422, misfit, (FaultKind::InvalidRequest, "messages[0].content"));
    let within = format!(r#"{{"object":"error","message":{misfit},"type":"invalid_request_error","code":null}}"#);
    check(422, &within, (FaultKind::InvalidRequest, "messages[0].content"));
    let typed = |kind: &str, message: &str| {
        format!(r#"{{"object":"error","message":"{message}","type":"{kind}","param":null,"code":"1500"}}"#)
    };
    check(400, &typed("invalid_model", "Invalid model: x"), (FaultKind::NotFound, ""));
    check(
        400,
        &typed("invalid_request_prompt", "too large for model with 9 maximum context length"),
        (FaultKind::ContextLength, ""),
    );
    check(403, &typed("guardrail_violation", "Blocked."), (FaultKind::ContentPolicy, ""));
    check(429, &typed("rate_limited", "Rate limit exceeded"), (FaultKind::RateLimited, ""));
    check(401, r#"{"detail":"Unauthorized"}"#, (FaultKind::Auth, ""));
    check(401, r#"{"message":"Unauthorized","request_id":"x"}"#, (FaultKind::Auth, ""));
    check(402, "", (FaultKind::Billing, ""));
    check(503, "<html>", (FaultKind::Unavailable, ""));
}

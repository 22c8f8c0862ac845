use alloc::format;
use alloc::string::String;

use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, UsageChunk};
use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, refused, upstream};

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    trial::asked(&upstream("anthropic"), body, model)
}

fn with(member: &str) -> Result<String, Reject> {
    asked(&chat(member), "claude-sonnet-4-5")
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    check(r#""n":2"#, "n");
    check(r#""logprobs":true"#, "logprobs");
    check(r#""top_logprobs":3"#, "top_logprobs");
    check(r#""logit_bias":{"50256":-100}"#, "logit_bias");
    check(r#""presence_penalty":0.5"#, "presence_penalty");
    check(r#""frequency_penalty":-1"#, "frequency_penalty");
    check(r#""seed":7"#, "seed");
    check(r#""modalities":["text","audio"]"#, "modalities");
    check(r#""audio":{"voice":"alloy"}"#, "audio");
    check(r#""temperature":1.5"#, "temperature");
    check(r#""metadata":{"a":"b"}"#, "metadata");
    check(r#""store":true"#, "store");
    check(r#""service_tier":"flex""#, "service_tier");
    check(r#""functions":[{"name":"f"}]"#, "functions");
    check(r#""brand_new":1"#, "brand_new");
}

#[test]
fn what_changes_nothing_is_no_reason_to_refuse() {
    let neutral = r#""n":1,"logprobs":false,"top_logprobs":0,"logit_bias":{},"presence_penalty":0,"frequency_penalty":0.0,
        "seed":null,"modalities":["text"],"audio":null,"temperature":1,"metadata":{},"store":false,"service_tier":"auto",
        "functions":[],"brand_new":null,"prompt_cache_key":"k","verbosity":"medium""#;
    let plain = r#""temperature":1"#;
    assert_eq!(with(neutral), with(plain));
}

/// Callers of other APIs have schemas with limits and open objects. Claude refuses the whole request because of them.
#[test]
fn an_answers_schema_is_one_that_is_taken() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"number","minimum":1}}}"#;
    let format =
        format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#);
    let body = asked(&chat(&format), "claude-opus-4-7").unwrap();
    let expect = r#""schema":{"type":"object","properties":{"a":{"type":"number"}},"additionalProperties":false}"#;
    assert!(body.contains(expect), "{body}");
}

#[test]
fn parts_that_cannot_be_expressed_are_refused_by_path() {
    let check = |messages: &str, field: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}},{messages}]}}"#);
        assert_eq!(refused(asked(&body, "claude")).1, field, "{messages}");
    };
    check(
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}]}"#,
        "messages[1].content[1].input_audio",
    );
    check(
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#,
        "messages[1].content[0].file.file_id",
    );
    check(r#"{"role":"assistant","audio":{"id":"a"}}"#, "messages[1].audio");
    check(
        r#"{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{}}]}"#,
        "messages[1].tool_calls[0].type",
    );
    assert_eq!(refused(asked(r#"{"messages":[{"role":"system","content":"a"}]}"#, "claude")).1, "messages");
}

/// OpenAI's callers send files of many kinds; of files in base64, Claude accepts only PDFs.
#[test]
fn a_file_that_is_text_is_sent_as_text() {
    let asked = |part: &str, model: &str| {
        asked(&format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}]}}"#), model)
    };
    let file = |kind: &str, data: &str| {
        format!(r#"{{"type":"file","file":{{"filename":"n","file_data":"data:{kind};base64,{data}"}}}}"#)
    };
    let image = |kind: &str| format!(r#"{{"type":"image_url","image_url":{{"url":"data:{kind};base64,AAAA"}}}}"#);
    let check = |part: &str, expect: &str| {
        let body = asked(part, "claude-sonnet-4-5").unwrap();
        assert!(body.contains(expect), "{body}");
    };
    check(&file("text/csv", "YSxi"), r#""source":{"type":"text","media_type":"text/plain","data":"a,b"},"title":"n""#);
    check(&file("application/json", "e30="), r#""data":"{}""#);
    check(&file("application/pdf", "AAAA"), r#"{"type":"base64","media_type":"application/pdf","data":"AAAA"}"#);
    check(&image("image/jpg"), r#"{"type":"base64","media_type":"image/jpeg","data":"AAAA"}"#);
    for (part, kind) in [
        (file("application/zip", "AAAA"), "file"),
        (file("text/plain", "/w=="), "file"),
        (image("image/svg+xml"), "image_url"),
    ] {
        let field = format!("messages[0].content[1].{kind}");
        assert_eq!(refused(asked(&part, "claude-sonnet-4-5")), ("unsupported_parameter".into(), field));
    }
    assert!(asked(&image("image/svg+xml"), "another").is_ok());
}

#[test]
fn an_effort_is_what_the_model_understands() {
    let asked = |effort: &str, model| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"reasoning_effort":"{effort}"}}"#);
        asked(&body, model)
    };
    let check = |effort, model, expect: &str| {
        let body = asked(effort, model).unwrap();
        assert!(body.contains(expect), "{effort} {model}: {body}");
    };
    check("low", "claude-sonnet-4-5", r#""max_tokens":18432"#);
    check("low", "claude-sonnet-4-5", r#""thinking":{"type":"enabled","budget_tokens":2048}"#);
    check("xhigh", "claude-opus-4-6", r#""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#);
    check(
        "xhigh",
        "claude-opus-4-7",
        r#""thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"xhigh"}"#,
    );
    check("none", "claude-opus-5", r#""thinking":{"type":"disabled"}"#);
    check("none", "claude-fable-5", r#""output_config":{"effort":"low"}"#);
    assert!(!asked("none", "claude-opus-4-7").unwrap().contains("thinking"));
    assert!(!asked("none", "claude-sonnet-4-5").unwrap().contains("thinking"));
    assert_eq!(refused(asked("low", "claude-3-5-haiku-latest")).1, "reasoning_effort");
    assert_eq!(refused(with(r#""reasoning_effort":"low","max_tokens":2000"#)).1, "max_completion_tokens");
    assert_eq!(
        refused(with(r#""reasoning_effort":"low","response_format":{"type":"json_object"}"#)).1,
        "response_format.type"
    );
}

#[test]
fn the_order_of_a_schema_is_kept() {
    let body = with(
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"z":{},"a":{}}}}}]"#,
    );
    assert!(body.unwrap().contains(r#""properties":{"z":{},"a":{}}"#));
}

#[test]
fn embeddings_are_not_served() {
    let body = br#"{"model":"m","input":"a"}"#;
    let scan = scan(body).unwrap();
    let (endpoint, delivery) = (Endpoint::Embeddings, Delivery::Whole);
    let usage = UsageChunk::Unwanted;
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &scan };
    let upstream = Upstream { dialect: "anthropic".into(), ..Upstream::default() };
    assert_eq!(
        crate::exchange::accepts(&call, &upstream, "claude-haiku-4-5").unwrap_err().problem().code,
        "endpoint_not_supported"
    );
}

/// Codex and MCP servers have such tools, and OpenAI accepts them.
#[test]
fn arguments_are_said_to_be_an_object() {
    let check = |parameters: &str, expect: &str| {
        let tools = format!(r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{parameters}}}}}]"#);
        let body = with(&tools).unwrap();
        assert!(body.contains(&format!(r#""input_schema":{expect}}}]"#)), "{body}");
    };
    check("{}", r#"{"type":"object"}"#);
    check(r#"{"properties":{"a":{}},"type":null}"#, r#"{"type":"object","properties":{"a":{}}}"#);
    check(r#"{"properties":{},"type":"object"}"#, r#"{"properties":{},"type":"object"}"#);
}

#[test]
fn tools_are_what_the_model_understands() {
    let strict = r#"{"messages":[{"role":"user","content":"a"}],
        "tools":[{"type":"function","function":{"name":"f","strict":true}}]}"#;
    assert!(asked(strict, "claude-haiku-4-5").unwrap().contains(r#""strict":true"#));
    assert_eq!(refused(asked(strict, "claude-opus-4-1")).1, "tools[0].function.strict");
    assert_eq!(refused(with(r#""tool_choice":"required""#)).1, "tool_choice");
    assert_eq!(with(r#""tool_choice":"auto""#), with(r#""tools":[]"#));
}

#[test]
fn tools_that_were_called_are_named_even_if_none_is_offered_now() {
    let body = asked(
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"1","content":"b"},{"role":"tool","tool_call_id":"2","content":"c"}]}"#,
        "claude",
    );
    let tools =
        r#""tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}"#;
    assert!(body.unwrap().contains(tools));
}

#[test]
fn a_status_tells_more_than_the_type_that_stands_for_all_requests() {
    let check =
        |status, body: &str, expect| assert_eq!(Anthropic.fault(status, body.as_bytes()).kind, expect, "{body}");
    let typed =
        |kind: &str, message: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
    check(413, &typed("invalid_request_error", "too large"), FaultKind::TooLarge);
    check(400, &typed("invalid_request_error", "no"), FaultKind::InvalidRequest);
    check(400, &typed("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), FaultKind::ContextLength);
    check(503, "upstream connect error", FaultKind::Unavailable);
}

#[test]
fn sampling_is_refused_where_the_model_takes_none() {
    let asked =
        |member: &str| asked(&format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{member}}}"#), "claude-opus-5");
    for (member, field) in
        [(r#""temperature":0"#, "temperature"), (r#""top_p":0.5"#, "top_p"), (r#""top_k":5"#, "top_k")]
    {
        assert_eq!(refused(asked(member)), ("unsupported_parameter".into(), field.into()));
        assert!(with(member).is_ok());
    }
    assert_eq!(asked(r#""temperature":1.0,"top_p":1"#), asked(r#""n":1"#));
}

/// Agents written for other models set both a temperature and an effort. Claude refuses the whole request because of
/// that.
#[test]
fn what_a_thinking_model_does_not_take_is_refused_by_name() {
    let asked = |member: &str, model| asked(&chat(&format!(r#""reasoning_effort":"low",{member}"#)), model);
    for model in ["claude-sonnet-4-5", "claude-sonnet-4-6"] {
        let check = |member: &str, field: &str| {
            let (code, param) = refused(asked(member, model));
            assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member} {model}");
        };
        check(r#""temperature":0.2"#, "temperature");
        check(r#""top_p":0.5"#, "top_p");
        check(r#""top_k":5"#, "top_k");
        for taken in [r#""temperature":1"#, r#""top_p":0.95"#] {
            assert!(asked(taken, model).unwrap().contains(taken), "{model}");
        }
    }
}

/// Claude refuses the whole request, and then no other target would be asked.
#[test]
fn a_model_that_thinks_cannot_be_made_to_call_a_tool() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let asked = |choice: &str, rest: &str, upstream: &Upstream| {
        let body = chat(&format!(r#"{tools},"tool_choice":{choice}{rest}"#));
        trial::asked(upstream, &body, "claude-sonnet-4-5")
    };
    let strict = upstream("anthropic");
    for choice in [r#""required""#, r#"{"type":"function","function":{"name":"f"}}"#] {
        assert_eq!(refused(asked(choice, r#","reasoning_effort":"low""#, &strict)).1, "tool_choice");
        assert!(asked(choice, "", &strict).unwrap().contains("tool_choice"));
    }
    let lenient = Upstream { drop_unsupported: true, ..strict };
    let body = asked(r#""required""#, r#","reasoning_effort":"low""#, &lenient).unwrap();
    assert!(body.contains("budget_tokens") && !body.contains("tool_choice"), "{body}");
}

/// Claude refuses the whole request for such a sequence, and OpenAI's callers often stop at a line break.
#[test]
fn a_stop_sequence_of_nothing_but_space_is_refused_by_name() {
    let stop = chat(r#""stop":["\n\n","END","\n\nHuman:"]"#);
    let (code, param) = refused(asked(&stop, "claude-haiku-4-5"));
    assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", "stop"));
    assert!(asked(&stop, "another").is_ok());
    let lenient = Upstream { drop_unsupported: true, ..upstream("anthropic") };
    let left = r#""stop_sequences":["END","\n\nHuman:"]"#;
    assert!(trial::asked(&lenient, &stop, "claude-haiku-4-5").unwrap().contains(left));
    assert!(!trial::asked(&lenient, &chat(r#""stop":"\n""#), "claude-haiku-4-5").unwrap().contains("stop"));
}

/// An agent that asks for an effort and does not send thoughts back got an answer to its first request, and a 400 to
/// the next one, which had the tool's result.
#[test]
fn an_answer_that_began_without_thoughts_goes_on_without() {
    let check = |answer: &str, model: &str, expect: Option<&str>| {
        let body = format!(
            r#"{{"reasoning_effort":"low","messages":[{{"role":"user","content":"a"}},
                {{"role":"assistant","content":"b"}},{{"role":"user","content":"c"}},{answer}]}}"#
        );
        let sent = asked(&body, model).unwrap();
        assert_eq!(sent.contains("budget_tokens"), expect == Some("enabled"), "{answer}: {sent}");
        assert_eq!(sent.contains("adaptive"), expect == Some("adaptive"), "{answer}: {sent}");
    };
    let called = |thought: &str| {
        let call = r#""tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
        format!(r#"{{"role":"assistant",{thought}{call}}},{{"role":"tool","tool_call_id":"1","content":"d"}}"#)
    };
    let proven = called(r#""reasoning_details":[{"type":"reasoning.text","text":"t","signature":"EqQB"}],"#);
    let anothers = called(r#""reasoning_details":[{"type":"reasoning.text","text":"t","signature":"gemini~Eq"}],"#);
    let forgotten = called("");
    check(&proven, "claude-sonnet-4-5", Some("enabled"));
    check(&forgotten, "claude-sonnet-4-5", None);
    check(&anothers, "claude-sonnet-4-5", None);
    check(&format!("{proven},{forgotten}"), "claude-sonnet-4-5", Some("enabled"));
    check(&format!(r#"{forgotten},{{"role":"user","content":"e"}}"#), "claude-sonnet-4-5", None);
    check(
        &format!(r#"{forgotten},{{"role":"assistant","content":"e"}},{{"role":"user","content":"f"}}"#),
        "claude-sonnet-4-5",
        Some("enabled"),
    );
    check(&forgotten, "claude-opus-4-6", Some("adaptive"));
    check(&forgotten, "another", Some("enabled"));
}

/// The provider's 400 ended the request, although another target could have continued it.
#[test]
fn an_answer_that_was_begun_is_refused_where_the_model_does_not_go_on_with_it() {
    let check = |member: &str, model, expect: Option<&str>| {
        let body =
            format!(r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":"b"}}]{member}}}"#);
        let param = asked(&body, model).err().and_then(|reject| reject.problem().param);
        assert_eq!(param.as_deref(), expect, "{member} {model}");
    };
    check("", "claude-sonnet-4-5", None);
    check(r#","reasoning_effort":"low""#, "claude-sonnet-4-5", Some("messages"));
    check("", "claude-opus-4-6", Some("messages"));
    check("", "claude-opus-5", Some("messages"));
    check("", "another", None);
}

/// From 4.5 on, a temperature and `top_p` together are refused, and clients send `top_p: 1` with every temperature.
#[test]
fn an_answer_is_drawn_in_one_way_where_two_exclude_each_other() {
    let check = |member: &str, model, expect: &str| {
        let body = asked(&chat(member), model).unwrap();
        assert!(body.ends_with(&format!("{expect}}}")), "{member} {model}: {body}");
    };
    let both = r#""temperature":0.2,"top_p":0.9"#;
    for model in ["claude-sonnet-4-5", "claude-opus-4-6"] {
        check(r#""temperature":0.2,"top_p":1"#, model, r#""a"}],"temperature":0.2"#);
        check(r#""temperature":1.0,"top_p":0.9"#, model, r#""a"}],"top_p":0.9"#);
        check(r#""temperature":1,"top_p":1,"top_k":5"#, model, r#""a"}],"top_p":1,"top_k":5"#);
        assert_eq!(refused(asked(&chat(both), model)).1, "top_p");
    }
    check(both, "claude-sonnet-4-0", both);
    check(both, "another", both);
}

#[test]
fn a_schema_is_followed_in_the_way_that_the_model_allows() {
    let schema = r#"{"messages":[{"role":"user","content":"a"}],"response_format":
        {"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}"#;
    let closed = schema.replace(r#"{"type":"object"}"#, r#"{"type":"object","additionalProperties":false}"#);
    let native =
        r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}"#;
    assert!(asked(&closed, "claude-opus-4-8").unwrap().contains(native));
    assert!(asked(schema, "claude-opus-4-8").unwrap().contains(r#""name":"weir_json_answer""#));
    assert!(
        asked(schema, "claude-sonnet-4-5")
            .unwrap()
            .contains(r#""tool_choice":{"type":"tool","name":"weir_json_answer"}"#)
    );
}

/// The details for programs reach the caller unread, so a key in them would, too.
#[test]
fn the_details_of_an_error_repeat_no_key() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"no",
        "details":{"error_code":"thread_not_found","seen":["key sk-ant-api03-abcdefgh"]}}}"#;
    let details = Anthropic.fault(400, body.as_bytes()).details.unwrap().0;
    assert_eq!(details, r#"{"error_code":"thread_not_found","seen":["key [redacted]"]}"#);
}

use core::time::Duration;

use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, refused, upstream};

fn ask(body: &str, endpoint: Endpoint, delivery: Delivery, model: &str) -> Result<Ask, Reject> {
    trial::sent(&upstream("gemini"), endpoint, delivery, body, model)
}

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    trial::asked(&upstream("gemini"), body, model)
}

fn with(member: &str, model: &str) -> Result<String, Reject> {
    asked(&chat(member), model)
}

#[test]
fn a_model_is_named_in_the_path() {
    let check = |body, endpoint, delivery, model, expect| {
        assert_eq!(ask(body, endpoint, delivery, model).unwrap().path, expect);
    };
    let chat = r#"{"messages":[{"role":"user","content":"a"}]}"#;
    let own = r#"{"contents":[]}"#;
    check(chat, Endpoint::Chat, Delivery::Whole, "gemini-2.5-pro", "/models/gemini-2.5-pro:generateContent");
    let streamed = "/models/gemini-2.5-pro:streamGenerateContent?alt=sse";
    check(chat, Endpoint::Chat, Delivery::Streamed, "gemini-2.5-pro", streamed);
    check(own, Endpoint::GenerateContent, Delivery::Streamed, "gemini-2.5-pro", streamed);
    check(chat, Endpoint::Chat, Delivery::Whole, "a b/c:d?é", "/models/a%20b%2Fc%3Ad%3F%C3%A9:generateContent");
    check(r#"{"input":"a"}"#, Endpoint::Embeddings, Delivery::Whole, "e", "/models/e:batchEmbedContents");
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member, "gemini-2.5-pro"));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    check(r#""logit_bias":{"50256":-100}"#, "logit_bias");
    check(r#""metadata":{"a":"b"}"#, "metadata");
    check(r#""modalities":["text","audio"]"#, "modalities");
    check(r#""audio":{"voice":"alloy"}"#, "audio");
    check(r#""service_tier":"scale""#, "service_tier");
    check(r#""store":true"#, "store");
    check(r#""reasoning_effort":"none""#, "reasoning_effort");
    check(r#""web_search_options":{"user_location":{}}"#, "web_search_options.user_location");
    check(r#""web_search_options":{"search_context_size":"low"}"#, "web_search_options.search_context_size");
    check(r#""brand_new":1"#, "brand_new");
}

#[test]
fn what_changes_nothing_is_no_reason_to_refuse() {
    let neutral = r#""n":1,"logprobs":false,"top_logprobs":0,"logit_bias":{},"presence_penalty":0,"seed":null,
        "modalities":["text"],"audio":null,"metadata":{},"store":false,"service_tier":"auto","functions":[],
        "prompt_cache_key":"k","user":"u","parallel_tool_calls":false"#;
    assert_eq!(with(neutral, "gemini-2.5-pro"), with(r#""tools":[]"#, "gemini-2.5-pro"));
}

#[test]
fn values_that_the_api_cannot_take_are_refused() {
    let check = |member: &str, field: &str| {
        let (code, param) = refused(with(member, "gemini-2.5-pro"));
        assert_eq!((code.as_str(), param.as_str()), ("invalid_value", field), "{member}");
    };
    check(r#""seed":4294967296"#, "seed");
    check(r#""tool_choice":"required""#, "tool_choice");
    check(r#""web_search_options":true"#, "web_search_options");
}

#[test]
fn parts_that_cannot_be_expressed_are_refused_by_path() {
    let check = |messages: &str, field: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}},{messages}]}}"#);
        assert_eq!(refused(asked(&body, "gemini-2.0-flash")).1, field, "{messages}");
    };
    check(
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.org/a.png"}}]}"#,
        "messages[1].content[0].image_url.url",
    );
    check(
        r#"{"role":"system","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}"#,
        "messages[1].content[0]",
    );
    check(
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#,
        "messages[1].content[0].file.file_id",
    );
    check(r#"{"role":"tool","tool_call_id":"1","content":"a"}"#, "messages[1].tool_call_id");
    assert_eq!(refused(asked(r#"{"messages":[{"role":"system","content":"a"}]}"#, "gemini-2.5-pro")).1, "messages");
}

#[test]
fn files_that_google_keeps_are_read_by_every_model() {
    let of = |url: &str| {
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
        );
        asked(&body, "gemini-2.0-flash").map(drop)
    };
    assert_eq!(of("https://generativelanguage.googleapis.com/v1beta/files/abc"), Ok(()));
    assert!(of("https://example.org/cat.png").is_err());
}

#[test]
fn an_effort_is_what_the_model_understands() {
    let check = |effort: &str, model, expect: &str| {
        let body = with(&format!(r#""reasoning_effort":"{effort}""#), model).unwrap();
        assert!(body.contains(expect), "{effort} {model}: {body}");
    };
    check("minimal", "gemini-2.5-pro", r#""thinkingBudget":1024"#);
    check("max", "gemini-2.5-pro", r#""thinkingBudget":32768"#);
    check("max", "gemini-2.5-flash", r#""thinkingBudget":24576"#);
    check("none", "gemini-2.5-flash-lite", r#""thinkingConfig":{"thinkingBudget":0}"#);
    check("medium", "gemini-3-pro-preview", r#""thinkingLevel":"high""#);
    check("none", "gemini-3-flash-preview", r#""thinkingLevel":"minimal""#);
    assert_eq!(refused(with(r#""reasoning_effort":"none""#, "gemini-3.8-flash")).1, "reasoning_effort");
    assert_eq!(refused(with(r#""reasoning_effort":"low""#, "gemini-2.0-flash")).1, "reasoning_effort");
    assert_eq!(with(r#""reasoning_effort":"none""#, "gemini-2.0-flash"), with(r#""n":1"#, "gemini-2.0-flash"));
}

#[test]
fn a_budget_counts_for_more_than_the_effort_beside_it() {
    let body = r#"{"max_tokens":30000,"messages":[{"role":"user","content":"a"}],
        "thinking":{"type":"enabled","budget_tokens":20000},"output_config":{"effort":"low"}}"#;
    let check = |model, expect: &str, dropped: &[&str], emulated: &[&str]| {
        let ask = ask(body, Endpoint::Messages, Delivery::Whole, model).unwrap();
        assert_eq!(
            (&ask.notes.dropped[..], &ask.notes.emulated[..]),
            (&own(dropped)[..], &own(emulated)[..]),
            "{model}"
        );
        let body = trial::written(ask);
        assert!(body.contains(expect), "{model}: {body}");
    };
    check("gemini-2.5-flash", r#""thinkingBudget":20000"#, &["output_config.effort"], &[]);
    check("gemini-3-flash-preview", r#""thinkingLevel":"low""#, &[], &["thinking"]);
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// <https://ai.google.dev/api/generate-content#generationconfig>, `stopSequences`
#[test]
fn no_more_than_five_sequences_stop_an_answer() {
    let five = with(r#""stop":["a","b","c","d"]"#, "gemini-2.5-flash").unwrap();
    assert!(five.contains(r#""stopSequences":["a","b","c","d"]"#), "{five}");
    let body =
        r#"{"max_tokens":9,"messages":[{"role":"user","content":"a"}],"stop_sequences":["a","b","c","d","e","f"]}"#;
    let outcome = ask(body, Endpoint::Messages, Delivery::Whole, "gemini-2.5-flash");
    let problem = outcome.map(drop).unwrap_err().problem();
    assert_eq!(problem.param.as_deref(), Some("stop_sequences"));
    assert!(problem.message.contains('5'), "{}", problem.message);
    let lenient = Upstream { drop_unsupported: true, ..upstream("gemini") };
    let ask = trial::sent(&lenient, Endpoint::Messages, Delivery::Whole, body, "gemini-2.5-flash").unwrap();
    assert_eq!(ask.notes.dropped, ["stop_sequences"]);
    assert!(trial::written(ask).contains(r#""stopSequences":["a","b","c","d","e"]"#));
}

#[test]
fn json_beside_tools_comes_through_a_tool_where_the_model_needs_that() {
    let asked = |choice: &str, model| {
        let tool = r#""tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}"#;
        with(&format!("{tool},\"tool_choice\":\"{choice}\""), model).unwrap()
    };
    let check = |choice: &str, config: &str| {
        let body = asked(choice, "gemini-2.5-pro");
        assert!(body.contains(r#""name":"weir_json_answer""#) && body.contains(config), "{choice}: {body}");
        assert!(!body.contains("responseMimeType"), "{body}");
    };
    check("auto", r#"{"mode":"ANY"}"#);
    check("required", r#"{"mode":"ANY"}"#);
    check("none", r#"{"mode":"ANY","allowedFunctionNames":["weir_json_answer"]}"#);
    assert!(asked("auto", "gemini-3-flash-preview").contains("responseMimeType"));
}

/// Sent together without any other setting, functions and a search are refused; older models always refuse them:
/// <https://ai.google.dev/gemini-api/docs/tool-combination>
#[test]
fn a_search_goes_beside_functions_as_the_model_and_the_host_allow() {
    let search = r#""web_search_options":{}"#;
    let function = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let both = format!("{search},{function}");
    let json = format!(r#"{search},"response_format":{{"type":"json_object"}}"#);
    let flag = r#""includeServerSideToolInvocations":true"#;
    let on = |provider: &str, member: &str| {
        trial::asked(&upstream(provider), &chat(member), "gemini-3-flash-preview").unwrap()
    };
    let check = |body: String, flagged: bool, mode: &str| {
        assert!(body.contains("googleSearch") && body.contains(mode), "{body}");
        assert_eq!(body.contains(flag), flagged, "{body}");
    };
    check(on("gemini", &both), true, r#""toolConfig":{"include"#);
    check(on("gemini", &format!(r#"{both},"tool_choice":"auto""#)), true, r#""mode":"VALIDATED""#);
    check(on("gemini", &format!(r#"{both},"tool_choice":"required""#)), true, r#""mode":"ANY""#);
    check(on("vertex", &both), false, "functionDeclarations");
    check(on("vertex", &format!(r#"{both},"tool_choice":"auto""#)), false, r#""mode":"AUTO""#);
    check(on("gemini", search), false, "googleSearch");
    check(on("gemini", &json), false, "responseMimeType");
    assert!(!on("gemini", function).contains(flag));
    for member in [&both, &json] {
        for model in ["gemini-2.5-flash", "gemini-2.0-flash"] {
            assert_eq!(refused(with(member, model)).1, "web_search_options", "{member} {model}");
        }
        let lenient = Upstream { drop_unsupported: true, ..upstream("gemini") };
        let ask = trial::sent(&lenient, Endpoint::Chat, Delivery::Whole, &chat(member), "gemini-2.5-flash").unwrap();
        assert_eq!(ask.notes.dropped, ["web_search_options"]);
        assert!(!trial::written(ask).contains("googleSearch"));
    }
}

#[test]
fn a_signature_returns_to_its_call() {
    let body = asked(
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_details":[
            {"type":"reasoning.text","signature":"gemini~1.QQ==","index":0},
            {"type":"reasoning.text","signature":"gemini~Qg==","index":1}],"tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":""}},
            {"id":"2","type":"function","function":{"name":"g","arguments":"{\"h\":1}"}}]},
            {"role":"tool","tool_call_id":"1","content":"c"},{"role":"tool","tool_call_id":"2","content":""}]}"#,
        "gemini-2.5-flash",
    );
    let parts = r#""parts":[{"text":"b","thoughtSignature":"Qg=="},{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{"h":1}},"thoughtSignature":"QQ=="}]"#;
    assert!(body.as_ref().unwrap().contains(parts), "{body:?}");
}

#[test]
fn what_is_left_out_is_noted() {
    let body = r#"{"user":"u","messages":[{"role":"user","content":[{"type":"file","cache_control":{"type":"ephemeral"},
        "file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}]}]}"#;
    let notes = ask(body, Endpoint::Chat, Delivery::Whole, "gemini-2.5-pro").unwrap().notes;
    assert_eq!(notes.dropped, ["user", "messages.cache_control", "messages[0].content[0].file.filename"]);
}

#[test]
fn a_rate_limit_says_when_to_come_again() {
    let check = |details: &str, expect| {
        let body =
            format!(r#"{{"error":{{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":{details}}}}}"#);
        let fault = Gemini.fault(429, body.as_bytes());
        assert_eq!((fault.kind, fault.retry_after), (FaultKind::RateLimited, expect), "{details}");
    };
    let retry =
        |delay: &str| format!(r#"[{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{delay}}}]"#);
    check(&retry(r#""34.5s""#), Some(Duration::from_millis(34_500)));
    check(&retry(r#""-1s""#), None);
    check(&retry("7"), None);
    check("[]", None);
}

/// Each result repeats the name of its call, so one long name took its size once for each result.
#[test]
fn a_function_that_was_called_has_a_short_name() {
    let asked = |length: usize| {
        let call =
            format!(r#"{{"id":"1","type":"function","function":{{"name":"{}","arguments":""}}}}"#, "f".repeat(length));
        let messages = format!(
            r#"{{"role":"user","content":"a"}},{{"role":"assistant","tool_calls":[{call}]}},{{"role":"tool","tool_call_id":"1","content":"c"}}"#
        );
        asked(&format!(r#"{{"messages":[{messages}]}}"#), "gemini-2.5-flash")
    };
    assert!(asked(128).unwrap().contains(&"f".repeat(128)));
    assert_eq!(asked(129).unwrap().len(), asked(10_000).unwrap().len());
}

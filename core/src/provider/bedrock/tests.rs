use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, chat, refused, upstream, written};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

fn sent(endpoint: Endpoint, delivery: Delivery, body: &str, model: &str) -> Result<Ask, Reject> {
    trial::sent(&upstream("bedrock"), endpoint, delivery, body, model)
}

fn asked(body: &str, model: &str) -> Result<String, Reject> {
    trial::asked(&upstream("bedrock"), body, model)
}

fn with(member: &str, model: &str) -> Result<String, Reject> {
    asked(&chat(member), model)
}

#[test]
fn a_path_names_the_model_whatever_its_name_is() {
    let check = |model: &str, verb: &str, expect: &str| assert_eq!(path(model, verb), expect);
    check(CLAUDE, "converse", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    check(
        "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-lite-v1:0",
        "converse-stream",
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse-stream",
    );
    check("a b\u{e9}/../x?y", "invoke", "/model/a%20b%C3%A9%2F..%2Fx%3Fy/invoke");
    let body = r#"{"messages":[{"role":"user","content":"a"}]}"#;
    let streamed = sent(Endpoint::Chat, Delivery::Streamed, body, "m").unwrap();
    assert_eq!(streamed.path, "/model/m/converse-stream");
    assert_eq!(sent(Endpoint::Chat, Delivery::Whole, body, "m").unwrap().path, "/model/m/converse");
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, model: &str, field: &str| {
        let (code, param) = refused(with(member, model));
        assert_eq!((code.as_str(), param.as_str()), ("unsupported_parameter", field), "{member}");
    };
    check(r#""n":2"#, CLAUDE, "n");
    check(r#""logprobs":true"#, CLAUDE, "logprobs");
    check(r#""top_logprobs":3"#, CLAUDE, "top_logprobs");
    check(r#""logit_bias":{"50256":-100}"#, CLAUDE, "logit_bias");
    check(r#""presence_penalty":0.5"#, CLAUDE, "presence_penalty");
    check(r#""frequency_penalty":-1"#, CLAUDE, "frequency_penalty");
    check(r#""seed":7"#, CLAUDE, "seed");
    check(r#""temperature":1.5"#, CLAUDE, "temperature");
    check(r#""temperature":0.5"#, "anthropic.claude-opus-4-7", "temperature");
    check(r#""top_k":5"#, "anthropic.claude-opus-4-7", "top_k");
    check(r#""service_tier":"scale""#, CLAUDE, "service_tier");
    check(r#""brand_new":1"#, CLAUDE, "brand_new");
    check(r#""reasoning_effort":"low""#, LLAMA, "reasoning_effort");
    check(r#""reasoning_effort":"low""#, "anthropic.claude-3-5-haiku-20241022-v1:0", "reasoning_effort");
    check(r#""thinking":{"type":"enabled"}"#, LLAMA, "thinking");
    let strict = r#""tools":[{"type":"function","function":{"name":"f","strict":true}}]"#;
    check(strict, "anthropic.claude-3-7-sonnet-20250219-v1:0", "tools[0].function.strict");
    assert!(with(strict, LLAMA).unwrap().contains(r#""strict":true"#));
    assert!(!with(r#""reasoning_effort":"none""#, LLAMA).unwrap().contains("reasoning"));
}

#[test]
fn values_of_another_kind_are_refused_by_name() {
    let check = |member: &str, field: &str| assert_eq!(refused(with(member, CLAUDE)).1, field, "{member}");
    check(r#""metadata":{"a":1}"#, "metadata.a");
    check(r#""guardrailConfig":"g""#, "guardrailConfig");
    check(r#""tool_choice":"required""#, "tool_choice");
    let first = r#"{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}"#;
    assert_eq!(refused(asked(first, CLAUDE)).1, "messages");
}

/// When a part was left out, an empty block, or one of a format without a name, remained, and the request was refused.
#[test]
fn of_parts_that_are_left_out_nothing_stays() {
    let others = r#"{"type":"image_url","image_url":{"url":"https://e.org/a.png"}},
        {"type":"image_url","image_url":{"url":"data:image/tiff;base64,AAAA"}},
        {"type":"file","file":{"file_data":"data:application/zip;base64,AAAA"}}"#;
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{others}]}},
            {{"role":"assistant","tool_calls":[{{"id":"1","type":"function","function":{{"name":"f","arguments":""}}}}]}},
            {{"role":"tool","tool_call_id":"1","content":[{others}]}},{{"role":"user","content":[{others}]}}]}}"#
    );
    let lenient = Upstream { drop_unsupported: true, ..upstream("bedrock") };
    let ask = trial::sent(&lenient, Endpoint::Chat, Delivery::Whole, &body, CLAUDE).unwrap();
    assert_eq!(ask.notes.dropped.len(), 9, "{:?}", ask.notes);
    let sent = written(ask);
    assert!(sent.contains(r#""role":"user","content":[{"text":"a"}]"#), "{sent}");
    assert!(sent.contains(r#""role":"user","content":[{"toolResult":{"toolUseId":"1","content":[]}}]"#), "{sent}");
}

#[test]
fn what_is_elsewhere_or_of_another_format_is_refused_by_path() {
    let check = |message: &str, field: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}},{message}]}}"#);
        assert_eq!(refused(asked(&body, CLAUDE)).1, field, "{message}");
    };
    let image = |url: &str| {
        let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
        format!(r#"{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}"#)
    };
    check(&image("https://e.org/a.png"), "messages[1].content[1].image_url");
    check(&image("data:image/tiff;base64,AAAA"), "messages[1].content[1].image_url");
    check(
        r#"{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/zip;base64,AAAA"}}]}"#,
        "messages[1].content[0].file",
    );
    check(
        r#"{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":{"url":"https://e.org/a.png"}}]}"#,
        "messages[1].content[0].image_url",
    );
    check(
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}]}"#,
        "messages[1].content[0].input_audio",
    );
}

#[test]
fn calls_are_forbidden_by_offering_none() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none""#;
    assert!(!with(tools, CLAUDE).unwrap().contains("toolConfig"));
    let called = format!(
        r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","tool_calls":[
            {{"id":"1","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"1","content":"b"}}],{tools}}}"#
    );
    assert_eq!(refused(asked(&called, CLAUDE)).1, "tool_choice");
}

#[test]
fn thinking_knows_what_it_leaves_room_for() {
    let body = with(r#""reasoning_effort":"low""#, CLAUDE).unwrap();
    assert!(body.contains(r#""inferenceConfig":{"maxTokens":18432}"#), "{body}");
    assert!(!with(r#""n":1"#, CLAUDE).unwrap().contains("inferenceConfig"));
}

/// Claude Code sends an effort with each request. Weir then asked for thoughts that nobody wanted, and dropped what
/// does not go with them.
#[test]
fn what_is_said_of_thinking_is_said_here_or_noted() {
    let asked = |members: &str, model: &str| {
        let body = format!(r#"{{"max_tokens":9000,"messages":[{{"role":"user","content":"a"}}],{members}}}"#);
        let ask = sent(Endpoint::Messages, Delivery::Whole, &body, model).unwrap();
        let notes = [ask.notes.dropped.clone(), ask.notes.emulated.clone()].concat();
        let written = written(ask);
        let own = Raw::parse(&written).unwrap().get("additionalModelRequestFields").map_or("", Raw::text);
        (own.to_owned(), notes)
    };
    let check = |members: &str, model: &str, own: &str, noted: &[&str]| {
        let (found, notes) = asked(members, model);
        assert_eq!(
            (found.as_str(), notes.as_slice()),
            (own, &noted.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()[..]),
            "{members} {model}"
        );
    };
    let (four_five, four_six, four_seven) = (CLAUDE, "anthropic.claude-sonnet-4-6", "us.anthropic.claude-opus-4-7");
    let effort = r#""output_config":{"effort":"medium"}"#;
    let off = r#""thinking":{"type":"disabled"}"#;
    let of_answer = r#"{"output_config":{"effort":"medium"}}"#;
    check(&format!(r#"{effort},"temperature":0.5"#), four_six, of_answer, &[]);
    check(&format!(r#"{effort},"top_k":5"#), four_six, r#"{"output_config":{"effort":"medium"},"top_k":5}"#, &[]);
    let forced = r#""tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}"#;
    check(&format!("{effort},{forced}"), four_seven, of_answer, &[]);
    check(effort, four_five, "", &["output_config.effort"]);
    check(&format!("{off},{effort}"), four_six, of_answer, &[]);
    check(&format!("{off},{effort}"), four_five, "", &["output_config.effort"]);
    check(&format!("{off},{effort}"), four_seven, of_answer, &[]);
    check(off, four_seven, "", &[]);
    check(off, "anthropic.claude-opus-5", r#"{"thinking":{"type":"disabled"}}"#, &[]);
    let budget = r#""thinking":{"type":"enabled","budget_tokens":4096}"#;
    check(budget, four_five, r#"{"thinking":{"type":"enabled","budget_tokens":4096}}"#, &[]);
    check(budget, four_six, r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}}"#, &["thinking"]);
    // For a model that has budgets, a budget is more precise than an effort.
    let both = format!("{budget},{effort}");
    let of_budget = r#"{"thinking":{"type":"enabled","budget_tokens":4096}}"#;
    check(&both, four_five, of_budget, &["output_config.effort"]);
    check(&both, "anthropic.claude-3-7-sonnet-20250219-v1:0", of_budget, &["output_config.effort"]);
    check(&both, four_six, r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}}"#, &["thinking"]);
    let small = format!(r#""thinking":{{"type":"enabled","budget_tokens":10}},{effort}"#);
    let least = r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#;
    check(&small, four_five, least, &["output_config.effort", "thinking"]);
    let of_nova = r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}"#;
    check(&both, "us.amazon.nova-2-lite-v1:0", of_nova, &["thinking"]);
    let shown = |how: &str| format!(r#""thinking":{{"type":"adaptive","display":"{how}"}}"#);
    for how in ["summarized", "omitted"] {
        let own =
            format!(r#"{{"thinking":{{"type":"adaptive","display":"{how}"}},"output_config":{{"effort":"high"}}}}"#);
        check(&shown(how), four_seven, &own, &[]);
    }
    let own = r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#;
    check(&shown("omitted"), four_six, own, &["thinking.display"]);
    check(&shown("summarized"), four_six, own, &[]);
}

#[test]
fn other_models_reason_as_they_can() {
    let notes = |members: &str, model: &str| {
        let ask = sent(Endpoint::Chat, Delivery::Whole, &chat(members), model)?;
        Ok::<_, Reject>((ask.notes.emulated.clone(), written(ask)))
    };
    let (emulated, body) = notes(r#""reasoning_effort":"none""#, "openai.gpt-oss-120b-1:0").unwrap();
    assert!(body.contains(r#""reasoning_effort":"low""#) && emulated == ["reasoning_effort"], "{body} {emulated:?}");
    let (emulated, body) = notes(r#""reasoning_effort":"low""#, "us.amazon.nova-2-lite-v1:0").unwrap();
    assert!(body.contains(r#""maxReasoningEffort":"low""#) && emulated.is_empty(), "{body} {emulated:?}");
    let one = notes(r#""reasoning_effort":"low""#, "us.amazon.nova-pro-v1:0").map(drop);
    assert_eq!(refused(one).1, "reasoning_effort");
}

/// They were lost silently. Bedrock refuses a name that it does not know for a model:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>
#[test]
fn features_turned_on_by_name_go_up_or_are_noted() {
    let check = |model: &str, betas: &str, own: &str, noted: &[&str]| {
        let upstream = upstream("bedrock");
        let body = r#"{"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#;
        let ask = trial::sent_with(&upstream, Endpoint::Messages, Delivery::Whole, body, model, betas).unwrap();
        assert_eq!(ask.notes.dropped, noted, "{model} {betas}");
        let written = written(ask);
        let found = Raw::parse(&written).unwrap().get("additionalModelRequestFields").map_or("", Raw::text);
        assert_eq!(found, own, "{model} {betas}");
    };
    let both = "context-1m-2025-08-07, interleaved-thinking-2025-05-14";
    let sent = r#"{"anthropic_beta":["context-1m-2025-08-07","interleaved-thinking-2025-05-14"]}"#;
    check(CLAUDE, both, sent, &[]);
    check(CLAUDE, "", "", &[]);
    let mixed = "claude-code-20250219,interleaved-thinking-2025-05-14,files-api-2025-04-14";
    let noted = ["anthropic-beta.claude-code-20250219", "anthropic-beta.files-api-2025-04-14"];
    check(CLAUDE, mixed, r#"{"anthropic_beta":["interleaved-thinking-2025-05-14"]}"#, &noted);
    let seven = "anthropic.claude-3-7-sonnet-20250219-v1:0";
    let noted = ["anthropic-beta.interleaved-thinking-2025-05-14"];
    let long = "output-128k-2025-02-19,interleaved-thinking-2025-05-14";
    check(seven, long, r#"{"anthropic_beta":["output-128k-2025-02-19"]}"#, &noted);
    check("anthropic.claude-haiku-4-5", "context-1m-2025-08-07", "", &["anthropic-beta.context-1m-2025-08-07"]);
    // It has both by default, and refuses their names: <https://github.com/anthropics/claude-code/issues/49370>
    check("us.anthropic.claude-opus-4-7", both, "", &[]);
    check("us.amazon.nova-pro-v1:0", both, "", &[]);
}

/// With a high effort, Nova accepts neither a limit nor sampling settings, and every caller of Messages sends a limit:
/// <https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html>
#[test]
fn nova_reasons_less_where_the_caller_limits_or_draws_the_answer() {
    let check = |endpoint: Endpoint, body: &str, level: &str, noted: &[&str]| {
        let ask = sent(endpoint, Delivery::Whole, body, "us.amazon.nova-2-lite-v1:0").unwrap();
        assert_eq!(ask.notes.emulated, noted, "{body}");
        let written = written(ask);
        assert!(written.contains(&format!(r#""maxReasoningEffort":"{level}""#)), "{body}: {written}");
        for (theirs, ours) in [("max_tokens", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP")] {
            assert_eq!(written.contains(ours), body.contains(theirs), "{body}: {written}");
        }
    };
    let with = |effort: &str, members: &str| chat(&format!(r#""reasoning_effort":"{effort}"{members}"#));
    for effort in ["high", "xhigh", "max"] {
        check(Endpoint::Chat, &with(effort, ""), "high", &[]);
        check(Endpoint::Chat, &with(effort, r#","stop":["a"]"#), "high", &[]);
        for member in [r#","max_tokens":100"#, r#","temperature":0.3"#, r#","top_p":0.9"#] {
            check(Endpoint::Chat, &with(effort, member), "medium", &["reasoning_effort"]);
        }
    }
    check(Endpoint::Chat, &with("medium", r#","max_tokens":100,"temperature":0.3"#), "medium", &[]);
    check(Endpoint::Chat, &with("low", r#","max_tokens":100"#), "low", &[]);
    let messages = r#"{"max_tokens":100,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive"}}"#;
    check(Endpoint::Messages, messages, "medium", &["thinking"]);
}

/// The newest models hide their thoughts unless they are told to show them.
#[test]
fn who_wants_to_see_thoughts_sees_them() {
    let check = |endpoint: Endpoint, body: &str, shown: bool| {
        let written = written(sent(endpoint, Delivery::Whole, body, "anthropic.claude-opus-4-7").unwrap());
        assert_eq!(written.contains(r#""display":"summarized""#), shown, "{body}: {written}");
        assert!(written.contains(r#""type":"adaptive""#), "{written}");
    };
    check(Endpoint::Chat, &chat(r#""reasoning_effort":"low""#), true);
    check(Endpoint::Responses, r#"{"input":"a","reasoning":{"effort":"low","summary":"auto"}}"#, true);
    check(Endpoint::Responses, r#"{"input":"a","reasoning":{"effort":"low"}}"#, false);
    let content = |config: &str| {
        format!(r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],"generationConfig":{{"thinkingConfig":{config}}}}}"#)
    };
    check(Endpoint::GenerateContent, &content(r#"{"includeThoughts":true}"#), true);
    check(Endpoint::GenerateContent, &content(r#"{"thinkingLevel":"low"}"#), false);
}

#[test]
fn embeddings_are_served_by_the_models_that_are_known() {
    let embed = |input: &str, model: &str| {
        sent(Endpoint::Embeddings, Delivery::Whole, &format!(r#"{{"input":{input}}}"#), model)
    };
    let ask = embed(r#""a""#, "amazon.titan-embed-text-v2:0").unwrap();
    assert_eq!(ask.path, "/model/amazon.titan-embed-text-v2%3A0/invoke");
    assert_eq!(written(ask), r#"{"inputText":"a"}"#);
    assert_eq!(refused(embed(r#"["a","b"]"#, "amazon.titan-embed-text-v2:0")).1, "input");
    assert_eq!(refused(embed(r#""a","dimensions":256"#, "amazon.titan-embed-text-v1")).1, "dimensions");
    assert_eq!(refused(embed(r#""a","dimensions":256"#, "cohere.embed-multilingual-v3")).1, "dimensions");
    assert!(embed(r#""a","dimensions":256"#, "cohere.embed-v4:0").is_ok());
    assert_eq!(refused(embed(r#""a""#, LLAMA)).0, "endpoint_not_supported");
}

#[test]
fn words_tell_more_than_a_status() {
    let check = |status, message: &str, expect| {
        let body = format!(r#"{{"message":"{message}"}}"#);
        assert_eq!(Bedrock.fault(status, body.as_bytes()).kind, expect, "{message}");
    };
    check(400, "Invalid `signature` in `thinking` block", FaultKind::InvalidRequest);
    check(400, "Input is too long for requested model.", FaultKind::ContextLength);
    check(424, "The request failed.", FaultKind::Unavailable);
    assert_eq!(Bedrock.fault(503, b"upstream connect error").kind, FaultKind::Unavailable);
    assert_eq!(Bedrock.fault(403, b"").kind, FaultKind::Auth);
}

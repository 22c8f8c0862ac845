use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::dialect::Dialect;
use weir_hub::dialect::responses::Responses;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;

use crate::exchange::{self, trial};
use crate::provider::{self, Ask};
use crate::upstream::Upstream;

/// What a provider without the Responses API is sent.
fn asked(body: &str, drop_unsupported: bool) -> Result<Ask, Reject> {
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::Responses, Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    let upstream = Upstream { dialect: "anthropic".to_owned(), drop_unsupported, ..Upstream::default() };
    exchange::ask(&call, &upstream, "claude-sonnet-4-5")
}

fn refused(body: &str) -> (String, String) {
    let Err(reject) = asked(body, false) else { panic!("{body} is accepted") };
    let problem = reject.problem();
    (problem.param.unwrap(), problem.message)
}

#[test]
fn refusals_name_the_field() {
    let check = |body: &str, field: &str| assert_eq!(refused(body).0, field, "{body}");
    check("{}", "input");
    let top = |member: &str, field: &str| check(&format!(r#"{{"input":"a",{member}}}"#), field);
    top(r#""store":true"#, "store");
    top(r#""store":"yes""#, "store");
    top(r#""previous_response_id":"resp_1""#, "previous_response_id");
    top(r#""conversation":{"id":"conv_1"}"#, "conversation");
    top(r#""background":true"#, "background");
    top(r#""prompt":{"id":"pmpt_1"}"#, "prompt");
    top(r#""truncation":"auto""#, "truncation");
    top(r#""include":["file_search_call.results"]"#, "include.file_search_call.results");
    top(r#""include":["message.output_text.logprobs"]"#, "include.message.output_text.logprobs");
    top(r#""top_logprobs":2"#, "top_logprobs");
    top(r#""max_output_tokens":0"#, "max_output_tokens");
    top(r#""reasoning":{"effort":"huge"}"#, "reasoning.effort");
    top(r#""reasoning":{"mode":"pro"}"#, "reasoning.mode");
    top(r#""text":{"verbosity":"low"}"#, "text.verbosity");
    top(r#""text":{"format":{"type":"json_schema","name":"a"}}"#, "text.format.schema");
    top(r#""service_tier":"flex""#, "service_tier");
    top(r#""metadata":3"#, "metadata");
    top(r#""moderation":{"model":"omni"}"#, "moderation");
    top(r#""tools":[{"type":"web_search"}]"#, "tools.web_search");
    top(r#""tools":[{"type":"web_search","external_web_access":false}]"#, "tools[0].web_search");
    top(r#""tools":[{"type":"web_search","filters":{"allowed_domains":["e.org"]}}]"#, "tools[0].web_search");
    top(r#""tools":[{"type":"mcp","server_label":"a"}]"#, "tools[0].mcp");
    top(r#""tools":[{"type":"local_shell"}]"#, "tools[0].local_shell");
    top(
        r#""tools":[{"type":"namespace","name":"n","tools":[{"type":"tool_search"}]}]"#,
        "tools[0].tools[0].tool_search",
    );
    top(r#""tools":[{"type":"function","name":"f","defer_loading":true}]"#, "tools[0].defer_loading");
    top(r#""tools":[{"type":"function","parameters":{}}]"#, "tools[0].name");
    top(r#""tool_choice":"maybe""#, "tool_choice");
    top(r#""tool_choice":{"type":"file_search"}"#, "tool_choice.file_search");
    top(r#""tool_choice":{"type":"allowed_tools","mode":"none","tools":[]}"#, "tool_choice.mode");
}

/// A namespace's name is a prefix of the names of its tools.
#[test]
fn a_namespace_has_a_name() {
    let body = |length: usize| {
        let tools = r#"[{"type":"function","name":"f"}]"#;
        let tools = format!(r#"[{{"type":"namespace","name":"{}","tools":{tools}}}]"#, "n".repeat(length));
        format!(r#"{{"input":"a","store":false,"tools":{tools}}}"#)
    };
    assert!(asked(&body(256), true).is_ok());
    assert_eq!(refused(&body(257)).0, "tools[0].name");
}

#[test]
fn refusals_name_the_item() {
    let check = |item: &str, field: &str| {
        let body = format!(r#"{{"input":[{{"role":"user","content":"a"}},{item}]}}"#);
        assert_eq!(refused(&body).0, field, "{body}");
    };
    check("3", "input[1]");
    check("{}", "input[1].role");
    check(r#"{"role":"tool","content":"a"}"#, "input[1].role");
    check(r#"{"role":"user"}"#, "input[1].content");
    check(r#"{"role":"user","content":"a","mood":1}"#, "input[1].mood");
    check(r#"{"type":"item_reference","id":"msg_1"}"#, "input[1].item_reference");
    check(r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#, "input[1].web_search_call");
    check(r#"{"type":"function_call","call_id":"c","arguments":"{}"}"#, "input[1].name");
    check(r#"{"type":"function_call_output","call_id":"c"}"#, "input[1].output");
    check(r#"{"type":"function_call_output","call_id":"c","output":[{"type":"video"}]}"#, "input[1].output[0].video");
    check(r#"{"type":"reasoning","summary":[{"type":"summary_text"}]}"#, "input[1].summary[0].text");
    let part = |part: &str, field: &str| check(&format!(r#"{{"role":"user","content":[{part}]}}"#), field);
    part(r#"{"type":"input_image","file_id":"file_1"}"#, "input[1].content[0].file_id");
    part(r#"{"type":"input_image"}"#, "input[1].content[0].image_url");
    part(r#"{"type":"input_image","image_url":"file:///etc/passwd"}"#, "input[1].content[0].image_url");
    part(r#"{"type":"input_file","file_data":"JVBERi0="}"#, "input[1].content[0].file_data");
    part(r#"{"type":"input_file","filename":"a"}"#, "input[1].content[0].file_data");
    part(
        r#"{"type":"input_audio","input_audio":{"format":"wav","data":"UklGRg=="}}"#,
        "input[1].content[0].input_audio",
    );
}

#[test]
fn it_is_said_that_nothing_is_stored() {
    let (_, message) = refused(r#"{"input":"a","previous_response_id":"resp_1"}"#);
    assert!(message.contains("not stored here"), "{message}");
    // Without the field it would be another conversation, so no configuration allows leaving it out.
    assert!(asked(r#"{"input":"a","previous_response_id":"resp_1"}"#, true).is_err());
}

#[test]
fn what_is_left_out_or_had_in_another_way_is_noted() {
    let body = r#"{"input":"a","store":true,"text":{"verbosity":"low"},"prompt_cache_key":"k","client_metadata":{"a":"b"},
        "tools":[{"type":"web_search"},{"type":"custom","name":"patch"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}]}"#;
    let notes = asked(body, true).unwrap().notes;
    let expect = ["store", "tools.web_search", "prompt_cache_key", "client_metadata", "text.verbosity"];
    let mut dropped: Vec<_> = notes.dropped.iter().map(String::as_str).collect();
    dropped.sort_unstable();
    let mut expect = expect.to_vec();
    expect.sort_unstable();
    assert_eq!(dropped, expect);
    assert_eq!(notes.emulated, ["tools[1].custom", "tools[2].namespace"]);
}

#[test]
fn fields_have_this_dialects_names() {
    let check = |field: &str, expect: &str| assert_eq!(Responses.field(field), expect);
    check("messages", "input");
    check("messages[2].content[1].input_audio", "input[2].content[1].input_audio");
    check("messages[2].tool_calls[0].function.arguments", "input[2].arguments");
    check("response_format", "text.format");
    check("response_format.type", "text.format.type");
    check("response_format.json_schema.schema", "text.format.schema");
    check("max_completion_tokens", "max_output_tokens");
    check("tools[3].function.strict", "tools[3].strict");
    check("temperature", "temperature");
}

/// Codex sends its tools like this, again in each request.
#[test]
fn tools_may_come_with_the_conversation() {
    let tools = |described: &str| {
        format!(
            r#"{{"type":"additional_tools","role":"developer","id":"a","tools":[
                {{"type":"namespace","name":"functions","tools":[
                    {{"type":"function","name":"wait","description":"{described}","parameters":{{"type":"object"}}}}]}},
                {{"type":"custom","name":"exec"}}]}}"#
        )
    };
    let body = format!(
        r#"{{"tools":[],"tool_choice":{{"type":"custom","name":"exec"}},"input":[{},{{"role":"user","content":"a"}},{}]}}"#,
        tools("before"),
        tools("after")
    );
    let ask = asked(&body, false).unwrap();
    assert!(ask.notes.dropped.is_empty(), "{:?}", ask.notes);
    assert!(ask.notes.emulated.contains(&"input[0].additional_tools".to_owned()), "{:?}", ask.notes);
    let provider::Body::Replaced(sent) = ask.body else { panic!() };
    let sent = String::from_utf8(sent).unwrap();
    let count = |words: &str| sent.matches(words).count();
    assert_eq!((count(r#""name":"functions__wait""#), count("before"), count("after")), (1, 0, 1), "{sent}");
    assert!(sent.contains(r#""tool_choice":{"type":"tool","name":"exec"}"#), "{sent}");
    // The answer's calls have the same names.
    let scan = scan(body.as_bytes()).unwrap();
    let (endpoint, delivery, usage) = (Endpoint::Responses, Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    let echo = Responses.echo(&call);
    let start = ReplyStart { asked: Asked { endpoint, ..trial::START.asked }, echo: &echo, ..trial::START };
    let anthropic = provider::by_name("anthropic").unwrap();
    let mut reply = exchange::reply(anthropic, &trial::upstream("anthropic"), &start);
    let mut out = Vec::new();
    let answer = r#"{"type":"message","role":"assistant","id":"m","model":"m","stop_reason":"tool_use","content":[
        {"type":"tool_use","id":"1","name":"functions__wait","input":{}},
        {"type":"tool_use","id":"2","name":"exec","input":{"input":"ls"}}]}"#;
    reply.read(answer.as_bytes(), &mut out).unwrap();
    reply.end(&mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains(r#""name":"wait","namespace":"functions""#), "{told}");
    assert!(told.contains(r#""type":"custom_tool_call""#), "{told}");
}

#[test]
fn a_search_is_asked_for_once() {
    let body = r#"{"input":"a","tools":[{"type":"web_search"},{"type":"web_search_preview"}]}"#;
    let upstream = Upstream { quirks: chats_alone(), ..trial::upstream("openai") };
    let sent = trial::sent(&upstream, Endpoint::Responses, Delivery::Whole, body, "gpt-4o-search-preview");
    let sent = trial::written(sent.unwrap());
    assert_eq!(sent.matches("web_search_options").count(), 1, "{sent}");
}

/// The quirks of a host that serves only chats.
fn chats_alone() -> crate::upstream::Quirks {
    crate::upstream::Quirks { endpoints: [Endpoint::Chat].into(), ..crate::upstream::Quirks::default() }
}

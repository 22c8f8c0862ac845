use alloc::string::String;

use weir_hub::endpoint::{Asked, UsageChunk};
use weir_hub::fault::FaultKind;
use weir_hub::piece::Calls;
use weir_hub::reply::Passage;

use super::*;
use crate::exchange::trial::{START, sent, upstream};

fn asked(endpoint: Endpoint, delivery: Delivery, body: &str, model: &str) -> Result<Body, Reject> {
    sent(&upstream("openai"), endpoint, delivery, body, model).map(|ask| ask.body)
}

#[test]
fn only_what_differs_is_changed() {
    let check = |delivery, body: &str, expect: Option<&str>| {
        let expect = expect.map_or(Body::AsIs, |expect| Body::Replaced(expect.as_bytes().to_vec()));
        assert_eq!(asked(Endpoint::Chat, delivery, body, "m").unwrap(), expect, "{body}");
    };
    let (whole, streamed) = (Delivery::Whole, Delivery::Streamed);
    check(whole, r#"{"model": "m"}"#, None);
    check(whole, r#"{"model": "n"}"#, Some(r#"{"model": "m"}"#));
    check(streamed, r#"{"model":"m","stream_options":{"include_usage": true}}"#, None);
    check(streamed, r#"{"model":"m"}"#, Some(r#"{"model":"m","stream_options":{"include_usage":true}}"#));
    check(
        streamed,
        r#"{"stream_options":null,"model":"n"}"#,
        Some(r#"{"stream_options":{"include_usage":true},"model":"m"}"#),
    );
    check(
        streamed,
        r#"{"model":"m","stream_options":{"include_usage":false, "include_obfuscation":false}}"#,
        Some(r#"{"model":"m","stream_options":{"include_usage":true, "include_obfuscation":false}}"#),
    );
}

#[test]
fn stream_options_of_another_type_are_refused_by_name() {
    let check = |options: &str, field: &str| {
        let body = format!(r#"{{"model":"m","stream_options":{options}}}"#);
        let reject = asked(Endpoint::Chat, Delivery::Streamed, &body, "m").unwrap_err();
        assert_eq!(reject.problem().param.as_deref(), Some(field), "{reject:?}");
    };
    check("7", "stream_options");
    check(r#"{"include_usage":"yes"}"#, "stream_options.include_usage");
}

fn start(usage: UsageChunk) -> ReplyStart<'static> {
    ReplyStart { asked: Asked { delivery: Delivery::Streamed, usage, ..START.asked }, ..START }
}

fn reply(start: ReplyStart<'_>) -> Box<dyn Reply> {
    relayed(&start)
}

#[test]
fn only_a_token_begins_a_stream() {
    let begins = |chunk: &str| {
        let mut reply = reply(start(UsageChunk::Unwanted));
        reply.read(format!("data: {chunk}\n\n").as_bytes(), &mut Vec::new()).unwrap();
        reply.begun()
    };
    let delta = |delta: &str| begins(&format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#));
    assert!(!delta(r#"{"role":"assistant","content":"","refusal":null}"#));
    assert!(!delta(r#"{"reasoning":null,"tool_calls":[]}"#));
    assert!(!begins(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#));
    assert!(delta(r#"{"content":"a"}"#));
    assert!(delta(r#"{"reasoning_content":"a"}"#));
    assert!(delta(r#"{"reasoning":"a"}"#));
    assert!(delta(r#"{"refusal":"a"}"#));
    assert!(delta(r#"{"tool_calls":[{"index":0}]}"#));
    assert!(delta(r#"{"audio":{"data":"a"}}"#));
    assert!(begins(r#"{"choices":[{"finish_reason":"stop","delta":{}}]}"#));
    assert!(!begins(r#"{"choices":[],"id":"\"choices\":[{\"finish_reason\":\"stop\"}]"}"#));
}

#[test]
fn bytes_pass_until_done_and_no_further() {
    let mut reply = reply(start(UsageChunk::Unwanted));
    let mut out = Vec::new();
    let content = b"data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
    assert_eq!(reply.read(content, &mut out), Ok(Passage::AsIs));
    assert!(reply.usage().estimated && reply.usage().output > 0);
    assert_eq!(
        reply.read(
            b": ping\n\ndata: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DO",
            &mut out
        ),
        Ok(Passage::Rewritten)
    );
    assert_eq!(reply.read(b"NE]\n\ndata: more\n\n", &mut out), Ok(Passage::Rewritten));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        ": ping\n\ndata: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
    );
    assert!(reply.done());
    assert_eq!((reply.usage().input, reply.usage().output, reply.usage().estimated), (3, 2, false));
    assert!(reply.end(&mut Vec::new()).is_ok());
}

#[test]
fn a_clean_end_without_done_is_whole_after_a_finish() {
    let end = |reason: &str| {
        let mut reply = reply(start(UsageChunk::Unwanted));
        let event = format!("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":{reason}}}]}}\n\n");
        reply.read(event.as_bytes(), &mut Vec::new()).unwrap();
        let mut out = Vec::new();
        reply.end(&mut out).map(|_| out).map_err(|fault| fault.kind)
    };
    assert_eq!(end("\"stop\""), Ok(b"data: [DONE]\n\n".to_vec()));
    assert_eq!(end("null"), Err(FaultKind::Cut));
}

#[test]
fn an_error_in_a_success_is_a_fault() {
    let kind =
        |stream: &str| reply(start(UsageChunk::Unwanted)).read(stream.as_bytes(), &mut Vec::new()).unwrap_err().kind;
    assert_eq!(kind("data: {\"error\":{\"message\":\"overloaded\",\"code\":502}}\n\n"), FaultKind::ErrorEvent);
    assert_eq!(kind("event: error\ndata: {\"message\":\"x\"}\n\n"), FaultKind::ErrorEvent);
    assert_eq!(
        kind("data: {\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}\n\n"),
        FaultKind::ContextLength
    );
    assert_eq!(kind("data: {\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}\n\n"), FaultKind::Billing);
    assert_eq!(kind("data: {\"choices\"\n\n"), FaultKind::Malformed);
}

#[test]
fn a_whole_answer_must_be_complete() {
    let read = |endpoint, pieces: &[&str]| {
        let mut reply = reply(ReplyStart {
            asked: Asked { endpoint, delivery: Delivery::Whole, ..start(UsageChunk::Wanted).asked },
            ..start(UsageChunk::Wanted)
        });
        for piece in pieces {
            assert_eq!(reply.read(piece.as_bytes(), &mut Vec::new()), Ok(Passage::AsIs));
        }
        reply.end(&mut Vec::new()).map(|_| (reply.usage().input, reply.usage().output)).map_err(|fault| fault.kind)
    };
    let chat =
        r#"{"model":"m","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
    let (chat, embeddings, usage) = (|pieces: &[&str]| read(Endpoint::Chat, pieces), Endpoint::Embeddings, chat);
    assert_eq!(chat(&[usage]), Ok((9, 1)));
    assert_eq!(chat(&[&usage[..60], &usage[60..], "\n"]), Ok((9, 1)));
    assert_eq!(chat(&[r#"{"choices":[{"message":{"content":"hi"}}]}"#]), Ok((0, 1)));
    assert_eq!(chat(&[&usage[..60]]), Err(FaultKind::Cut));
    assert_eq!(chat(&["{"]), Err(FaultKind::Cut));
    assert_eq!(chat(&[]), Err(FaultKind::Cut));
    assert_eq!(chat(&["<html>"]), Err(FaultKind::Malformed));
    assert_eq!(read(embeddings, &[r#"{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}"#]), Ok((4, 0)));
}

#[test]
fn faults_are_told_apart() {
    let check = |status, body: &str, expect| assert_eq!(fault(status, body.as_bytes()).kind, expect, "{status} {body}");
    let coded = |code: &str| format!(r#"{{"error":{{"message":"m","type":"t","param":null,"code":"{code}"}}}}"#);
    check(429, &coded("insufficient_quota"), FaultKind::Billing);
    check(429, &coded("rate_limit_exceeded"), FaultKind::RateLimited);
    check(400, &coded("context_length_exceeded"), FaultKind::ContextLength);
    check(400, &coded("content_policy_violation"), FaultKind::ContentPolicy);
    check(400, &coded("content_filter"), FaultKind::ContentPolicy);
    check(
        400,
        "{\"error\":{\"message\":\"This model's maximum context length is 8 tokens\"}}",
        FaultKind::ContextLength,
    );
    check(401, &coded("invalid_api_key"), FaultKind::Auth);
    check(403, "", FaultKind::Auth);
    check(402, "", FaultKind::Billing);
    check(404, &coded("model_not_found"), FaultKind::NotFound);
    check(408, "", FaultKind::Timeout);
    check(413, "<html>", FaultKind::TooLarge);
    check(422, "{\"detail\":\"no\"}", FaultKind::InvalidRequest);
    check(500, "not json", FaultKind::Unavailable);
    check(504, "", FaultKind::Timeout);
    check(529, "", FaultKind::Unavailable);
    let fault = fault(
        401,
        br#"{"error":{"message":"Incorrect API key provided: sk-abc***xyz.","code":"invalid_api_key","param":null}}"#,
    );
    assert_eq!(fault.message, "Incorrect API key provided: [redacted].");
}

#[test]
fn usage_is_read_in_one_shape() {
    let read = |usage: &str| {
        let mut reply = reply(start(UsageChunk::Wanted));
        let chunk = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"four\"}}}}],\"usage\":{usage}}}\n\n");
        reply.read(chunk.as_bytes(), &mut Vec::new()).unwrap();
        let usage = reply.usage();
        (usage.input, usage.cached_read, usage.output, usage.reasoning, usage.estimated)
    };
    let details = r#""prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}"#;
    let counted = |output, total| {
        read(&format!(r#"{{"prompt_tokens":9,"completion_tokens":{output},"total_tokens":{total},{details}}}"#))
    };
    assert_eq!(counted(7, 16), (9, 4, 7, 5, false));
    assert_eq!(counted(2, 16), (9, 4, 7, 5, false));
    assert_eq!(read("null"), (0, 0, 1, 0, true));
    assert_eq!(read("{}"), (0, 0, 1, 0, true));
}

#[test]
fn sound_is_counted_apart() {
    let mut reply = reply(start(UsageChunk::Wanted));
    let usage = r#"{"prompt_tokens":9,"completion_tokens":7,"prompt_tokens_details":{"audio_tokens":4},
        "completion_tokens_details":{"audio_tokens":5}}"#;
    let chunk = format!("data: {{\"choices\":[],\"usage\":{}}}\n\n", usage.replace('\n', ""));
    reply.read(chunk.as_bytes(), &mut Vec::new()).unwrap();
    assert_eq!((reply.usage().audio_input, reply.usage().audio_output), (4, 5));
}

fn asked_at(preset: &str, body: &str) -> Result<crate::provider::Ask, Reject> {
    let quirks = crate::config::Preset::all().remove(preset).unwrap().quirks;
    sent(&Upstream { quirks, ..upstream("openai") }, Endpoint::Chat, Delivery::Whole, body, "m")
}

#[test]
fn a_host_is_asked_for_no_value_that_it_does_not_know() {
    let refused = |preset: &str, member: &str, field: &str| {
        let reject = asked_at(preset, &format!(r#"{{"model":"m",{member}}}"#)).unwrap_err();
        assert_eq!(reject.problem().param.as_deref(), Some(field), "{preset}: {reject:?}");
    };
    let schema = r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#;
    refused("deepseek", schema, "response_format");
    refused("lmstudio", r#""response_format":{"type":"json_object"}"#, "response_format");
    refused("perplexity", r#""response_format":{"type":"json_object"}"#, "response_format");
    refused("groq", r#""service_tier":"priority""#, "service_tier");
    refused("ollama", r#""tool_choice":"required","tools":[{}]"#, "tool_choice");
    let named = r#""tool_choice":{"type":"function","function":{"name":"f"}},"tools":[{},{}]"#;
    refused("lmstudio", named, "tool_choice");
    refused("vllm", r#""verbosity":"low""#, "verbosity");
    refused("sambanova", r#""presence_penalty":0.5"#, "presence_penalty");
    refused("tgi", r#""n":2"#, "n");
    refused("openrouter", r#""n":2"#, "n");
}

#[test]
fn one_call_at_a_time_is_what_passes_of_an_answer_where_a_host_cannot_be_told() {
    let ask = asked_at("ollama", r#"{"model":"m","parallel_tool_calls":false,"tools":[{}]}"#).unwrap();
    assert_eq!((ask.calls, &ask.notes.emulated[..]), (Calls::First, &["parallel_tool_calls".to_owned()][..]));
    assert_eq!(ask.body, Body::Replaced(br#"{"model":"m","tools":[{}]}"#.to_vec()));
    for nothing in
        [r#"{"model":"m","parallel_tool_calls":false}"#, r#"{"model":"m","parallel_tool_calls":true,"tools":[{}]}"#]
    {
        let ask = asked_at("ollama", nothing).unwrap();
        assert_eq!((ask.calls, ask.notes.emulated.len()), (Calls::All, 0), "{nothing}");
    }
}

#[test]
fn what_only_advises_is_left_out_and_noted() {
    let ask = asked_at("deepseek", r#"{"model":"m","user":"anna","safety_identifier":"anna","prompt_cache_key":"a"}"#);
    let ask = ask.unwrap();
    assert_eq!(ask.notes.dropped, ["prompt_cache_key", "safety_identifier", "user"]);
    assert_eq!(ask.body, Body::Replaced(br#"{"model":"m"}"#.to_vec()));
    let effort = |preset: &str, effort: &str| {
        let ask = asked_at(preset, &format!(r#"{{"model":"m","reasoning_effort":"{effort}"}}"#)).unwrap();
        let Body::Replaced(body) = ask.body else { panic!("it changes") };
        (String::from_utf8(body).unwrap(), ask.notes)
    };
    let (body, notes) = effort("together", "none");
    assert_eq!((body.as_str(), &notes.dropped[..]), (r#"{"model":"m"}"#, &["reasoning_effort".to_owned()][..]));
    let (body, notes) = effort("cerebras", "max");
    assert_eq!(body, r#"{"model":"m","reasoning_effort":"high"}"#);
    assert_eq!(notes.emulated, ["reasoning_effort"]);
}

//! What the caller receives of an answer, and what it receives if that breaks off.

use super::*;

#[test]
fn nothing_reaches_the_caller_before_the_first_token() {
    let seen = stream(&[ROLE]);
    assert_eq!(seen.status(), "502", "a stream that ends before its first token is a failed try");
    let mut begun = begin(&plan(Delivery::Streamed, &["a"]).to_text(), "a");
    let mut effects = vec![];
    let (flow, _) = begun.attempt.response_headers(&[(":status", "200")], false, Instant::default(), &mut effects);
    assert_eq!((flow, effects.len()), (Flow::Hold, 0));
    let flow = begun.attempt.response_body(ROLE.as_bytes(), false, Instant::default(), &mut effects);
    assert_eq!((flow, effects.as_slice()), (Flow::Hold, [Effect::Body(vec![])].as_slice()));
}

#[test]
fn what_was_held_comes_first_and_nothing_is_lost() {
    let seen = stream(&[ROLE, TOKEN, FINISH, DONE]);
    assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), [ROLE, TOKEN, FINISH, DONE].concat());
    assert_eq!((seen.status(), seen.header("set-cookie")), ("200", ""));
    assert_eq!(seen.progress.unwrap().stage, Stage::Done);
}

#[test]
fn a_stream_that_breaks_off_cleanly_ends_with_an_error_event_and_no_done() {
    let seen = stream(&[TOKEN, ""]);
    let text = String::from_utf8(seen.body).unwrap();
    assert!(text.starts_with(TOKEN) && text.contains("stream_incomplete") && !text.contains("[DONE]"), "{text}");
    assert_eq!(seen.progress.unwrap().stage, Stage::Cut(FaultKind::Cut));
}

/// What a caller of `endpoint` receives if the answer fails after its first token.
fn broken_off(endpoint: Endpoint, token: &str, failure: &str) -> String {
    let mut plan = plan(Delivery::Streamed, &["a"]);
    plan.asked.endpoint = endpoint;
    let mut begun = begin(&plan.to_text(), "a");
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    String::from_utf8(run(&mut begun.attempt, &headers, &[token.as_bytes(), failure.as_bytes(), b""]).body).unwrap()
}

#[test]
fn a_stream_that_breaks_off_tells_its_providers_cause() {
    let check = |error: &str, kind: &str, said: bool| {
        let told = broken_off(Endpoint::Messages, TOKEN, &format!("data: {{\"error\":{error}}}\n\n"));
        let (_, told) = told.split_once("event: error\n").unwrap();
        assert!(told.contains(&format!(r#""error":{{"type":"{kind}""#)), "{told}");
        assert_eq!(told.contains("It said: Slow"), said, "{told}");
        assert!(told.contains("stream_incomplete"), "{told}");
    };
    check(r#"{"message":"Slow","type":"overloaded_error"}"#, "overloaded_error", true);
    check(r#"{"message":"Slow","code":503}"#, "overloaded_error", true);
    check(r#"{"message":"Slow","type":"server_error"}"#, "api_error", true);
    check(r#"{"message":"Slow","code":"rate_limit_exceeded"}"#, "rate_limit_error", true);
    // This concerns the operator's account.
    check(r#"{"message":"Slow","code":"insufficient_quota"}"#, "api_error", false);
    check(r#"{"message":"Slow","code":"invalid_api_key"}"#, "api_error", false);
}

/// <https://platform.openai.com/docs/api-reference/responses-streaming/response/failed>
#[test]
fn a_response_that_failed_ends_with_its_own_event() {
    let failed = |error: &str| {
        let token = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\",\"sequence_number\":4}\n\n";
        let event = format!(
            "event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{error}}},\"sequence_number\":5}}\n\n"
        );
        (broken_off(Endpoint::Responses, token, &event), format!("{token}{event}"))
    };
    let (told, all) = failed(r#"{"code":"server_error","message":"The server had an error."}"#);
    assert_eq!(told, all);
    let (told, all) = failed(r#"{"code":"rate_limit_exceeded","message":"Rate limit reached."}"#);
    assert_eq!(told, all);
    // Errors that concern only the operator are not passed on.
    for error in [
        r#"{"code":"insufficient_quota","message":"You exceeded your current quota."}"#,
        r#"{"code":"server_error","message":"No such key: sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"}"#,
    ] {
        let (told, _) = failed(error);
        assert!(told.contains("stream_incomplete") && !told.contains("response.failed"), "{told}");
    }
}

#[test]
fn a_whole_answer_passes_as_it_is_once_it_is_known_to_be_whole() {
    let body = r#"{"id":"1","model":"gpt-x","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let (first, second) = body.split_at(20);
    let mut begun = begin(&plan(Delivery::Whole, &["a"]).to_text(), "a");
    let headers = [(":status", "200"), ("content-type", "application/json"), ("openai-organization", "o")];
    let seen = run(&mut begun.attempt, &headers, &[first.as_bytes(), second.as_bytes()]);
    assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), body);
    assert_eq!(seen.header("openai-organization"), "");
    let progress = seen.progress.unwrap();
    assert_eq!((progress.usage.input, progress.usage.output, &*progress.model), (3, 2, "gpt-x"));
    let mut begun = begin(&plan(Delivery::Whole, &["a"]).to_text(), "a");
    let seen = run(&mut begun.attempt, &headers, &[first.as_bytes()]);
    assert_eq!(seen.status(), "502", "half a body is no answer");
}

#[test]
fn what_seems_to_be_the_last_of_a_stream_waits_for_its_end() {
    let text = |text: &str, more: &str| {
        format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}{more}}}]}}\n\n")
    };
    let last = text("b", ",\"finishReason\":\"STOP\"");
    let check = |chunks: &[&str], expect: &[(Flow, &str)]| {
        let upstream = Upstream { provider: "a".into(), dialect: "gemini".into(), ..Upstream::default() };
        let plan = plan(Delivery::Streamed, &["a"]).to_text();
        let mut attempt = Attempt::begin(&Arc::new(upstream), &plan, Instant::default()).ok().unwrap().attempt;
        let mut effects = Vec::new();
        attempt.response_headers(&[(":status", "200")], false, Instant::default(), &mut effects);
        let read = |(at, chunk): (usize, &&str)| {
            let flow =
                attempt.response_body(chunk.as_bytes(), at + 1 == chunks.len(), Instant::default(), &mut effects);
            let body = effects.drain(..).filter_map(|effect| match effect {
                Effect::Body(body) => String::from_utf8(body).ok(),
                _ => None,
            });
            let told = |word: &str, body: &str| if body.contains(word) { word.to_owned() } else { String::new() };
            let body: String = body.collect();
            (flow, [r#""a""#, r#""b""#, r#""c""#, "stop", "[DONE]"].map(|word| told(word, &body)).concat())
        };
        let seen: Vec<_> = chunks.iter().enumerate().map(read).collect();
        assert!(seen.iter().map(|(flow, body)| (*flow, body.as_str())).eq(expect.iter().copied()), "{seen:?}");
    };
    let (a, c) = (text("a", ""), text("c", ",\"finishReason\":\"STOP\""));
    check(&[&a, &last, ""], &[(Flow::Continue, r#""a""#), (Flow::Hold, ""), (Flow::Continue, r#""b"stop[DONE]"#)]);
    check(&[&last, ""], &[(Flow::Hold, ""), (Flow::Continue, r#""b"stop[DONE]"#)]);
    // The answer goes on, and none of it waits any more.
    check(
        &[&a, &last, &c, &c, ""],
        &[
            (Flow::Continue, r#""a""#),
            (Flow::Hold, ""),
            (Flow::Continue, r#""b""c""#),
            (Flow::Continue, r#""c""#),
            (Flow::Continue, "stop[DONE]"),
        ],
    );
}

#[test]
fn an_answer_that_grows_beyond_what_is_held_is_a_failed_try() {
    let words = "a".repeat(2000);
    let whole = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{words}"}}]}},"finishReason":"STOP"}}]}}"#);
    let check = |body: &str, buffer, delivery, status| {
        let seen = run(&mut holding(buffer, "gemini", delivery), &[(":status", "200")], &[body.as_bytes(), b""]);
        assert_eq!(seen.status(), status, "{buffer} {delivery:?}");
        assert!(seen.body.len() < 3000);
    };
    check(&whole, 1000, Delivery::Whole, "502");
    check(&whole, 3000, Delivery::Whole, "200");
    check(&format!("data: {whole}\n\n"), 1000, Delivery::Streamed, "502");
    check(&format!("data: {whole}\n\n"), 3000, Delivery::Streamed, "200");
}

/// A relay rewrites some pieces of a long chunk, and passes others.
#[test]
fn a_chunk_that_unpacks_to_very_much_is_read_piece_by_piece() {
    use std::io::Write;
    let events = TOKEN.repeat((3 << 20) / TOKEN.len());
    let unpacked = [&events, ROLE, FINISH, DONE].concat();
    let mut packed = Vec::new();
    brotli::CompressorWriter::new(&mut packed, 4096, 3, 22).write_all(unpacked.as_bytes()).unwrap();
    for model in ["gpt", "gpt-x"] {
        let mut plan = plan(Delivery::Streamed, &["a"]);
        plan.asked.usage = UsageChunk::Unwanted;
        plan.targets[0].model = model.into();
        let mut begun = begin(&plan.to_text(), "a");
        let seen = run(&mut begun.attempt, &[(":status", "200"), ("content-encoding", "br")], &[&packed, b""]);
        assert!(String::from_utf8(seen.body).unwrap() == unpacked, "{model}");
        assert_eq!(seen.progress.unwrap().stage, Stage::Done);
    }
}

/// The next part of a stream for which `reserved` tokens are reserved; what is told of the room for more comes from `room`.
fn outgrowing(reserved: u64, parts: &[&str], room: impl Fn(u64) -> Result<u64, &'static str>) -> (String, Vec<Effect>) {
    let mut plan = plan(Delivery::Streamed, &["a"]);
    plan.reserved = Some(reserved);
    let mut begun = begin(&plan.to_text(), "a");
    let (now, mut effects, mut body) = (Instant::from_nanos(2000), Vec::new(), String::new());
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    begun.attempt.response_headers(&headers, false, now, &mut effects);
    for part in parts {
        let bytes = part.as_bytes();
        let mut flow = begun.attempt.on(now, Input::AnswerBytes { bytes, end: false }, &mut effects);
        if let Flow::Reserve { output } = flow {
            flow = begun.attempt.on(now, Input::Reserved { outcome: room(output), bytes }, &mut effects);
        }
        assert!(matches!(flow, Flow::Continue | Flow::Hold));
        let with =
            effects.iter().rev().find_map(|effect| if let Effect::Body(with) = effect { Some(with) } else { None });
        body.push_str(&with.map_or_else(|| (*part).to_string(), |with| String::from_utf8(with.clone()).unwrap()));
        if effects.iter().any(|effect| matches!(effect, Effect::End(_))) {
            break;
        }
        effects.clear();
    }
    (body, effects)
}

#[test]
fn a_stream_that_outgrows_its_reservation_goes_on_or_ends_as_too_long() {
    let refuse = |_| Err("team-month");
    let (body, effects) = outgrowing(2, &[TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN], refuse);
    assert_eq!(body.matches("Hi").count(), 6, "an estimate may be half too high: {body}");
    assert!(body.contains(r#""finish_reason":"length""#) && body.ends_with(DONE), "{body}");
    assert!(matches!(effects.last(), Some(Effect::End(End::Whole))), "{effects:?}");
    let told = effects.iter().find_map(|effect| if let Effect::Progress(_, told) = effect { Some(told) } else { None });
    assert_eq!(told.map(|told| (told.stage, told.ended_by.as_str())), Some((Stage::Done, "team-month")));

    let all = [TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, FINISH, DONE];
    assert_eq!(outgrowing(2, &all, |output| Ok(output + 1)).0, all.concat());
    let all = [[TOKEN; 9].concat(), [FINISH, DONE].concat()].concat();
    assert_eq!(outgrowing(2, &[&all], refuse).0, all, "what has ended by itself is not ended again");
    let finished = [[TOKEN; 9].concat(), FINISH.into()].concat();
    assert_eq!(outgrowing(2, &[&finished, DONE], refuse).0, [&finished, DONE].concat());
}

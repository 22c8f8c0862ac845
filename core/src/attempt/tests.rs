mod time;

use std::prelude::v1::*;

use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

use super::*;
use crate::plan::{Candidate, Outcome, limits_of};
use crate::provider::Body;
use crate::role::End;

const SECOND: Duration = Duration::from_secs(1);

fn plan(delivery: Delivery, providers: &[&str]) -> Plan {
    let candidate = |provider: &&str| Candidate { provider: (*provider).into(), model: "gpt".into() };
    Plan {
        origin: crate::plan::Origin::default(),
        asked: Asked { endpoint: Endpoint::Chat, delivery, usage: UsageChunk::Unwanted },
        class: "stream-5000-9000-60000".into(),
        limits: limits_of("stream-5000-9000-60000").unwrap(),
        tenant: "team".into(),
        model: "gpt".into(),
        betas: String::new(),
        targets: providers.iter().map(candidate).collect(),
        passed_over: vec![],
        trials: 0,
        made: Instant::default(),
        begun: 0,
        at: 0,
        since: Instant::default(),
        failed: vec![],
        too_long: None,
        cap: None,
        others: String::new(),
    }
}

fn begin(plan: &str, provider: &str) -> Begun {
    let upstream =
        Upstream { provider: provider.into(), dialect: "openai".into(), prefix: "/v1".into(), ..Upstream::default() };
    Attempt::begin(&Arc::new(upstream.clone()), plan, Instant::default()).map_err(|fault| format!("{fault:?}")).unwrap()
}

/// What the host would do with one try's answer, which is given as chunks.
#[derive(Default, Debug)]
struct Seen {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    cooldowns: Vec<Cooldown>,
    progress: Option<Progress>,
    plan: Option<Plan>,
    held_at_last: bool,
    ended: Option<End>,
}

impl Seen {
    fn status(&self) -> &str {
        // Only if the headers were written anew.
        self.header(":status")
    }
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|header| header.0 == name).map_or("", |header| header.1.as_str())
    }
    fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        body["error"]["code"].as_str().unwrap().into()
    }
}

fn run(attempt: &mut Attempt, headers: &[(&str, &str)], chunks: &[&[u8]]) -> Seen {
    let mut seen = Seen::default();
    let mut effects = Vec::new();
    let (_, written) = attempt.response_headers(headers, false, Instant::from_nanos(1000), &mut effects);
    seen.headers = written.into_iter().flatten().map(|(name, value)| (name, value.into_owned())).collect();
    for (i, chunk) in chunks.iter().enumerate() {
        let end = i + 1 == chunks.len();
        let held = if attempt.wants_whole_answer() { chunks[..=i].concat() } else { chunk.to_vec() };
        let now = Instant::from_nanos(2000);
        let mut flow = attempt.on(now, Input::Answer { size: held.len(), end }, &mut effects);
        if flow == Flow::Hold && effects.is_empty() {
            continue;
        }
        if matches!(flow, Flow::Read { .. }) {
            flow = attempt.on(now, Input::AnswerBytes { bytes: &held, end }, &mut effects);
        }
        let mut body = Some(held);
        for effect in effects.drain(..) {
            match effect {
                Effect::Headers(headers) => seen.headers = headers,
                Effect::Length(length) => {
                    seen.headers.retain(|(name, _)| *name != "content-length");
                    seen.headers.push(("content-length", length.to_string()));
                }
                Effect::Body(with) => body = Some(with),
                Effect::Cool(cooldown) => seen.cooldowns.push(cooldown),
                Effect::Progress(_, progress) => seen.progress = Some(progress),
                Effect::Plan(text) => seen.plan = Plan::from_text(&text),
                Effect::Answer(answer) => {
                    seen.headers = vec![(":status", answer.status.to_string())];
                    seen.headers.extend(answer.headers);
                    body = Some(answer.body);
                }
                Effect::End(end) => seen.ended = Some(end),
                Effect::Tries(_) | Effect::Span(..) | Effect::Reached(_) => {}
                of_the_request => unreachable!("{of_the_request:?}"),
            }
        }
        seen.body.extend(body.unwrap_or_default());
        seen.held_at_last = flow == Flow::Hold;
    }
    seen
}

fn stream(chunks: &[&str]) -> Seen {
    let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
    let mut begun = begin(&plan(Delivery::Streamed, &["a", "b"]).to_text(), "a");
    run(&mut begun.attempt, &[(":status", "200"), ("content-type", "text/event-stream"), ("set-cookie", "x")], &chunks)
}

fn refused(status: &str, body: &str, extra: &[(&str, &str)], providers: &[&str]) -> Seen {
    let mut begun = begin(&plan(Delivery::Whole, providers).to_text(), "a");
    let mut headers = vec![(":status", status)];
    headers.extend(extra);
    run(&mut begun.attempt, &headers, &[body.as_bytes()])
}

const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const TOKEN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_plan_moves_on_before_anything_can_fail() {
    let begun = begin(&plan(Delivery::Whole, &["a", "b"]).to_text(), "a");
    assert!(begun.plan.starts_with("b|"));
    assert_eq!(begun.request, RequestPlan::AsIs { path: None }, "same dialect, same name: the body is not looked at");
}

#[test]
fn a_request_without_a_plan_is_refused() {
    let upstream = Upstream { provider: "a".into(), dialect: "openai".into(), ..Upstream::default() };
    assert!(matches!(
        Attempt::begin(&Arc::new(upstream.clone()), "", Instant::default()),
        Err(Unbegun::Fault(HostFault::NoPlan))
    ));
    let other = plan(Delivery::Whole, &["b"]).to_text();
    assert!(matches!(
        Attempt::begin(&Arc::new(upstream.clone()), &other, Instant::default()),
        Err(Unbegun::Fault(HostFault::NoPlan))
    ));
}

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
fn an_error_event_before_the_first_token_is_a_failed_try() {
    let seen = stream(&[ROLE, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"]);
    assert!(seen.status().starts_with('5'), "{seen:?}");
    assert_eq!(seen.plan.unwrap().failed.len(), 1);
}

/// An overloaded provider was reported as having given a bad answer.
#[test]
fn an_error_event_that_nobody_else_answers_is_told_by_its_class_and_words() {
    let check = |error: &str, status: &str, code: &str, words: bool| {
        let mut begun = begin(&plan(Delivery::Streamed, &["a"]).to_text(), "a");
        // The failure passes, so the target is asked once more.
        let event = format!("data: {{\"error\":{error}}}\n\n");
        let headers = [(":status", "200"), ("content-type", "text/event-stream")];
        let first = run(&mut begun.attempt, &headers, &[event.as_bytes()]);
        let mut again = begin(&first.plan.unwrap().to_text(), "a");
        let seen = run(&mut again.attempt, &headers, &[event.as_bytes()]);
        assert_eq!((seen.status(), seen.code().as_str()), (status, code), "{error}");
        let message = String::from_utf8_lossy(&seen.body).into_owned();
        assert_eq!(message.contains("The last one said: Overloaded"), words, "{message}");
    };
    check(r#"{"message":"Overloaded","type":"overloaded_error"}"#, "503", "upstream_unavailable", true);
    check(r#"{"message":"Overloaded","code":503}"#, "503", "upstream_unavailable", true);
    check(r#"{"message":"Overloaded","code":"504"}"#, "504", "upstream_timeout", true);
    check(r#"{"message":"Overloaded"}"#, "502", "upstream_bad_answer", false);
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
fn a_rate_limit_rests_the_target_and_asks_for_the_next() {
    let seen = refused("429", r#"{"error":{"message":"slow down"}}"#, &[("retry-after", "7")], &["a", "b"]);
    assert_eq!(seen.status(), "429");
    assert_eq!(seen.cooldowns[0].until, Instant::from_nanos(2000).after(SECOND * 7));
    assert_eq!(seen.progress, None, "the caller has not received an error yet");
}

#[test]
fn a_rate_limit_without_a_header_rests_the_target_as_its_words_say() {
    let upstream = Upstream { provider: "a".into(), dialect: "gemini".into(), ..Upstream::default() };
    let plan = plan(Delivery::Whole, &["a", "b"]).to_text();
    let body = br#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}"#;
    let rests = |headers: &[(&str, &str)]| {
        let begun = Attempt::begin(&Arc::new(upstream.clone()), &plan, Instant::default());
        run(&mut begun.map_err(|_| ()).unwrap().attempt, headers, &[body]).cooldowns.remove(0).until
    };
    assert_eq!(rests(&[(":status", "429")]), Instant::from_nanos(2000).after(SECOND * 7));
    assert_eq!(rests(&[(":status", "429"), ("retry-after", "3")]), Instant::from_nanos(2000).after(SECOND * 3));
}

#[test]
fn a_pause_may_be_asked_for_as_a_date_of_the_providers_clock_and_is_bounded() {
    let until = |status, headers: &[(&str, &str)]| {
        let seen = refused(status, "{}", headers, &["a", "b"]);
        let until = seen.cooldowns.first().map(|rest| rest.until - Instant::from_nanos(2000));
        assert_eq!(seen.plan.unwrap().failed[0].until.map(|until| until - Instant::from_nanos(2000)), until);
        until
    };
    let date = |asked| [("retry-after", asked), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert_eq!(until("429", &date("Sun, 06 Nov 1994 08:49:44 GMT")), Some(SECOND * 7));
    assert_eq!(until("503", &date("Sun, 06 Nov 1994 08:49:44 GMT")), Some(SECOND * 7));
    assert_eq!(until("429", &date("Sun, 06 Nov 1994 08:49:30 GMT")), Some(Duration::ZERO));
    assert_eq!(until("429", &[("retry-after", "3600")]), Some(SECOND * 60));
    assert_eq!(until("503", &date("Mon, 07 Nov 1994 08:49:37 GMT")), Some(SECOND * 60));
    assert_eq!(until("429", &[("retry-after", "soon")]), Some(SECOND));
    assert_eq!(until("503", &[("retry-after", "soon")]), None);
}

#[test]
fn the_caller_is_told_how_long_it_really_takes() {
    let seen = refused("429", "{}", &[("retry-after", "3600")], &["a"]);
    assert_eq!((seen.header("retry-after"), seen.header("x-should-retry")), ("60", "true"));
    let seen = refused("503", "{}", &[("retry-after", "3600")], &["a"]);
    assert_eq!((seen.header("retry-after"), seen.header("x-should-retry")), ("60", ""));
    // What is left of the time, if other targets were asked in between.
    let mut plan = plan(Delivery::Whole, &["b", "a"]);
    plan.begin("b", Instant::default());
    plan.fail(
        Outcome::Fault(FaultKind::RateLimited),
        429,
        Some(Instant::default().after(SECOND * 20)),
        Instant::default(),
    );
    let mut begun = begin(&plan.to_text(), "a");
    let mut effects = vec![];
    let headers = [(":status", "429"), ("retry-after", "40")];
    begun.attempt.response_headers(&headers, true, Instant::default().after(SECOND * 5), &mut effects);
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Answer(answer) => answer.headers.iter().find(|(name, _)| *name == "retry-after").cloned(),
        _ => None,
    });
    assert_eq!(told, Some(("retry-after", "15".to_string())));
}

#[test]
fn a_failed_try_of_the_last_target_says_how_long_to_wait_for_the_next() {
    let pause = |status, headers: &[(&str, &str)], providers: &[&str]| {
        refused(status, "{}", headers, providers).header(PAUSE).to_string()
    };
    assert_eq!(pause("503", &[], &["a"]), "1");
    assert_eq!(pause("429", &[("retry-after", "2")], &["a"]), "2");
    assert_eq!(pause("503", &[], &["a", "b"]), "", "the next one is asked at once");
    let mut begun = begin(&again(&["a"]).to_text(), "a");
    let seen = run(&mut begun.attempt, &[(":status", "503")], &[b"busy"]);
    assert_eq!((seen.status(), seen.header(PAUSE)), ("503", ""), "once");
    let told = String::from_utf8(seen.body).unwrap();
    assert!(told.contains("a/gpt: unavailable (503); a/gpt: unavailable (503)"), "{told}");
}

#[test]
fn what_is_too_long_for_one_model_is_asked_of_another_and_told_in_the_first_ones_words() {
    let too_long = |words: &str| format!(r#"{{"error":{{"message":"{words}","code":"context_length_exceeded"}}}}"#);
    let mut plan = plan(Delivery::Whole, &["a", "a", "a"]);
    plan.targets[2].model = "large".into();
    let mut first = begin(&plan.to_text(), "a");
    let seen = run(&mut first.attempt, &[(":status", "400")], &[too_long("first").as_bytes()]);
    assert_eq!((seen.status(), &seen.progress), ("503", &None), "Envoy takes it to the next");
    let mut second = begin(&seen.plan.unwrap().to_text(), "a");
    assert_eq!(second.attempt.plan.current().unwrap().model, "large");
    let seen = run(&mut second.attempt, &[(":status", "400")], &[too_long("second").as_bytes()]);
    assert_eq!((seen.status(), seen.code().as_str()), ("400", "context_length_exceeded"));
    assert!(String::from_utf8(seen.body).unwrap().contains("first"));
}

#[test]
fn the_error_names_who_was_not_asked_and_why() {
    let mut plan = again(&["a"]);
    let other = Candidate { provider: "b".into(), model: "m".into() };
    plan.passed_over.push((other, "unsupported_parameter: seed".into()));
    let mut begun = begin(&plan.to_text(), "a");
    let seen = run(&mut begun.attempt, &[(":status", "503")], &[b"busy"]);
    let told = String::from_utf8(seen.body).unwrap();
    assert!(told.contains("Not asked: b/m (unsupported_parameter: seed)"), "{told}");
}

#[test]
fn a_full_queue_next_door_is_asked_again_by_the_next_request() {
    let mut plan = plan(Delivery::Whole, &["a", "b"]);
    plan.asked.endpoint = Endpoint::Embeddings;
    let upstream = Upstream { provider: "a".into(), dialect: "local".into(), ..Upstream::default() };
    let mut begun =
        Attempt::begin(&Arc::new(upstream.clone()), &plan.to_text(), Instant::default()).map_err(|_| ()).unwrap();
    let seen = run(&mut begun.attempt, &[(":status", "429"), ("retry-after", "5")], &[b"{}"]);
    assert_eq!((seen.status(), seen.cooldowns.len()), ("429", 0));
}

#[test]
fn our_wrong_key_never_blames_the_callers() {
    let seen = refused("401", r#"{"error":{"message":"Incorrect API key provided: sk-abcdef"}}"#, &[], &["a"]);
    assert_eq!((seen.status(), seen.code().as_str()), ("502", "upstream_auth"));
    assert!(!String::from_utf8(seen.body).unwrap().contains("sk-abc"));
    assert_eq!(seen.cooldowns.len(), 1);
}

#[test]
fn what_names_nothing_goes_to_the_next_target_and_rests_nobody() {
    let seen = refused("403", "<html>Request blocked by the firewall</html>", &[], &["a", "b"]);
    assert_eq!((seen.status(), seen.cooldowns.len()), ("502", 0));
}

#[test]
fn the_callers_fault_is_told_in_the_providers_words_and_not_tried_elsewhere() {
    let body = r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let seen = refused("400", body, &[], &["a", "b"]);
    assert_eq!((seen.status(), seen.code().as_str()), ("400", "context_length_exceeded"));
    assert!(seen.cooldowns.is_empty());
}

/// A plan whose last target is asked once more.
fn again(providers: &[&str]) -> Plan {
    let mut plan = plan(Delivery::Whole, providers);
    for provider in providers {
        plan.begin(provider, Instant::default());
        plan.fail(Outcome::Fault(FaultKind::Unavailable), 503, None, Instant::default());
    }
    plan
}

/// The headers of a 503 without a body: Envoy lets no filter add one.
fn headers_only(plan: &Plan) -> Vec<Effect> {
    let mut begun = begin(&plan.to_text(), "a");
    let mut effects = vec![];
    let headers = [(":status", "503"), ("content-length", "0")];
    begun.attempt.response_headers(&headers, true, Instant::from_nanos(1000), &mut effects);
    effects
}

/// A caller waited forever for the body that the error's `content-length` promised.
#[test]
fn an_error_without_a_body_promises_none_and_the_last_is_answered_in_its_stead() {
    let effects = headers_only(&plan(Delivery::Whole, &["a", "b"]));
    let length = |effect: &Effect| match effect {
        Effect::Headers(headers) => headers.iter().find(|(name, _)| *name == "content-length").cloned(),
        _ => None,
    };
    assert_eq!(effects.iter().find_map(length), Some(("content-length", "0".to_string())));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Body(_) | Effect::Answer(_))));

    let effects = headers_only(&again(&["a"]));
    let Some(Effect::Answer(answer)) = effects.last() else { unreachable!("{effects:?}") };
    assert_eq!((answer.status, answer.outcome.as_str()), (503, "upstream_unavailable"));
    assert!(!answer.body.is_empty() && !effects.iter().any(|effect| matches!(effect, Effect::Headers(_))));
}

#[test]
fn an_exhausted_plan_names_every_try() {
    let mut plan = plan(Delivery::Whole, &["a", "b"]);
    plan.begin("a", Instant::default());
    let mut begun = begin(&plan.to_text(), "b");
    let seen = run(&mut begun.attempt, &[(":status", "503")], &[b"busy"]);
    let text = String::from_utf8(seen.body.clone()).unwrap();
    assert!(text.contains("a/gpt: unanswered; b/gpt: unavailable (503)"), "{text}");
    assert_eq!(seen.header("x-should-retry"), "", "it may pass");
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
fn a_try_that_nobody_answered_says_why() {
    let outcome = |connection, now| {
        let mut begun = begin(&plan(Delivery::Streamed, &["a", "b"]).to_text(), "a");
        let text = begun.attempt.ended_unanswered(&begun.plan, connection, now).unwrap();
        Plan::from_text(&text).unwrap().failed[0].outcome.name()
    };
    assert_eq!(outcome(Connection::Failed, Instant::default()), "connect_failure");
    assert_eq!(outcome(Connection::Made, Instant::default()), "reset");
    assert_eq!(outcome(Connection::Made, Instant::default().after(SECOND * 5)), "timeout");
}

#[test]
fn a_try_that_ends_late_does_not_take_the_plan_back() {
    let mut first = begin(&plan(Delivery::Streamed, &["a", "b"]).to_text(), "a");
    let second = begin(&first.plan, "b");
    assert_eq!(first.attempt.ended_unanswered(&second.plan, Connection::Made, Instant::default()), None);
}

#[test]
fn a_form_passes_as_it_is_unless_its_model_has_another_name_there() {
    let upstream = |quirks| Upstream {
        provider: "a".into(),
        dialect: "openai".into(),
        prefix: "/v1".into(),
        quirks,
        ..Upstream::default()
    };
    let begin = |model: &str, tries: usize| {
        let mut plan = plan(Delivery::Whole, &["a", "a"]);
        plan.asked.endpoint = Endpoint::Transcriptions;
        for target in &mut plan.targets {
            target.model = model.into();
        }
        let mut text = plan.to_text();
        let mut begun = None;
        for _ in 0..tries {
            let next =
                Attempt::begin(&Arc::new(upstream(crate::upstream::Quirks::default())), &text, Instant::default());
            let next = next.map_err(|fault| format!("{fault:?}")).unwrap();
            text.clone_from(&next.plan);
            begun = Some(next);
        }
        begun.unwrap()
    };
    assert_eq!(begin("gpt", 1).request, RequestPlan::AsIs { path: None });
    let mut second = begin("gpt", 2);
    assert_eq!(second.request, RequestPlan::NeedsLength);
    let request = second.attempt.request_as_it_is(9).unwrap();
    assert_eq!((request.path.as_deref(), request.length), (Some("/v1/audio/transcriptions"), Some(9)));
    assert_eq!(request.body, Body::AsIs);
    let mut other = begin("whisper-1", 1);
    assert_eq!(other.request, RequestPlan::NeedsBody);
    let form =
        |model: &str| format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n");
    let request = other.attempt.request("multipart/form-data; boundary=b", form("gpt").as_bytes()).unwrap();
    let expect = form("whisper-1").into_bytes();
    assert_eq!((request.length, request.body), (Some(expect.len()), Body::Replaced(expect)));
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

fn holding(buffer: u64, dialect: &str, delivery: Delivery) -> Attempt {
    let upstream = Upstream { provider: "a".into(), dialect: dialect.into(), buffer, ..Upstream::default() };
    Attempt::begin(&Arc::new(upstream), &plan(delivery, &["a", "b"]).to_text(), Instant::default())
        .ok()
        .unwrap()
        .attempt
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

#[test]
fn a_request_that_grows_beyond_what_is_held_is_refused() {
    let body = r#"{"model":"gpt","messages":[{"role":"user","content":"a"}]}"#;
    let ask = |buffer, dialect| holding(buffer, dialect, Delivery::Whole).request("", body.as_bytes());
    let refused = ask(60, "anthropic").unwrap_err();
    assert_eq!((refused.status, refused.outcome.as_str()), (413, "request_too_large"));
    assert!(String::from_utf8(refused.body).unwrap().contains("grew"));
    assert!(ask(600, "anthropic").is_ok());
}

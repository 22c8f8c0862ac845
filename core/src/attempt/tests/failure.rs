//! A failed try: who is asked next, which target rests, and what the caller is told if nobody is left.

use super::*;

fn refused(status: &str, body: &str, extra: &[(&str, &str)], providers: &[&str]) -> Seen {
    let mut begun = begin(&plan(Delivery::Whole, providers).to_text(), "a");
    let mut headers = vec![(":status", status)];
    headers.extend(extra);
    run(&mut begun.attempt, &headers, &[body.as_bytes()])
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

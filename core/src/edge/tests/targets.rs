//! Targets: which ones a plan has, and why others are passed over.

use super::*;

fn cooldown(provider: &str, kind: FaultKind, until: Instant) -> Cooldown {
    Cooldown { provider: provider.into(), version: 0, model: "gpt".into(), kind, until, times: 0, on_trial: false }
}

fn resting(provider: &str, kind: FaultKind) -> Cells {
    let until = Instant::from_nanos(5).after(Duration::from_millis(1500));
    let mut shared = Cells::new();
    cool(&mut shared, &cooldown(provider, kind, until), Instant::default());
    shared
}

#[test]
fn a_resting_target_is_passed_over_while_another_can_answer() {
    let plan = plan(r#"{"model":"gpt"}"#, &resting("a", FaultKind::RateLimited));
    assert_eq!(plan.targets.iter().map(|target| target.provider.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(plan.passed_over[0].1, "resting after rate_limited");
}

#[test]
fn if_all_rest_for_a_rate_limit_the_caller_is_told_how_long() {
    let mut shared = resting("a", FaultKind::RateLimited);
    let until = Instant::from_nanos(5).after(Duration::from_secs(9));
    cool(&mut shared, &cooldown("b", FaultKind::RateLimited, until), Instant::default());
    let answer = ask(&CHAT, r#"{"model":"gpt"}"#, &shared).unwrap_err();
    assert_eq!(answer.status, 429);
    assert!(answer.headers.contains(&("retry-after", "2".into())), "{:?}", answer.headers);
}

/// The record of such a request named neither the targets nor the reasons.
#[test]
fn the_record_tells_who_was_not_asked_where_nobody_was() {
    let mut shared = resting("a", FaultKind::RateLimited);
    cool(
        &mut shared,
        &cooldown("b", FaultKind::RateLimited, Instant::from_nanos(5).after(Duration::from_secs(9))),
        Instant::default(),
    );
    let mut edge = Edge::default();
    edge.headers(&routing(), &CHAT, false).unwrap();
    let refused = edge.body(&routing(), &shared, Instant::from_nanos(5), br#"{"model":"gpt","messages":[]}"#);
    assert_eq!(refused.unwrap_err().outcome, "rate_limited");
    let ending =
        Ending { now: Instant::from_nanos(6), client_left: false, caller_paused: false, connected: true, details: "" };
    let record = edge.record(&routing(), None, None, None, &ending);
    for target in ["a/gpt", "b/gpt"] {
        let told = format!(r#"{{"target":"{target}","why":"resting after rate_limited"}}"#);
        assert!(record.contains(&told), "{record}");
    }
}

#[test]
fn a_rest_for_a_fault_of_ours_is_broken_if_nothing_else_is_left() {
    let mut shared = resting("a", FaultKind::Auth);
    let until = Instant::from_nanos(5).after(Duration::from_secs(9));
    cool(&mut shared, &cooldown("b", FaultKind::Auth, until), Instant::default());
    assert_eq!(plan(r#"{"model":"gpt"}"#, &shared).targets.len(), 2);
}

#[test]
fn a_target_that_cannot_express_the_request_is_no_candidate() {
    let (status, code) = refusal(&CHAT, r#"{"model":"local","messages":[]}"#);
    assert_eq!(status, 400, "{code}");
}

#[test]
fn a_target_whose_model_cannot_express_the_request_is_passed_over() {
    let mut routing = routing();
    let claude = Target { provider: "c".into(), model: "claude-opus-4-8".into() };
    routing.models.get_mut("gpt").unwrap().targets.push(claude);
    let mut edge = Edge::default();
    edge.headers(&routing, &CHAT, false).unwrap();
    let body = br#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"temperature":0.2}"#;
    let forward = edge.body(&routing, &Cells::new(), Instant::from_nanos(5), body).unwrap();
    let plan = Plan::from_text(&forward.plan).unwrap();
    assert_eq!(plan.targets.len(), 2);
    assert_eq!(
        (plan.passed_over[0].0.provider.as_str(), plan.passed_over[0].1.as_str()),
        ("c", "unsupported_parameter: temperature")
    );
}

/// The reason is in the plan's text and in the log.
#[test]
fn a_name_that_a_caller_made_up_is_logged_short_and_visible() {
    let mut routing = routing();
    let claude = Target { provider: "c".into(), model: "claude-opus-4-8".into() };
    routing.models.get_mut("gpt").unwrap().targets.push(claude);
    let mut edge = Edge::default();
    edge.headers(&routing, &CHAT, false).unwrap();
    routing.body.0.clear();
    let body = r#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"a\n\u001b[31m\u00e9@":1}"#
        .replace('@', &"x".repeat(130));
    let forward = edge.body(&routing, &Cells::new(), Instant::default(), body.as_bytes()).unwrap();
    let plan = Plan::from_text(&forward.plan).unwrap();
    assert_eq!(plan.passed_over[0].1, format!("unsupported_parameter: a??[31m?{}...", "x".repeat(120)));
}

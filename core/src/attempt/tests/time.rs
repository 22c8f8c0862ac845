//! When a stream is passed on, when it has stalled, and when it has ended.

use super::*;
use crate::plan::{Outcome, limits_of};
use crate::role::End;

/// The outcome of a stream with one chunk every second: when it is over, at which stage, how the caller's stream ends,
/// and what the host has seen.
fn every_second(limits: &str, chunks: impl IntoIterator<Item = &'static str>) -> (u64, Option<Stage>, String, Seen) {
    let mut plan = plan(Delivery::Streamed, &["a", "b"]);
    plan.limits = limits_of(limits).unwrap();
    let mut attempt = begin(&plan.to_text(), "a").attempt;
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    let (mut seen, mut effects, mut at, mut ended) = (Seen::default(), Vec::new(), 0, None);
    attempt.response_headers(&headers, false, Instant::default(), &mut effects);
    for chunk in chunks {
        at += 1;
        attempt.response_body(chunk.as_bytes(), false, Instant::default().after(SECOND * at), &mut effects);
        let mut body = Some(chunk.as_bytes().to_vec());
        for effect in effects.drain(..) {
            match effect {
                Effect::Body(with) => body = Some(with),
                Effect::Plan(text) => seen.plan = Plan::from_text(&text),
                Effect::Progress(_, progress) => seen.progress = Some(progress),
                _ => {}
            }
        }
        seen.body.extend(body.unwrap_or_default());
        ended = seen.progress.as_ref().map(|progress| progress.stage).filter(|stage| *stage != Stage::Flowing);
        if ended.is_some() || seen.plan.is_some() {
            break;
        }
    }
    let ended = ended.filter(|_| seen.plan.is_none());
    (u64::from(at), ended, String::from_utf8(seen.body.clone()).unwrap(), seen)
}

#[test]
fn a_stream_without_tokens_is_a_stall_whatever_else_comes() {
    let stalls = |limits: &str, again: &'static str| {
        let (at, ended, told, seen) =
            every_second(limits, [TOKEN].into_iter().chain(core::iter::repeat_n(again, 1000)));
        assert_eq!(ended, Some(Stage::Cut(FaultKind::Timeout)), "{again}");
        assert!(told.contains("stream_incomplete") && !told.contains("[DONE]"), "{told}");
        let progress = seen.progress.unwrap();
        assert_eq!(progress.stage, Stage::Cut(FaultKind::Timeout));
        at
    };
    let empty = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n";
    for again in [empty, "data: {\"choices\":[]}\n\n", ROLE] {
        assert_eq!(stalls("stream-5000-9000", again), 11, "{again}");
    }
    for half in ["d", ": ", "data: {"] {
        assert_eq!(stalls("stream-5000-9000", half), 11, "{half}");
    }
    for alive in [": comment\n\n", "event: ping\ndata: {}\n\n", "data: {\"type\":\"ping\"}\n\n"] {
        assert_eq!(stalls("stream-5000-9000", alive), 302, "{alive}");
        assert_eq!(stalls("stream-5000-9000-k60000-once", alive), 62, "{alive}");
    }
    // Before its first token, the try has failed and the next target is asked.
    for (again, expect) in [(empty, 6), ("d", 6), (": c\n\n", 301)] {
        let (at, ended, _, seen) = every_second("stream-5000-9000", core::iter::repeat_n(again, 1000));
        assert_eq!((at, ended), (expect, None), "{again}");
        assert_eq!(seen.plan.unwrap().failed[0].outcome, Outcome::Fault(FaultKind::Timeout));
    }
    let (_, ended, ..) = every_second("stream-5000-9000", core::iter::repeat_n(TOKEN, 1000));
    assert_eq!(ended, None, "as long as tokens come");
    let (_, ended, told, seen) =
        every_second("stream-5000-9000", [TOKEN, FINISH].into_iter().chain(core::iter::repeat_n(": c", 1000)));
    assert!(ended == Some(Stage::Done) && told.ends_with(DONE), "nothing lacked but its end: {told}");
    assert_eq!(seen.progress.unwrap().stage, Stage::Done);
}

/// When a stream with one comment a second is passed on: with its first token, or before it.
fn passes(providers: &[&str], comments: u32) -> (u32, Option<Duration>) {
    let mut plan = plan(Delivery::Streamed, providers);
    plan.limits = limits_of("stream-5000-9000").unwrap();
    let mut attempt = begin(&plan.to_text(), providers[0]).attempt;
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    let (mut effects, mut passed) = (Vec::new(), None);
    attempt.response_headers(&headers, false, Instant::default(), &mut effects);
    for at in 1..=comments + 1 {
        let chunk = if at > comments { [TOKEN, FINISH, DONE].concat() } else { ": thinks\n\n".to_owned() };
        let now = Instant::default().after(SECOND * at);
        let flow = attempt.response_body(chunk.as_bytes(), false, now, &mut effects);
        passed = passed.or((flow == Flow::Continue).then_some(at));
    }
    let told = effects.iter().rev().find_map(|effect| match effect {
        Effect::Progress(_, progress) => Some(progress.clone()),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!(told.stage, Stage::Done);
    (passed.unwrap(), told.first_token)
}

#[test]
fn a_provider_that_thinks_is_passed_on_where_nobody_else_can_be_asked() {
    assert_eq!(passes(&["a"], 8), (3, Some(SECOND * 9)));
    assert_eq!(passes(&["a"], 1), (2, Some(SECOND * 2)), "soon enough");
    assert_eq!(passes(&["a", "b"], 4), (5, Some(SECOND * 5)));
}

#[test]
fn an_answer_that_is_over_is_ended_also_where_its_provider_goes_on() {
    let ended = |chunks: &[&str]| stream(chunks).ended;
    assert_eq!(ended(&[ROLE, TOKEN, FINISH, DONE, "", ""]), Some(End::Whole));
    assert_eq!(ended(&[ROLE, TOKEN, &[FINISH, DONE].concat()]), None, "its provider has ended it");
    assert_eq!(ended(&[ROLE, TOKEN, "data: {\"error\":{\"message\":\"no\"}}\n\n", ""]), Some(End::Error));
    assert_eq!(ended(&[ROLE, TOKEN, ""]), None);
    // Audio has no such comments.
    let mut speech = plan(Delivery::Streamed, &["a"]);
    speech.asked.endpoint = Endpoint::Speech;
    let headers = [(":status", "200"), ("content-type", "audio/mpeg"), ("content-encoding", "gzip")];
    let cut = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\x06";
    let seen = run(&mut begin(&speech.to_text(), "a").attempt, &headers, &[cut, b"\xff\xff\xff", b""]);
    assert_eq!(seen.ended, Some(End::Broken), "{seen:?}");
    let seen = run(&mut begin(&speech.to_text(), "a").attempt, &headers, &[cut, b""]);
    assert_eq!((seen.ended, seen.held_at_last), (Some(End::Broken), true), "a clean end would look whole: {seen:?}");
}

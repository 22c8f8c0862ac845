mod answer;
mod failure;
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
        reserved: None,
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

fn holding(buffer: u64, dialect: &str, delivery: Delivery) -> Attempt {
    let upstream = Upstream { provider: "a".into(), dialect: dialect.into(), buffer, ..Upstream::default() };
    Attempt::begin(&Arc::new(upstream), &plan(delivery, &["a", "b"]).to_text(), Instant::default())
        .ok()
        .unwrap()
        .attempt
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

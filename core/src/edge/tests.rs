mod bodies;
mod caller;
mod keys;
mod paths;
mod targets;
mod usage;
mod waiting;

use core::time::Duration;
use std::prelude::v1::*;

use weir_hub::endpoint::UsageChunk;
use weir_hub::fault::FaultKind;

use super::*;
use crate::config::{Access, Class, Key, Model, Target};
use crate::health::cooldown::Cooldown;
use crate::health::cooldown::tests::{Cells, cool};
use crate::upstream::Upstream;

fn target(provider: &str) -> Target {
    Target { provider: provider.into(), model: "gpt".into() }
}

fn routing() -> Routing {
    let model = |targets| Model {
        reserve_output: None,
        max_output: None,
        targets,
        whole: Class { name: "whole-1000-9000".into(), ..Class::default() },
        streamed: Class { name: "stream-1000-1000-9000".into(), ..Class::default() },
        owned_by: "w".into(),
    };
    let mut routing = Routing::default();
    routing.body.0.insert(Endpoint::Chat, 200);
    for (provider, dialect) in [("a", "openai"), ("b", "openai"), ("c", "anthropic"), ("l", "local")] {
        let upstream = Upstream { provider: provider.into(), dialect: dialect.into(), ..Upstream::default() };
        routing.upstreams.insert(provider.into(), upstream);
    }
    routing.models.insert("gpt".into(), model(vec![target("a"), target("b")]));
    routing.models.insert("other".into(), model(vec![target("a")]));
    routing.models.insert("local".into(), model(vec![target("l")]));
    let key = |models: Option<&[&str]>| Key {
        name: "team".into(),
        access: Access {
            models: models.map(|models| models.iter().map(|model| (*model).into()).collect()),
            ..Access::default()
        },
        ..Key::default()
    };
    routing.keys.insert(KeyHash::of(b"weir-1"), key(Some(&["gpt", "local"])));
    routing
}

const CHAT: [(&str, &str); 7] = [
    (":method", "POST"),
    (":path", "/v1/chat/completions?x=1"),
    ("authorization", "Bearer weir-1"),
    ("cookie", "c=1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("content-type", "application/json"),
    ("x-request-id", "r-1"),
];

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    CHAT.iter().map(|pair| if pair.0 == name { (name, value) } else { *pair }).collect()
}

fn ask(headers: &[(&'static str, &'static str)], body: &str, shared: &Cells) -> Result<Forward, Answer> {
    let mut edge = Edge::default();
    edge.headers(&routing(), headers, false)?;
    edge.body(&routing(), shared, Instant::from_nanos(5), body.as_bytes())
}

fn plan(body: &str, shared: &Cells) -> Plan {
    Plan::from_text(&ask(&CHAT, body, shared).unwrap().plan).unwrap()
}

fn refusal(headers: &[(&'static str, &'static str)], body: &str) -> (u16, String) {
    let answer = ask(headers, body, &Cells::new()).unwrap_err();
    let error: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(error["error"]["message"].is_string(), "every refusal is an OpenAI error object");
    (answer.status, answer.outcome)
}

#[test]
fn a_request_goes_on_with_a_plan_and_none_of_the_callers_secrets() {
    let forward = ask(&CHAT, r#"{"model":"gpt","messages":[]}"#, &Cells::new()).unwrap();
    assert!(forward.plan.starts_with("a|") && forward.plan.ends_with("#whole-1000-9000"));
    let headers = Edge::default().headers(&routing(), &CHAT, false).unwrap();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [":method", ":path", "accept-encoding", "user-agent", "content-type", "x-request-id"]);
    assert_eq!(headers[1].1, "/v1/chat/completions", "what the query says is for nobody else");
}

#[test]
fn a_stream_takes_the_route_with_its_limits() {
    let plan = plan(r#"{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}"#, &Cells::new());
    assert_eq!((plan.class.as_str(), plan.asked.usage), ("stream-1000-1000-9000", UsageChunk::Wanted));
}

#[test]
fn a_request_id_that_could_break_a_log_is_not_kept() {
    let headers = with("x-request-id", "a\"b");
    let headers = Edge::default().headers(&routing(), &headers, false).unwrap();
    assert!(headers.contains(&("x-request-id", "".into())));
}

/// Two callers may send the same id, so Weir does not use a caller's id as its own.
#[test]
fn a_callers_own_id_stands_beside_ours() {
    let ending = || Ending {
        now: Instant::from_nanos(6),
        client_left: false,
        caller_paused: false,
        connected: true,
        details: "",
    };
    let long = "a".repeat(1000);
    for (sent, kept) in
        [("their-1", "their-1"), ("\"},{\"", r#"\"},{\""#), ("a b", ""), ("é", ""), (&long, &long[..128])]
    {
        let mut headers: Vec<(&str, &str)> = CHAT.to_vec();
        headers.push((CALLERS_ID, sent));
        let mut edge = Edge::default();
        let passed = edge.headers(&routing(), &headers, false).unwrap();
        assert!(passed.iter().all(|(name, _)| *name != CALLERS_ID), "it is for nobody else");
        let record = edge.record(&routing(), None, None, None, &ending());
        let told = format!(r#""caller_request_id":"{kept}","request_id":"r-1"#);
        assert_eq!(record.contains(&told), !kept.is_empty(), "{record}");
        assert!(record.ends_with(r#""request_id":"r-1"#), "{record}");
    }
}

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt\r\n--b\r\nContent-Disposition: form-data; \
    name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";

fn upload(edge: &mut Edge, routing: &Routing, body: &str) -> Result<Plan, Answer> {
    let mut headers = with(":path", "/v1/audio/transcriptions");
    headers
        .iter_mut()
        .filter(|(name, _)| *name == "content-type")
        .for_each(|pair| pair.1 = "multipart/form-data; boundary=b");
    let passed = edge.headers(routing, &headers, false)?;
    assert!(passed.contains(&("content-type", "multipart/form-data; boundary=b".into())));
    assert!(edge.reads_form());
    for slice in body.as_bytes().chunks(7) {
        edge.slice(slice)?;
    }
    let forward = edge.form(routing, &Cells::new(), Instant::default(), body.len() as u64)?;
    Ok(Plan::from_text(&forward.plan).unwrap())
}

#[test]
fn a_gateway_that_drains_is_alive_but_not_ready() {
    let asked = |routing: &Routing, path| {
        let answer = Edge::default().headers(routing, &[(":method", "GET"), (":path", path)], true).unwrap_err();
        (answer.status, answer.outcome)
    };
    let ready = routing();
    let draining = Routing { draining: true, ..routing() };
    for (routing, path) in [(&ready, "/healthz"), (&ready, "/readyz"), (&draining, "/healthz")] {
        assert_eq!(asked(routing, path), (200, "ok".into()), "{path}");
    }
    assert_eq!(asked(&draining, "/readyz"), (503, "draining".into()));
}

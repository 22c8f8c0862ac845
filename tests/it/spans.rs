//! Spans over OTLP: one for the caller's request, one for each try, under the caller's own trace.

use serde_json::json;
use weir_tests::{Collector, Gateway, Span, Upstream};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Kinds of spans, by their numbers in OTLP.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

fn attribute<'s>(span: &'s Span, name: &str) -> &'s str {
    span.attributes.get(name).map_or("", String::as_str)
}

#[tokio::test]
async fn a_request_has_a_span_with_one_below_it_for_each_try() {
    let collector = Collector::start().await;
    let upstream = Upstream::sim().await;
    let gateway =
        Gateway::with(&upstream).model("gpt", ["sim/fault-503", "sim/gpt-4o"]).traced(&collector.url()).start().await;
    let ask = gateway.chat("gpt", "A private matter").header("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
    assert_eq!(ask.await.status(), 200);

    let spans = collector.spans(TRACE, 3).await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let edge = spans.iter().find(|span| span.parent == PARENT).expect("a span under the caller's");
    let tries: Vec<&Span> = spans.iter().filter(|span| span.parent == edge.id).collect();
    assert_eq!(tries.len(), 2, "{spans:#?}");
    for (name, expect) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "gpt"),
        ("gen_ai.response.model", "gpt-4o"),
        ("gen_ai.provider.name", "openai"),
        ("weir.tenant", "team"),
    ] {
        assert_eq!(attribute(edge, name), expect, "{name} in {edge:#?}");
    }
    let [failed, answered] = ["unavailable", ""].map(|error| {
        tries.iter().find(|span| attribute(span, "error.type") == error).unwrap_or_else(|| panic!("{tries:#?}"))
    });
    assert_eq!((edge.kind, failed.kind, answered.kind), (SERVER, CLIENT, CLIENT));
    assert_eq!((attribute(failed, "gen_ai.provider.name"), attribute(failed, "gen_ai.response.model")), ("openai", ""));
    assert_eq!(attribute(answered, "gen_ai.response.model"), "gpt-4o");
    assert!(attribute(edge, "gen_ai.usage.output_tokens").parse::<u32>().unwrap() > 0);
    assert!(!format!("{spans:?}").contains("private matter"));

    let ids: Vec<&str> = tries.iter().map(|span| span.id.as_str()).collect();
    let seen = upstream.requests();
    for request in &seen {
        let [_, trace, parent, _] = request.header("traceparent").unwrap().split('-').collect::<Vec<_>>()[..] else {
            panic!("no traceparent")
        };
        assert_eq!(trace, TRACE);
        assert!(ids.contains(&parent), "the provider continues the try's span: {parent} in {ids:?}");
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_caller_without_a_trace_gets_one() {
    let collector = Collector::start().await;
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).traced(&collector.url()).start().await;
    assert_eq!(gateway.chat("gpt", "Hi").streamed().await.status(), 200);
    let traceparent = upstream.requests()[0].header("traceparent").unwrap().to_owned();
    let trace = traceparent.split('-').nth(1).unwrap();
    let spans = collector.spans(trace, 2).await;
    assert!(spans.iter().any(|span| span.parent.is_empty()), "{spans:#?}");
}

/// Gemini's clients can send their key in the query, where Weir does not look for it. The request is refused, but a trace would
/// keep the key for long.
#[tokio::test]
async fn a_key_in_a_query_is_in_no_span_and_no_record() {
    const SECRET: &str = "AIza-not-for-others";
    let collector = Collector::start().await;
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).traced(&collector.url()).start().await;
    let path = format!("/v1beta/models/gpt:generateContent?key={SECRET}");
    let body = json!({ "contents": [{ "parts": [{ "text": "Hi" }] }] });
    let refused = gateway.post(&path, body.clone()).without_key();
    // Refused for its headers, for its body, and answered.
    let asks = [
        (refused, 401, "/v1beta/models/gpt:generateContent"),
        (gateway.post(&path, json!({})), 400, "/v1beta/models/{model}:generateContent"),
        (gateway.post(&path, body), 200, "/v1/chat/completions"),
    ];
    for (at, (ask, status, path)) in asks.into_iter().enumerate() {
        let trace = format!("{at}{}", &TRACE[1..]);
        let ask = ask.header("traceparent", &format!("00-{trace}-{PARENT}-01"));
        let answer = ask.await;
        assert_eq!(answer.status(), status, "{at}");
        let spans = collector.spans(&trace, if status == 200 { 2 } else { 1 }).await;
        let edge = spans.iter().find(|span| span.parent == PARENT).expect("a span under the caller's");
        let url = attribute(edge, "http.url");
        assert!(url.starts_with("http") && url.ends_with(path), "{url:?} {at}");
        assert!(!format!("{spans:?}").contains(SECRET), "{spans:#?}");
        gateway.record(answer.id()).await;
    }
    assert!(!gateway.access_log().contains(SECRET), "{}", gateway.access_log());
    assert!(!format!("{:?}", upstream.requests()).contains(SECRET));
}

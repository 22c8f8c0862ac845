//! What reaches a provider, header by header, and what comes back: allow-lists, and nobody's key but its own.

use std::collections::BTreeSet;

use serde_json::json;
use weir_sim::{Fault, Seen};
use weir_tests::{Gateway, KEY, Upstream};

/// The providers: two that speak OpenAI, one of which has its key in a file, and one that speaks Anthropic.
const KEYS: [(&str, &str); 3] = [("one", "sk-key-of-one"), ("two", "sk-key-of-two"), ("three", "sk-ant-key-of-three")];

/// All that a provider may receive, by what it speaks.
const OPENAI: [&str; 8] = [
    "accept-encoding",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "user-agent",
    "x-request-id",
];
const ANTHROPIC: [&str; 9] = [
    "accept-encoding",
    "anthropic-version",
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "user-agent",
    "x-api-key",
    "x-request-id",
];

/// What a caller, or what stands before the gateway, may send along.
const CALLERS: [(&str, &str); 18] = [
    ("accept-encoding", "gzip, br"),
    ("anthropic-version", "1999-01-01"),
    ("api-key", "callers-secret"),
    ("cookie", "session=callers-secret"),
    ("forwarded", "for=callers-secret"),
    ("openai-organization", "callers-secret"),
    ("proxy-authorization", "Basic callers-secret"),
    ("referer", "https://callers-secret/"),
    ("te", "trailers"),
    ("user-agent", "callers-secret/1.0"),
    ("x-api-key", "callers-secret"),
    ("x-envoy-max-retries", "0"),
    ("x-envoy-upstream-alt-stat-name", "callers-secret"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-host", "callers-secret"),
    ("x-goog-api-key", "callers-secret"),
    ("x-real-ip", "203.0.113.7"),
    ("x-stainless-lang", "callers-secret"),
];

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn check(seen: &Seen, name: &str) {
    let key = KEYS.iter().find(|(known, _)| *known == name).unwrap().1;
    let names: BTreeSet<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    let (allowed, header, value) = match name {
        "three" => (BTreeSet::from(ANTHROPIC), "x-api-key", key.to_owned()),
        _ => (BTreeSet::from(OPENAI), "authorization", format!("Bearer {key}")),
    };
    assert_eq!(names, allowed, "{name}");
    assert_eq!(seen.header(header), Some(value.as_str()));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    let others = KEYS.iter().filter(|(known, _)| *known != name).map(|(_, key)| *key);
    for secret in others.chain([KEY, "callers-secret", "203.0.113.7"]) {
        let found = seen.headers.iter().find(|(_, value)| value.contains(secret));
        assert_eq!(found, None, "{name} received what is not its own");
        assert!(!String::from_utf8_lossy(&seen.body).contains(secret));
    }
}

#[tokio::test]
async fn each_provider_receives_its_own_key_and_nothing_else_whatever_failed_before_it() {
    let one = Upstream::called("one").await.but(|one| one.with_key(KEYS[0].1));
    let two = Upstream::called("two").await.but(|two| two.with_key_in_a_file(KEYS[1].1));
    let three = Upstream::called("three").await.speaking("anthropic").but(|three| three.with_key(KEYS[2].1));
    let upstreams = [("one", &one), ("two", &two), ("three", &three)];
    let mut builder = Gateway::with(&one).and(&two).and(&three);
    for (first, _) in upstreams {
        for (second, _) in upstreams {
            let targets = [format!("{first}/fails"), format!("{second}/m"), format!("{first}/m")];
            builder = builder.model(&format!("{first}-{second}"), targets.iter().map(String::as_str));
        }
    }
    let gateway = builder.start().await;
    for fault in [Fault::Status(503), Fault::Reset, Fault::ErrorEvent] {
        for (_, upstream) in upstreams {
            upstream.set_fault("fails", fault);
        }
        for (first, one) in upstreams {
            for (second, other) in upstreams {
                for streamed in [false, true] {
                    for (_, upstream) in upstreams {
                        upstream.clear();
                    }
                    let ask = gateway.chat(&format!("{first}-{second}"), "Hi").with(json!({ "stream": streamed }));
                    let ask = CALLERS.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
                    let answer = ask.header("traceparent", TRACEPARENT).await;
                    assert_eq!(answer.status(), 200, "{}", answer.text());
                    let asked = |upstream: &Upstream| upstream.requests();
                    one.requests().iter().for_each(|seen| check(seen, first));
                    other.requests().iter().for_each(|seen| check(seen, second));
                    let count: usize = upstreams.iter().map(|(_, upstream)| asked(upstream).len()).sum();
                    assert_eq!(count, 2, "{first} failed by {fault}, {second} answered");
                }
            }
        }
    }
    let logs = format!("{}{}", gateway.access_log(), gateway.envoy_log());
    for secret in KEYS.iter().map(|(_, key)| *key).chain([KEY, "callers-secret", "\"Hi\""]) {
        assert!(!logs.contains(secret), "{secret} in a log");
    }
}

#[tokio::test]
async fn a_callers_answer_has_the_headers_on_the_list_and_no_other() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).model("no", ["sim/fault-500"]).start().await;
    let direct = upstream
        .asked_directly("/v1/chat/completions")
        .json(json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] }));
    let given = direct.await;
    for name in ["set-cookie", "openai-organization", "x-ratelimit-limit-requests"] {
        assert!(!given.header(name).is_empty(), "the simulator sends {name}, or this test shows nothing");
    }
    let whole = gateway.chat("gpt", "Hi").await;
    let limits = ["limit", "remaining", "reset"].map(|what| format!("x-ratelimit-{what}-"));
    let limits = limits.iter().flat_map(|what| ["requests", "tokens"].map(|of| format!("{what}{of}")));
    let limits: Vec<String> = limits.chain(["x-upstream-request-id".to_owned()]).collect();
    let with_limits = |names: &[&str]| {
        let all: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).chain(limits.clone()).collect();
        all.into_iter().collect::<Vec<_>>()
    };
    let expected = ["content-length", "content-type", "date", "server", "x-request-id", "x-weir-provider"];
    assert_eq!(whole.header_names(), with_limits(&expected));
    let streamed = gateway.chat("gpt", "Hi").streamed().await;
    let expected =
        ["cache-control", "content-type", "date", "server", "transfer-encoding", "x-request-id", "x-weir-provider"];
    assert_eq!(streamed.header_names(), with_limits(&expected));
    let error = gateway.chat("no", "Hi").await;
    let expected = ["content-length", "content-type", "date", "server", "x-request-id", "x-should-retry"];
    assert_eq!(error.header_names(), expected);
}

#[tokio::test]
async fn a_request_keeps_its_id_from_end_to_end() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    // Envoy would write its tracing decision into an id that is a UUID of version 4.
    for id in ["callers-own-id.1", "7d3ac3e0-21be-4a3b-bf2f-1d3ac3e021be"] {
        upstream.clear();
        let answer = gateway.chat("gpt", "Hi").header("x-request-id", id).await;
        assert_eq!((answer.status(), answer.id()), (200, id));
        assert_eq!(upstream.requests()[0].header("x-request-id"), Some(id));
        assert_eq!(gateway.record(id).await["request_id"], id);
    }
    upstream.clear();
    let answer = gateway.chat("gpt", "Hi").await;
    assert!(!answer.id().is_empty(), "who brings none gets one");
    assert_eq!(upstream.requests()[0].header("x-request-id"), Some(answer.id()));
}

#[tokio::test]
async fn a_trace_goes_through() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    let ask = gateway.chat("gpt", "Hi").header("traceparent", TRACEPARENT).header("tracestate", "a=1");
    assert_eq!(ask.await.status(), 200);
    let seen = &upstream.requests()[0];
    assert_eq!((seen.header("traceparent"), seen.header("tracestate")), (Some(TRACEPARENT), Some("a=1")));
}

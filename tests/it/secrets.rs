//! What reaches a provider, header by header, and what comes back: allow-lists, and nobody's key but its own.

use std::collections::BTreeSet;

use serde_json::json;
use weir_core::provider::{ALL, Reach};
use weir_hub::endpoint::Family;
use weir_sim::{AwsKey, Fault, Options, Seen};
use weir_tests::{Builder, Gateway, KEY, Manner, Upstream};

use crate::SAID;

/// The providers: one of each dialect, and another that speaks OpenAI and has its key in a file. For each, its credential and the
/// header that carries it. Bedrock's is never sent.
const PROVIDERS: [(&str, &str, &str, &str); 10] = [
    ("openai", "openai", "sk-key-of-openai", "authorization"),
    ("another", "openai", "sk-key-of-another", "authorization"),
    ("anthropic", "anthropic", "sk-ant-key-of-anthropic", "x-api-key"),
    ("azure", "azure", "sk-key-of-azure", "api-key"),
    ("bedrock", "bedrock", "key/of+bedrock", "authorization"),
    ("cohere", "cohere", "sk-key-of-cohere", "authorization"),
    ("gemini", "gemini", "sk-key-of-gemini", "x-goog-api-key"),
    ("mistral", "mistral", "sk-key-of-mistral", "authorization"),
    ("oneinfer", "oneinfer", "sk-token-of-oneinfer", "authorization"),
    ("vertex", "vertex", "ya29.key-of-vertex", "authorization"),
];

/// Whose signature Bedrock's is.
const ACCESS: &str = "AKIDOFBEDROCK";

/// All that any provider may receive, besides its credential, and what only one may.
const EVERYBODYS: [&str; 7] =
    ["accept-encoding", "content-length", "content-type", "host", "traceparent", "user-agent", "x-request-id"];
const ONLY: [(&str, &[&str]); 2] =
    [("anthropic", &["anthropic-version"]), ("bedrock", &["x-amz-content-sha256", "x-amz-date"])];

/// Headers that a caller, or a proxy before the gateway, may send.
const CALLERS: [(&str, &str); 19] = [
    ("accept-encoding", "gzip, br"),
    ("anthropic-beta", "callers-secret"),
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

/// A feature that a caller turns on at Anthropic.
const BETA: &str = "context-1m-2025-08-07";

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Every provider. The configuration gives each a header of its own.
async fn upstreams() -> Vec<Upstream> {
    let mut upstreams = Vec::new();
    for (name, dialect, key, _) in PROVIDERS {
        let aws = AwsKey { access: ACCESS.to_owned(), secret: key.to_owned() };
        let options = Options { aws: (name == "bedrock").then_some(aws), ..Options::default() };
        let own = json!({ format!("x-of-{name}"): format!("only for {name}") });
        let upstream = Upstream::with(name, options).await.speaking(dialect).but(|it| it.set("headers", own));
        upstreams.push(upstream.but(|it| match name {
            "another" => it.with_key_in_a_file(key),
            "bedrock" => it.signed_with(ACCESS, key),
            _ => it.with_key(key),
        }));
    }
    upstreams
}

fn clear(upstreams: &[Upstream]) {
    for upstream in upstreams {
        upstream.clear();
    }
}

/// A gateway with a model `first-second` for each pair: the first fails, the second answers.
fn pairs(upstreams: &[Upstream]) -> Builder {
    let mut builder = upstreams.iter().skip(1).fold(Gateway::with(&upstreams[0]), Builder::and);
    for (first, ..) in PROVIDERS {
        for (second, ..) in PROVIDERS {
            let targets = [format!("{first}/fails"), format!("{second}/m"), format!("{first}/m")];
            builder = builder.model(&format!("{first}-{second}"), targets.iter().map(String::as_str));
        }
    }
    builder
}

/// Checks what the provider called `name` has received: its own credential, what belongs to it, and `more`.
fn check(seen: &Seen, name: &str, more: &[&str]) {
    let (_, _, key, header) = PROVIDERS.into_iter().find(|(known, ..)| *known == name).unwrap();
    let names: BTreeSet<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), seen.headers.len(), "{name}: one of each: {:?}", seen.headers);
    let own = format!("x-of-{name}");
    let only = ONLY.into_iter().filter(|(known, _)| *known == name).flat_map(|(_, only)| only.iter().copied());
    let also = [header, own.as_str()].into_iter().chain(only).chain(more.iter().copied());
    let allowed: BTreeSet<&str> = EVERYBODYS.into_iter().chain(also).collect();
    assert_eq!(names, allowed, "{name}");
    let credential = seen.header(header).unwrap();
    match (name, header) {
        ("bedrock", _) => assert!(credential.starts_with(&format!("AWS4-HMAC-SHA256 Credential={ACCESS}/"))),
        (_, "authorization") => assert_eq!(credential, format!("Bearer {key}")),
        _ => assert_eq!(credential, key),
    }
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    let others =
        PROVIDERS.into_iter().filter(|(known, ..)| *known != name || name == "bedrock").map(|(_, _, key, _)| key);
    for secret in others.chain([KEY, "callers-secret", "203.0.113.7"]) {
        let found = seen.headers.iter().find(|(_, value)| value.contains(secret));
        assert_eq!(found, None, "{name} received what is not its own");
        assert!(!String::from_utf8_lossy(&seen.body).contains(secret));
        let query = seen.query.as_deref().unwrap_or_default();
        assert!(!seen.path.contains(secret) && !query.contains(secret), "{name}: {} {query}", seen.path);
    }
}

#[tokio::test]
async fn each_provider_receives_its_own_key_and_nothing_else_whatever_failed_before_it() {
    const FAULTS: [Fault; 3] = [Fault::Status(503), Fault::Reset, Fault::ErrorEvent];
    let upstreams = upstreams().await;
    let gateway = pairs(&upstreams).start().await;
    let places: Vec<(usize, usize)> =
        (0..PROVIDERS.len()).flat_map(|one| (0..PROVIDERS.len()).map(move |other| (one, other))).collect();
    for (one, other) in places {
        for streamed in [false, true] {
            // Each pair meets two of the faults, each provider all of them.
            let fault = FAULTS[(one + other + usize::from(streamed)) % FAULTS.len()];
            upstreams[one].set_fault("fails", fault);
            clear(&upstreams);
            let (first, second) = (PROVIDERS[one].0, PROVIDERS[other].0);
            let ask = gateway.chat(&format!("{first}-{second}"), "Hi").with(json!({ "stream": streamed }));
            let ask = CALLERS.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
            let answer = ask.header("traceparent", TRACEPARENT).await;
            assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{first}, {second}: {}", answer.text());
            upstreams[one].requests().iter().for_each(|seen| check(seen, first, &[]));
            upstreams[other].requests().iter().for_each(|seen| check(seen, second, &[]));
            let count: usize = upstreams.iter().map(|upstream| upstream.requests().len()).sum();
            let record = gateway.record(answer.id()).await;
            assert_eq!(count, 2, "{first} failed by {fault}, {second} answered: {:?}", *record);
        }
    }
    let logs = format!("{}{}", gateway.access_log(), gateway.envoy_log());
    let secrets = PROVIDERS.into_iter().map(|(_, _, key, _)| key);
    for secret in secrets.chain([KEY, "callers-secret", "only for", "\"Hi\""]) {
        assert!(!logs.contains(secret), "{secret} in a log");
    }
}

#[tokio::test]
async fn a_callers_key_stays_here_in_whatever_header_its_own_api_has_it() {
    let upstreams = upstreams().await;
    for upstream in &upstreams {
        upstream.set_fault("fails", Fault::Status(503));
    }
    let gateway = pairs(&upstreams).start().await;
    for manner in Manner::all() {
        let header = match manner.endpoint.family() {
            Family::OpenAi => "authorization",
            Family::Anthropic => "x-api-key",
            Family::Gemini => "x-goog-api-key",
        };
        for (number, (second, ..)) in PROVIDERS.into_iter().enumerate() {
            clear(&upstreams);
            let ask = manner.ask(&gateway, &format!("anthropic-{second}"), "Hi").without_key();
            let key = if header == "authorization" { format!("Bearer {KEY}") } else { KEY.to_owned() };
            let ask = ask.header(header, &key).header("anthropic-beta", BETA).header("traceparent", TRACEPARENT);
            let answer = ask.await;
            assert_eq!(answer.status(), 200, "{manner:?}, {second}: {}", answer.text());
            assert_eq!(manner.said(&answer), SAID, "{manner:?}, {second}: {}", answer.text());
            // A feature that a caller turns on goes to Anthropic only, and only if the caller speaks Anthropic's API.
            let betas: &[&str] = if header == "x-api-key" { &["anthropic-beta"] } else { &[] };
            let record = gateway.record(answer.id()).await;
            assert_eq!(record.tries()[0], "anthropic/fails unavailable", "{manner:?}, {second}: {:?}", *record);
            let anthropic = &upstreams[2].requests()[0];
            check(anthropic, "anthropic", betas);
            assert_eq!(anthropic.header("anthropic-beta"), (!betas.is_empty()).then_some(BETA));
            if second != "anthropic" {
                check(&upstreams[number].requests()[0], second, &[]);
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_stays_here_too() {
    let upstreams = upstreams().await;
    let gateway = pairs(&upstreams).start().await;
    for (number, (name, ..)) in PROVIDERS.into_iter().enumerate() {
        let body = format!(r#"{{"model":"{name}-{name}","messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\
             traceparent: {TRACEPARENT}\r\n\
             content-length: {}\r\n",
            body.len()
        );
        let odd: &[u8] = b"x-odd: caf\xe9\r\ncookie: \xff\r\nopenai-organization: \xe9\r\n\r\n";
        let answer = gateway.raw(&[head.as_bytes(), odd, body.as_bytes()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        upstreams[number].requests().iter().for_each(|seen| check(seen, name, &[]));
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
    let expected = ["content-length", "content-type", "date", "server", "x-request-id"];
    assert_eq!(error.header_names(), expected);
}

/// Two callers who sent the same could not be told apart.
#[tokio::test]
async fn a_request_has_an_id_of_ours_from_end_to_end_and_the_callers_beside_it() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    for id in ["callers-own-id.1", "7d3ac3e0-21be-4a3b-bf2f-1d3ac3e021be"] {
        upstream.clear();
        let answers = [
            gateway.chat("gpt", "Hi").header("x-request-id", id).await,
            gateway.chat("gpt", "Hi").header("x-request-id", id).await,
        ];
        for (answer, seen) in answers.iter().zip(upstream.requests()) {
            assert_eq!(answer.status(), 200);
            // In an operator's Envoy that is the door, its id is ours.
            let theirs = std::env::var_os("WEIR_TESTS_INSIDE").is_some();
            assert!(theirs || !answer.id().is_empty() && answer.id() != id, "{}", answer.id());
            assert_eq!(seen.header("x-request-id"), Some(answer.id()));
            let record = gateway.record(answer.id()).await;
            assert!(theirs || record["caller_request_id"] == id, "{}", *record);
        }
    }
    upstream.clear();
    let answer = gateway.chat("gpt", "Hi").await;
    assert!(!answer.id().is_empty(), "who brings none gets one");
    assert_eq!(upstream.requests()[0].header("x-request-id"), Some(answer.id()));
    assert!(gateway.record(answer.id()).await["caller_request_id"].is_null());
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

/// Envoy answered the caller with an error of its own, and asked nobody else.
#[tokio::test]
async fn where_a_credential_is_missing_the_next_target_is_asked() {
    let other = Upstream::called("other").await.but(|other| other.with_key("sk-key-of-other"));
    let variable = Upstream::called("variable").await.but(|variable| variable.with_key("sk-1").losing_its_key());
    let file = Upstream::called("file").await.but(|file| file.with_key_in_a_file("sk-2").losing_its_key());
    let gateway = Gateway::with(&other)
        .and(&variable)
        .and(&file)
        .model("gpt", ["variable/m", "file/m", "other/m"])
        .model("after another", ["other/fault-503", "variable/n", "other/m"])
        .model("alone", ["file/n"])
        .start()
        .await;
    for (model, tries) in [
        ("gpt", vec!["variable/m auth", "file/m auth", "other/m ok"]),
        ("after another", vec!["other/fault-503 unavailable", "variable/n auth", "other/m ok"]),
    ] {
        let answer = gateway.chat(model, "Hi").await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
        assert_eq!(gateway.record(answer.id()).await.tries(), tries);
    }
    let answer = gateway.chat("alone", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (502, "upstream_auth"), "{}", answer.text());
    let without = |upstream: &Upstream| upstream.requests().iter().all(|seen| seen.header("authorization").is_none());
    assert!(without(&variable) && without(&file), "nobody is sent another's key");
}

#[test]
fn every_provider_is_here() {
    for provider in ALL.into_iter().filter(|provider| provider.reach() == Reach::Url) {
        assert!(PROVIDERS.iter().any(|(_, dialect, ..)| *dialect == provider.name()), "{}", provider.name());
    }
}

//! How answers travel on their way to a caller of another dialect: by HTTP/2, with trailers, compressed, or long; and what
//! of their headers comes along.

use serde_json::json;
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_tests::{Authority, Canned, Gateway, Manner, Upstream};

use crate::SAID;

/// Providers that frame their answers in different ways. For each caller, at most one of them speaks the caller's dialect.
const PROVIDERS: [&str; 4] = ["anthropic", "gemini", "bedrock", "cohere"];

async fn upstream(name: &str) -> Upstream {
    let upstream = Upstream::called(name).await.speaking(name);
    if name == "bedrock" { upstream.but(|it| it.with_key("ABSK-of-bedrock")) } else { upstream }
}

async fn check(gateway: &Gateway, model: &str, manner: Manner) {
    let answer = manner.ask(gateway, model, "Hi").await;
    assert_eq!(answer.status(), 200, "{model}, {manner:?}: {}", answer.text());
    assert_eq!(manner.said(&answer), SAID, "{model}, {manner:?}: {}", answer.text());
    assert!(manner.is_complete(&answer), "{model}, {manner:?}: {}", answer.text());
    assert_eq!(answer.header("content-encoding"), "", "{model}, {manner:?}");
}

#[tokio::test]
async fn answers_come_by_http2_with_and_without_trailers() {
    let authority = Authority::new();
    for name in ["anthropic", "gemini"] {
        let safe = Upstream::with_tls(name, "localhost", authority.certify("localhost")).await.speaking(name);
        let safe = safe.but(|safe| safe.trusting(&authority.bundle()));
        let targets = [format!("{name}/m"), format!("{name}/fault-trailers")];
        let gateway = Gateway::with(&safe)
            .model("plain", [targets[0].as_str()])
            .model("trailers", [targets[1].as_str()])
            .start()
            .await;
        for manner in Manner::all() {
            check(&gateway, "plain", manner).await;
            // Once trailers arrive, nothing can be added to a body; and only its end says that a stream of Gemini's is
            // complete.
            check(&gateway, "trailers", manner).await;
        }
        let seen = safe.requests();
        assert!(seen.iter().all(|seen| format!("{:?}", seen.version) == "HTTP/2.0"), "{:?}", seen[0]);
    }
}

/// Relayed and translated, the first try and another one: a body that the filter does not read has trailers too.
#[tokio::test]
async fn no_trailers_pass_either_way() {
    let authority = Authority::new();
    for (name, inside) in [("openai", false), ("anthropic", false), ("anthropic", true)] {
        let safe = Upstream::with_tls(name, "localhost", authority.certify("localhost")).await.speaking(name);
        let safe = safe.but(|safe| safe.trusting(&authority.bundle()));
        let targets = ["fault-trailers", "fault-503"].map(|model| format!("{name}/{model}"));
        let builder = Gateway::with(&safe)
            .model("fault-trailers", [&*targets[0]])
            .model("once", [&*targets[0]])
            .model("twice", [&*targets[1], &*targets[0]]);
        let gateway = if inside { builder.inside() } else { builder }.start().await;
        for (model, manner) in
            Manner::all().flat_map(|manner| ["fault-trailers", "once", "twice"].map(|it| (it, manner)))
        {
            let ask = manner.ask(&gateway, model, "Hi").by_http2();
            let answer = ask.trailer("authorization", "Bearer mine").trailer("x-late", "1").await;
            assert_eq!(answer.status(), 200, "{name}, {model}, {manner:?}: {}", answer.text());
            assert_eq!(manner.said(&answer), SAID, "{name}, {model}, {manner:?}: {}", answer.text());
            assert!(manner.is_complete(&answer), "{name}, {model}, {manner:?}: {}", answer.text());
            assert_eq!(answer.trailers(), 0, "{name}, {model}, {manner:?}");
        }
        for seen in safe.requests() {
            assert_eq!(format!("{:?}", seen.version), "HTTP/2.0");
            let mine = seen.headers.iter().find(|(name, value)| name == "x-late" || value == "Bearer mine");
            assert_eq!(mine, None, "{name}");
        }
    }
}

#[tokio::test]
async fn trailers_by_http1_change_nothing() {
    const ANSWER: &str = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n",
        "connection: close\r\n\r\n",
        "e7\r\n",
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2"#,
        "\r\n2\r\n}}\r\n0\r\nx-checksum: 1\r\n\r\n",
    );
    let gateway = Gateway::with(Canned::answering(ANSWER).await.called("canned"));
    let gateway = gateway.model("gpt", ["canned/m"]).start().await;
    for endpoint in [Endpoint::Chat, Endpoint::Messages, Endpoint::GenerateContent] {
        let manner = Manner { endpoint, delivery: Delivery::Whole };
        let answer = manner.ask(&gateway, "gpt", "Hi").await;
        assert_eq!((answer.status(), manner.said(&answer).as_str()), (200, "Hello"), "{manner:?}: {}", answer.text());
        assert!(manner.is_complete(&answer), "{manner:?}: {}", answer.text());
        assert_eq!(answer.header("x-checksum"), "");
    }
}

#[tokio::test]
async fn what_is_compressed_unasked_is_unpacked_and_translated() {
    for name in PROVIDERS {
        let upstream = upstream(name).await;
        let targets = ["gzip", "brotli"].map(|coding| format!("{name}/fault-{coding}"));
        let gateway = Gateway::with(&upstream)
            .model("gzip", [targets[0].as_str()])
            .model("brotli", [targets[1].as_str()])
            .start()
            .await;
        for manner in Manner::all() {
            check(&gateway, "gzip", manner).await;
            check(&gateway, "brotli", manner).await;
        }
    }
}

#[tokio::test]
async fn an_answer_of_two_megabytes_is_translated() {
    for name in PROVIDERS {
        let upstream = upstream(name).await;
        let gateway = Gateway::with(&upstream).model("long", [format!("{name}/m+size-2m").as_str()]).start().await;
        for manner in Manner::all() {
            let answer = manner.ask(&gateway, "long", "Hi").await;
            assert_eq!(answer.status(), 200, "{name}, {manner:?}");
            assert_eq!(manner.said(&answer).len(), 2 << 20, "{name}, {manner:?}");
            assert!(manner.is_complete(&answer), "{name}, {manner:?}");
        }
    }
}

#[tokio::test]
async fn limits_and_request_ids_have_one_name_whoever_set_them() {
    let limits = |of: &str| ["limit", "remaining"].map(|what| format!("x-ratelimit-{what}-{of}"));
    let providers = [
        ("openai", true, true),
        ("anthropic", true, true),
        ("azure", true, false),
        ("mistral", true, false),
        ("bedrock", false, false),
    ];
    for (name, has_limits, resets) in providers {
        let upstream = upstream(name).await;
        let gateway = Gateway::with(&upstream).model("gpt", [format!("{name}/m").as_str()]).start().await;
        for manner in Manner::all() {
            let answer = manner.ask(&gateway, "gpt", "Hi").await;
            assert_eq!(answer.status(), 200, "{name}, {manner:?}: {}", answer.text());
            assert!(!answer.header("x-upstream-request-id").is_empty(), "{name}, {manner:?}: {answer:?}");
            for limit in limits("requests").iter().chain(&limits("tokens")) {
                let number = answer.header(limit).parse::<u64>();
                assert_eq!(number.is_ok(), has_limits, "{name}, {manner:?}, {limit}: {answer:?}");
            }
            // How long it takes, whether they were told as a time or as a distance.
            for reset in ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"] {
                let told = answer.header(reset);
                assert_eq!(
                    told.starts_with(|c: char| c.is_ascii_digit()) && told.ends_with('s'),
                    resets,
                    "{name}, {manner:?}, {reset}: {answer:?}"
                );
            }
            let strays = ["anthropic-", "x-amzn", "mistral-", "apim-", "req-minute", "openai-"];
            let stray = answer.header_names().into_iter().find(|name| strays.iter().any(|stray| name.contains(stray)));
            assert_eq!(stray, None, "{name}, {manner:?}");
        }
    }
}

#[tokio::test]
async fn what_is_left_out_or_had_in_another_way_is_named() {
    let upstream = upstream("anthropic").await;
    let lenient = weir_tests::Provider::from(&upstream).called("lenient").set("drop_unsupported", true);
    let gateway = Gateway::with(&upstream)
        .and(lenient)
        .model("strict", ["anthropic/m"])
        .model("lenient", ["lenient/m"])
        .start()
        .await;
    let odd = json!({ "logit_bias": { "50256": -100 }, "seed": 7 });
    let refused = gateway.chat("strict", "Hi").with(odd.clone()).await;
    assert_eq!((refused.status(), refused.code().as_str()), (400, "unsupported_parameter"), "{}", refused.text());
    for streamed in [false, true] {
        let ask = gateway.chat("lenient", "Hi").with(odd.clone()).with(json!({ "stream": streamed }));
        let answer = ask.await;
        let mut dropped: Vec<&str> = answer.header("x-weir-dropped").split(',').map(str::trim).collect();
        dropped.sort_unstable();
        assert_eq!((answer.status(), dropped), (200, vec!["logit_bias", "seed"]), "{}", answer.text());
        assert_eq!((answer.header("x-weir-emulated"), answer.said().as_str()), ("", SAID));

        let shape = json!({ "stream": streamed, "response_format": { "type": "json_object" } });
        let answer = gateway.chat("strict", "Say it as JSON").with(shape).await;
        assert_eq!((answer.status(), answer.header("x-weir-emulated")), (200, "response_format"), "{}", answer.text());
        assert_eq!(answer.header("x-weir-dropped"), "");
    }
    // Names are the caller's own words: they can neither begin a header nor fill one.
    let named = |name: &str| gateway.chat("lenient", "Hi").with(json!({ name: true }));
    let answer = named("a\r\nset-cookie: b").await;
    assert_eq!((answer.status(), answer.header("set-cookie")), (200, ""), "{answer:?}");
    assert_eq!(answer.header("x-weir-dropped"), "a??set-cookie:?b");
    let answer = named(&"x".repeat(100_000)).await;
    assert_eq!((answer.status(), answer.header("x-weir-dropped").len()), (200, 131));
}

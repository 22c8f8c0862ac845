//! Every API of callers, before providers that speak another one. A failure before the first token is repaired; any other is told
//! in the caller's own API.

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::OnceCell;
use weir_hub::endpoint::Family;
use weir_tests::{Ended, Gateway, Manner, Port, Provider, Upstream};

use crate::SAID;

/// What a fault leads to: with another target, and without.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Nothing has reached the caller: the next target answers. If none can, the caller is told this.
    Next(u16, &'static str),
    /// It comes after the first token: the stream ends with an error event.
    ErrorEvent,
    /// It comes after the first token: the connection breaks.
    Broken,
}

use Then::{Broken, ErrorEvent, Next};

const FAULTS: [(&str, Then, Then); 13] = [
    ("refuse", Next(503, "upstream_unavailable"), Next(503, "upstream_unavailable")),
    ("500", Next(503, "upstream_unavailable"), Next(503, "upstream_unavailable")),
    ("401", Next(502, "upstream_auth"), Next(502, "upstream_auth")),
    ("429-retry-7", Next(429, "rate_limited"), Next(429, "rate_limited")),
    ("error-event", Next(503, "upstream_unavailable"), Next(503, "upstream_unavailable")),
    ("error-event-late", Next(503, "upstream_unavailable"), ErrorEvent),
    ("slow-first-token-60000", Next(504, "upstream_timeout"), Next(504, "upstream_timeout")),
    ("stall", Next(504, "upstream_timeout"), Broken),
    ("cut", Next(502, "upstream_bad_answer"), ErrorEvent),
    ("cut-before", Next(502, "upstream_bad_answer"), Next(502, "upstream_bad_answer")),
    ("break", Next(503, "upstream_unavailable"), Broken),
    ("malformed", Next(502, "upstream_bad_answer"), ErrorEvent),
    ("empty-200", Next(502, "upstream_bad_answer"), Next(502, "upstream_bad_answer")),
];

/// Faults that only a time limit finds; their models have short ones.
const SLOW: [&str; 2] = ["slow-first-token-60000", "stall"];

/// Pairs of who fails and who then answers, which differ; each provider is once in either place.
const PAIRS: [(&str, &str); 8] = [
    ("openai", "anthropic"),
    ("anthropic", "gemini"),
    ("gemini", "bedrock"),
    ("bedrock", "cohere"),
    ("cohere", "mistral"),
    ("mistral", "oneinfer"),
    ("oneinfer", "azure"),
    ("azure", "openai"),
];

struct Shared {
    _upstreams: Vec<Upstream>,
    gateway: Gateway,
}

/// The model of a case. Each case of each test has its own, because a target rests after some faults. Tokens come one by one, so
/// that the first has passed before the fault comes.
fn target(provider: &str, fault: &str, manner: Manner) -> String {
    let Manner { endpoint, delivery } = manner;
    format!("{provider}/fault-{fault}+gap-20ms+{endpoint:?}+{delivery:?}")
}

fn model(provider: &str, fault: &str, manner: Manner) -> String {
    format!("{provider}-{fault}-{:?}-{:?}", manner.endpoint, manner.delivery)
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

async fn start() -> Shared {
    let mut upstreams = Vec::new();
    for (name, _) in PAIRS {
        let upstream = Upstream::called(name).await.speaking(name);
        upstreams.push(if name == "bedrock" { upstream.but(|it| it.with_key("ABSK-of-bedrock")) } else { upstream });
    }
    let mut builder = upstreams.iter().skip(1).fold(Gateway::with(&upstreams[0]), weir_tests::Builder::and);
    for (fault, ..) in FAULTS {
        for manner in Manner::all() {
            for (first, second) in PAIRS {
                let failing = target(first, fault, manner);
                let answering = format!("{second}/m");
                builder = builder.model(&model(first, fault, manner), [failing.as_str(), answering.as_str()]);
                if SLOW.contains(&fault) {
                    builder = builder.within(json!({ "first_token": "1s", "gap": "1s", "whole": "1s" }));
                }
            }
        }
    }
    for manner in Manner::all() {
        for (fault, ..) in FAULTS {
            let all = ["openai", "anthropic"].map(|provider| format!("{}+all", target(provider, fault, manner)));
            builder = builder.model(&model("all", fault, manner), all.iter().map(String::as_str));
            if SLOW.contains(&fault) {
                builder = builder.within(json!({ "first_token": "1s", "gap": "1s", "whole": "1s" }));
            }
        }
    }
    Shared { _upstreams: upstreams, gateway: builder.start().await }
}

/// Tries a fault of the first target, and says what is wrong with the result.
async fn check(first: &str, fault: &str, manner: Manner, then: Then) -> Result<(), String> {
    let Shared { gateway, .. } = shared().await;
    let answer = manner.ask(gateway, &model(first, fault, manner), "Hi").await;
    let record = gateway.record(answer.id()).await;
    let tries = record.tries();
    let said = || manner.said(&answer);
    let found = match then {
        Next(..) => {
            let whole = answer.status() == 200 && said() == SAID && manner.is_complete(&answer);
            whole && tries.len() == 2 && tries[1].ends_with("/m ok")
        }
        ErrorEvent => {
            answer.status() == 200
                // A wasm filter can only break a stream that its provider does not end.
                && (answer.ended() == Ended::Cleanly || gateway.has_heaps())
                && !manner.is_complete(&answer)
                && ["stream_incomplete", "server_error"].contains(&&*manner.error(&answer))
                && SAID.starts_with(&said())
                && !said().is_empty()
                && tries.len() == 1
        }
        Broken => {
            answer.status() == 200
                && answer.ended() == Ended::Broken
                && SAID.starts_with(&said())
                && !said().is_empty()
                && tries.len() == 1
        }
    };
    let shown = || format!("{first}, {fault}, {manner:?}: {}\n{}\n{}", answer.status(), answer.text(), *record);
    if found { Ok(()) } else { Err(shown()) }
}

#[tokio::test]
async fn whatever_fails_before_the_first_token_is_made_good_in_the_callers_own_words() {
    let mut all = Vec::new();
    for (fault, whole, streamed) in FAULTS {
        for manner in Manner::all() {
            let then = if manner.is_streamed() { streamed } else { whole };
            // Each caller meets each provider, and each provider each fault; all three at once would be a thousand.
            let pairs = PAIRS.iter().cycle().skip(all.len()).step_by(2).take(3);
            all.extend(pairs.map(|(first, _)| check(first, fault, manner, then)));
        }
    }
    report(all).await;
}

/// Fails with all that is wrong. Not too many at once: limits in time are short here.
async fn report(cases: Vec<impl Future<Output = Result<(), String>>>) {
    let outcomes = stream::iter(cases).buffer_unordered(16).collect::<Vec<_>>().await;
    let wrong: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of them\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Lets all targets fail alike, and says what is wrong with what the caller is told.
async fn told(fault: &str, manner: Manner, (status, code): (u16, &str)) -> Result<(), String> {
    let Shared { gateway, .. } = shared().await;
    let answer = manner.ask(gateway, &model("all", fault, manner), "Hi").await;
    let record = gateway.record(answer.id()).await;
    let tries = record.tries();
    // The last one is asked once more after what passes.
    let each_once = tries.len() == 2 || (tries.len() == 3 && tries[2] == tries[1]);
    let is_told = answer.status() == status
        && manner.error(&answer) == code
        && answer.header("retry-after").is_empty() != (code == "rate_limited")
        && each_once;
    let shown = || format!("{fault}, {manner:?}: {}\n{}\n{}", answer.status(), answer.text(), *record);
    if is_told { Ok(()) } else { Err(shown()) }
}

#[tokio::test]
async fn when_all_fail_the_caller_is_told_once_in_its_own_words() {
    let mut all = Vec::new();
    for (fault, whole, streamed) in FAULTS {
        for manner in Manner::all() {
            let then = if manner.is_streamed() { streamed } else { whole };
            if let Next(status, code) = then {
                all.push(told(fault, manner, (status, code)));
            }
        }
    }
    report(all).await;
}

#[tokio::test]
async fn envoys_own_errors_are_in_the_callers_words_too() {
    let (one, other) = (Port::reserve(), Port::reserve());
    let gateway = Gateway::with(Provider::at("one", &format!("http://{}/v1", one.address())))
        .and(Provider::at("other", &format!("http://{}/v1", other.address())).speaking("anthropic"))
        .model("none", ["one/m", "other/m"])
        .start()
        .await;
    for manner in Manner::all() {
        let answer = manner.ask(&gateway, "none", "Hi").await;
        assert_eq!(answer.status(), 503, "{manner:?}: {}", answer.text());
        assert_eq!(manner.error(&answer), "upstream_unavailable", "{manner:?}: {}", answer.text());
        assert!(answer.message().contains("one/m: connect_failure"), "{manner:?}: {}", answer.text());

        let answer = manner.ask(&gateway, "unheard-of", "Hi").await;
        assert_eq!((answer.status(), manner.error(&answer).as_str()), (404, "model_not_found"), "{manner:?}");
        let answer = manner.ask(&gateway, "none", "Hi").key("nobody's").await;
        assert_eq!((answer.status(), manner.error(&answer).as_str()), (401, "invalid_api_key"), "{manner:?}");
        // Envoy refuses these before any filter could say whose words to use.
        let answer = manner.ask(&gateway, "none", "Hi").header("x-large", &"x".repeat(100_000)).await;
        assert_eq!(answer.status(), 431, "{manner:?}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string(), "{manner:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn each_answer_names_its_request_as_the_callers_clients_look_for_it() {
    let upstream = Upstream::sim().await;
    let nobody = Port::reserve();
    let gateway = Gateway::with(&upstream)
        .and(Provider::at("nobody", &format!("http://{}/v1", nobody.address())))
        .model("gpt", ["sim/gpt"])
        .model("none", ["nobody/m"])
        .start()
        .await;
    for manner in Manner::all() {
        let ask = |model: &str| manner.ask(&gateway, model, "Hi");
        // Answered, answered by the filter, by Envoy, and by the filter before it has looked at the body.
        let answers = [ask("gpt"), ask("unheard-of"), ask("none"), ask("gpt").key("nobody's")];
        for (ask, status) in answers.into_iter().zip([200, 404, 503, 401]) {
            let answer = ask.header("x-request-id", "mine").await;
            assert_eq!(answer.status(), status, "{manner:?}: {}", answer.text());
            let anthropic = manner.endpoint.family() == Family::Anthropic;
            assert!(!answer.id().is_empty(), "{manner:?}: {answer:?}");
            assert_eq!(answer.header("request-id"), if anthropic { answer.id() } else { "" }, "{manner:?}: {answer:?}");
        }
    }
}

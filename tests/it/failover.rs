//! A target fails before the caller has received anything: the next one answers, and the caller sees only that.

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::OnceCell;
use weir_tests::{Ended, Gateway, Provider, Upstream};

use crate::SAID;

/// What a fault of the simulator leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The next target answers; the record names the failed try so.
    Next(&'static str),
    /// Nothing fails in this delivery: the target answers itself.
    Answered,
    /// The caller is at fault, and gets this code.
    Told(&'static str),
    /// It comes after the first token: the stream ends with an error event.
    ErrorEvent,
    /// It comes after the first token: the connection breaks.
    Broken,
}

use Then::{Answered, Broken, ErrorEvent, Next, Told};

/// Every fault, and what it leads to in a whole answer and in a streamed one.
const FAULTS: [(&str, Then, Then); 37] = [
    ("refuse", Next("reset"), Next("reset")),
    ("reset", Next("reset"), Next("reset")),
    ("hang", Next("timeout"), Next("timeout")),
    ("401", Next("auth"), Next("auth")),
    ("402", Next("billing"), Next("billing")),
    ("403", Next("auth"), Next("auth")),
    ("404", Next("not_found"), Next("not_found")),
    ("408", Next("timeout"), Next("timeout")),
    ("429", Next("rate_limited"), Next("rate_limited")),
    ("429-retry-7", Next("rate_limited"), Next("rate_limited")),
    ("insufficient-quota", Next("billing"), Next("billing")),
    ("500", Next("unavailable"), Next("unavailable")),
    ("502", Next("unavailable"), Next("unavailable")),
    ("503", Next("unavailable"), Next("unavailable")),
    ("529", Next("unavailable"), Next("unavailable")),
    ("error-event", Next("error_event"), Next("error_event")),
    ("error-event-late", Next("error_event"), ErrorEvent),
    ("slow-first-token-2000", Next("timeout"), Next("timeout")),
    ("slow-whole-2000", Next("timeout"), Next("timeout")),
    ("stall", Next("timeout"), Broken),
    ("stall-before", Next("timeout"), Next("timeout")),
    ("cut", Next("cut"), ErrorEvent),
    ("cut-before", Next("cut"), Next("cut")),
    ("break", Next("reset"), Broken),
    ("malformed", Next("malformed"), ErrorEvent),
    ("malformed-whole", Next("malformed"), Next("cut")),
    ("no-done", Answered, Answered),
    ("empty-200", Next("cut"), Next("cut")),
    ("context-length", Next("context_length_exceeded"), Next("context_length_exceeded")),
    ("content-filter", Told("content_policy_violation"), Told("content_policy_violation")),
    ("finish-content-filter", Answered, Answered),
    ("invalid-request", Told("invalid_request_error"), Told("invalid_request_error")),
    ("flap-3", Answered, Answered),
    ("gzip", Answered, Answered),
    ("brotli", Answered, Answered),
    ("trailers", Answered, Answered),
    ("truncated-json", Next("cut"), ErrorEvent),
];

/// Faults that only a time limit finds; their models have short ones.
const SLOW: [&str; 5] = ["hang", "slow-first-token-2000", "slow-whole-2000", "stall", "stall-before"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Whole,
    Streamed,
}

impl Delivery {
    const BOTH: [Self; 2] = [Self::Whole, Self::Streamed];

    /// The target with this fault. Each delivery has its own, because a target that rests would rest for both. Tokens come one by
    /// one, so that the first has passed before the fault comes.
    fn target(self, fault: &str) -> String {
        format!("sim/fault-{fault}+gap-50ms+{self:?}")
    }

    fn model(self, fault: &str) -> String {
        format!("{fault} {self:?}")
    }
}

struct Shared {
    _upstream: Upstream,
    gateway: Gateway,
}

/// A gateway with a model for every fault and delivery, which has `sim/gpt-4o` as its second target.
async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

async fn start() -> Shared {
    let upstream = Upstream::sim().await;
    let mut builder = Gateway::with(&upstream);
    for (fault, ..) in FAULTS {
        for delivery in Delivery::BOTH {
            builder = builder.model(&delivery.model(fault), [delivery.target(fault).as_str(), "sim/gpt-4o"]);
            if SLOW.contains(&fault) {
                builder = builder.within(json!({ "first_token": "1s", "gap": "1s", "whole": "1s" }));
            }
        }
    }
    Shared { _upstream: upstream, gateway: builder.start().await }
}

/// Asks for one fault, and says what is wrong with the result.
async fn check(fault: &str, delivery: Delivery, then: Then) -> Result<(), String> {
    let Shared { gateway, .. } = shared().await;
    let ask = gateway.chat(&delivery.model(fault), "Hi");
    let ask = if delivery == Delivery::Streamed { ask.streamed() } else { ask };
    let answer = ask.await;
    let record = gateway.record(answer.id()).await;
    let failed = delivery.target(fault);
    let found = match then {
        Next(outcome) => {
            let tries = [format!("{failed} {outcome}"), "sim/gpt-4o ok".to_owned()];
            let is_whole = answer.status() == 200 && answer.said() == SAID && answer.ended() == Ended::Cleanly;
            let is_done = delivery == Delivery::Whole || answer.is_done();
            is_whole && is_done && answer.model() == "gpt-4o" && record.tries() == tries
        }
        Answered => {
            let is_done = delivery == Delivery::Whole || answer.is_done();
            answer.status() == 200 && is_done && record.tries() == [format!("{failed} ok")]
        }
        Told(code) => answer.status() == 400 && answer.code() == code && record.tries().len() == 1,
        ErrorEvent => {
            answer.status() == 200
                // A wasm filter can only break a stream that its provider does not end.
                && (answer.ended() == Ended::Cleanly || gateway.has_heaps())
                && !answer.is_done()
                && answer.code() == "stream_incomplete"
                && SAID.starts_with(&answer.said())
                && !answer.said().is_empty()
                && record.tries().len() == 1
        }
        Broken => answer.status() == 200 && answer.ended() == Ended::Broken && !answer.is_done(),
    };
    if found {
        Ok(())
    } else {
        Err(format!("{fault}, {delivery:?}: {}\n{}\n{}", answer.status(), answer.text(), *record))
    }
}

#[tokio::test]
async fn whatever_fails_before_the_first_token_is_made_good_by_the_next_target() {
    let all = FAULTS.iter().flat_map(|(fault, whole, streamed)| {
        [check(fault, Delivery::Whole, *whole), check(fault, Delivery::Streamed, *streamed)]
    });
    let wrong: Vec<String> = join_all(all).await.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_fault_of_the_simulator_is_left_out() {
    let tested: Vec<&str> = FAULTS.iter().map(|(fault, ..)| *fault).collect();
    let known: Vec<&str> = weir_sim::faults().iter().map(|listed| listed.name).collect();
    assert_eq!(tested, known);
}

#[tokio::test]
async fn a_dead_port_and_a_name_that_does_not_resolve_are_made_good_too() {
    let upstream = Upstream::sim().await;
    let dead = weir_tests::Port::reserve();
    let builder = Gateway::with(&upstream)
        .and(Provider::at("dead", &format!("http://{}/v1", dead.address())))
        .and(Provider::at("nowhere", "http://nonexistent.invalid:1/v1"))
        .model("gpt", ["dead/gpt-4o", "nowhere/gpt-4o", "sim/gpt-4o"])
        .model("none", ["dead/gpt-4o", "nowhere/gpt-4o"]);
    for streamed in [false, true] {
        // Each has its own: a target that cannot be reached rests.
        let gateway = builder.clone().start().await;
        let ask = gateway.chat("gpt", "Hi");
        let answer = if streamed { ask.streamed().await } else { ask.await };
        let tries = ["dead/gpt-4o connect_failure", "nowhere/gpt-4o connect_failure", "sim/gpt-4o ok"];
        assert_eq!(gateway.record(answer.id()).await.tries(), tries);
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID));
    }
    let gateway = builder.start().await;
    let answer = gateway.chat("none", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"));
    let tries = "dead/gpt-4o: connect_failure; nowhere/gpt-4o: connect_failure.";
    assert!(answer.message().contains(tries), "{}", answer.text());
}

#[tokio::test]
async fn the_callers_fault_is_told_in_the_providers_words_and_tried_nowhere_else() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let faults = ["content-filter", "invalid-request"];
    let mut builder = Gateway::with(&first).and(&second);
    for fault in faults {
        builder = builder.model(fault, [format!("first/fault-{fault}").as_str(), "second/gpt-4o"]);
    }
    let gateway = builder.start().await;
    for fault in faults {
        let body = json!({ "model": format!("fault-{fault}"), "messages": [{ "role": "user", "content": "Hi" }] });
        let direct = first.asked_directly("/v1/chat/completions").json(body).await;
        let answer = gateway.chat(fault, "Hi").await;
        assert_eq!((answer.status(), answer.message()), (400, direct.message()));
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    assert_eq!(second.served(), 0);
}

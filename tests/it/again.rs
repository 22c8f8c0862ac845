//! The only target, or the last of several: after a passing fault it is asked once more, as a client without a gateway would.

use std::time::Duration;

use serde_json::json;
use weir_sim::Fault;
use weir_tests::{BlackHole, Canned, Gateway, Provider, Upstream};

use crate::SAID;

#[tokio::test]
async fn a_target_that_fails_once_is_asked_once_more() {
    let upstream = Upstream::sim().await;
    let faults = [Fault::Status(503), Fault::Status(529), Fault::Status(500), Fault::Status(408), Fault::ErrorEvent];
    let names: Vec<String> = (0..faults.len()).map(|i| format!("m{i}")).collect();
    let mut builder = Gateway::with(&upstream);
    for name in &names {
        builder = builder.model(name, [format!("sim/{name}").as_str()]);
    }
    let gateway = builder.start().await;
    for (name, fault) in names.iter().zip(faults) {
        for ask in [gateway.chat(name, "Hi"), gateway.chat(name, "Hi").streamed()] {
            upstream.set_fault_times(name, fault, 1);
            let answer = ask.await;
            assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{fault:?}: {}", answer.text());
            let tries = gateway.record(answer.id()).await.tries();
            assert_eq!(tries.len(), 2, "{tries:?}");
            assert_eq!(tries[1], format!("sim/{name} ok"));
        }
    }
}

#[tokio::test]
async fn the_last_of_several_is_asked_once_more_and_what_stays_is_told() {
    let first = Upstream::called("first").await;
    let last = Upstream::called("last").await;
    let gateway = Gateway::with(&first).and(&last).model("gpt", ["first/m", "last/m"]).start().await;
    first.set_fault("m", Fault::Status(500));
    last.set_fault_times("m", Fault::Status(503), 1);
    let answer = gateway.chat("gpt", "Hi").await;
    let tries = ["first/m unavailable", "last/m unavailable", "last/m ok"];
    assert_eq!((answer.status(), gateway.record(answer.id()).await.tries()), (200, tries.map(str::to_owned).to_vec()));
    last.set_fault("m", Fault::Status(503));
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "", "the caller may wait longer");
    assert_eq!(answer.header("x-weir-pause"), "");
    let tries = ["first/m unavailable", "last/m unavailable", "last/m unavailable"];
    assert_eq!(gateway.record(answer.id()).await.tries(), tries);
    assert_eq!((first.served(), last.served()), (2, 4));
}

/// Uvicorn and Node close a connection after five idle seconds. A request that was sent on it at that moment used to get a 503.
#[tokio::test]
async fn a_kept_connection_that_its_host_closes_costs_nothing() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/m"]).start().await;
    for ask in [gateway.chat("gpt", "Hi"), gateway.chat("gpt", "Hi").streamed()] {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200, "so that there is a connection");
        upstream.set_fault_times("m", Fault::Reset, 1);
        let answer = ask.await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
        assert_eq!(gateway.record(answer.id()).await.tries(), ["sim/m reset", "sim/m ok"]);
    }
    // A new connection that is reset means something else, and the next try does not wait.
    let fresh = Gateway::with(&upstream).model("gpt", ["sim/m"]).start().await;
    upstream.set_fault_times("m", Fault::Reset, 1);
    let answer = fresh.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"), "{}", answer.text());
    assert!(answer.message().contains("sim/m: reset"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "");
    assert_eq!(fresh.record(answer.id()).await.tries(), ["sim/m reset"]);
}

/// Therefore Weir closes it before the host does.
#[tokio::test]
async fn a_connection_that_nobody_uses_is_kept_for_as_long_as_is_said() {
    let upstream = Upstream::sim().await.but(|provider| provider.set("keep_idle", "500ms"));
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/m"]).start().await;
    for connections in 1..3 {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
        gateway.until_stat("cluster.sim.upstream_cx_idle_timeout", connections).await;
        assert_eq!(gateway.stat("cluster.sim.upstream_cx_total").await, connections);
    }
}

#[tokio::test]
async fn a_short_pause_is_waited_for_and_a_long_one_is_passed_on() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("short", ["sim/short"]).model("long", ["sim/long"]).start().await;
    upstream.set_fault_times("short", Fault::RetryAfter(1), 1);
    upstream.set_fault_times("long", Fault::RetryAfter(7), 1);
    let answer = gateway.chat("short", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["sim/short rate_limited", "sim/short ok"]);
    let answer = gateway.chat("long", "Hi").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (429, "7"), "{}", answer.text());
    assert_eq!(gateway.record(answer.id()).await.tries(), ["sim/long rate_limited"]);
}

#[tokio::test]
async fn a_silent_target_is_asked_once() {
    let upstream = Upstream::sim().await;
    let limits = serde_json::json!({ "first_token": "300ms", "gap": "300ms", "whole": "300ms" });
    let gateway = Gateway::with(&upstream)
        .model("one", ["sim/fault-hang"])
        .within(limits.clone())
        .model("listed twice", ["sim/fault-hang", "sim/fault-hang", "sim/m"])
        .within(limits)
        .start()
        .await;
    for ask in [gateway.chat("one", "Hi"), gateway.chat("one", "Hi").streamed()] {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.code().as_str()), (504, "upstream_timeout"), "{}", answer.text());
        assert_eq!(gateway.record(answer.id()).await.tries(), ["sim/fault-hang timeout"]);
        assert_eq!(answer.header("x-should-retry"), "");
    }
    let answer = gateway.chat("listed twice", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["sim/fault-hang timeout", "sim/m ok"]);
}

/// Every request waited for the connection of a black hole.
#[tokio::test]
async fn who_cannot_be_reached_rests_and_is_then_asked_by_one_request() {
    let hole = BlackHole::open();
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .and(hole.called("hole").set("connect_timeout", "100ms"))
        .model("gpt", ["hole/m", "hole/n", "sim/m"])
        .model("other", ["hole/o", "sim/m"])
        .model("one", ["hole/m", "hole/n"])
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["hole/m connect_failure", "sim/m ok"]);
    for model in ["gpt", "other"] {
        let answer = gateway.chat(model, "Hi").await;
        let record = gateway.record(answer.id()).await;
        assert_eq!(record.tries(), ["sim/m ok"]);
        assert_eq!(record["passed_over"][0]["why"], "resting after connect_failure");
    }
    // There is no other target, and to ask it does no harm.
    let answer = gateway.chat("one", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"), "{}", answer.text());
    assert!(answer.message().contains("hole/m: connect_failure."), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "");
}

#[tokio::test]
async fn a_provider_that_is_back_is_asked_again() {
    let port = weir_tests::Port::reserve();
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .and(Provider::at("down", &format!("http://{}/v1", port.address())))
        .model("gpt", ["down/m", "sim/m"])
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["down/m connect_failure", "sim/m ok"]);
    let _back = Canned::answering_at(&port, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    // Nobody says when the rest is over; asking tells.
    let mut first = String::new();
    while first != "down/m unavailable" {
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!(answer.status(), 200);
        first = gateway.record(answer.id()).await.tries().remove(0);
    }
    let answer = gateway.chat("gpt", "Hi").await;
    let tries = gateway.record(answer.id()).await.tries();
    assert_eq!(tries, ["down/m unavailable", "sim/m ok"], "it can be reached, and does not rest any more");
}

/// A caller who leaves before the answer has still shown that there is a connection.
#[tokio::test]
async fn callers_who_hang_up_keep_nobody_from_a_provider_that_is_back() {
    let port = weir_tests::Port::reserve();
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .and(Provider::at("down", &format!("http://{}/v1", port.address())))
        .model("gpt", ["down/m", "sim/m"])
        .within(json!({ "whole": "1s", "first_token": "1s" }))
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["down/m connect_failure", "sim/m ok"]);
    let _back = Canned::silent_at(&port).await;
    let left = || gateway.records().iter().any(|record| record["outcome"] == "client_left");
    while !left() {
        let _ = tokio::time::timeout(Duration::from_millis(200), gateway.chat("gpt", "Hi").into_future()).await;
    }
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["down/m timeout", "sim/m ok"]);
}

#[tokio::test]
async fn all_tries_together_have_a_limit() {
    let upstream = Upstream::sim().await;
    let hangs = ["sim/fault-hang+a", "sim/fault-hang+b", "sim/fault-hang+c", "sim/fault-hang+d"];
    let limits = |total: &str| serde_json::json!({ "first_token": "1s", "gap": "1s", "whole": "1s", "total": total });
    let gateway = Gateway::with(&upstream).model("gpt", hangs).within(limits("1500ms")).start().await;
    for ask in [gateway.chat("gpt", "Hi"), gateway.chat("gpt", "Hi").streamed()] {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.code().as_str()), (504, "deadline_exceeded"), "{}", answer.text());
        let record = gateway.record(answer.id()).await;
        assert_eq!(record["outcome"], "deadline_exceeded");
        assert_eq!(record.tries(), ["sim/fault-hang+a timeout", "sim/fault-hang+b deadline"]);
        assert!(answer.message().contains("limits.total"), "{}", answer.text());
        assert!(answer.message().contains("sim/fault-hang+a: timeout"), "{}", answer.text());
    }
}

/// Envoy takes a 1xx for the beginning of the answer: from then on no try is limited, and none follows.
#[tokio::test]
async fn a_limit_holds_after_an_informational_answer_too() {
    for status in ["100 Continue", "103 Early Hints"] {
        let provider = Canned::staying(format!("HTTP/1.1 {status}\r\n\r\n"), "").await;
        let limits = json!({ "whole": "1s", "first_token": "1s", "total": "2s" });
        let gateway = Gateway::with(provider.called("p")).model("m", ["p/m"]).within(limits).start().await;
        let answer = gateway.chat("m", "Hi").await;
        assert_eq!((answer.status(), answer.code().as_str()), (504, "deadline_exceeded"), "{}", answer.text());
        let answer = gateway.chat("m", "Hi").streamed().await;
        assert_eq!((answer.status(), answer.code().as_str()), (504, "upstream_timeout"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_failure_after_an_informational_answer_is_told_as_it_is() {
    const ANSWER: &str =
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nno no no!";
    let (hints, sim) = (Canned::answering(ANSWER).await, Upstream::sim().await);
    let gateway = Gateway::with(hints.called("hints")).and(&sim).model("m", ["hints/m", "sim/m"]).start().await;
    let answer = gateway.chat("m", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"), "{}", answer.text());
    assert!(answer.message().contains("hints/m: unavailable (503)"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "");
}

#[tokio::test]
async fn what_is_too_long_for_one_model_is_asked_of_those_that_are_another() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let small = "fault-context-length";
    let gateway = Gateway::with(&first)
        .and(&second)
        .model("gpt", [format!("first/{small}").as_str(), &format!("second/{small}"), "second/large"])
        .model("all", [format!("first/{small}").as_str(), &format!("second/{small}+other")])
        .start()
        .await;
    for ask in [gateway.chat("gpt", "Hi"), gateway.chat("gpt", "Hi").streamed()] {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
        let tries = ["first/fault-context-length context_length_exceeded", "second/large ok"];
        assert_eq!(gateway.record(answer.id()).await.tries(), tries);
    }
    let answer = gateway.chat("all", "Hi").await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "context_length_exceeded"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(gateway.record(answer.id()).await.tries().len(), 2);
}

#[tokio::test]
async fn who_was_not_asked_is_named() {
    let dead = weir_tests::Port::reserve();
    let upstream = Upstream::called("other").await.speaking("anthropic");
    let gateway = Gateway::with(Provider::at("dead", &format!("http://{}/v1", dead.address())))
        .and(&upstream)
        .model("gpt", ["dead/m", "other/m"])
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").with(serde_json::json!({ "seed": 7 })).await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "upstream_unavailable"), "{}", answer.text());
    let told = "dead/m: connect_failure. Not asked: other/m (unsupported_parameter: seed)";
    assert!(answer.message().contains(told), "{}", answer.text());
    let record = gateway.record(answer.id()).await;
    assert_eq!(record["passed_over"][0]["why"], "unsupported_parameter: seed", "{}", *record);
}

#[tokio::test]
async fn a_change_of_its_provider_ends_a_rest() {
    let first = Upstream::called("first").await;
    let second = Upstream::called("second").await;
    let mut gateway = Gateway::with(&first).and(&second).model("gpt", ["first/m", "second/m"]).start().await;
    first.set_fault_times("m", Fault::RetryAfter(60), 1);
    for (tries, served) in [(vec!["first/m rate_limited", "second/m ok"], 1), (vec!["second/m ok"], 1)] {
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!(
            (gateway.record(answer.id()).await.tries(), first.served()),
            (tries.iter().map(ToString::to_string).collect(), served)
        );
    }
    let changed = Provider::from(&first).set("max_in_flight", 99);
    gateway.becomes(|builder| builder.instead(changed)).await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["first/m ok"]);
}

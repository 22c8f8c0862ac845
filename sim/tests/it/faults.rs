//! Every fault does what it says.

use serde_json::{Value, json};
use weir_sim::{Fault, Options, Outcome, Sim, faults};

use crate::client::{Ended, Got, HEADERS, chat, message, open, read_until, send, send_h2, sim, try_chat};

fn finished(got: &Got) -> bool {
    got.text().contains("\"finish_reason\":\"stop\"") || got.text().contains("\"stop_reason\":\"end_turn\"")
}

fn terminal(got: &Got) -> bool {
    got.text().contains("data: [DONE]") || got.text().contains("event: message_stop")
}

fn tokens(got: &Got) -> usize {
    let said = |data: &Value| {
        let content = data["choices"][0]["delta"]["content"].as_str().is_some_and(|content| !content.is_empty());
        content || data["type"] == "content_block_delta"
    };
    got.data().iter().filter(|data| said(data)).count()
}

/// Asks both dialects for a stream.
async fn streams(sim: &Sim, model: &str) -> [Got; 2] {
    let more = json!({"stream": true});
    [chat(sim, model, more.clone()).await, message(sim, model, more).await]
}

#[tokio::test]
async fn statuses_have_the_dialects_shape() {
    let sim = sim().await;
    let check = async |fault: &str, openai: (u16, Value), anthropic: (u16, &str)| {
        let got = chat(&sim, &format!("fault-{fault}"), json!({"stream": true})).await;
        assert_eq!((got.status, got.json()["error"]["code"].clone()), openai, "{fault}");
        let got = message(&sim, &format!("fault-{fault}"), json!({})).await;
        let body = got.json();
        assert_eq!((got.status, body["error"]["type"].as_str().unwrap()), anthropic, "{fault}");
        assert!(body["type"] == "error" && body["request_id"].is_string());
    };
    check("401", (401, json!("invalid_api_key")), (401, "authentication_error")).await;
    check("402", (402, json!("billing_hard_limit_reached")), (402, "billing_error")).await;
    check("403", (403, json!("unsupported_country_region_territory")), (403, "permission_error")).await;
    check("404", (404, json!("model_not_found")), (404, "not_found_error")).await;
    check("408", (408, Value::Null), (408, "timeout_error")).await;
    check("429", (429, json!("rate_limit_exceeded")), (429, "rate_limit_error")).await;
    check("500", (500, Value::Null), (500, "api_error")).await;
    check("503", (503, Value::Null), (503, "overloaded_error")).await;
    check("529", (529, json!("overloaded")), (529, "overloaded_error")).await;
    check("insufficient-quota", (429, json!("insufficient_quota")), (400, "invalid_request_error")).await;
    check("context-length", (400, json!("context_length_exceeded")), (400, "invalid_request_error")).await;
    check("content-filter", (400, json!("content_policy_violation")), (400, "invalid_request_error")).await;
    check("invalid-request", (400, Value::Null), (400, "invalid_request_error")).await;
    assert!(message(&sim, "fault-context-length", json!({})).await.text().contains("prompt is too long"));
    assert!(message(&sim, "fault-insufficient-quota", json!({})).await.text().contains("credit balance is too low"));
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_again_only_if_told_to() {
    let sim = sim().await;
    assert_eq!(chat(&sim, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    assert_eq!(message(&sim, "fault-429-retry-7", json!({})).await.header("retry-after"), "7");
    assert_eq!(chat(&sim, "fault-429", json!({})).await.header("retry-after"), "");
}

#[tokio::test]
async fn a_proxys_page_is_no_json() {
    let sim = sim().await;
    for (fault, status) in [("fault-502", 502), ("fault-malformed-whole", 200)] {
        let got = chat(&sim, fault, json!({})).await;
        assert_eq!((got.status, got.header("content-type")), (status, "text/html; charset=UTF-8"));
        assert!(got.text().starts_with("<html>"));
    }
    let got = chat(&sim, "fault-empty-200", json!({})).await;
    assert_eq!((got.status, got.header("content-length"), got.body.len()), (200, "0", 0));
}

#[tokio::test]
async fn a_connection_is_reset_without_an_answer() {
    let sim = sim().await;
    for fault in ["fault-refuse", "fault-reset"] {
        assert!(try_chat(&sim, fault, json!({})).await.is_err(), "{fault}");
        let ask = json!({"model": fault, "messages": []});
        assert!(send_h2(&sim, "/v1/chat/completions", &ask).await.is_err(), "{fault}");
    }
    let seen = sim.until(|seen| seen.len() == 4 && seen.iter().all(|seen| seen.outcome == Outcome::Aborted)).await;
    assert_eq!(seen[0].fault, Some(Fault::Refuse));
    sim.set_fault_times("*", Fault::Refuse, 1);
    let refused = tokio::net::TcpStream::connect(sim.address()).await.unwrap();
    let error = async {
        refused.readable().await?;
        refused.try_read(&mut [0]).map(|_| ())
    };
    assert_eq!(error.await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!((sim.refused(), sim.served()), (1, 4));
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_ends_when_the_peer_leaves() {
    let sim = sim().await;
    let asking = tokio::spawn({
        let address = sim.address();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
            let body = r#"{"model":"fault-hang","messages":[]}"#;
            let request = crate::client::request("/v1/chat/completions", "POST", &HEADERS, body.into());
            tokio::select! { _ = connection => {}, _ = sender.send_request(request) => panic!("an answer came") }
        }
    });
    let seen = sim.until(|seen| seen.len() == 1 && seen[0].fault.is_some()).await;
    assert_eq!((seen[0].outcome, seen[0].status), (Outcome::Open, None));
    asking.abort();
    sim.until(|seen| seen[0].outcome == Outcome::Aborted).await;
}

#[tokio::test]
async fn an_error_event_comes_before_or_after_the_first_token() {
    let sim = sim().await;
    for (fault, count) in [("fault-error-event", 0), ("fault-error-event-late", 3)] {
        let [openai, anthropic] = streams(&sim, fault).await;
        assert_eq!((openai.status, tokens(&openai), openai.end), (200, count, Ended::Cleanly));
        assert_eq!(openai.data().last().unwrap()["error"]["type"], "server_error");
        assert_eq!((anthropic.status, tokens(&anthropic), anthropic.end), (200, count, Ended::Cleanly));
        let (name, data) = anthropic.events().pop().unwrap();
        assert_eq!(name, "error");
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["error"]["type"], "overloaded_error");
        assert!(!terminal(&openai) && !terminal(&anthropic));
    }
    let whole = chat(&sim, "fault-error-event", json!({})).await;
    assert!(whole.status == 200 && whole.json()["error"].is_object());
}

#[tokio::test]
async fn a_cut_stream_ends_cleanly_without_a_finish() {
    let sim = sim().await;
    for (fault, count) in [("fault-cut", 3), ("fault-cut-before", 0)] {
        for got in streams(&sim, fault).await {
            assert_eq!((tokens(&got), got.end), (count, Ended::Cleanly));
            assert!(!got.body.is_empty() && !finished(&got) && !terminal(&got));
        }
    }
    for got in streams(&sim, "fault-no-done").await {
        assert!(finished(&got) && !terminal(&got) && got.end == Ended::Cleanly);
    }
}

#[tokio::test]
async fn a_broken_stream_ends_in_the_middle_of_an_event() {
    let sim = sim().await;
    for got in streams(&sim, "fault-break").await {
        assert_eq!((tokens(&got), got.end), (3, Ended::Broken));
        assert!(!got.text().ends_with("\n\n"));
    }
    let whole = chat(&sim, "fault-break", json!({})).await;
    assert!(whole.end == Ended::Broken && !whole.body.is_empty());
    let ask = json!({"model": "fault-break", "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let got = send_h2(&sim, "/v1/chat/completions", &ask).await.unwrap();
    assert_eq!((tokens(&got), got.end), (3, Ended::Broken));
}

#[tokio::test]
async fn a_stalled_stream_stays_open_until_the_peer_leaves() {
    let sim = sim().await;
    for (fault, last) in [("fault-stall", "said"), ("fault-stall-before", "\"role\":\"assistant\"")] {
        sim.clear();
        let body = json!({"model": fault, "stream": true, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
        let response = open(&sim, "POST", "/v1/chat/completions", &HEADERS, body).await.unwrap();
        let text = read_until(response, |text| text.contains(last)).await;
        assert!(!text.contains("[DONE]"));
        // Hung up by now.
        let seen = sim.until(|seen| seen[0].outcome == Outcome::Aborted).await;
        assert_eq!(seen[0].status, Some(200));
    }
}

#[tokio::test]
async fn a_malformed_event_is_followed_by_the_rest() {
    for got in streams(&sim().await, "fault-malformed").await {
        assert!(finished(&got) && terminal(&got));
        let events = got.events();
        let unreadable =
            events.iter().filter(|(_, data)| data != "[DONE]" && serde_json::from_str::<Value>(data).is_err());
        assert_eq!(unreadable.count(), 1);
    }
}

#[tokio::test]
async fn a_truncated_answer_has_a_matching_length() {
    let got = chat(&sim().await, "fault-truncated-json", json!({})).await;
    assert_eq!((got.status, got.end), (200, Ended::Cleanly));
    assert_eq!(got.header("content-length"), got.body.len().to_string());
    assert!(serde_json::from_slice::<Value>(&got.body).is_err());
}

#[tokio::test]
async fn a_filter_ends_an_answer() {
    let sim = sim().await;
    let body = chat(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(
        (&body["choices"][0]["finish_reason"], &body["usage"]["completion_tokens"]),
        (&json!("content_filter"), &json!(3))
    );
    let body = message(&sim, "fault-finish-content-filter", json!({})).await.json();
    assert_eq!(body["stop_reason"], "refusal");
    let [openai, anthropic] = streams(&sim, "fault-finish-content-filter").await;
    assert!(terminal(&openai) && openai.text().contains("\"finish_reason\":\"content_filter\""));
    assert!(terminal(&anthropic) && anthropic.text().contains("\"stop_reason\":\"refusal\""));
}

#[tokio::test(start_paused = true)]
async fn slow_answers_take_the_time_they_are_told_to() {
    // The clock is paused: it jumps as soon as everyone waits, so an hour is soon over.
    let sim = sim().await;
    let took = async |model: &str, stream: bool| {
        let start = tokio::time::Instant::now();
        let got = chat(&sim, model, json!({"stream": stream})).await;
        assert!(got.status == 200 && got.end == Ended::Cleanly);
        start.elapsed().as_secs()
    };
    assert_eq!(took("fault-slow-first-token-3600000", true).await, 3600);
    assert_eq!(took("fault-slow-first-token-3600000", false).await, 3600);
    assert_eq!(took("fault-slow-whole-3600000", true).await, 3600);
    assert_eq!(took("fault-slow-whole-3600000", false).await, 3600);
    assert_eq!(took("m+first-100s+gap-10s+tokens-11", true).await, 200);
    assert_eq!(took("m+first-100s+gap-10s+tokens-11", false).await, 200);
    assert_eq!(took("m", true).await, 0);
}

#[tokio::test]
async fn every_third_request_fails() {
    let sim = sim().await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(chat(&sim, "fault-flap-3", json!({})).await.status);
    }
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503]);
}

#[tokio::test]
async fn a_fault_is_set_for_a_model_for_all_and_for_some_times() {
    let sim = sim().await;
    sim.set_fault("gpt-4o", Fault::Status(500));
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 500);
    assert_eq!(chat(&sim, "gpt-4o-mini", json!({})).await.status, 200);
    sim.set_fault("*", Fault::RetryAfter(3));
    assert_eq!(chat(&sim, "gpt-4o-mini", json!({})).await.status, 429);
    sim.clear_faults();
    sim.set_fault_times("gpt-4o", Fault::Status(503), 2);
    for expect in [503, 503, 200] {
        assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, expect);
    }
}

#[tokio::test]
async fn every_fault_there_is_can_be_called_and_is_noted() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let silent = ["hang", "stall", "stall-before"];
    let slow = |name: &str| name.starts_with("slow");
    for listed in faults().iter().filter(|listed| !silent.contains(&listed.name) && !slow(listed.name)) {
        sim.clear();
        let _ = try_chat(&sim, &format!("fault-{}", listed.name), json!({})).await;
        let fault = sim.requests()[0].fault.map(|fault| fault.to_string());
        let expect = if listed.name.starts_with("flap") { None } else { Some(listed.name.to_owned()) };
        assert_eq!(fault, expect);
    }
}

#[tokio::test]
async fn a_simulator_says_what_it_can_be_told() {
    let sim = sim().await;
    let can = send(&sim, "GET", "/_sim/", &[], "").await.unwrap();
    assert_eq!(can.status, 200);
    let can = can.json();
    let listed: Vec<(&str, &str)> =
        can["faults"].as_object().unwrap().iter().map(|(name, what)| (name.as_str(), what.as_str().unwrap())).collect();
    let mut expect: Vec<_> = faults().iter().map(|listed| (listed.name, listed.what)).collect();
    expect.sort_unstable();
    assert_eq!(listed, expect);
    for call in can["calls"].as_object().unwrap().keys() {
        let (method, path) = call.split_once(' ').unwrap();
        let got = send(&sim, method, path, &[], "{}").await.unwrap();
        assert!(!got.text().contains("there is no"), "{call}: {}", got.text());
    }
    let elsewhere = send(&sim, "GET", "/_sim/nowhere", &[], "").await.unwrap();
    assert!(elsewhere.status == 400 && elsewhere.text().contains("GET /_sim/ says"), "{}", elsewhere.text());
}

#[tokio::test]
async fn faults_can_be_in_force_from_the_start() {
    let faults = vec![("gpt-4o".to_owned(), Fault::Status(503)), ("*".to_owned(), Fault::RetryAfter(7))];
    let sim = Sim::start(Options { faults, ..Options::default() }).await.unwrap();
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 503);
    let other = chat(&sim, "o3", json!({})).await;
    assert_eq!((other.status, other.header("retry-after")), (429, "7"));
}

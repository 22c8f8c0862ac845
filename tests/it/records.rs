//! The record: one line for each request, right however it ended, and without a word of what was said.

use serde_json::json;
use weir_tests::{Gateway, KEY, Record, Upstream};

#[tokio::test]
async fn a_record_tells_who_asked_what_and_who_answered() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/fault-503", "sim/gpt-4o+first-30ms"]).start().await;
    let answer = gateway.chat("gpt", "A private matter").streamed().await;
    let record = gateway.record(answer.id()).await;
    for (field, expect) in [
        ("status", json!(200)),
        ("outcome", json!("ok")),
        ("tenant", json!("team")),
        ("endpoint", json!("chat")),
        ("delivery", json!("streamed")),
        ("model", json!("gpt")),
        ("provider", json!("sim")),
        ("upstream_model", json!("gpt-4o+first-30ms")),
        ("answered_model", json!("gpt-4o+first-30ms")),
        ("candidates", json!(["sim/fault-503", "sim/gpt-4o+first-30ms"])),
        ("passed_over", json!([])),
    ] {
        assert_eq!(record[field], expect, "{field} in {}", *record);
    }
    assert_eq!(record.tries(), ["sim/fault-503 unavailable", "sim/gpt-4o+first-30ms ok"]);
    let first_token = record["first_token_ms"].as_f64().unwrap();
    assert!(first_token >= 30.0 && record["tries"][1]["ms"].as_f64() >= Some(first_token), "{}", *record);
    assert!(record["tokens"]["input"].as_u64() > Some(0) && record["tokens"]["output"].as_u64() > Some(5));
    assert_eq!(record["tokens"]["estimated"], false);
    assert!(!gateway.access_log().contains("private matter") && !gateway.envoy_log().contains("private matter"));
    assert!(!gateway.access_log().contains(KEY));
}

#[tokio::test]
async fn every_request_has_exactly_one() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).model("no", ["sim/fault-503"]).start().await;
    let asks = [
        gateway.chat("gpt", "Hi"),
        gateway.chat("gpt", "Hi").streamed(),
        gateway.chat("no", "Hi"),
        gateway.chat("gpt", "Hi").without_key(),
        gateway.chat("gpt", "Hi").raw("{"),
        gateway.get("/v1/models"),
    ];
    let mut outcomes = Vec::new();
    for ask in asks {
        let answer = ask.await;
        let record = gateway.record(answer.id()).await;
        outcomes.push(record["outcome"].as_str().unwrap().to_owned());
        let records = gateway.records();
        assert_eq!(records.iter().filter(|record| record["request_id"] == answer.id()).count(), 1);
    }
    assert_eq!(outcomes, ["ok", "ok", "upstream_unavailable", "missing_api_key", "invalid_json", "ok"]);
}

#[tokio::test]
async fn a_model_with_a_hostile_name_breaks_no_line() {
    let upstream = Upstream::sim().await;
    let name = "a\"b\\c|d#e,f=g%h €";
    let gateway = Gateway::with(&upstream).model(name, [format!("sim/{name}").as_str()]).start().await;
    let answer = gateway.chat(name, "Hi").streamed().await;
    assert_eq!((answer.status(), answer.model().as_str()), (200, name), "{}", answer.text());
    let record: Record = gateway.record(answer.id()).await;
    assert_eq!((&record["model"], &record["answered_model"]), (&json!(name), &json!(name)));
    let unknown = gateway.chat("\"},{\"\n", "Hi").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(gateway.record(unknown.id()).await["model"], "\"},{\"\n");
}

#[tokio::test]
async fn a_caller_who_leaves_is_recorded_with_the_tokens_so_far() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o+gap-20ms+tokens-500"]).start().await;
    let mut stream = gateway.chat("gpt", "Hi").streamed().open().await;
    let id = stream.id();
    for _ in 0..10 {
        stream.event().await.expect("a token");
    }
    stream.hang_up();
    let record = gateway.record(&id).await;
    assert_eq!(record["outcome"], "client_left", "{}", *record);
    let tokens = record["tokens"]["output"].as_u64().unwrap();
    assert!((5..400).contains(&tokens) && record["tokens"]["estimated"] == true, "{}", *record);
    assert_eq!(record.tries(), ["sim/gpt-4o+gap-20ms+tokens-500 client_left"]);
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_first_token_is_recorded_too() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/fault-hang", "sim/gpt-4o"]).start().await;
    let ask = gateway.chat("gpt", "Hi").header("x-request-id", "left-early").open();
    let asked = upstream.until(|seen| !seen.is_empty());
    tokio::select! {
        _ = ask => panic!("it hangs"),
        _ = asked => {}
    }
    let record = gateway.record("left-early").await;
    assert_eq!(record["outcome"], "client_left", "{}", *record);
    assert_eq!(record.tries(), ["sim/fault-hang client_left"]);
    assert_eq!(upstream.served(), 1, "nobody is asked for a caller who has left");
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_the_request_is_recorded_too() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt", ["sim/gpt-4o"]).start().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nx-request-id: left-earlier\r\n";
    let tcp = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!("{head}authorization: Bearer {KEY}\r\ncontent-length: 1000\r\n\r\n{{");
    tcp.writable().await.unwrap();
    assert_eq!(tcp.try_write(request.as_bytes()).unwrap(), request.len());
    drop(tcp);
    assert_eq!(gateway.record("left-earlier").await["outcome"], "client_left");
    assert_eq!(upstream.served(), 0);
}

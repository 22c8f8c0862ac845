//! What was billed, request by request and in sum.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};
use weir_sim::{Billed, Effort, Keep, Options, Outcome, Sim, Spent};

use crate::client::{HEADERS, chat, open, post, read_until, send, sim, try_chat};

/// What was billed, once all of it has ended.
async fn ended(sim: &Sim) -> Vec<Billed> {
    sim.until(|seen| !seen.is_empty() && seen.iter().all(|seen| seen.outcome != Outcome::Open)).await;
    sim.billed()
}

fn stream(model: &str) -> String {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "Hi"}]}).to_string()
}

#[tokio::test]
async fn a_request_is_billed_as_it_is_told() {
    let sim = sim().await;
    let mut headers = HEADERS.to_vec();
    headers.extend([("x-request-id", "r-1"), ("x-client-request-id", "mine"), ("x-other", "no")]);
    let body = json!({"model": "gpt-4o+reasoning-5+cached-2", "messages": [{"role": "user", "content": "Hi"}]});
    let got = send(&sim, "POST", "/v1/chat/completions", &headers, body.to_string()).await.unwrap();
    let billed = ended(&sim).await.remove(0);
    let usage = got.json()["usage"].clone();
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(billed.input), &json!(billed.output)));
    assert_eq!((billed.cached, billed.reasoning, billed.told), (2, 5, true));
    assert_eq!((billed.dialect, billed.path.as_str()), ("openai", "/v1/chat/completions"));
    assert_eq!((billed.model.as_str(), billed.outcome), ("gpt-4o+reasoning-5+cached-2", Outcome::Finished));
    assert_eq!(got.header("x-request-id"), format!("req_{}", billed.id));
    assert_eq!((billed.name("x-request-id"), billed.name("x-client-request-id")), (Some("r-1"), Some("mine")));
    assert_eq!(billed.names.len(), 2);
}

#[tokio::test]
async fn whoever_hangs_up_pays_for_what_was_said_until_then() {
    let sim = sim().await;
    let body = stream("m+tokens-100+reasoning-64+gap-60s");
    let response = open(&sim, "POST", "/v1/chat/completions", &HEADERS, body).await.unwrap();
    read_until(response, |text| text.contains("You")).await;
    let billed = ended(&sim).await.remove(0);
    assert_eq!((billed.output, billed.reasoning), (65, 64), "one token, and what was thought before it");
    assert_eq!((billed.told, billed.outcome), (false, Outcome::Aborted));
    assert!(billed.input > 0);
}

#[tokio::test]
async fn whoever_hangs_up_on_a_whole_answer_pays_for_what_was_made_until_then() {
    // The first is made at once, the second a minute later; or none before a minute.
    for (model, output) in
        [("m+first-0ms+gap-60s", 1), ("m+first-60s", 0), ("fault-slow-whole-60000", 0), ("fault-hang", 0)]
    {
        let sim = sim().await;
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer sk-test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(sim.address()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        sim.until(|seen| !seen.is_empty()).await;
        let open = sim.billed().remove(0);
        assert_eq!((open.outcome, open.output), (Outcome::Open, 0), "{model}");
        drop(socket);
        let billed = ended(&sim).await.remove(0);
        assert_eq!((billed.output, billed.told, billed.outcome), (output, false, Outcome::Aborted), "{model}");
        assert_eq!(billed.input, open.input, "{model}");
        assert!(billed.input > 0, "{model}");
    }
}

#[tokio::test]
async fn a_fault_costs_what_was_said_before_it() {
    let told = json!({"stream": true, "stream_options": {"include_usage": true}});
    let check = async |model: &str, more: &Value, expect: Option<(u64, bool, Outcome)>| {
        let sim = sim().await;
        drop(try_chat(&sim, model, more.clone()).await);
        let billed = ended(&sim).await;
        let found = billed.first().map(|billed| (billed.output, billed.told, billed.outcome));
        assert_eq!((found, billed.len() < 2), (expect, true), "{model} {more}");
        assert!(billed.iter().all(|billed| billed.input > 0), "{model}");
    };
    let (whole, cut, finished) = (json!({}), Outcome::Aborted, Outcome::Finished);
    check("fault-cut+after-2", &told, Some((2, false, cut))).await;
    check("fault-cut+after-4+reasoning-10", &told, Some((14, false, cut))).await;
    check("fault-break+after-5", &told, Some((5, false, cut))).await;
    check("fault-error-event", &told, Some((0, false, cut))).await;
    check("fault-error-event-late", &told, Some((3, false, cut))).await;
    check("fault-cut-before", &told, Some((0, false, cut))).await;
    check("fault-malformed", &told, Some((9, true, finished))).await;
    check("fault-no-done", &told, Some((9, true, finished))).await;
    check("fault-finish-content-filter", &told, Some((3, true, finished))).await;
    check("fault-slow-whole-1", &told, Some((9, true, finished))).await;
    check("fault-gzip", &told, Some((9, true, finished))).await;
    // A whole answer is made before it is sent.
    check("fault-cut", &whole, Some((9, false, cut))).await;
    check("fault-cut-before", &whole, Some((9, false, cut))).await;
    check("fault-break", &whole, Some((9, false, cut))).await;
    check("fault-truncated-json", &whole, Some((9, false, cut))).await;
    check("fault-error-event", &whole, Some((0, false, cut))).await;
    check("fault-brotli", &whole, Some((9, true, finished))).await;
    check("fault-reset", &whole, Some((0, false, cut))).await;
    // A stream whose caller did not ask for the tokens used.
    check("m", &json!({"stream": true}), Some((9, false, finished))).await;
    for free in ["fault-503", "fault-429-retry-7", "fault-400", "fault-context-length", "fault-502", "fault-refuse"] {
        let more = if free == "fault-400" { json!({"messages": []}) } else { whole.clone() };
        check(free, &more, None).await;
    }
}

/// Asks four times, and sums the tokens that the answers tell.
async fn four(sim: &Sim, cap: u32) -> (u64, u64) {
    let mut sum = (0, 0);
    for turn in 0..4 {
        let model = if turn % 2 == 0 { "even+input-3x" } else { "odd+reasoning-7" };
        let usage = if turn > 1 {
            let more = json!({"max_tokens": cap, "stream": true, "stream_options": {"include_usage": true}});
            chat(sim, model, more).await.data().pop().unwrap()["usage"].clone()
        } else {
            chat(sim, model, json!({"max_tokens": cap})).await.json()["usage"].clone()
        };
        let count = |name: &str| usage[name].as_u64().unwrap();
        sum = (sum.0 + count("prompt_tokens"), sum.1 + count("completion_tokens"));
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_are_those_of_the_answers_however_many_come_at_once() {
    let sim = Arc::new(sim().await);
    let mut asked = JoinSet::new();
    for cap in 1..=64 {
        let sim = Arc::clone(&sim);
        asked.spawn(async move { four(&sim, cap).await });
    }
    let told = asked.join_all().await.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let listed = ended(&sim).await;
    let spent = sim.spent();
    assert_eq!(spent.keys().collect::<Vec<_>>(), ["even+input-3x", "odd+reasoning-7"]);
    let total = spent.values().fold(Spent::default(), |sum, one| sum.plus(*one));
    assert_eq!((total.input, total.output), told);
    assert_eq!((total.requests, total.told, total.finished, total.cut), (256, 256, 256, 0));
    assert_eq!(spent["odd+reasoning-7"].reasoning, 128 * 7);
    assert_eq!(listed.iter().map(|billed| billed.output).sum::<u64>(), total.output);
}

#[tokio::test]
async fn what_is_no_chat_is_billed_too() {
    let sim = sim().await;
    let check = async |path: &str, body: Value, expect: Option<(u64, u64, bool)>| {
        sim.clear();
        sim.clear_billed();
        let got = post(&sim, path, &body).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        let found = ended(&sim).await.first().map(|billed| (billed.input, billed.output, billed.told));
        assert_eq!(found, expect, "{path} {body}");
    };
    let three = "one two three";
    let embed = |model: &str| json!({"model": model, "input": three});
    check("/v1/embeddings", embed("m"), Some((3, 0, true))).await;
    check("/v1/embeddings", embed("m+input-3x"), Some((9, 0, true))).await;
    check("/v1/embeddings", embed("m+no-usage"), Some((3, 0, false))).await;
    check("/mistral/v1/embeddings", embed("m+input-2x"), Some((6, 0, true))).await;
    let texts = |model: &str| json!({"model": model, "texts": [three], "input_type": "search_query"});
    check("/v2/embed", texts("m"), Some((3, 0, true))).await;
    check("/v2/embed", texts("m+no-usage"), Some((3, 0, false))).await;
    let rank = json!({"model": "m", "query": "one", "documents": ["two", "three"]});
    check("/v1/rerank", rank.clone(), Some((4, 0, true))).await;
    check("/v2/rerank", rank, Some((0, 0, true))).await;
    check(
        "/v1/audio/speech",
        json!({"model": "gpt-4o-mini-tts", "input": three, "voice": "alloy"}),
        Some((3, 3, false)),
    )
    .await;
    let picture = json!({"model": "gpt-image-1", "prompt": three, "quality": "low", "size": "1024x1024", "n": 2});
    check("/v1/images/generations", picture, Some((3, 544, true))).await;
    // Counting and judging are free.
    check("/v1/moderations", embed("m"), None).await;
    check("/v1/responses/input_tokens", embed("m"), None).await;
}

#[tokio::test]
async fn another_process_reads_the_bill_and_tears_it_up() {
    let sim = sim().await;
    chat(&sim, "a", json!({})).await;
    chat(&sim, "b", json!({})).await;
    ended(&sim).await;
    let get = async |path: &str| send(&sim, "GET", path, &[], "").await.unwrap().json();
    let bill = get("/_sim/billed").await;
    let one = &bill["requests"][1];
    assert_eq!((&one["model"], &one["outcome"], &one["told"]), (&json!("b"), &json!("finished"), &json!(true)));
    assert_eq!((&bill["left_out"], bill["requests"].as_array().unwrap().len()), (&json!(0), 2));
    let sums = get("/_sim/billed/sums").await;
    assert_eq!((&sums["models"], &sums["total"]), (&bill["models"], &bill["total"]));
    assert_eq!((&sums["total"]["requests"], &sums["total"]["output"]), (&json!(2), &json!(18)));
    assert_eq!(sums["models"]["a"]["input"], one["input"]);
    send(&sim, "DELETE", "/_sim/billed", &[], "").await.unwrap();
    assert_eq!(get("/_sim/billed/sums").await["total"]["requests"], 0);
    assert_eq!(get("/_sim/served").await["served"], 2, "requests are counted apart");
}

#[tokio::test]
async fn what_is_prerendered_or_not_kept_counts_in_the_sums() {
    let options = Options { effort: Effort::Prerendered, tokens: Some(64), ..Options::default() };
    let quick = Sim::start(options).await.unwrap();
    chat(&quick, "m", json!({})).await;
    chat(&quick, "m", json!({"stream": true})).await;
    ended(&quick).await;
    let spent = quick.spent()["gpt-4o"];
    assert_eq!((spent.requests, spent.input, spent.output, spent.told), (2, 20, 128, 1));
    assert!(quick.billed().is_empty());
    let forgetful = Sim::start(Options { keep: Keep::NOTHING, ..Options::default() }).await.unwrap();
    chat(&forgetful, "m", json!({})).await;
    assert_eq!((forgetful.billed().len(), forgetful.spent()["m"].output), (1, 9));
}

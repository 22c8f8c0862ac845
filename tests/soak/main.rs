//! What is left of a million requests in the memory of the filter and of Envoy: nothing.
//!
//! `make soak` runs it, for minutes, and `WEIR_SOAK=20000 make soak` for as many requests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_sim::{Fault, Keep, Options};
use weir_tests::{Ask, Connection, Ended, Gateway, Upstream};

const REQUESTS: usize = 1_000_000;
/// Callers at a time, each with a connection that it keeps.
const CALLERS: usize = 32;
/// What a VM may need.
const HEAP: u64 = 16 << 20;
/// What Envoy may need more at the end than after a tenth: its allocator gives back late.
const KEPT: u64 = 16 << 20;

/// A request, and what becomes of it.
struct Kind {
    ask: Ask,
    ends: Ends,
}

#[derive(Clone, Copy)]
enum Ends {
    With(u16),
    /// The caller hangs up when the answer has begun.
    HungUp,
}

fn kinds(gateway: &Gateway) -> Vec<Kind> {
    let chat = "/v1/chat/completions";
    let ask = |model: &str, text: &str| json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
    let said = |path, body: Value, ends| Kind { ask: gateway.post(path, body), ends };
    let streamed = |mut body: Value| {
        body["stream"] = json!(true);
        body
    };
    let limited = |mut body: Value| {
        body["max_tokens"] = json!(64);
        body
    };
    let [long, medium] = [60 << 10, 2 << 10].map(|bytes| "The weir holds. ".repeat(bytes / 16));
    let tools = json!([{ "type": "function", "function": { "name": "level", "parameters": { "type": "object" } } }]);
    let mut calls = streamed(ask("translated", "Hi"));
    calls["tools"] = tools;
    vec![
        said(chat, ask("relayed", "Hi"), Ends::With(200)),
        said(chat, streamed(ask("relayed", "Hi")), Ends::With(200)),
        said(chat, ask("translated", "Hi"), Ends::With(200)),
        said(chat, streamed(ask("translated", "Hi")), Ends::With(200)),
        said(chat, calls, Ends::With(200)),
        said(chat, ask("relayed", &long), Ends::With(200)),
        said(chat, ask("translated", &long), Ends::With(200)),
        said(chat, streamed(ask("translated", &medium)), Ends::With(200)),
        said("/v1/messages", streamed(limited(ask("relayed", "Hi"))), Ends::With(200)),
        said("/v1/messages", limited(ask("translated", "Hi")), Ends::With(200)),
        said("/v1/responses", json!({ "model": "translated", "input": "Hi", "stream": true }), Ends::With(200)),
        said("/v1/embeddings", json!({ "model": "relayed", "input": ["Hi", "there"] }), Ends::With(200)),
        said(chat, ask("second", "Hi"), Ends::With(200)),
        said(chat, streamed(ask("second", "Hi")), Ends::With(200)),
        said(chat, ask("rests", "Hi"), Ends::With(200)),
        said(chat, ask("fails", "Hi"), Ends::With(503)),
        said(chat, ask("unknown", "Hi"), Ends::With(404)),
        Kind { ask: gateway.post(chat, json!({})).raw("{\"model\": \"relayed\", "), ends: Ends::With(400) },
        said(chat, streamed(ask("relayed", &medium)), Ends::HungUp),
    ]
}

/// Asks `times` times, each kind in turn, beginning with the kind number `first`.
async fn caller(address: SocketAddr, kinds: &[Kind], first: usize, times: usize) {
    let mut connection = Connection::open(address).await;
    for Kind { ask, ends } in kinds.iter().cycle().skip(first).take(times) {
        if !connection.is_ready().await {
            connection = Connection::open(address).await;
        }
        let answer = ask.clone().on(&mut connection).await.expect("an answer");
        match ends {
            Ends::With(status) => {
                let answer = answer.rest().await;
                let shown = || format!("{ask:.500?}: {:.500}", answer.text());
                assert_eq!((answer.status(), answer.ended()), (*status, Ended::Cleanly), "{}", shown());
            }
            Ends::HungUp => {
                assert_eq!(answer.status(), 200);
                answer.hang_up();
                connection = Connection::open(address).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_million_requests() {
    let requests = std::env::var("WEIR_SOAK").map_or(REQUESTS, |number| number.parse().expect("WEIR_SOAK is a number"));
    let unkept = || Options { keep: Keep::NOTHING, ..Options::default() };
    let (openai, failing) = (Upstream::with("sim", unkept()).await, Upstream::with("failing", unkept()).await);
    let anthropic = Upstream::with("claude", unkept()).await.speaking("anthropic");
    failing.set_fault("*", Fault::Status(503));
    let gateway = Gateway::with(&openai)
        .and(&failing)
        .and(&anthropic)
        .model("relayed", ["sim/gpt-4o"])
        .model("translated", ["claude/claude-sonnet-4-5"])
        .model("second", ["failing/gpt-4o", "claude/claude-sonnet-4-5"])
        .model("rests", ["sim/fault-429-retry-after", "sim/gpt-4o"])
        .model("fails", ["failing/gpt-4o", "failing/gpt-4o-mini"])
        .start()
        .await;
    let kinds: &'static [Kind] = Vec::leak(kinds(&gateway));
    let mut after_a_tenth = None;
    for tenth in 1..=10_usize {
        let callers = (0..CALLERS)
            .map(|number| tokio::spawn(caller(gateway.address(), kinds, number + tenth, requests / 10 / CALLERS)));
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("every answer is as it should be");
        }
        let (heap, resident) = (gateway.heaps().into_iter().max(), gateway.resident());
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{} requests: {} of a VM, {:.1} MiB of Envoy",
            requests / 10 * tenth,
            heap.map_or("nothing".to_owned(), |heap| format!("{:.1} MiB", mib(heap))),
            mib(resident)
        );
        let (heap_then, resident_then) = *after_a_tenth.get_or_insert((heap, resident));
        assert_eq!(heap.is_some(), gateway.has_heaps());
        assert!(heap.is_none_or(|heap| heap <= HEAP), "a VM needs more than {HEAP} bytes");
        assert!(heap <= heap_then.map(|then| then + (1 << 20)), "a VM needs more and more");
        assert!(resident <= resident_then + KEPT, "Envoy needs more and more");
    }
}

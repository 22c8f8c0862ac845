//! Limits of `weir up`: its control remembers what was spent, and its ledger says who spent it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use serde_json::Value;
use weir_tests::{Up, signal};

fn configuration(models: &str, quota: &str) -> String {
    format!(
        "
listen: 127.0.0.1:10000
providers:
  sim: {{ dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }}
models:
  gpt: {{ targets: [{{ provider: sim, model: gpt-4o }}] }}
{models}
reserve_output: 50
quotas:
  {quota}
"
    )
}

/// The tokens for which the simulated provider has sent a bill since it started.
async fn billed(up: &Up) -> u64 {
    let sums = up.sim("billed/sums").await.json();
    let total = &sums["total"];
    total["input"].as_u64().unwrap() + total["output"].as_u64().unwrap()
}

/// What `weir limits` lists of a limit, over all its accounts: what is spent, and what is reserved.
fn listed(up: &Up, limit: &str) -> (u64, u64) {
    let said = up.home().weir(&["limits", "--run", "run", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&said.out).unwrap_or_default();
    let of = all.iter().filter(|one| one["limit"] == limit);
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    of.fold((0, 0), |(spent, reserved), one| (spent + number(&one["spent"]), reserved + number(&one["reserved"])))
}

/// The requests and tokens of the ledger, by node.
fn used(up: &Up) -> HashMap<String, (u64, u64)> {
    let said = up.home().weir(&["usage", "--by", "node", "--format", "csv"]);
    let mut lines = said.out.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let Some(head) = lines.next() else { return HashMap::new() };
    let column = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let [node, requests, input, output] = ["node", "requests", "input", "output"].map(column);
    let number = |text: &str| text.parse::<u64>().unwrap();
    lines.map(|of| (of[node].to_owned(), (number(of[requests]), number(of[input]) + number(of[output])))).collect()
}

fn used_by(up: &Up, node: &str) -> (u64, u64) {
    used(up).get(node).copied().unwrap_or_default()
}

/// Before, an Envoy that started again had forgotten what was spent.
#[tokio::test]
async fn what_was_spent_is_known_after_everything_was_killed_and_the_ledger_has_each_request() {
    const BUDGET: u64 = 2000;
    let quota = format!("all: {{ budget: {BUDGET} tokens in total }}");
    let mut up = Up::with(&configuration("", &quota)).flags(&["--node", "one"]).start().await;
    assert_eq!(up.chat("gpt", "Hi").await.status(), 200);
    up.until("the ledger has the first request", async || (used_by(&up, "one").0 == 1).then_some(())).await;
    let answers = join_all((0..16).map(|_| async { up.chat("gpt", "Hi").await.status() })).await;
    assert_eq!(answers, [200; 16]);
    let first = billed(&up).await;
    up.until("control knows all that was spent", async || (listed(&up, "all") == (first, 0)).then_some(())).await;
    up.until("the ledger has it", async || (used_by(&up, "one") == (17, first)).then_some(())).await;

    signal(up.id(), "KILL");
    up.again().await;
    assert!(listed(&up, "all").0 >= first, "it is remembered");
    let mut served = 0;
    loop {
        let answer = up.chat("gpt", "Hi").await;
        match answer.status() {
            200 => served += 1,
            429 => break assert_eq!(answer.code(), "insufficient_quota"),
            _ => panic!("{}", answer.text()),
        }
    }
    let second = billed(&up).await;
    assert!(served > 0 && first + second <= BUDGET, "{first} and {second} of {BUDGET}");
    signal(up.id(), "TERM");
    assert!(up.ended().await.success());
    assert_eq!(used_by(&up, "one").1, first + second, "at the end the rest of the log is read");
}

#[tokio::test]
async fn control_is_killed_under_load_and_no_request_is_lost() {
    let up = Up::with(&configuration("", "all: { budget: 10000000 tokens per month }")).start().await;
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let caller = async || {
        while !over.load(Ordering::Relaxed) {
            let answer = up.chat("gpt", "Hi").await;
            match answer.status() {
                200 => drop(served.fetch_add(1, Ordering::Relaxed)),
                429 => assert_eq!(answer.header("x-should-retry"), "true", "{}", answer.text()),
                _ => panic!("{}", answer.text()),
            }
        }
    };
    let kills = async {
        for _ in 0..3 {
            let (control, before) = (up.child("control"), served.load(Ordering::Relaxed));
            signal(control, "KILL");
            up.until("it is started again", async || (up.child("control") != control).then_some(())).await;
            up.until("callers are served", async || (served.load(Ordering::Relaxed) > before + 50).then_some(())).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    join(join_all((0..8).map(|_| caller())), kills).await;
    let bill = billed(&up).await;
    up.until("control knows all that was spent", async || (listed(&up, "all") == (bill, 0)).then_some(())).await;
    let sums = || used(&up).into_values().fold(0, |sum, (_, tokens)| sum + tokens);
    up.until("the ledger has it", async || (sums() == bill).then_some(())).await;
}

/// Control reads the new limit before Envoy does: otherwise the first requests would be refused.
#[tokio::test]
async fn a_limit_that_is_added_while_requests_run_holds_and_refuses_nobody_wrongly() {
    const CALLERS: usize = 8;
    let open = "all: { budget: 10000000 tokens per month, alone: closed }";
    let up = Up::with(&configuration("", open)).start().await;
    let admitted = AtomicUsize::new(0);
    let quota =
        |amount: usize| format!("{open}\n  few: {{ model: new, budget: {amount} requests in total, alone: closed }}");
    let new = "  new: { targets: [{ provider: sim, model: gpt-4o }] }";
    let caller = async |most: usize| {
        loop {
            admitted.fetch_add(1, Ordering::SeqCst);
            let answer = up.chat("new", "Hi").await;
            if answer.status() == 200 {
                continue;
            }
            let others = admitted.fetch_sub(1, Ordering::SeqCst) - 1;
            match answer.status() {
                404 => assert_eq!(up.chat("gpt", "Hi").await.status(), 200),
                429 if answer.header("x-should-retry") == "false" => {
                    assert!(others >= most, "only {others} of {most} were admitted: {}", answer.text());
                    return;
                }
                429 => assert!(others >= most, "only {others} of {most} were admitted: {}", answer.text()),
                _ => panic!("{}", answer.text()),
            }
        }
    };
    let change = async { up.configure(&configuration(new, &quota(40))) };
    join(join_all((0..CALLERS).map(|_| caller(40))), change).await;
    assert_eq!(admitted.load(Ordering::SeqCst), 40);
    up.until("control knows it", async || (listed(&up, "few") == (40, 0)).then_some(())).await;
    // More of it is there as soon as the change is live.
    up.configure(&configuration(new, &quota(60)));
    up.until("more is there", async || (up.chat("new", "Hi").await.status() == 200).then_some(())).await;
    admitted.fetch_add(1, Ordering::SeqCst);
    join_all((0..CALLERS).map(|_| caller(60))).await;
    assert_eq!(admitted.load(Ordering::SeqCst), 60);
}

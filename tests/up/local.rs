//! The model on this machine as one more target: killed or full, the next one answers, and it comes back by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join_all, select_all};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use weir_places::Places;
use weir_tests::{Answer, Up, signal};

const CONFIGURATION: &str = "
listen: 127.0.0.1:10000
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
  local: { dialect: local }
models:
  embed: { targets: [{ provider: local, model: all-minilm-l6-v2 }, { provider: sim, model: text-embedding-3-small }] }
  only-local: { targets: [{ provider: local, model: all-minilm-l6-v2 }] }
local:
  models: { all-minilm-l6-v2: {} }
  max_waiting: 1
  threads: 1
";
/// A second local model, for callers.
const TINY: &str = "  tiny: { targets: [{ provider: local }] }\n";
const FULL: &str = "local/all-minilm-l6-v2 rate_limited";
const HOSTED: &str = "sim/text-embedding-3-small ok";

/// One test at a time: each does harm to the same sidecar.
async fn shared() -> MutexGuard<'static, Up> {
    static SHARED: OnceCell<Mutex<Up>> = OnceCell::const_new();
    let start = async || Mutex::new(Up::with(CONFIGURATION).start().await);
    SHARED.get_or_init(start).await.lock().await
}

/// Waits until the local model, the first target, answers again: it rests a moment after it said that it was loading.
async fn until_it_serves(up: &Up) {
    let ask = up.embed("embed", "Hi");
    let local = async || (ask.clone().await.header("x-weir-provider") == "local").then_some(());
    up.until("the local model answers", local).await;
}

async fn tries(up: &Up, answer: &Answer) -> Vec<String> {
    up.record(answer.id()).await.tries()
}

#[tokio::test]
async fn a_sidecar_killed_before_a_request_is_made_good_by_the_next_target_and_comes_back() {
    let up = shared().await;
    until_it_serves(&up).await;
    let sidecar = up.child("sidecar");
    signal(sidecar, "KILL");
    let answer = up.embed("embed", "Hi").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let record = tries(&up, &answer).await;
    assert_eq!(record.last().unwrap(), HOSTED, "{record:?}");
    up.until("it is started again", async || (up.child("sidecar") != sidecar).then_some(())).await;
    until_it_serves(&up).await;
    assert!(up.said().contains("sidecar was killed by signal 9; restarting it in"), "{}", up.said());
}

#[tokio::test]
async fn a_sidecar_killed_while_it_works_is_made_good_by_the_next_target_and_comes_back() {
    let up = shared().await;
    until_it_serves(&up).await;
    let sidecar = up.child("sidecar");
    // Stopped, it takes the request and answers nothing.
    signal(sidecar, "STOP");
    let with_another = tokio::spawn(up.embed("embed", "Hi").into_future());
    let without = tokio::spawn(up.embed("only-local", "Hi").into_future());
    until_under_way(&up, 2).await;
    signal(sidecar, "KILL");
    let answer = with_another.await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let record = tries(&up, &answer).await;
    assert_eq!((record.len(), record.last().unwrap().as_str()), (2, HOSTED), "{record:?}");
    let answer = without.await.unwrap();
    // It is asked once more, and may be back by then.
    let told = answer.status() == 503 && answer.code() == "upstream_unavailable";
    assert!(answer.status() == 200 || told, "{}", answer.text());
    until_it_serves(&up).await;
}

/// Waits until the sidecar has this many requests.
async fn until_under_way(up: &Up, count: u64) {
    let active = "cluster.weir-sidecar.upstream_rq_active";
    up.until("the sidecar has the requests", async || (up.stat(active).await == count).then_some(())).await;
}

#[tokio::test]
async fn a_full_queue_is_made_good_by_the_next_target_or_told_with_an_end() {
    let up = shared().await;
    until_it_serves(&up).await;
    // More inputs than may wait are taken while nothing waits; they keep the model busy for a while.
    let long = "so that it takes a while ".repeat(40);
    let large = tokio::spawn(up.embed("only-local", json!(vec![long; 32])).into_future());
    let runs = async || (up.metric("vllm:num_requests_running").await > 0.0).then_some(());
    up.until("the large one runs", runs).await;
    // One may wait behind it, so that of three some are refused at once.
    let three = (0..3).map(|_| up.embed("embed", "Hi").into_future());
    let (first, _, others) = select_all(three).await;
    // The sidecar never rests, so that one of these may find room; of four at once the others do not.
    let four = join_all((0..4).map(|_| up.embed("only-local", "Hi").into_future())).await;
    let told = four.iter().find(|answer| answer.status() != 200).expect("some find the queue full");
    assert_eq!((told.status(), told.code().as_str()), (429, "rate_limited"), "{}", told.text());
    let wait: u64 = told.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let mut all = Vec::new();
    for answer in [vec![first], join_all(others).await].concat() {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        all.push(tries(&up, &answer).await);
    }
    assert!(all.contains(&vec![FULL.to_owned(), HOSTED.to_owned()]), "{all:?}");
    let large = large.await.unwrap();
    assert_eq!(large.json()["data"].as_array().map(Vec::len), Some(32), "{}", large.status());
    until_it_serves(&up).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_takes_what_waits_out_of_the_queue() {
    const INPUTS: u32 = 500;
    let up = shared().await;
    until_it_serves(&up).await;
    let waiting = "vllm:num_requests_waiting";
    let ran = "weir_sidecar_batch_inputs_sum";
    let before = up.metric(ran).await;
    let long = "so that it takes a while ".repeat(40);
    let asking = tokio::spawn(up.embed("only-local", json!(vec![long; INPUTS as usize])).into_future());
    up.until("most of it waits", async || (up.metric(waiting).await > 100.0).then_some(())).await;
    asking.abort();
    up.until("nothing waits", async || (up.metric(waiting).await == 0.0).then_some(())).await;
    up.until("nothing runs", async || (up.metric("vllm:num_requests_running").await == 0.0).then_some(())).await;
    let ran = up.metric(ran).await - before;
    assert!(ran < f64::from(INPUTS), "all of it ran");
    up.until("nothing is held", async || (up.metric("weir_sidecar_bytes_in_flight").await == 0.0).then_some(())).await;
}

/// A folder with two models: the one that `cargo xtask fetch` gets, and one of four tokens and two dimensions.
fn two_models() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-models");
    let tiny = folder.join("tiny");
    fs::create_dir_all(&tiny).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sidecar/tests/fixtures");
    fs::copy(fixtures.join("tiny.onnx"), tiny.join("model.onnx")).unwrap();
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "vocab": { "a": 0, "b": 1, "c": 2, "d": 3 }, "unk_token": "d" },
    });
    fs::write(tiny.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let fetched = Places::here().unwrap().models().join("all-minilm-l6-v2");
    let link = folder.join("all-minilm-l6-v2");
    if !link.exists() {
        std::os::unix::fs::symlink(fetched, link).unwrap();
    }
    folder
}

/// Every change of a local model once started the sidecar anew, and all other models with it.
#[tokio::test]
async fn a_change_of_one_model_disturbs_no_other() {
    let folder = two_models();
    let with = |models: &str, local: &str| {
        format!(
            "listen: 127.0.0.1:10000\nproviders: {{ local: {{ dialect: local }} }}\nmodels:\n  all-minilm-l6-v2: {{ \
             targets: [{{ provider: local }}] }}\n{models}local:\n  threads: 1\n  folder: {}\n  models: {{ \
             all-minilm-l6-v2: {{}}{local} }}\n",
            folder.display()
        )
    };
    let up = Up::with(&with("", "")).start().await;
    let sidecar = up.child("sidecar");
    let over = AtomicBool::new(false);
    let callers = (0..2).map(|_| async {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            let answer = up.embed("all-minilm-l6-v2", "Hi").await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            answered += 1;
        }
        answered
    });
    let loads = async |model: &str| {
        let count = up.metric(&format!("weir_sidecar_model_loads_total{{model=\"{model}\",outcome=\"ready\"}}")).await;
        count.to_string()
    };
    let changes = async {
        up.configure(&with(TINY, ", tiny: {}"));
        let tiny = async || (up.embed("tiny", "b").await.status() == 200).then_some(());
        up.until("the new model answers", tiny).await;
        assert_eq!(loads("tiny").await, "1");
        up.configure(&with(TINY, ", tiny: { engine: onnx }"));
        up.until("it is loaded with other settings", async || (loads("tiny").await == "2").then_some(())).await;
        assert_eq!(up.embed("tiny", "b").await.status(), 200);
        up.configure(&with("", ""));
        up.until("it is unloaded", async || up.said().contains("local model tiny is unloaded").then_some(())).await;
        let gone = up.embed("tiny", "b").await;
        assert_eq!((gone.status(), gone.code().as_str()), (404, "model_not_found"), "{}", gone.text());
        over.store(true, Ordering::Relaxed);
    };
    let (answered, ()) = tokio::join!(join_all(callers), changes);
    assert!(answered.iter().all(|answered| *answered > 0), "{answered:?}");
    assert_eq!((loads("all-minilm-l6-v2").await.as_str(), up.child("sidecar")), ("1", sidecar));
}

//! `weir up`: it answers, survives its children's deaths, and leaves nothing behind.

mod changes;
mod ends;
mod models;
mod private;
mod starts;

use std::fs;
use std::path::{Path, PathBuf};

use weir_tests::{Up, eventually, lives, up};

/// A configuration with one provider, the simulator.
pub(crate) const CONFIGURATION: &str = "
listen: 127.0.0.1:10000
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1', credential: 'env:SIM_KEY' }
  local: { dialect: local }
models:
  gpt-4o-mini: { targets: [{ provider: sim }] }
";

/// A local model, for the end of a configuration.
const LOCAL: &str =
    "  all-minilm-l6-v2: { targets: [{ provider: local }] }\nlocal:\n  models: { all-minilm-l6-v2: {} }\n";

/// What stands in `SIM_KEY`.
const SIM_KEY: &str = "sk-test";

/// One with [`CONFIGURATION`], and with `more` at its end.
fn with(more: &str) -> up::Start {
    with_configuration(&format!("{CONFIGURATION}{more}"))
}

fn with_configuration(configuration: &str) -> up::Start {
    Up::with(configuration).env("SIM_KEY", SIM_KEY)
}

/// Whether chat is answered.
async fn chats(up: &Up) -> bool {
    up.chat("gpt-4o-mini", "Hi").if_answered().await.is_some_and(|answer| answer.status() == 200)
}

/// Whether the local model answers.
async fn embeds(up: &Up) -> bool {
    let answer = up.embed("all-minilm-l6-v2", "Hi").if_answered().await;
    answer.is_some_and(|answer| answer.status() == 200 && answer.text().contains("\"embedding\""))
}

async fn until_chats(up: &Up) {
    up.until("chat is answered", async || chats(up).await.then_some(())).await;
}

async fn until_embeds(up: &Up) {
    up.until("the local model answers", async || embeds(up).await.then_some(())).await;
}

/// Waits until none of these processes is there.
async fn gone(ids: &[u32]) {
    eventually("the end of its children", || (!ids.iter().any(|id| lives(*id))).then_some(())).await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

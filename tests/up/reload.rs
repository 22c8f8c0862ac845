//! A change of the configuration under load: it is live at once, and not one request fails for it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_tests::{Ended, Up, Upstream};

use crate::SAID;

/// How many callers there are, half of them streaming.
const CALLERS: usize = 12;

/// The configuration of round `round`: what the last round added, providers too, has another name or is gone.
fn version(number: usize) -> String {
    let (this, other) = (format!("provider-{number}"), format!("provider-{}", number + 1));
    let second = if number.is_multiple_of(2) { ", { provider: steady, model: gpt-4o }" } else { "" };
    format!(
        "listen: 127.0.0.1:10000
providers:
  steady: {{ dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }}
  {this}: {{ dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }}
  {other}: {{ dialect: anthropic, endpoint: 'http://127.0.0.1:10002/v1' }}
models:
  # Its first target always fails, so that every request is a retry; who makes it good is another each time.
  retried:
    targets: [{{ provider: {this}, model: fault-503 }}, {{ provider: {other}, model: claude-sonnet-4-5 }}{second}]
  plain:
    targets: [{{ provider: {this}, model: gpt-4o }}]
  slow:
    targets: [{{ provider: {other}, model: claude-sonnet-4-5+gap-20ms }}]
  model-{number}:
    targets: [{{ provider: {other}, model: claude-sonnet-4-5 }}]
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_changes_under_load_fail_no_request() {
    let up = Up::with(&version(0)).start().await;
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let asks = ["retried", "plain", "slow"].map(|model| [up.chat(model, "Hi"), up.chat(model, "Hi").streamed()]);
    let caller = async |number: usize| {
        let ask = &asks[number % 3][number / 3 % 2];
        while !over.load(Ordering::Relaxed) {
            let answer = ask.clone().await;
            let whole = answer.status() == 200 && answer.said() == SAID && answer.ended() == Ended::Cleanly;
            assert!(whole, "{}: {}", answer.status(), answer.text());
            served.fetch_add(1, Ordering::Relaxed);
        }
    };
    let changes = async {
        for number in 1..=10_usize {
            let before = served.load(Ordering::Relaxed);
            if number.is_multiple_of(2) {
                up.configure(&version(number));
            } else {
                up.overwrite(&version(number));
            }
            let (new, old) = (format!("model-{number}"), format!("model-{}", number - 1));
            let (new, old) = (up.chat(&new, "Hi"), up.chat(&old, "Hi"));
            up.until("the new model answers", async || (new.clone().await.status() == 200).then_some(())).await;
            up.until("the old one is gone", async || (old.clone().await.status() == 404).then_some(())).await;
            // Not only before and after a change, but with it.
            up.until("callers are served", async || (served.load(Ordering::Relaxed) > before + CALLERS).then_some(()))
                .await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let callers = futures_util::future::join_all((0..CALLERS).map(caller));
    futures_util::future::join(callers, changes).await;
    assert_eq!(up.said().matches("the change is live").count(), 10, "{}", up.said());
}

#[tokio::test]
async fn a_file_with_errors_is_refused_with_their_lines_and_the_old_one_stays() {
    let up = Up::with(&version(0)).start().await;
    let bad = version(1).replace("provider: provider-1, model: gpt-4o", "provider: provider-7, model: gpt-4o");
    let line = 1 + bad.lines().position(|line| line.contains("provider-7")).unwrap();
    up.configure(&bad);
    up.until_said(&format!("weir.yaml:{line}: models.plain.targets[0].provider: no provider is called \"provider-7\""))
        .await;
    assert_eq!(up.chat("model-0", "Hi").await.said(), SAID);
    up.configure("listen: [");
    up.until_said("weir.yaml:1").await;
    assert_eq!(up.chat("model-0", "Hi").await.said(), SAID);
    // Once the file is right again, it is taken.
    up.configure(&version(1));
    let new = up.chat("model-1", "Hi");
    up.until("the mended one is live", async || (new.clone().await.said() == SAID).then_some(())).await;
}

/// The command is the page's, with another host.
#[tokio::test]
async fn a_token_is_renewed_as_the_page_says() {
    let page = include_str!("../../docs/configure.md");
    let command = page.split("```").find(|block| block.contains("oauth-authentication")).unwrap();
    let upstream = Upstream::called("oneinfer").await;
    let command = command.trim_start_matches("sh").replace("https://api.oneinfer.ai", &upstream.url());
    let configuration = format!(
        "listen: 127.0.0.1:10000
providers:
  oneinfer: {{ dialect: oneinfer, endpoint: '{}/v1/ula', credential: 'file:oneinfer.token' }}
models:
  gpt: {{ targets: [{{ provider: oneinfer, model: openai/gpt-4o }}] }}
",
        upstream.url()
    );
    let up = Up::with(&configuration).file("oneinfer.key", "sk-key/+=").file("oneinfer.token", "sk-ula-old");
    let up = up.start().await;
    let asked_with = async || {
        upstream.clear();
        assert_eq!(up.chat("gpt", "Hi").await.said(), SAID);
        upstream.requests()[0].header("authorization").map(str::to_owned)
    };
    assert_eq!(asked_with().await.as_deref(), Some("Bearer sk-ula-old"));
    let folder = up.path("weir.yaml");
    let output = Command::new("sh").args(["-c", &command]).current_dir(folder.parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let new = Some("Bearer sk-ula-sk-key/+=".to_owned());
    up.until("the new token is used", async || (asked_with().await == new).then_some(())).await;
}

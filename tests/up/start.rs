//! How it ends: what is under way may end too, but not for ever, and nothing stays behind.

use std::time::Instant;

use weir_tests::{Ended, Up, signal};

const CONFIGURATION: &str = "
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
models:
  gpt: { targets: [{ provider: sim, model: gpt-4o }] }
  endless: { targets: [{ provider: sim, model: gpt-4o+tokens-100000+gap-20ms }] }
listen: 127.0.0.1:10000
admin: 127.0.0.1:10001
";

#[tokio::test]
async fn a_stream_without_end_is_cut_when_the_limit_passes_and_no_process_is_left() {
    let up = Up::start(CONFIGURATION, &["--drain", "1s"]).await;
    let mut endless = up.chat("endless", "Hi").streamed().open().await;
    assert!(endless.event().await.is_some());
    assert!(up.processes().len() >= 3, "weir, its simulator and its Envoy: {:?}", up.processes());
    signal(up.id(), "TERM");
    let asked = Instant::now();
    let answer = endless.rest().await;
    assert_eq!(answer.ended(), Ended::Broken);
    assert!(!answer.is_done() && asked.elapsed().as_secs() >= 1, "it had its time to end");
    assert!(up.ended().await.success());
    assert!(up.said().contains("1 not ended within 1s; cut off"));
    assert_eq!(up.processes(), Vec::<String>::new());
}

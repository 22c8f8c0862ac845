//! How it ends: what is under way may end too, but not for ever, and nothing stays behind.

use std::time::Instant;

use weir_tests::{Ended, Up, signal};

use crate::SAID;

const CONFIGURATION: &str = "
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
models:
  gpt: { targets: [{ provider: sim, model: gpt-4o }] }
  endless: { targets: [{ provider: sim, model: gpt-4o+tokens-100000+gap-20ms }] }
listen: 127.0.0.1:10000
";

#[tokio::test]
async fn a_stream_without_end_is_cut_when_the_limit_passes_and_no_process_is_left() {
    let up = Up::with(CONFIGURATION).flags(&["--drain", "1s"]).start().await;
    let mut endless = up.chat("endless", "Hi").streamed().open().await;
    assert!(endless.event().await.is_some());
    assert!(up.processes().len() >= 3, "weir, its simulator and its Envoy: {:?}", up.processes());
    signal(up.id(), "TERM");
    let asked = Instant::now();
    let answer = endless.rest().await;
    assert_eq!(answer.ended(), Ended::Broken);
    assert!(!answer.is_done() && asked.elapsed().as_secs() >= 1, "it had its time to end");
    assert!(up.ended().await.success());
    assert!(up.said().contains("1 request not ended within 1s; cut off"));
    assert_eq!(up.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_ends_is_not_ready_but_serves_and_a_second_ctrl_c_does_not_wait() {
    let up = Up::with(CONFIGURATION).flags(&["--drain", "600s"]).start().await;
    assert_eq!(up.get("/readyz").await.status(), 200);
    let mut endless = up.chat("endless", "Hi").streamed().open().await;
    assert!(endless.event().await.is_some());
    signal(up.id(), "INT");
    let ready = up.get("/readyz");
    up.until("it is not ready any more", async || (ready.clone().await.status() == 503).then_some(())).await;
    assert_eq!(ready.await.text(), r#"{"status":"draining"}"#);
    assert_eq!(up.get("/healthz").await.status(), 200, "it runs");
    // Whoever has not heard of it yet is served.
    assert_eq!(up.chat("gpt", "Hi").await.said(), SAID);
    assert!(endless.event().await.is_some());
    up.until_said("waiting for 1 running request").await;
    signal(up.id(), "INT");
    assert_eq!(endless.rest().await.ended(), Ended::Broken);
    assert!(up.ended().await.success());
    assert!(up.said().contains("asked again; not waiting any longer"), "{}", up.said());
    assert_eq!(up.processes(), Vec::<String>::new());
}

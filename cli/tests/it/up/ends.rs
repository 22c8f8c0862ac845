//! Its end and its children's: what dies comes back, and what has ended leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use weir_tests::{Ended, Home, Up, Upstream, eventually, signal};

use super::{CONFIGURATION, LOCAL, chats, embeds, gone, until_chats, until_embeds, with, with_configuration};

#[tokio::test]
async fn what_dies_comes_back() {
    let up = with(LOCAL).start().await;
    assert!(chats(&up).await && embeds(&up).await);
    for name in ["sidecar", "envoy", "sim"] {
        signal(up.child(name), "KILL");
    }
    until_chats(&up).await;
    until_embeds(&up).await;
    for name in ["sidecar", "envoy", "sim"] {
        assert!(up.said().contains(&format!("{name} was killed by signal 9; restarting it in 0.1 s")));
        assert!(up.said().contains(&format!("{name} was restarted")));
    }
}

/// The gaps of the ledger.
fn gaps(up: &Up) -> Value {
    let said = up.home().weir(&["usage", "--since", "today", "--format", "json"]);
    let usage: Value = serde_json::from_str(&said.out).unwrap();
    usage["gaps"].clone()
}

#[tokio::test]
async fn a_killed_envoy_is_a_gap_in_the_ledger() {
    let up = with("").start().await;
    assert!(chats(&up).await);
    let said = up.home().weir(&["ledger", "follow", "--run", "run", "--once"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(gaps(&up), json!([]));
    signal(up.child("envoy"), "KILL");
    let found = up.until("the gap", async || gaps(&up).get(0).cloned()).await;
    assert_eq!((&found["kind"], &found["detail"]), (&json!("killed"), &json!("Envoy was killed by signal 9")));
    assert!(found["from"].as_str() <= found["until"].as_str(), "{found}");
}

#[tokio::test]
async fn a_killed_run_is_a_gap_in_the_ledger_and_an_ended_one_is_none() {
    let mut up = with("").start().await;
    assert!(chats(&up).await);
    assert_eq!(up.home().weir(&["ledger", "follow", "--run", "run", "--once"]).code, Some(0));
    signal(up.id(), "TERM");
    up.ended().await;
    up.again().await;
    assert!(chats(&up).await);
    assert_eq!(gaps(&up), json!([]));
    up.until("the line", async || (up.records().len() == 2).then_some(())).await;
    signal(up.id(), "KILL");
    up.ended().await;
    up.again().await;
    let found = up.until("the gap", async || gaps(&up).get(0).cloned()).await;
    assert_eq!(found["detail"], "Envoy was killed together with `weir up`");
}

#[tokio::test]
async fn what_envoy_could_not_write_is_a_gap_in_the_ledger() {
    let up = with("telemetry: { access_log: /dev/full }\n").start().await;
    assert!(chats(&up).await);
    let follow = ["ledger", "follow", "weir.yaml", "--run", "run", "--once"];
    let look = async || {
        let said = up.home().weir(&follow);
        assert_eq!(said.code, Some(0), "{said:?}");
        gaps(&up).get(0).cloned()
    };
    assert_eq!(up.until("the gap", look).await["kind"], "write_failed");
    // It is told once.
    let before = gaps(&up);
    assert_eq!(up.home().weir(&follow).code, Some(0));
    assert_eq!(gaps(&up), before);
}

/// An Envoy that came back while somebody else had its port ran on without a listener, for good, and nobody was told.
#[tokio::test]
async fn an_envoy_that_comes_back_without_its_port_is_told_and_started_until_it_has_it() {
    let up = with("").start().await;
    let listen = up.ports().listen;
    signal(up.child("envoy"), "KILL");
    let taken = eventually("its port", || TcpListener::bind(listen).ok()).await;
    up.until_said(&format!("envoy does not listen on {listen}; restarting it")).await;
    drop(taken);
    until_chats(&up).await;
}

#[tokio::test]
async fn killed_outright_it_leaves_nothing_behind_either() {
    let up = with(LOCAL).start().await;
    let children = up.children();
    assert_eq!(children.len(), 4, "the simulator, the sidecar, control and Envoy");
    signal(up.id(), "KILL");
    up.ended().await;
    gone(&children).await;
}

#[tokio::test]
async fn a_stream_under_way_is_not_cut_by_a_stop() {
    // The simulator is slow, and is not the supervisor's.
    let upstream = Upstream::sim().await;
    let slow = format!("  slow: {{ dialect: openai, endpoint: '{}/v1', credential: 'env:SIM_KEY' }}\n", upstream.url());
    let configuration = CONFIGURATION.replace("  local: { dialect: local }\n", &slow);
    let model = "  slow: { targets: [{ provider: slow, model: gpt-4o-mini+tokens-20+gap-100ms }] }\n";
    let up = with_configuration(&format!("{configuration}{model}")).flags(&["--drain", "60s"]).start().await;
    let mut stream = up.chat("slow", "Hi").streamed().open().await;
    assert!(stream.event().await.is_some());
    signal(up.id(), "TERM");
    let answer = stream.rest().await;
    assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
    assert!(up.ended().await.success());
    assert!(up.said().contains("waiting for 1 running request"));
}

/// An Envoy that never gets ready, so that whatever comes comes before that.
#[tokio::test]
async fn a_signal_before_everything_is_up_ends_what_has_been_started() {
    let home = Home::new();
    let ids = home.path("ids");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'envoy  version: 0/1.40.0/Clean/RELEASE/BoringSSL'\necho $$ >> {}\nexec \
         tail -f /dev/null\n",
        ids.display()
    );
    let envoy = home.write("envoy", &text);
    fs::set_permissions(&envoy, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["INT", "TERM"] {
        let _ = fs::remove_file(&ids);
        let up = with("").flags(&["--no-sim"]).env("WEIR_ENVOY", &envoy).begin();
        let started = up.until("its Envoy runs", async || home.read("ids").trim().parse().ok()).await;
        signal(up.id(), name);
        assert!(up.ended().await.success(), "{name}");
        assert!(up.home().read("err").ends_with("stopping before everything was up\n"), "{name}");
        gone(&[started]).await;
    }
}

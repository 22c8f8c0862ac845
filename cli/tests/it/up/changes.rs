//! What changes while it runs: its configuration and its keys.

use std::fs;
use std::net::TcpStream;

use weir_tests::signal;

use super::{CONFIGURATION, LOCAL, chats, until_chats, until_embeds, with, with_configuration};

#[tokio::test]
async fn a_change_is_taken_up_and_a_bad_one_is_refused() {
    let up = with("").start().await;
    up.overwrite(&CONFIGURATION.replace("provider: sim }", "provider: smi }"));
    up.until_said("no provider is called \"smi\"").await;
    assert!(!up.said().contains("read again"), "nothing is said of what was read again unchanged at the start");
    assert!(chats(&up).await);
    up.overwrite(&format!("{CONFIGURATION}  another: {{ targets: [{{ provider: sim, model: gpt-4o-mini }}] }}\n"));
    let another = up.chat("another", "Hi");
    up.until("the new model answers", async || (another.clone().await.status() == 200).then_some(())).await;
}

/// A disk that became full or read-only once ended everything at the next save, because the sidecar's settings could not be written.
#[tokio::test]
async fn settings_that_cannot_be_written_end_nothing() {
    let up = with(LOCAL).start().await;
    let settings = up.path("run/sidecar.json");
    fs::remove_file(&settings).unwrap();
    fs::create_dir_all(settings.join("in the way")).unwrap();
    up.overwrite(&format!("{CONFIGURATION}{LOCAL}limits: {{ whole: 200s }}\n"));
    up.until_said("the local models stay as they were").await;
    assert!(chats(&up).await);
}

#[tokio::test]
async fn a_setting_of_the_sidecar_itself_starts_it_anew() {
    let up = with(LOCAL).start().await;
    up.overwrite(&format!("{CONFIGURATION}{LOCAL}limits: {{ body: {{ embeddings: 1MiB }} }}\n"));
    up.until_said("the sidecar is restarted").await;
    until_embeds(&up).await;
}

#[tokio::test]
async fn a_provider_that_a_change_puts_at_the_simulators_address_finds_it_there() {
    let up = with_configuration(&CONFIGURATION.replace("127.0.0.1:10002", "127.0.0.1:9")).start().await;
    assert_eq!(up.children().len(), 2, "control and Envoy");
    up.overwrite(CONFIGURATION);
    until_chats(&up).await;
    let sim = up.ports().sim;
    let said = format!("a provider is at {sim} now; the simulated provider starts there");
    assert!(up.said().contains(&said));
    signal(up.id(), "TERM");
    assert!(up.ended().await.success());
    assert!(TcpStream::connect(sim).is_err(), "it has ended with the others");
}

#[tokio::test]
async fn a_key_made_while_it_runs_works_and_a_revoked_one_does_not() {
    let up = with("").start().await;
    let key = up.home().weir(&["keys", "new", "ada"]).out;
    let (new, old) = (up.chat("gpt-4o-mini", "Hi").key(key.trim()), up.chat("gpt-4o-mini", "Hi"));
    up.until("the new key works", async || (new.clone().await.status() == 200).then_some(())).await;
    up.home().weir(&["keys", "revoke", "default"]);
    up.until("the old key is refused", async || (old.clone().await.status() == 401).then_some(())).await;
}

/// It went to Envoy's log once, where nobody looks for it.
#[tokio::test]
async fn an_access_log_on_standard_output_is_on_weirs_own() {
    let up = with("telemetry: { access_log: stdout }\n").start().await;
    assert!(chats(&up).await);
    let out = || up.home().read("out");
    up.until("the record is there", async || out().contains("\"model\":\"gpt-4o-mini\"").then_some(())).await;
    assert!(chats(&up).await);
    signal(up.id(), "TERM");
    assert!(up.ended().await.success());
    let out = out();
    assert_eq!(out.lines().filter(|line| line.starts_with('{') && line.ends_with('}')).count(), 2, "{out}");
    assert!(!up.home().read("run/logs/envoy.log").contains("gpt-4o-mini"));
}

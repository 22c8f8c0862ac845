//! What the log says, and what it keeps to itself. The process that logs is this test again, in a process of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::process::Command;

const CHILD: &str = "WEIR_TEST_LOGS";

/// Logs what a sidecar would whose collector cannot be asked, and which panics over somebody's text.
#[tokio::test]
async fn the_process_that_logs() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    // A name that no URL can have.
    let telemetry = weir_sidecar::telemetry::init(Some("http://no such host")).unwrap();
    let caught = std::panic::catch_unwind(|| panic!("cannot read: a private matter"));
    assert!(caught.is_err());
    telemetry.end();
}

#[test]
fn a_panic_is_logged_by_its_place_and_spans_that_cannot_be_sent_keep_nobody_from_serving() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "the_process_that_logs", "--nocapture"]).env(CHILD, "1").env_remove("RUST_LOG");
    let output = again.output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert!(log.contains("\"ERROR\"") && log.contains("no spans are sent"), "{log}");
    assert!(log.contains("a panic") && log.contains("tests/logs.rs:"), "{log}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!log.contains("private") && !said.contains("private"), "{log}{said}");
}

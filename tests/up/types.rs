//! What callers receive in the corpus, held against the types of the official SDKs.

use std::path::Path;

use tokio::process::Command;

use crate::kit;

/// Checks all answers whose types belong to these packages, which this Python has.
async fn check(python: &Path, packages: &[&str]) {
    let mut check = Command::new(python);
    check.arg("validate_fixtures.py").arg(kit::corpus()).args(packages).current_dir(kit::for_python());
    let output = check.kill_on_drop(true).env("PYTHONDONTWRITEBYTECODE", "1").output().await.expect("it runs");
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success() && !said.contains("is not installed"), "{}: {said}", output.status);
}

#[tokio::test]
async fn answers_of_the_corpus_have_openais_types() {
    check(&kit::python().await, &["openai"]).await;
}

#[tokio::test]
async fn answers_of_the_corpus_have_anthropics_and_googles_types() {
    check(&kit::python_of_all().await, &["anthropic", "google"]).await;
}

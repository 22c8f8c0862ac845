//! The corpus through a real Envoy: each case goes up, comes back and is read as its files say.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_sim::Options;
use weir_tests::{Answer, Gateway, Upstream};

/// One folder under `tests/fixtures/<provider>`.
struct Case {
    name: String,
    folder: PathBuf,
    /// The upstream's model.
    model: String,
    path: &'static str,
    status: u64,
    fault: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

impl Case {
    /// Those of one provider. A rate limit, which its target remembers for a while, comes last.
    fn of(provider: &str) -> Vec<Self> {
        let folders = fs::read_dir(fixtures().join(provider)).unwrap().map(|entry| entry.unwrap().path());
        let mut cases: Vec<Self> = folders.map(|folder| Self::read(provider, folder)).collect();
        cases.sort_by_key(|case| (case.fault.as_deref() == Some("rate_limited"), case.name.clone()));
        assert!(cases.len() > 20, "the corpus is there");
        cases
    }

    fn read(provider: &str, folder: PathBuf) -> Self {
        let meta: Value = serde_json::from_slice(&fs::read(folder.join("meta.json")).unwrap()).unwrap();
        let name = format!("{provider}/{}", folder.file_name().unwrap().to_string_lossy());
        let path = if meta["endpoint"] == "embeddings" { "/v1/embeddings" } else { "/v1/chat/completions" };
        let fault = meta["fault"].as_str().map(str::to_owned);
        let model = meta["model"].as_str().unwrap().to_owned();
        Self { name, path, status: meta["status"].as_u64().unwrap_or(200), fault, model, folder }
    }

    /// What the caller sends, for the model that is called as this case is.
    fn asked(&self) -> String {
        let body = fs::read_to_string(self.folder.join("1-caller.json")).unwrap();
        let model = serde_json::from_str::<Value>(&body).unwrap()["model"].to_string();
        body.replacen(&model, &format!("\"{}\"", self.name), 1)
    }

    /// What the caller is to receive, if a file says so.
    fn expected(&self) -> Option<String> {
        ["4-caller.sse", "4-caller.json"].iter().find_map(|name| fs::read_to_string(self.folder.join(name)).ok())
    }

    fn check_upstream(&self, body: &[u8]) {
        let expected = fs::read(self.folder.join("2-upstream.json")).unwrap();
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!(json(body), json(&expected), "{}", self.name);
        if self.name.starts_with("openai/") {
            assert_eq!(body, expected, "{}: byte for byte", self.name);
        }
    }

    fn check_caller(&self, answer: &Answer) {
        let expected = self.expected();
        let (name, text) = (&self.name, masked(&answer.text()));
        match (self.status, self.fault.as_deref(), expected) {
            (200, None, Some(expected)) => {
                assert_eq!((answer.status(), &text), (200, &masked(&expected)), "{name}");
            }
            // It fails while it is read: before the caller has seen any of it, or after.
            (200, Some(_), expected) if answer.status() == 200 => {
                assert!(text.starts_with(&masked(&expected.unwrap_or_default())), "{name}: {text}");
                assert_eq!(answer.code(), "stream_incomplete", "{name}: {text}");
                assert!(!text.contains("[DONE]"), "{name}: {text}");
            }
            (200, ..) => assert_eq!((answer.status(), answer.code().as_str()), (502, "upstream_bad_answer"), "{name}"),
            // The caller's fault, in the provider's words.
            (_, Some("request_too_large"), _) => assert_eq!(answer.status(), 413, "{name}"),
            (_, _, Some(expected)) => {
                let expected: Value = serde_json::from_str(&expected).unwrap();
                assert_eq!((answer.status(), answer.json()), (400, expected), "{name}");
            }
            (_, fault, None) => {
                let (status, code) = match fault {
                    Some("auth") => (502, "upstream_auth"),
                    Some("billing") => (502, "upstream_billing"),
                    Some("not_found") => (502, "upstream_not_found"),
                    Some("rate_limited") => (429, "rate_limited"),
                    Some("timeout") => (504, "upstream_timeout"),
                    _ => (503, "upstream_unavailable"),
                };
                assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{name}: {text}");
            }
        }
    }
}

/// The text without the time that Weir writes where a provider says none, and without layout.
fn masked(text: &str) -> String {
    if let Ok(mut json) = serde_json::from_str::<Value>(text) {
        json["created"] = 0.into();
        return json.to_string();
    }
    let mut masked = String::new();
    for (i, part) in text.split("\"created\":").enumerate() {
        masked.push_str(if i == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) });
    }
    masked
}

/// Plays all cases of `provider`, whose answers come in pieces of `chunk` bytes.
async fn play(provider: &'static str, chunk: Option<NonZeroUsize>) {
    let options = Options { fixtures: Some(fixtures()), chunk, ..Options::default() };
    let upstream = Upstream::with(provider, options).await.speaking(provider);
    let cases = Case::of(provider);
    let mut builder = Gateway::with(&upstream);
    for case in &cases {
        builder = builder.model(&case.name, [format!("{provider}/{}", case.model).as_str()]);
    }
    let gateway = builder.start().await;
    for case in &cases {
        upstream.clear();
        upstream.replay(&case.name).unwrap();
        let answer = gateway.post(case.path, Value::Null).raw(case.asked()).await;
        case.check_caller(&answer);
        let seen = upstream.requests();
        assert_eq!(seen.len(), 1, "{}", case.name);
        case.check_upstream(&seen[0].body);
    }
}

#[tokio::test]
async fn openai_as_recorded() {
    play("openai", None).await;
}

#[tokio::test]
async fn openai_as_recorded_in_small_pieces() {
    play("openai", NonZeroUsize::new(13)).await;
}

#[tokio::test]
async fn anthropic_as_recorded() {
    play("anthropic", None).await;
}

#[tokio::test]
async fn anthropic_as_recorded_in_small_pieces() {
    play("anthropic", NonZeroUsize::new(13)).await;
}

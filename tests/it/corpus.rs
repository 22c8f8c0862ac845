//! The corpus through a real Envoy: each case goes up, comes back and is read as its files say.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_core::config::Preset;
use weir_core::provider;
use weir_core::upstream::Upstream as Settings;
use weir_hub::endpoint::{Delivery, Endpoint, Family};
use weir_sim::Options;
use weir_tests::{Answer, Gateway, Provider, Upstream};

/// One folder under `tests/fixtures/<provider>`.
struct Case {
    provider: String,
    name: String,
    folder: PathBuf,
    /// The upstream's model.
    model: String,
    endpoint: Endpoint,
    delivery: Delivery,
    /// What the configuration says of the upstream.
    settings: Value,
    status: u64,
    fault: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

impl Case {
    /// Those of one provider.
    fn of(provider: &str) -> Vec<Self> {
        let folders = fs::read_dir(fixtures().join(provider)).unwrap().map(|entry| entry.unwrap().path());
        let mut cases: Vec<Self> = folders.map(|folder| Self::read(provider, folder)).collect();
        cases.sort_by_key(|case| case.name.clone());
        assert!(!cases.is_empty(), "the corpus is there");
        cases
    }

    fn read(provider: &str, folder: PathBuf) -> Self {
        let json = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
        let (meta, body) = (json("meta.json"), json("1-caller.json"));
        let streamed = meta["streamed"].as_bool().or(body["stream"].as_bool()) == Some(true);
        Self {
            provider: provider.to_owned(),
            name: format!("{provider}/{}", folder.file_name().unwrap().to_string_lossy()),
            endpoint: meta["endpoint"].as_str().map_or(Endpoint::Chat, |name| Endpoint::from_name(name).unwrap()),
            delivery: if streamed { Delivery::Streamed } else { Delivery::Whole },
            settings: match meta["preset"].as_str() {
                Some(name) => json!({"quirks": Preset::all().remove(name).expect("such a preset").quirks}),
                None => meta["upstream"].clone(),
            },
            status: meta["status"].as_u64().unwrap_or(200),
            fault: meta["fault"].as_str().map(str::to_owned),
            model: meta["model"].as_str().unwrap().to_owned(),
            folder,
        }
    }

    /// What the caller sends, for the model that is called as this case is.
    fn asked(&self) -> (String, String) {
        let body = fs::read_to_string(self.folder.join("1-caller.json")).unwrap();
        let name = self.name.replace('/', "%2F");
        let path = match (self.endpoint, self.delivery) {
            (Endpoint::GenerateContent, Delivery::Whole) => format!("/v1beta/models/{name}:generateContent"),
            (Endpoint::GenerateContent, Delivery::Streamed) => {
                format!("/v1beta/models/{name}:streamGenerateContent?alt=sse")
            }
            (endpoint, _) => endpoint.path().replace("{model}", &name),
        };
        let model = serde_json::from_str::<Value>(&body).unwrap()["model"].clone();
        let body = match model {
            Value::Null => body,
            model => body.replacen(&model.to_string(), &format!("\"{}\"", self.name), 1),
        };
        (path, body)
    }

    /// What the caller is to receive, if a file says so.
    fn expected(&self) -> Option<String> {
        let files = ["4-caller.sse", "4-caller.json", "4-caller.bin"];
        let bytes = files.iter().find_map(|name| fs::read(self.folder.join(name)).ok())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn is_relayed(&self) -> bool {
        let mut settings = self.settings.clone();
        if settings.is_null() {
            settings = json!({});
        }
        for (field, value) in
            [("provider", self.provider.as_str()), ("dialect", self.provider.as_str()), ("prefix", "")]
        {
            settings[field] = value.into();
        }
        let settings: Settings = serde_json::from_value(settings).unwrap();
        provider::by_name(&self.provider).unwrap().relays(&self.model, self.endpoint, &settings)
    }

    fn check_upstream(&self, body: &[u8]) {
        let expected = fs::read(self.folder.join("2-upstream.json")).unwrap();
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!(json(body), json(&expected), "{}", self.name);
        if self.is_relayed() {
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
                if self.endpoint.family() == Family::OpenAi {
                    assert_eq!(answer.code(), "stream_incomplete", "{name}: {text}");
                }
                assert!(text.contains("error"), "{name}: {text}");
                assert!(!text.contains("[DONE]"), "{name}: {text}");
            }
            // Where the provider says what it would have been by itself, it is told so.
            (200, Some("error_event"), _) => assert!([502, 503, 504].contains(&answer.status()), "{name}: {text}"),
            (200, Some(fault), _) => assert_eq!(answer.status(), of_fault(fault).0, "{name}: {text}"),
            (200, None, None) => panic!("{name} has neither an answer nor a fault"),
            // The caller's fault, in the provider's words.
            (_, Some("request_too_large"), _) => assert_eq!(answer.status(), 413, "{name}"),
            (_, _, Some(expected)) => {
                let expected: Value = serde_json::from_str(&expected).unwrap();
                assert_eq!((answer.status(), answer.json()), (400, expected), "{name}");
            }
            (_, fault, None) => {
                let (status, code) = of_fault(fault.unwrap_or_default());
                assert_eq!(answer.status(), status, "{name}: {text}");
                if self.endpoint.family() == Family::OpenAi {
                    assert_eq!(answer.code(), code, "{name}: {text}");
                }
            }
        }
    }
}

/// What the caller sees of a fault that is not its own, when there is no other target.
fn of_fault(fault: &str) -> (u16, &'static str) {
    match fault {
        "auth" => (502, "upstream_auth"),
        "billing" => (502, "upstream_billing"),
        "not_found" => (502, "upstream_not_found"),
        "rate_limited" => (429, "rate_limited"),
        "timeout" => (504, "upstream_timeout"),
        "cut" | "malformed" | "error_event" => (502, "upstream_bad_answer"),
        "invalid_request" | "context_length_exceeded" | "content_policy_violation" => (400, ""),
        _ => (503, "upstream_unavailable"),
    }
}

/// The text without what Weir makes up where a provider says nothing: times and names. And without layout.
fn masked(text: &str) -> String {
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        return masked_numbers(&json.to_string());
    }
    masked_numbers(text)
}

fn masked_numbers(text: &str) -> String {
    let mut masked = text.to_owned();
    for mark in ["\"created\":", "\"created_at\":"] {
        let parts: Vec<&str> = masked.split(mark).collect();
        let digits = |part: &str| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let rest = parts.iter().skip(1).map(|part| digits(part));
        masked = parts.iter().take(1).map(|part| (*part).to_owned()).chain(rest).collect::<Vec<_>>().join(mark);
    }
    // `weir-17a1b2c3-5`
    let parts: Vec<&str> = masked.split("weir-").collect();
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let rest = parts.iter().skip(1).map(|part| part.trim_start_matches(hex).to_owned());
    parts.iter().take(1).map(|part| (*part).to_owned()).chain(rest).collect::<Vec<_>>().join("weir-")
}

/// Plays all cases of `provider`, whose answers come in pieces of `chunk` bytes.
async fn play(provider: &str, chunk: Option<NonZeroUsize>) {
    let options = Options { fixtures: Some(fixtures()), chunk, ..Options::default() };
    let upstream = Upstream::with(provider, options).await.speaking(provider);
    let cases = Case::of(provider);
    // One provider of the configuration for each way in which the cases want it set.
    let mut settings = BTreeMap::new();
    let mut builder = None;
    for case in &cases {
        let next = settings.len();
        // A target rests after a rate limit: each such case has its own.
        let own = if case.fault.as_deref() == Some("rate_limited") { case.name.as_str() } else { "" };
        let key = format!("{}{own}", case.settings);
        let name = settings.entry(key).or_insert_with(|| format!("{provider}-{next}")).clone();
        if settings.len() > next {
            let mut configured = Provider::from(&upstream).called(&name);
            for (field, value) in case.settings.as_object().into_iter().flatten() {
                configured = configured.set(field, value.clone());
            }
            builder = Some(match builder {
                None => Gateway::with(configured),
                Some(builder) => weir_tests::Builder::and(builder, configured),
            });
        }
        let target = format!("{name}/{}", case.model);
        builder = builder.map(|builder| builder.model(&case.name, [target.as_str()]));
    }
    let gateway = builder.expect("cases").start().await;
    for case in &cases {
        upstream.clear();
        upstream.replay(&case.name).unwrap();
        let (path, body) = case.asked();
        let answer = gateway.post(&path, Value::Null).raw(body).await;
        case.check_caller(&answer);
        let seen = upstream.requests();
        // A target is asked once more after what passes, where it is the last one; the record says so.
        if seen.len() != 1 {
            let tries = gateway.record(answer.id()).await.tries();
            assert!(seen.len() == 2 && !tries[0].ends_with(" ok"), "{}: {tries:?}", case.name);
        }
        for request in &seen {
            case.check_upstream(&request.body);
        }
    }
}

/// Every provider that is reached over the network; the sidecar has tests of its own.
fn providers() -> Vec<String> {
    let folders = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut providers: Vec<String> = folders.filter(|name| name != "local").collect();
    providers.sort();
    providers
}

#[tokio::test]
async fn every_case_as_recorded() {
    for provider in providers() {
        play(&provider, None).await;
    }
}

#[tokio::test]
async fn every_case_as_recorded_in_small_pieces() {
    for provider in providers() {
        play(&provider, NonZeroUsize::new(13)).await;
    }
}

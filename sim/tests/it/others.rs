//! What holds for every endpoint that is no chat: faults, replays, keys.

use std::fs;

use serde_json::{Value, json};
use weir_sim::{Options, Sim, faults};

use crate::client::{Ended, Got, HEADERS, Part, send, sim, try_upload};

/// An endpoint: its path, what it takes for an answer besides a model, and whether that is a form.
type Endpoint = (&'static str, fn() -> Value, Body);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Json,
    Form,
}

const ENDPOINTS: [Endpoint; 12] = [
    ("/v1/embeddings", || json!({"input": "Hi"}), Body::Json),
    ("/v1/responses/input_tokens", || json!({"input": "Hi"}), Body::Json),
    ("/v1/moderations", || json!({"input": "Hi"}), Body::Json),
    ("/v1/rerank", || json!({"query": "Hi", "documents": ["Hi"]}), Body::Json),
    ("/v2/rerank", || json!({"query": "Hi", "documents": ["Hi"]}), Body::Json),
    ("/v1/images/generations", || json!({"prompt": "Hi"}), Body::Json),
    ("/v1/images/generations", || json!({"prompt": "Hi", "stream": true}), Body::Json),
    ("/v1/images/edits", || json!({"prompt": "Hi"}), Body::Form),
    ("/v1/audio/speech", || json!({"input": "Hi there all of you", "voice": "alloy"}), Body::Json),
    ("/v1/audio/transcriptions", || json!({}), Body::Form),
    ("/v1/audio/transcriptions", || json!({"stream": "true"}), Body::Form),
    ("/v1/audio/translations", || json!({}), Body::Form),
];

async fn ask(sim: &Sim, (path, body, kind): Endpoint, model: &str) -> hyper::Result<Got> {
    let mut fields = body();
    fields["model"] = model.into();
    if kind == Body::Json {
        return send(sim, "POST", path, &HEADERS, fields.to_string()).await;
    }
    let texts = fields.as_object().unwrap().iter();
    let mut parts: Vec<Part<'_>> =
        texts.map(|(name, value)| (name.as_str(), None, value.as_str().unwrap().as_bytes())).collect();
    parts.extend([("file", Some("a.wav"), &b"RIFF"[..]), ("image", Some("a.png"), b"RIFF")]);
    try_upload(sim, path, &parts).await
}

#[tokio::test]
async fn every_fault_can_be_called() {
    let sim = sim().await;
    let silent = ["hang", "stall", "stall-before"];
    // Every third request is every third of all endpoints.
    let unheard = |name: &str| silent.contains(&name) || name.starts_with("slow") || name.starts_with("flap");
    for endpoint in ENDPOINTS {
        let fine = ask(&sim, endpoint, "m").await.unwrap();
        assert_eq!((fine.status, fine.end), (200, Ended::Cleanly), "{} {}", endpoint.0, fine.text());
        for listed in faults().iter().filter(|listed| !unheard(listed.name)) {
            sim.clear();
            let got = ask(&sim, endpoint, &format!("fault-{}", listed.name)).await;
            let noted = sim.requests()[0].fault.map(|fault| fault.to_string());
            assert_eq!(noted.as_deref(), Some(listed.name), "{}", endpoint.0);
            match (listed.name, got) {
                ("refuse" | "reset", got) => assert!(got.is_err(), "{}", endpoint.0),
                ("break", got) => assert_eq!(got.unwrap().end, Ended::Broken, "{}", endpoint.0),
                (name, got) => {
                    let got = got.unwrap();
                    let expect = name.parse().unwrap_or(got.status);
                    assert_eq!((got.status, got.end), (expect, Ended::Cleanly), "{} {name}", endpoint.0);
                }
            }
        }
        let cut = ask(&sim, endpoint, "fault-cut").await.unwrap();
        assert!(cut.status == 200 && cut.body.len() < fine.body.len(), "{}", endpoint.0);
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_can_be_slow() {
    // The clock is paused: it jumps as soon as everyone waits, so an hour is soon over.
    let sim = sim().await;
    for endpoint in ENDPOINTS {
        for fault in ["fault-slow-first-token-3600000", "fault-slow-whole-3600000"] {
            let start = tokio::time::Instant::now();
            let got = ask(&sim, endpoint, fault).await.unwrap();
            assert_eq!((got.status, start.elapsed().as_secs()), (200, 3600), "{} {fault}", endpoint.0);
        }
    }
}

#[tokio::test]
async fn fixtures_are_replayed() {
    let folder = std::env::temp_dir().join(format!("weir-sim-others-{}", std::process::id()));
    let case = folder.join("any").join("hello");
    fs::create_dir_all(&case).unwrap();
    fs::write(case.join("3-answer.json"), "{\"from\": \"a fixture\"}").unwrap();
    let sim = Sim::start(Options { fixtures: Some(folder.clone()), ..Options::default() }).await.unwrap();
    for endpoint in ENDPOINTS {
        let got = ask(&sim, endpoint, "replay-hello").await.unwrap();
        assert_eq!(got.json()["from"], "a fixture", "{}", endpoint.0);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn nobody_is_answered_without_a_key() {
    let sim = sim().await;
    for (path, ..) in ENDPOINTS {
        let got = send(&sim, "POST", path, &HEADERS[..1], "{}").await.unwrap();
        assert_eq!(got.status, 401, "{path}");
    }
}

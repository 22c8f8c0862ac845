//! What holds in every dialect: faults, paces, replays and prerendered answers.

use std::fs;

use serde_json::{Value, json};
use weir_sim::{Effort, Options, Sim, faults};

use crate::client::{Got, send, sim};

const HEARD: &str = "that is what I heard";

/// The headers of a caller of any API.
const HEADERS: [(&str, &str); 6] = [
    ("content-type", "application/json"),
    ("authorization", "Bearer sk-test"),
    ("x-api-key", "sk-test"),
    ("anthropic-version", "2023-06-01"),
    ("x-goog-api-key", "sk-test"),
    ("api-key", "sk-test"),
];

/// A way to ask for a chat: a dialect, its fixtures, and paths and bodies by model.
pub(crate) struct Dialect {
    pub(crate) folder: &'static str,
    pub(crate) whole: &'static str,
    stream: &'static str,
    body: fn() -> Value,
    /// Where in the body the cap on the output is.
    cap: &'static [&'static str],
    /// How an answer says that it ended there.
    pub(crate) length: &'static str,
}

fn openai() -> Value {
    json!({"messages": [{"role": "user", "content": "Hi"}]})
}

fn responses() -> Value {
    json!({"input": "Hi"})
}

fn completions() -> Value {
    json!({"prompt": "Hi"})
}

fn anthropic() -> Value {
    json!({"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]})
}

fn vertex() -> Value {
    json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]})
}

fn gemini() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
}

fn bedrock() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]})
}

/// `{}` in a path stands for the model; without it, the model is in the body.
pub(crate) const DIALECTS: [Dialect; 13] = [
    Dialect {
        folder: "openai",
        whole: "/v1/chat/completions",
        stream: "/v1/chat/completions",
        body: openai,
        cap: &["max_completion_tokens"],
        length: r#"finish_reason":"length"#,
    },
    Dialect {
        folder: "openai",
        whole: "/v1/responses",
        stream: "/v1/responses",
        body: responses,
        cap: &["max_output_tokens"],
        length: r#""reason":"max_output_tokens"#,
    },
    Dialect {
        folder: "openai",
        whole: "/v1/completions",
        stream: "/v1/completions",
        body: completions,
        cap: &["max_tokens"],
        length: r#"finish_reason":"length"#,
    },
    Dialect {
        folder: "azure",
        whole: "/openai/v1/responses",
        stream: "/openai/v1/responses",
        body: responses,
        cap: &["max_output_tokens"],
        length: r#""reason":"max_output_tokens"#,
    },
    Dialect {
        folder: "anthropic",
        whole: "/v1/messages",
        stream: "/v1/messages",
        body: anthropic,
        cap: &["max_tokens"],
        length: r#"stop_reason":"max_tokens"#,
    },
    Dialect {
        folder: "azure",
        whole: "/openai/deployments/{}/chat/completions?api-version=2024-10-21",
        stream: "/openai/deployments/{}/chat/completions?api-version=2024-10-21",
        body: openai,
        cap: &["max_tokens"],
        length: r#"finish_reason":"length"#,
    },
    Dialect {
        folder: "mistral",
        whole: "/mistral/v1/chat/completions",
        stream: "/mistral/v1/chat/completions",
        body: openai,
        cap: &["max_tokens"],
        length: r#"finish_reason":"length"#,
    },
    Dialect {
        folder: "cohere",
        whole: "/v2/chat",
        stream: "/v2/chat",
        body: openai,
        cap: &["max_tokens"],
        length: r#"finish_reason":"MAX_TOKENS"#,
    },
    Dialect {
        folder: "oneinfer",
        whole: "/v1/ula/chat/completions",
        stream: "/v1/ula/chat/completions",
        body: openai,
        cap: &["max_tokens"],
        length: r#"finish_reason":"length"#,
    },
    Dialect {
        folder: "gemini",
        whole: "/v1beta/models/{}:generateContent",
        stream: "/v1beta/models/{}:streamGenerateContent?alt=sse",
        body: gemini,
        cap: &["generationConfig", "maxOutputTokens"],
        length: r#"finishReason":"MAX_TOKENS"#,
    },
    Dialect {
        folder: "vertex",
        whole: "/v1/projects/p/locations/l/publishers/google/models/{}:generateContent",
        stream: "/v1/projects/p/locations/l/publishers/google/models/{}:streamGenerateContent?alt=sse",
        body: gemini,
        cap: &["generationConfig", "maxOutputTokens"],
        length: r#"finishReason":"MAX_TOKENS"#,
    },
    Dialect {
        folder: "vertex",
        whole: "/v1/projects/p/locations/l/publishers/anthropic/models/{}:rawPredict",
        stream: "/v1/projects/p/locations/l/publishers/anthropic/models/{}:streamRawPredict",
        body: vertex,
        cap: &["max_tokens"],
        length: r#"stop_reason":"max_tokens"#,
    },
    Dialect {
        folder: "bedrock",
        whole: "/model/{}/converse",
        stream: "/model/{}/converse-stream",
        body: bedrock,
        cap: &["inferenceConfig", "maxTokens"],
        length: r#"stopReason":"max_tokens"#,
    },
];

impl Dialect {
    /// The request for an answer in one piece, or for a stream: its path and its body.
    fn request(&self, model: &str, streamed: bool) -> (String, String) {
        let path = if streamed { self.stream } else { self.whole };
        let mut body = (self.body)();
        if !path.contains("{}") {
            body["model"] = model.into();
        }
        // Where both come from one path, or nearly, the body says which.
        if streamed && (self.whole == self.stream || path.contains("RawPredict")) {
            body["stream"] = true.into();
        }
        (path.replace("{}", model), body.to_string())
    }

    pub(crate) async fn ask(&self, sim: &Sim, model: &str, streamed: bool) -> hyper::Result<Got> {
        let (path, body) = self.request(model, streamed);
        send(sim, "POST", &path, &HEADERS, body).await
    }

    /// Asks for an answer of at most `cap` tokens, and to be told the tokens used.
    pub(crate) async fn ask_capped(&self, sim: &Sim, model: &str, streamed: bool, cap: u32) -> Got {
        let (path, body) = self.request(model, streamed);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        let mut place = &mut body;
        for name in self.cap {
            place = &mut place[*name];
        }
        *place = cap.into();
        // Where a stream tells the tokens used to those who ask alone.
        if streamed && ["openai", "azure"].contains(&self.folder) && path.contains("completions") {
            body["stream_options"] = json!({"include_usage": true});
        }
        send(sim, "POST", &path, &HEADERS, body.to_string()).await.unwrap()
    }
}

/// What a stream of any dialect says, without its framing: pieces of text are quoted, and follow a key.
fn said(got: &Got) -> String {
    let text = got.text();
    let keys = ["\"text\":\"", "\"content\":\"", "\"delta\":\""];
    let pieces = keys.into_iter().flat_map(|key| text.split(key).skip(1));
    pieces.filter_map(|piece| piece.split('"').next()).collect::<String>().replace('\\', "")
}

#[tokio::test]
async fn every_fault_can_be_called_whole_and_streamed() {
    let sim = sim().await;
    let silent = ["hang", "stall", "stall-before"];
    // Every third request is every third of all dialects.
    let unheard = |name: &str| silent.contains(&name) || name.starts_with("slow") || name.starts_with("flap");
    for dialect in &DIALECTS {
        for listed in faults().iter().filter(|listed| !unheard(listed.name)) {
            for streamed in [false, true] {
                sim.clear();
                let got = dialect.ask(&sim, &format!("fault-{}", listed.name), streamed).await;
                let seen = &sim.requests()[0];
                let noted = seen.fault.map(|fault| fault.to_string());
                assert_eq!(noted.as_deref(), Some(listed.name), "{}", dialect.folder);
                if let (Ok(got), Ok(status)) = (&got, listed.name.parse::<u16>()) {
                    let expect = match (dialect.folder, status) {
                        // Anthropic alone has a status of its own for too much load; Azure has none like it.
                        ("azure", 529) => 503,
                        // An empty account is told so here.
                        ("oneinfer", 402) => 403,
                        _ => status,
                    };
                    assert_eq!(got.status, expect, "{}", dialect.folder);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_models_name_sets_length_pace_and_size() {
    let sim = sim().await;
    for dialect in &DIALECTS {
        let whole = dialect.ask(&sim, "m+tokens-40", false).await.unwrap();
        assert_eq!(whole.text().matches(HEARD).count(), 4, "{}: {}", dialect.folder, whole.text());
        let large = dialect.ask(&sim, "m+size-20k", true).await.unwrap();
        assert!(large.status == 200 && large.body.len() > 20 << 10, "{}", dialect.folder);
        let streamed = dialect.ask(&sim, "m+first-2ms+gap-1ms", true).await.unwrap();
        assert!(said(&streamed).contains(HEARD), "{}", streamed.text());
    }
}

#[tokio::test]
async fn fixtures_are_replayed_from_the_dialects_own_folder() {
    let folder = std::env::temp_dir().join(format!("weir-sim-dialects-{}", std::process::id()));
    for dialect in &DIALECTS {
        let case = folder.join(dialect.folder).join("hello");
        fs::create_dir_all(&case).unwrap();
        fs::write(case.join("3-answer.json"), format!("{{\"from\": \"{}\"}}", dialect.folder)).unwrap();
    }
    let sim = Sim::start(Options { fixtures: Some(folder.clone()), ..Options::default() }).await.unwrap();
    for dialect in &DIALECTS {
        let got = dialect.ask(&sim, "replay-hello", true).await.unwrap();
        assert_eq!(got.json()["from"], dialect.folder);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn prerendered_answers_are_of_the_right_dialect_and_delivery() {
    let options = Options { effort: Effort::Prerendered, tokens: Some(64), ..Options::default() };
    let quick = Sim::start(options).await.unwrap();
    let sim = sim().await;
    for dialect in &DIALECTS {
        for streamed in [false, true] {
            let rendered = dialect.ask(&quick, "m", streamed).await.unwrap();
            let answered = dialect.ask(&sim, "m+tokens-64", streamed).await.unwrap();
            assert_eq!(rendered.status, 200, "{}", rendered.text());
            assert_eq!(rendered.header("content-type"), answered.header("content-type"), "{}", dialect.folder);
            assert!(rendered.text().contains("heard"), "{}", dialect.folder);
        }
    }
}

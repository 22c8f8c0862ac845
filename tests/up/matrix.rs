//! Every caller's dialect against every provider, through the official SDKs. `docs/providers.md` says what this test sees.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use tokio::process::Command;
use weir_core::provider::{ALL, Reach};
use weir_tests::Up;

use crate::kit;

/// What the gateway is asked for, what it asks for it, and where: the simulator, in each provider's place.
const PROVIDERS: [Column; 13] = [
    Column::new("openai", "gpt-4o-mini", "dialect: openai, endpoint: \"{sim}/v1\""),
    Column::new("azure", "gpt-4o-mini", "dialect: azure, endpoint: \"{sim}\", api_version: \"2024-10-21\""),
    Column::new("azure-v1", "gpt-4o-mini", "dialect: azure, endpoint: \"{sim}\""),
    Column::new("anthropic", "claude-sonnet-4-5", "dialect: anthropic, endpoint: \"{sim}/v1\""),
    Column::new("gemini", "gemini-2.5-flash", "dialect: gemini, endpoint: \"{sim}/v1beta\""),
    Column::new("vertex", "gemini-2.5-flash", "dialect: vertex, endpoint: \"{sim}/v1/projects/p/locations/l\""),
    Column::new("vertex-claude", "claude-sonnet-4-5", "dialect: vertex, endpoint: \"{sim}/v1/projects/p/locations/l\""),
    Column::new(
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "dialect: bedrock, endpoint: \"{sim}\", aws: { region: us-east-1, credentials_file: aws }",
    ),
    Column::new("cohere", "command-a-03-2025", "dialect: cohere, endpoint: \"{sim}/v2\""),
    Column::new("mistral", "mistral-large-latest", "dialect: mistral, endpoint: \"{sim}/mistral/v1\""),
    Column::new("oneinfer", "openai/gpt-4o-mini", "dialect: oneinfer, endpoint: \"{sim}/v1/ula\""),
    Column::new("groq", "llama-3.3-70b-versatile", "preset: groq, endpoint: \"{sim}/v1\", credential: \"file:key\""),
    Column::new("ollama", "qwen3", "preset: ollama, endpoint: \"{sim}/v1\""),
];

/// The rows, and the features that each can be asked for.
const CALLERS: [(&str, &str); 5] = [
    ("chat", "OpenAI chat completions (`POST /v1/chat/completions`)"),
    ("responses", "OpenAI Responses (`POST /v1/responses`)"),
    ("completions", "OpenAI legacy completions (`POST /v1/completions`)"),
    ("messages", "Anthropic Messages (`POST /v1/messages`)"),
    ("generate_content", "Gemini (`POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent`)"),
];
const FEATURES: [&str; 8] = ["whole", "streamed", "tools", "vision", "structured", "thinking", "counts", "error"];

struct Column {
    name: &'static str,
    model: &'static str,
    provider: &'static str,
}

impl Column {
    const fn new(name: &'static str, model: &'static str, provider: &'static str) -> Self {
        Self { name, model, provider }
    }
}

#[test]
fn every_provider_is_asked() {
    for provider in ALL.into_iter().filter(|provider| provider.reach() == Reach::Url) {
        let dialect = format!("dialect: {},", provider.name());
        assert!(PROVIDERS.iter().any(|column| column.provider.starts_with(&dialect)), "{}", provider.name());
    }
}

fn configuration() -> String {
    let mut providers = String::from("providers:\n");
    let mut models = String::from("models:\n");
    for Column { name, model, provider } in PROVIDERS {
        let provider = provider.replace("{sim}", "http://127.0.0.1:10002");
        writeln!(providers, "  {name}: {{ {provider} }}").unwrap();
        let mut add = |of: &str, target: &str| {
            writeln!(models, "  {of}: {{ targets: [{{ provider: {name}, model: \"{target}\" }}] }}").unwrap();
        };
        add(name, model);
        add(&format!("{name}-parallel"), &format!("{model}+parallel-2"));
        // Cohere has a model of its own for that.
        let thinker = if name == "cohere" { "command-a-reasoning-08-2025" } else { model };
        add(&format!("{name}-thinking"), &format!("{thinker}+thinking"));
        // A target rests after a fault: each cell has its own.
        for (caller, _) in CALLERS {
            for streamed in [false, true] {
                for fault in ["context-length", "429", "503"] {
                    let of = format!("{name}-{fault}-{caller}-{streamed}");
                    add(&of, &format!("fault-{fault}+{of}"));
                }
            }
        }
    }
    format!("listen: 127.0.0.1:10000\n{providers}{models}")
}

/// What became of each cell: by caller, provider and feature.
type Cells = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

#[tokio::test]
async fn every_dialect_is_answered_by_every_provider_that_can() {
    let aws = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n";
    let up = Up::with(&configuration()).file("aws", aws).file("key", "sk-key").start().await;
    let out = up.path("matrix.json");
    let names: Vec<&str> = PROVIDERS.iter().map(|column| column.name).collect();
    let mut pytest = Command::new(kit::python_of_all().await);
    pytest.args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--color=no"]);
    pytest.current_dir(kit::for_matrix()).kill_on_drop(true).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.env("WEIR_URL", format!("http://{}/v1", up.ports().listen)).env("WEIR_KEY", up.key());
    pytest.env("WEIR_PROVIDERS", names.join(",")).env("WEIR_MATRIX", &out);
    kit::forget_others(&mut pytest);
    let output = pytest.output().await.expect("it runs");
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{said}");
    let cells: Cells = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    let fresh = page(&cells);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/providers.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, fresh).unwrap();
        return;
    }
    assert!(
        fs::read_to_string(path).is_ok_and(|held| held == fresh),
        "docs/providers.md is stale; `make bless`\n{fresh}"
    );
}

/// `docs/providers.md`.
fn page(cells: &Cells) -> String {
    let mut page = String::from(include_str!("providers.md"));
    for (caller, title) in CALLERS {
        let Some(rows) = cells.get(caller) else { continue };
        let features: Vec<&str> =
            FEATURES.into_iter().filter(|feature| rows.values().any(|row| row.contains_key(*feature))).collect();
        let _ = write!(
            page,
            "\n## {title}\n\n| provider | {} |\n|---|{}\n",
            features.join(" | "),
            "---|".repeat(features.len())
        );
        for Column { name, .. } in PROVIDERS {
            let shown = |feature: &&str| match rows.get(name).and_then(|row| row.get(*feature)).map(String::as_str) {
                Some("yes") => "yes",
                Some("refused") => "400",
                Some("absent") => "no",
                _ => "",
            };
            let row: Vec<&str> = features.iter().map(shown).collect();
            let _ = writeln!(page, "| {name} | {} |", row.join(" | "));
        }
    }
    page
}

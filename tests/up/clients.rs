//! Clients of other makers, and the endpoints that are no chats, through official SDKs: their tests are in
//! `tests/sdk/clients`.

use std::fmt::Write;

use tokio::process::Command;
use weir_tests::{SIM_TOKEN, Up};

use crate::kit;

/// Providers of chats: the model's name here, the provider, and its model there. The simulator is in each one's place.
const CHATS: [(&str, &str, &str); 4] = [
    ("openai", "gpt-4o-mini", "dialect: openai, endpoint: \"{sim}/v1\""),
    ("anthropic", "claude-sonnet-4-5", "dialect: anthropic, endpoint: \"{sim}/v1\""),
    ("gemini", "gemini-2.5-flash", "dialect: gemini, endpoint: \"{sim}/v1beta\""),
    (
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "dialect: bedrock, endpoint: \"{sim}\", aws: { region: us-east-1, credentials_file: aws }",
    ),
];

/// Those who ask for models that fail: each its own, since a target rests after a fault.
const WHO: [&str; 6] = ["langchain", "litellm-openai", "litellm-anthropic", "responses", "anthropic", "genai"];

/// Models for other endpoints: name, provider, the provider's model.
const OTHERS: [(&str, &str, &str); 18] = [
    ("embed-openai", "openai", "text-embedding-3-small"),
    ("embed-cohere", "cohere", "embed-v4.0"),
    ("embed-gemini", "gemini", "gemini-embedding-001"),
    ("embed-bedrock", "bedrock", "cohere.embed-multilingual-v3"),
    ("embed-titan", "bedrock", "amazon.titan-embed-text-v2:0"),
    ("embed-mistral", "mistral", "mistral-embed"),
    ("instruct", "openai", "gpt-3.5-turbo-instruct"),
    ("image", "openai", "gpt-image-1"),
    ("whisper-1", "openai", "whisper-1"),
    ("transcribe", "openai", "gpt-4o-mini-transcribe"),
    ("speech", "openai", "gpt-4o-mini-tts"),
    ("moderation", "openai", "omni-moderation-latest"),
    ("rerank-cohere", "cohere", "rerank-v3.5"),
    ("rerank-jina", "openai", "jina-reranker-v2-base-multilingual"),
    ("rerank-cohere-429", "cohere", "fault-429+rerank"),
    ("rerank-cohere-503", "cohere", "fault-503+rerank"),
    ("rerank-jina-429", "openai", "fault-429+rerank"),
    ("rerank-jina-503", "openai", "fault-503+rerank"),
];

fn configuration() -> String {
    let mut providers = String::from(
        "  cohere: { dialect: cohere, endpoint: \"{sim}/v2\" }\n  mistral: { dialect: mistral, endpoint: \"{sim}/mistral/v1\" }\n",
    );
    let mut models = String::new();
    let mut add = |name: &str, provider: &str, model: &str| {
        writeln!(models, "  {name}: {{ targets: [{{ provider: {provider}, model: \"{model}\" }}] }}").unwrap();
    };
    for (name, model, provider) in CHATS {
        writeln!(providers, "  {name}: {{ {provider} }}").unwrap();
        add(name, name, model);
        add(&format!("{name}-thinking"), name, &format!("{model}+thinking"));
        add(&format!("{name}-parallel"), name, &format!("{model}+parallel-2"));
        for who in WHO {
            for fault in ["context-length", "invalid-request", "429", "503"] {
                let own = format!("{name}-{fault}-{who}");
                add(&own, name, &format!("fault-{fault}+{own}"));
            }
            // Token by token, so that the first are through before the rest fails.
            add(&format!("{name}-error-event-late-{who}"), name, &format!("fault-error-event-late+gap-20ms+{who}"));
        }
    }
    for (name, provider, model) in OTHERS {
        add(name, provider, model);
    }
    let providers = providers.replace("{sim}", "http://127.0.0.1:10002");
    format!("listen: 127.0.0.1:10000\nproviders:\n{providers}models:\n{models}")
}

#[tokio::test]
async fn other_clients_and_other_endpoints_work_too() {
    let aws = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n";
    let up = Up::with(&configuration()).file("aws", aws).start().await;
    let mut pytest = Command::new(kit::python_of_all().await);
    pytest.args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--color=no"]);
    pytest.current_dir(kit::for_clients()).kill_on_drop(true).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.env("WEIR_URL", format!("http://{}/v1", up.ports().listen)).env("WEIR_KEY", up.key());
    pytest.env("WEIR_SIMULATOR", format!("http://{}", up.ports().sim));
    // What the clients would else ask others for.
    pytest.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LANGSMITH_TRACING", "false");
    pytest.env("WEIR_SIM_TOKEN", SIM_TOKEN);
    kit::forget_others(&mut pytest);
    let output = pytest.output().await.expect("it runs");
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{}: {said}", output.status);
}

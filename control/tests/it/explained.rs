//! What is told about one request.

use serde_json::json;
use weir_control::explain::{Outcome, endpoint, explain};
use weir_core::config::Gateway;
use weir_hub::endpoint::Endpoint;

use crate::common::{copy, environment, repository};

fn gateway() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let file = copy(&repository().join("config/weir.yaml"), folder.path());
    weir_control::load(&file, &environment(folder.path())).unwrap().gateway
}

#[test]
fn each_try_is_told_as_its_provider_would_receive_it_without_a_secret() {
    let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hi" }] }).to_string();
    let told = explain(&gateway(), body.as_bytes(), endpoint(body.as_bytes()).path()).unwrap();
    let order: Vec<_> = told.tries.iter().map(|one| (one.provider.as_str(), one.model.as_str())).collect();
    assert_eq!(order, [("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5")], "nothing simulated");
    let Outcome::Request(request) = &told.tries[0].outcome else { panic!("{told}") };
    assert_eq!(request.url, "https://api.openai.com/v1/chat/completions");
    assert_eq!(request.body["model"], "gpt-4o-mini");
    let credential = ("authorization".to_owned(), "Bearer «env:OPENAI_API_KEY»".to_owned());
    assert!(request.headers.contains(&credential), "{:?}", request.headers);
    let text = told.to_string();
    assert!(!text.contains("-secret") && text.contains("1. openai as gpt-4o-mini (openai)"), "{text}");
}

#[test]
fn what_goes_nowhere_is_told_as_the_caller_sees_it() {
    let check = |body: &str, code: &str| {
        assert_eq!(explain(&gateway(), body.as_bytes(), Endpoint::Chat.path()).unwrap_err().code, code, "{body}");
    };
    check(r#"{"model": "gpt-5", "messages": []}"#, "model_not_found");
    check(r#"{"model": "#, "invalid_json");
    check("", "invalid_json");
}

#[test]
fn an_embedding_goes_to_the_sidecar() {
    let body = br#"{"model": "all-minilm-l6-v2", "input": "Hi"}"#;
    let told = explain(&gateway(), body, endpoint(body).path()).unwrap();
    let Outcome::Request(request) = &told.tries[0].outcome else { panic!("{told}") };
    assert!(request.url.starts_with("weir-sidecar:/"), "{}", request.url);
}

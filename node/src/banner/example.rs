//! First requests, ready to paste: with curl and with OpenAI's SDK.

use serde_json::json;
use weir_core::config::Routing;

use super::Key;
use crate::say::bold;

/// Requests for one hosted and one local model, as far as there are any. `local` names the local providers.
pub(super) fn lines(routing: &Routing, local: &[&str], url: &str, key: &Key) -> Vec<String> {
    let (chat, embeddings) = examples(routing, local);
    let sent = match key {
        Key::Known(key) => key,
        Key::Unknown => "$WEIR_KEY",
    };
    let mut lines = Vec::new();
    if let Some(model) = chat {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] });
        lines.extend([String::new(), bold("curl"), String::new(), curl(url, "chat/completions", sent, &body)]);
    }
    if let Some(model) = embeddings {
        let body = json!({ "model": model, "input": "Hi" });
        let title = bold("curl, a model on this machine");
        lines.extend([String::new(), title, String::new(), curl(url, "embeddings", sent, &body)]);
    }
    if let Some(call) = python(chat, embeddings) {
        lines.extend([String::new(), bold("OpenAI SDK, Python"), String::new()]);
        let key = match key {
            Key::Known(key) => json!(key).to_string(),
            Key::Unknown => {
                lines.push("import os".to_owned());
                "os.environ[\"WEIR_KEY\"]".to_owned()
            }
        };
        lines.push("from openai import OpenAI".to_owned());
        lines.push(format!("client = OpenAI(base_url=\"{url}\", api_key={key})"));
        lines.push(call);
    }
    lines
}

/// A model for chat and one for embeddings: the first whose best target is hosted, and the first whose best target is local.
fn examples<'a>(routing: &'a Routing, local: &[&str]) -> (Option<&'a str>, Option<&'a str>) {
    let first = |wanted: bool| {
        let mut models = routing.models.iter();
        let model = models.find(|(_, model)| {
            model.targets.first().is_some_and(|target| local.contains(&target.provider.as_str()) == wanted)
        });
        model.map(|(name, _)| name.as_str())
    };
    (first(false), first(true))
}

/// One call in Python: chat if there is a model for it, else embeddings.
fn python(chat: Option<&str>, embeddings: Option<&str>) -> Option<String> {
    // A JSON string is also a string in Python.
    let Some(model) = chat else {
        let model = json!(embeddings?);
        return Some(format!("print(client.embeddings.create(model={model}, input=\"Hi\").data[0].embedding[:4])"));
    };
    let model = json!(model);
    Some(format!(
        "answer = client.chat.completions.create(model={model}, messages=[{{\"role\": \"user\", \"content\": \"Hi\"}}])\n\
         print(answer.choices[0].message.content)"
    ))
}

fn curl(url: &str, path: &str, key: &str, body: &serde_json::Value) -> String {
    // In a shell's single quotes every character stands for itself, except the quote.
    let body = body.to_string().replace('\'', r"'\''");
    format!(
        "curl {url}/{path} \\\n  -H \"authorization: Bearer {key}\" -H 'content-type: application/json' \\\n  -d '{body}'"
    )
}

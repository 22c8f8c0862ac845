//! What is said once everything is ready: all that a person needs for a first request, as it can be pasted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::json;
use weir_control::AdminAddress;
use weir_core::config::Routing;

use crate::keys;
use crate::plan::Plan;
use crate::say::bold;

/// What a caller is told to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The first key, which is kept.
    Known(String),
    /// One that only its owner has.
    Unknown,
}

/// The text.
pub(crate) fn text(plan: &Plan, key: &Key) -> String {
    let url = format!("http://{}/v1", reachable(plan.listen));
    let routing = plan.loaded.gateway.routing();
    let local: Vec<&str> =
        plan.loaded.gateway.providers().filter(|entry| entry.url.is_none()).map(|entry| entry.name.as_str()).collect();
    let (chat, embeddings) = examples(routing, &local);
    let models: Vec<&str> = routing.models.keys().map(String::as_str).collect();
    let models = listed(&models, &url);
    let (shown, sent) = match key {
        Key::Known(key) => (key.clone(), key.clone()),
        Key::Unknown => {
            let how = keys::how(&plan.places, &plan.loaded.keys_file);
            (format!("one of yours; `{how}` makes another"), "$WEIR_KEY".to_owned())
        }
    };
    let mut lines = vec![String::new(), bold("Weir is up."), String::new()];
    let mut row = |name: &str, value: &str| lines.push(format!("  {name:<9} {value}"));
    row("address", &url);
    row("key", &shown);
    row("models", &models.join(&format!("\n{:12}", "")));
    row("config", &format!("{} (a change is live at once)", plan.file.display()));
    row("logs", &plan.folders.logs.display().to_string());
    row("admin", &admin(plan));
    if let Some(sidecar) = plan.sidecar {
        row("sidecar", &format!("http://{} (/metrics, /readyz)", reachable(sidecar)));
    }
    for left_out in plan.loaded.gateway.left_out() {
        row("left out", left_out);
    }
    if let Some(model) = chat {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] });
        lines.extend([String::new(), bold("curl"), String::new(), curl(&url, "chat/completions", &sent, &body)]);
    }
    if let Some(model) = embeddings {
        let body = json!({ "model": model, "input": "Hi" });
        let title = bold("curl, a model on this machine");
        lines.extend([String::new(), title, String::new(), curl(&url, "embeddings", &sent, &body)]);
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
    lines.extend([String::new(), "Ctrl-C ends it.".to_owned()]);
    lines.join("\n")
}

/// How Envoy's admin interface is asked.
fn admin(plan: &Plan) -> String {
    match &plan.admin {
        AdminAddress::Tcp(address) => format!("http://{}", reachable(*address)),
        AdminAddress::Socket(socket) => format!("`weir admin` asks Envoy itself ({})", socket.display()),
    }
}

/// The widest line of names, and how many lines of them there are.
const WIDTH: usize = 88;
const LINES: usize = 4;

/// The models' names in lines that a terminal holds; of very many the first, and where the others are.
fn listed(models: &[&str], url: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for (index, name) in models.iter().enumerate() {
        if !line.is_empty() && line.chars().count() + 2 + name.chars().count() > WIDTH {
            lines.push(std::mem::take(&mut line) + ",");
            if lines.len() == LINES {
                lines.push(format!("… {} more: GET {url}/models lists all", models.len() - index));
                return lines;
            }
        }
        line += if line.is_empty() { "" } else { ", " };
        line += name;
    }
    lines.extend(Some(line).filter(|line| !line.is_empty()));
    lines
}

/// The call that shows most.
fn python(chat: Option<&str>, embeddings: Option<&str>) -> Option<String> {
    // A JSON string is one of Python's too.
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

/// A model to chat with and one for embeddings: the first whose best target is hosted, and the first that is local.
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

fn curl(url: &str, path: &str, key: &str, body: &serde_json::Value) -> String {
    // The one character that a quoted word of the shell cannot hold.
    let body = body.to_string().replace('\'', r"'\''");
    format!(
        "curl {url}/{path} \\\n  -H \"authorization: Bearer {key}\" -H 'content-type: application/json' \\\n  -d '{body}'"
    )
}

/// Where a client on this machine finds it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // Envoy listens there for IPv6 alone.
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_found_on_loopback_of_its_kind() {
        let check = |listens: &str, expect: &str| {
            assert_eq!(reachable(listens.parse().unwrap()), expect.parse().unwrap());
        };
        check("0.0.0.0:10000", "127.0.0.1:10000");
        check("[::]:10000", "[::1]:10000");
        check("10.0.0.7:10000", "10.0.0.7:10000");
    }

    #[test]
    fn names_are_listed_in_lines_that_a_terminal_holds() {
        assert_eq!(listed(&["a", "b"], "u"), ["a, b"]);
        assert!(listed(&[], "u").is_empty());
        let names: Vec<String> = (0..100).map(|number| format!("provider/model-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let few = listed(&names[..16], "u");
        assert_eq!(few.concat().split(',').count(), 16, "{few:?}");
        assert!(few.len() == 4 && few.iter().all(|line| line.len() <= WIDTH + 1), "{few:?}");
        let many = listed(&names, "http://127.0.0.1:10000/v1");
        let shown = many[..LINES].concat().matches(',').count();
        assert_eq!(many[LINES], format!("… {} more: GET http://127.0.0.1:10000/v1/models lists all", 100 - shown));
        let long = "n".repeat(200);
        assert_eq!(listed(&["a", &long, "b"], "u"), ["a,", &format!("{long},"), "b"]);
    }
}

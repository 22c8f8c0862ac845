//! Requests of very many parts, each of which names another: what is looked up must not be looked through.

use serde_json::{Value, json};
use weir_core::codec::json::scan;
use weir_core::config::Upstream;
use weir_core::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_core::provider::{self, Call, Provider};

use crate::{Outcome, counted};

/// How many parts a request has. What looks through all of them for each then takes many times as long.
pub(crate) const PARTS: usize = 6000;

/// The request that a pair is asked, if it is one of those that look something up.
pub(crate) fn request(endpoint: Endpoint, provider: &dyn Provider) -> Option<Value> {
    match (endpoint, provider.name()) {
        (Endpoint::Chat, "cohere") => Some(left_out()),
        (Endpoint::Chat, "anthropic") => Some(allowed_tools()),
        (Endpoint::GenerateContent, "anthropic") => Some(allowed_functions()),
        (Endpoint::GenerateContent, "bedrock") => Some(responses_in_another_order()),
        (Endpoint::Messages, "openai") => Some(results_after_much_was_said()),
        _ => None,
    }
}

/// Writes what goes up for it.
pub(crate) fn count(endpoint: Endpoint, provider: &dyn Provider, body: &Value) -> Outcome {
    let upstream = Upstream { dialect: provider.name().into(), drop_unsupported: true, ..Upstream::default() };
    let body = body.to_string();
    counted(&mut || {
        let body = body.as_bytes();
        let scan = scan(body).map_err(|reject| reject.problem().message)?;
        let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
        let call = Call { endpoint, delivery, usage, model: "m", betas: "", body, scan: &scan };
        provider::ask(&call, &upstream, "m").map(drop).map_err(|reject| reject.problem().message)
    })
}

fn each(part: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..PARTS).map(part).collect()
}

/// A detail that the provider does not know, again and again.
fn left_out() -> Value {
    let image = json!({"type": "image_url", "image_url": {"url": "https://e.org", "detail": "odd"}});
    json!({"messages": [{"role": "user", "content": vec![image; PARTS]}]})
}

fn allowed_tools() -> Value {
    let tool = |name| json!({"type": "function", "function": {"name": format!("f{name}")}});
    let choice = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": each(tool)}});
    json!({"messages": [{"role": "user", "content": "a"}], "tools": each(tool), "tool_choice": choice})
}

fn allowed_functions() -> Value {
    let functions = each(|name| json!({"name": format!("f{name}")}));
    let allowed: Vec<_> = functions.iter().skip(1).map(|function| function["name"].clone()).collect();
    json!({
        "contents": [{"role": "user", "parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": functions}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": allowed}},
    })
}

fn responses_in_another_order() -> Value {
    let called = |name| json!({"functionCall": {"name": format!("f{name}")}});
    let answered = |name| json!({"functionResponse": {"name": format!("f{}", PARTS - 1 - name), "response": {}}});
    json!({"contents": [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": each(called)},
        {"role": "user", "parts": each(answered)},
    ]})
}

fn results_after_much_was_said() -> Value {
    let call = |id| json!({"type": "tool_use", "id": format!("c{id}"), "name": "f", "input": {}});
    let result = |id| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("c{id}")}]});
    let said = each(|_| json!({"role": "user", "content": "b"}));
    let called = json!({"role": "assistant", "content": each(call)});
    let messages = [vec![json!({"role": "user", "content": "a"}), called], said, each(result)].concat();
    json!({"max_tokens": 9, "messages": messages})
}

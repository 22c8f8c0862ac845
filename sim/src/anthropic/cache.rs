//! What of a messages request is cached. <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>

use serde_json::Value;

use crate::prefixes::Part;

/// The blocks of a request in the order that counts (tools, system, messages), with a mark after each that is marked
/// with `cache_control`, and at the end where the request itself is.
pub(super) fn prefix(body: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    for block in blocks(body) {
        let mut plain = block.clone();
        let marked = plain.as_object_mut().and_then(|fields| fields.remove("cache_control")).is_some();
        parts.push(Part::Block(plain.to_string()));
        if marked {
            parts.push(Part::Mark);
        }
    }
    if body.get("cache_control").is_some_and(|mark| !mark.is_null()) {
        parts.push(Part::Mark);
    }
    parts
}

fn blocks(body: &Value) -> Vec<&Value> {
    let list = |key: &str| body.get(key).and_then(Value::as_array);
    let mut blocks: Vec<&Value> = list("tools").into_iter().flatten().collect();
    blocks.extend(parts(body.get("system")));
    for message in list("messages").into_iter().flatten() {
        blocks.extend(parts(message.get("content")));
    }
    blocks
}

/// A list's items, or the text itself.
fn parts(content: Option<&Value>) -> Vec<&Value> {
    match content {
        Some(Value::Array(parts)) => parts.iter().collect(),
        Some(text) => vec![text],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_follows_its_block_and_is_no_part_of_it() {
        let body = json!({
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": "One?"}],
        });
        let system = json!({"type": "text", "text": "Be brief."}).to_string();
        assert_eq!(prefix(&body), [Part::Block(system), Part::Mark, Part::Block("\"One?\"".into())]);
    }
}

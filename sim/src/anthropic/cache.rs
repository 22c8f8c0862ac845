//! Prompt caching: which beginnings of requests have been seen.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>. Simulated without a shortest length and
//! without an end of life, so that a test needs neither a long prompt nor patience.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::answer::{Cache, tokens};

/// The beginnings seen so far, each up to a block marked with `cache_control`.
#[derive(Default)]
pub(crate) struct Prefixes(Mutex<HashSet<u64>>);

impl Prefixes {
    /// What a request's marks read from the cache and write to it.
    pub(super) fn visit(&self, body: &Value) -> Cache {
        let mut hasher = DefaultHasher::new();
        body.get("model").and_then(Value::as_str).hash(&mut hasher);
        let mut length = 0;
        let mut marks = Vec::new();
        let blocks = blocks(body);
        for block in &blocks {
            let mut plain = (*block).clone();
            let marked = plain.as_object_mut().and_then(|fields| fields.remove("cache_control")).is_some();
            let written = plain.to_string();
            written.hash(&mut hasher);
            length += tokens(&written);
            if marked {
                marks.push((hasher.finish(), length));
            }
        }
        if body.get("cache_control").is_some_and(|mark| !mark.is_null()) {
            marks.push((hasher.finish(), length));
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = marks.iter().rev().find(|(mark, _)| known.contains(mark)).map_or(0, |(_, length)| *length);
        let last = marks.last().map_or(0, |(_, length)| *length);
        known.extend(marks.into_iter().map(|(mark, _)| mark));
        Cache { read, written: last - read }
    }
}

/// What is cached, in the order that counts: tools, system, messages.
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
    fn what_was_written_once_is_read_the_next_time() {
        let prefixes = Prefixes::default();
        let ask = |question: &str| {
            json!({
                "model": "m",
                "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                "messages": [{"role": "user", "content": question}],
            })
        };
        let first = prefixes.visit(&ask("One?"));
        assert!(first.written > 0 && first.read == 0);
        assert_eq!(prefixes.visit(&ask("Two?")), Cache { read: first.written, written: 0 });
        assert_eq!(prefixes.visit(&json!({"model": "m", "messages": []})), Cache::default());
    }
}

//! Removes other models' reasoning from a relayed conversation that went on elsewhere for a while.
//!
//! Anthropic refuses the whole request for a thinking block with another maker's signature or with none. Reasoning is
//! not part of what was said.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks>

use alloc::vec::Vec;

use memchr::{memchr, memmem};
use weir_hub::codec::json::write::{array, object};
use weir_hub::codec::json::{Raw, Scan};
use weir_hub::signature::{self, Maker};

/// The `messages` of a request without such blocks; `None` if there are none.
pub(in crate::provider) fn without_others(body: &[u8], scan: &Scan) -> Option<Vec<u8>> {
    if !is_suspect(body) {
        return None;
    }
    let messages = scan.raw(body, "messages")?;
    if !messages.items().any(|message| blocks(message).any(is_anothers)) {
        return None;
    }
    let mut out = Vec::with_capacity(messages.text().len());
    // A message without content would be refused, too.
    let said = messages.items().filter(|message| blocks(*message).count() == 0 || !blocks(*message).all(is_anothers));
    array(&mut out, said, message);
    Some(out)
}

/// A quick check whether there may be such a block, so that most conversations need not be read.
fn is_suspect(body: &[u8]) -> bool {
    const NAME: &[u8] = b"\"signature\"";
    let is_anothers = |at: usize| {
        let after = body.get(at + NAME.len()..).unwrap_or_default().trim_ascii_start();
        let value = after.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or_default();
        let value = value.get(..memchr(b'"', value).unwrap_or(0)).unwrap_or_default();
        value.is_empty() || value.contains(&b'~')
    };
    memmem::find_iter(body, NAME).any(is_anothers) || memmem::find(body, b"redacted_thinking").is_some()
}

fn blocks(message: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    message.get("content").unwrap_or(Raw::NULL).items()
}

fn is_anothers(block: Raw<'_>) -> bool {
    let text = |name| block.get(name).and_then(Raw::string).unwrap_or_default();
    let proof = match &*text("type") {
        "thinking" => text("signature"),
        "redacted_thinking" => text("data"),
        _ => return false,
    };
    signature::of(Maker::Anthropic, &proof).is_none()
}

fn message(out: &mut Vec<u8>, message: Raw<'_>) {
    if !blocks(message).any(is_anothers) {
        out.extend_from_slice(message.text().as_bytes());
        return;
    }
    object(out, |to| {
        for (name, value) in message.members() {
            if name == "content" {
                let own = value.items().filter(|block| !is_anothers(*block));
                to.array("content", own, |out, block| out.extend_from_slice(block.text().as_bytes()));
            } else {
                to.raw(&name, value.text());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use weir_hub::codec::json::scan;

    use super::*;

    fn left(messages: &str) -> Option<String> {
        let body = format!(r#"{{"messages":{messages}}}"#);
        let left = without_others(body.as_bytes(), &scan(body.as_bytes()).unwrap());
        left.map(|left| String::from_utf8(left).unwrap())
    }

    #[test]
    fn only_what_other_models_thought_is_left_out() {
        let check = |block: &str, stays: bool| {
            let text = r#"{"type":"text","text":"\"signature\": \"a~b\""}"#;
            let messages = format!(r#"[{{"role":"assistant","content":[{text}, {block}, {text}]}}]"#);
            let expect = format!(r#"[{{"role":"assistant","content":[{text},{text}]}}]"#);
            assert_eq!(left(&messages), (!stays).then_some(expect), "{block}");
        };
        check(r#"{"type":"thinking","thinking":"a","signature":"EqoB+/=="}"#, true);
        check(r#"{"type":"redacted_thinking","data":"EmwK"}"#, true);
        check(r#"{"type":"tool_use","id":"a~b","name":"f","input":{"signature":""}}"#, true);
        check(r#"{"type":"thinking","thinking":"a","signature" : ""}"#, false);
        check(r#"{"type":"thinking","thinking":"","signature":"gemini~0.CiQB"}"#, false);
        check(r#"{"type":"redacted_thinking","data":"openai~gAAA"}"#, false);
    }

    #[test]
    fn a_message_of_which_nothing_is_left_goes() {
        let hi = r#"{"role":"user","content":"Hi"}"#;
        let thought = r#"{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""}]}"#;
        assert_eq!(left(&format!("[{hi},{thought},{hi}]")), Some(format!("[{hi},{hi}]")));
        assert_eq!(left(&format!("[{hi},{{\"role\":\"assistant\",\"content\":[]}}]")), None);
        assert_eq!(left("7"), None);
    }
}

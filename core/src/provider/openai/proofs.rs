//! Removes other models' reasoning from a relayed conversation of the Responses API that went on elsewhere for a while.
//!
//! OpenAI refuses the whole request for a proof that is not its own, and for a reasoning item that is neither in
//! `encrypted_content` nor in its store. Reasoning is not part of what was said.
//!
//! <https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items>

use alloc::vec::Vec;

use weir_hub::codec::json::{Kind, Raw, write};

/// The items of `input` without such reasoning; `None` if there is none.
pub(super) fn without_others(input: Raw<'_>) -> Option<Vec<u8>> {
    if input.kind() != Kind::Array || !input.items().any(is_anothers) {
        return None;
    }
    let mut out = Vec::with_capacity(input.text().len());
    let own = input.items().filter(|item| !is_anothers(*item));
    write::array(&mut out, own, |out, item| out.extend_from_slice(item.text().as_bytes()));
    Some(out)
}

fn is_anothers(item: Raw<'_>) -> bool {
    let text = |name| item.get(name).and_then(Raw::string);
    if item.kind() != Kind::Object || item.get("type").map(Raw::text) != Some("\"reasoning\"") {
        return false;
    }
    match (text("encrypted_content"), text("id")) {
        // A proof of another maker's travels with its maker's name, which this character ends.
        (Some(proof), _) => proof.contains('~'),
        // Ids that Weir gave to items have a second underscore and a number.
        (None, Some(id)) => id.strip_prefix("rs_").is_none_or(|name| name.contains('_')),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn only_what_other_models_thought_is_left_out() {
        let check = |item: &str, stays: bool| {
            let message = r#"{"role":"user","content":"a~b"}"#;
            let input = format!("[{message}, {item}, {message}]");
            let left = without_others(Raw::parse(&input).unwrap()).map(|left| String::from_utf8(left).unwrap());
            assert_eq!(left, (!stays).then(|| format!("[{message},{message}]")), "{item}");
        };
        let reasoning =
            |members: &str, stays| check(&format!(r#"{{"type":"reasoning","summary":[],{members}}}"#), stays);
        reasoning(r#""id":"rs_68af4030baa48193b0b43b4c2a176a1a","encrypted_content":"gAAAAABo""#, true);
        reasoning(r#""encrypted_content":"gAAAAABo""#, true);
        reasoning(r#""id":"rs_68af4030baa48193b0b43b4c2a176a1a""#, true);
        reasoning(r#""id":"rs_01Qk_0","encrypted_content":"anthropic~EqQB""#, false);
        reasoning(r#""encrypted_content":"redacted~anthropic~Emw""#, false);
        reasoning(r#""id":"rs_01Qk_0","encrypted_content":null"#, false);
        reasoning(r#""content":[]"#, false);
        check(r#"{"type":"function_call","id":"fc_01Qk_1","call_id":"a~b","name":"f","arguments":"~"}"#, true);
        assert_eq!(without_others(Raw::parse("\"a~b\"").unwrap()), None);
    }
}

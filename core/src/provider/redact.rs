//! Redacts a provider's own message about a failure, so that it can be shown and logged.

use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::write::{array, object, string};
use weir_hub::codec::json::{Kind, Raw};

/// No useful message is longer.
const MAX_MESSAGE: usize = 2048;

/// Replaces anything that looks like a credential.
const REDACTED: &str = "[redacted]";

/// At most 2 KB of `message`, without anything that looks like a credential.
///
/// Providers repeat parts of a wrong key in their error (`Incorrect API key provided: sk-ab***yz`). That key is the
/// operator's, and the message may reach a caller.
pub(super) fn fit(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MAX_MESSAGE));
    let mut rest = message.trim();
    while !rest.is_empty() && out.len() < MAX_MESSAGE {
        let word = rest.find(|c| !in_key(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(word).unwrap_or((rest, ""));
        out.push_str(if is_key(word) { REDACTED } else { word });
        let gap = after.find(in_key).unwrap_or(after.len());
        let (gap, after) = after.split_at_checked(gap).unwrap_or((after, ""));
        out.push_str(gap);
        rest = after;
    }
    let mut end = out.len().min(MAX_MESSAGE);
    while !out.is_char_boundary(end) {
        end -= 1;
    }
    out.truncate(end);
    out
}

/// `value` with all its texts [redacted](fit), also members' names: a provider that repeats a key in its message may
/// repeat it in the details, too.
pub(super) fn fit_json(value: Raw<'_>) -> String {
    let mut out = Vec::with_capacity(value.text().len());
    write_fit(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Whether each text of `value` can be shown unchanged.
pub(super) fn may_be_shown(value: Raw<'_>) -> bool {
    match value.kind() {
        Kind::Object => value.members().all(|(name, value)| fit(&name) == name && may_be_shown(value)),
        Kind::Array => value.items().all(may_be_shown),
        Kind::String => value.string().is_some_and(|text| fit(&text) == text),
        _ => true,
    }
}

/// Recursion is safe, because the depth of checked JSON is bounded.
fn write_fit(value: Raw<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::Object => object(out, |object| {
            for (name, value) in value.members() {
                write_fit(value, object.member(&fit(&name)));
            }
        }),
        Kind::Array => array(out, value.items(), |out, item| write_fit(item, out)),
        Kind::String => string(out, &fit(&value.string().unwrap_or_default())),
        _ => out.extend_from_slice(value.text().as_bytes()),
    }
}

/// The message of a provider that sent no error object: text from a proxy, a web page, or nothing.
pub(super) fn from_text(status: u16, body: &[u8]) -> String {
    let text = core::str::from_utf8(body).map_or("", str::trim);
    if text.is_empty() || text.starts_with(['<', '{', '[']) {
        alloc::format!("The provider answered with status {status} and no error message.")
    } else {
        fit(text)
    }
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '\u{2022}' | '\u{2026}')
}

fn is_key(word: &str) -> bool {
    const PREFIXES: [&str; 12] =
        ["org-", "proj_", "sk-", "sk_", "pk-", "rk-", "gsk_", "xai-", "AIza", "hf_", "AKIA", "weir-"];
    let masked = word.contains("**") || word.contains("\u{2022}\u{2022}");
    let named = word.len() >= 12 && PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let long =
        word.len() >= 40 && word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
    masked || named || long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_repeated() {
        let check = |message: &str, expect: &str| assert_eq!(fit(message), expect);
        check(
            "Incorrect API key provided: sk-abcde***************wxyz. You can find your API key at https://platform.openai.com/account/api-keys.",
            "Incorrect API key provided: [redacted]. You can find your API key at https://platform.openai.com/account/api-keys.",
        );
        check("key 'sk-ant-api03-abcdefgh' is wrong", "key '[redacted]' is wrong");
        check("Incorrect API key provided: a********z", "Incorrect API key provided: [redacted]");
        check("max_tokens: 9 > 8, see task-force", "max_tokens: 9 > 8, see task-force");
        check("token 0123456789abcdef0123456789abcdef01234567", "token [redacted]");
    }

    #[test]
    fn keys_are_not_repeated_in_details() {
        let details = r#"{"error_code":"thread_not_found", "n":[1,null,{"sk-ant-api03-abcdefgh":"a"}],"at":"\nsk-ant-api03-abcdefgh","by":"a\u2022\u2022z"}"#;
        assert_eq!(
            fit_json(Raw::parse(details).unwrap()),
            r#"{"error_code":"thread_not_found","n":[1,null,{"[redacted]":"a"}],"at":"[redacted]","by":"[redacted]"}"#
        );
    }

    #[test]
    fn messages_are_capped_at_a_character() {
        assert_eq!(fit(&"é".repeat(3000)).len(), 2048);
        assert_eq!(fit(&"a".repeat(3000)).len(), 2048);
    }
}

//! The members that a response repeats from its request. The types of the official SDKs require some of them.

use alloc::string::String;

use memchr::memmem;

use super::tools::added;
use crate::codec::json::{Raw, Scan};

/// The repeated members, and their values if the request does not have them.
const REPEATED: [(&str, &str); 15] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// The repeated members of the request in `body`, which was scanned into `scan`.
pub(super) fn of(body: &[u8], scan: &Scan) -> String {
    let mut echo = String::new();
    // Most conversations bring no tools and need not be read for them.
    let brings_tools = memmem::find(body, b"additional_tools").is_some();
    for (name, default) in REPEATED {
        echo.push_str(if echo.is_empty() { "{\"" } else { ",\"" });
        echo.push_str(name);
        echo.push_str("\":");
        let given = scan.raw(body, name).filter(|value| !value.is_null());
        if name == "tools" && brings_tools {
            let brought = added(scan.raw(body, "input").unwrap_or(Raw::NULL));
            let mut comma = '[';
            for tool in given.unwrap_or(Raw::NULL).items().chain(brought) {
                echo.push(comma);
                echo.push_str(&tool.on_one_line());
                comma = ',';
            }
            echo.push_str(if comma == '[' { "[]" } else { "]" });
            continue;
        }
        match given {
            Some(value) => echo.push_str(&value.on_one_line()),
            None => echo.push_str(default),
        }
    }
    echo.push('}');
    echo
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::scan;

    #[test]
    fn what_the_request_says_is_repeated_on_one_line() {
        let body = b"{\n \"metadata\": {\n  \"a b\": \"c\\\\\\\" \\n d\" },\n \"user\": null, \"top_p\": 0.5, \"input\": \"hi\"\n}";
        let echo = of(body, &scan(body).unwrap());
        assert!(!echo.contains('\n'), "{echo}");
        let echo = Raw::parse(&echo).unwrap();
        assert_eq!(echo.get("metadata").unwrap().text(), r#"{"a b":"c\\\" \n d"}"#);
        assert_eq!(echo.get("top_p").unwrap().text(), "0.5");
        assert!(echo.get("user").unwrap().is_null());
        assert_eq!(echo.get("input"), None);
    }
}

//! Schemas that Claude can be held to: their objects are closed, and they lack some keywords.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, JSON Schema limitations

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::codec::json::write::object;
use weir_hub::codec::json::{Kind, Raw};

/// Keywords that are refused.
const UNKNOWN: [&str; 9] = [
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "multipleOf",
    "uniqueItems",
];

/// Whether a schema has an object that allows any members. Claude cannot follow it: closed, it would allow none.
pub(in crate::provider) fn is_open(schema: Raw<'_>) -> bool {
    let (mut is_object, mut names_any, mut is_closed) = (false, false, false);
    for (name, value) in schema.members() {
        let is_open = match &*name {
            "type" => {
                is_object = says_object(value);
                false
            }
            "additionalProperties" => {
                is_closed = value.boolean() == Some(false);
                false
            }
            "properties" => {
                names_any = true;
                value.members().any(|(_, schema)| is_open(schema))
            }
            "$defs" | "definitions" => value.members().any(|(_, schema)| is_open(schema)),
            "anyOf" | "allOf" => value.items().any(is_open),
            "items" => is_open(value),
            _ => false,
        };
        if is_open {
            return true;
        }
    }
    is_object && !names_any && !is_closed
}

/// Whether Claude accepts this schema unchanged.
pub(in crate::provider) fn meets(schema: Raw<'_>) -> bool {
    let (mut is_object, mut is_closed) = (false, false);
    for (name, value) in schema.members() {
        let fits = match &*name {
            "type" => {
                is_object = says_object(value);
                true
            }
            "additionalProperties" => {
                is_closed = value.boolean() == Some(false);
                true
            }
            "properties" | "$defs" | "definitions" => value.members().all(|(_, schema)| meets(schema)),
            "anyOf" | "allOf" => value.items().all(meets),
            "items" => meets(value),
            name => !is_unknown(name, value),
        };
        if !fits {
            return false;
        }
    }
    is_closed || !is_object
}

/// The schema that Claude accepts in place of this one: without the keywords that it refuses, and with closed objects.
/// Anthropic's SDKs do the same.
pub(in crate::provider) fn fitting(schema: &str) -> Cow<'_, str> {
    let Some(parsed) = Raw::parse(schema).filter(|parsed| !meets(*parsed) && !is_open(*parsed)) else {
        return Cow::Borrowed(schema);
    };
    let mut out = Vec::with_capacity(schema.len() + 64);
    write(&mut out, parsed);
    String::from_utf8(out).map_or(Cow::Borrowed(schema), Cow::Owned)
}

fn write(out: &mut Vec<u8>, schema: Raw<'_>) {
    if schema.kind() != Kind::Object {
        out.extend_from_slice(schema.text().as_bytes());
        return;
    }
    object(out, |to| {
        let mut is_object = false;
        for (name, value) in schema.members() {
            match &*name {
                "additionalProperties" => {}
                "properties" | "$defs" | "definitions" => to.object(&name, |to| {
                    for (name, schema) in value.members() {
                        write(to.member(&name), schema);
                    }
                }),
                "anyOf" | "allOf" => to.array(&name, value.items(), write),
                "items" => write(to.member(&name), value),
                name if is_unknown(name, value) => {}
                name => {
                    is_object |= name == "type" && says_object(value);
                    to.raw(name, value.text());
                }
            }
        }
        if is_object {
            to.raw("additionalProperties", "false");
        }
    });
}

fn says_object(kind: Raw<'_>) -> bool {
    kind.text() == "\"object\"" || kind.items().any(|kind| kind.text() == "\"object\"")
}

fn is_unknown(name: &str, value: Raw<'_>) -> bool {
    UNKNOWN.contains(&name) || name == "minItems" && value.integer().is_none_or(|least| least > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_any_members_is_left_alone() {
        let within = r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}}}"#;
        for schema in [r#"{"type":"object"}"#, within] {
            assert!(is_open(Raw::parse(schema).unwrap()) && fitting(schema) == schema, "{schema}");
        }
        assert!(!is_open(Raw::parse(r#"{"type":"object","additionalProperties":false}"#).unwrap()));
    }

    #[test]
    fn a_schema_is_made_to_fit() {
        let check = |schema: &str, expect: &str| {
            assert_eq!(fitting(schema), expect);
            assert!(meets(Raw::parse(expect).unwrap()), "{expect}");
        };
        let closed = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
        check(closed, closed);
        check(r#"{"type":"object","properties":{"a":{"type":"string","maxLength":9}}}"#, closed);
        check(&closed.replace("false", "true"), closed);
        check(
            r#"{"type":["object","null"],"properties":{"maximum":{"type":"array","minItems":2,"items":{"type":"object","properties":{}}}}}"#,
            r#"{"type":["object","null"],"properties":{"maximum":{"type":"array","items":{"type":"object","properties":{},"additionalProperties":false}}},"additionalProperties":false}"#,
        );
        check(
            r#"{"$defs":{"d":{"type":"object","properties":{}}},"anyOf":[{"$ref":"d"},{"type":"number","minimum":1}]}"#,
            r#"{"$defs":{"d":{"type":"object","properties":{},"additionalProperties":false}},"anyOf":[{"$ref":"d"},{"type":"number"}]}"#,
        );
    }
}

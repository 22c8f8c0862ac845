//! The schemas that OpenAI can hold an answer to (`strict`). With any other schema it refuses the whole request.
//!
//! <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>

use alloc::collections::BTreeSet;

use weir_hub::codec::json::{Kind, Raw};

/// Keywords that such a schema cannot have.
const UNKNOWN: [&str; 14] = [
    "allOf",
    "contains",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Whether `schema` is of an object, and every object in it requires all its properties and allows no others.
pub(super) fn meets(schema: Raw<'_>) -> bool {
    let mut is_object = false;
    for (name, value) in schema.members() {
        match &*name {
            "type" => is_object = value.text() == "\"object\"",
            "anyOf" => return false,
            _ => {}
        }
    }
    is_object && is_strict(schema)
}

fn is_strict(schema: Raw<'_>) -> bool {
    let (mut is_object, mut says_what, mut is_closed) = (false, false, false);
    let (mut properties, mut required) = (Raw::NULL, Raw::NULL);
    for (name, value) in schema.members() {
        match &*name {
            "type" => {
                says_what = true;
                is_object = value.text() == "\"object\"" || value.items().any(|kind| kind.text() == "\"object\"");
            }
            "$ref" | "const" | "enum" => says_what = true,
            "additionalProperties" => is_closed = value.boolean() == Some(false),
            "properties" => properties = value,
            "required" => required = value,
            "items" if !is_strict(value) => return false,
            "anyOf" => {
                says_what = true;
                if !value.items().all(is_strict) {
                    return false;
                }
            }
            "$defs" | "definitions" if !value.members().all(|(_, schema)| is_strict(schema)) => return false,
            name if UNKNOWN.contains(&name) => return false,
            _ => {}
        }
    }
    if schema.kind() != Kind::Object || !says_what || is_object && !is_closed {
        return false;
    }
    let required: BTreeSet<_> = required.items().filter_map(Raw::string).collect();
    properties.members().all(|(name, schema)| required.contains(&name) && is_strict(schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_schema_is_strict_all_the_way_down() {
        let check = |schema: &str, expect: bool| assert_eq!(meets(Raw::parse(schema).unwrap()), expect, "{schema}");
        let closed = |properties: &str, required: &str| {
            format!(
                r#"{{"type":"object","properties":{{{properties}}},"required":[{required}],"additionalProperties":false}}"#
            )
        };
        let within = |schema: &str| closed(&format!(r#""a":{schema}"#), r#""a""#);
        check(&closed("", ""), true);
        check(&within(r#"{"type":["string","null"],"description":"d"}"#), true);
        check(&within(r#"{"type":"array","items":{"type":"number","minimum":1}}"#), true);
        check(&within(r#"{"anyOf":[{"type":"null"},{"enum":["b"]}]}"#), true);
        check(&within(&within(r##"{"$ref":"#"}"##)), true);
        check(r#"{"type":"object"}"#, false);
        check(r#"{"type":"string"}"#, false);
        check(&closed(r#""a":{"type":"string"},"b":{"type":"string"}"#, r#""a""#), false);
        check(&closed(r#""a":{"type":"string"}"#, r#""a""#).replace(r#","additionalProperties":false"#, ""), false);
        check(&within(r#"{"type":"object","properties":{}}"#), false);
        check(&within(r#"{"type":["object","null"],"additionalProperties":true}"#), false);
        check(&within(r#"{"type":"array","items":{"type":"object"}}"#), false);
        check(&within(r#"{"anyOf":[{"type":"null"},{"type":"object"}]}"#), false);
        check(&within(r#"{"oneOf":[{"type":"null"}]}"#), false);
        check(&within(r#"{"description":"anything"}"#), false);
        check(&within("true"), false);
        check(&closed("", "").replacen('{', r#"{"$defs":{"d":{"type":"object"}},"#, 1), false);
    }
}

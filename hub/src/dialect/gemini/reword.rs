//! Rewrites schemas in the API's own older format (`parameters`, `responseSchema`: types in capitals, `nullable`) as
//! JSON Schema (`parametersJsonSchema`, `responseJsonSchema`). This is done before the request is read, because a
//! `Chat` borrows from the body.
//!
//! <https://ai.google.dev/api/caching#Schema>

use alloc::string::ToString;
use alloc::vec::Vec;

use super::names::{camel, get, members};
use crate::codec::json::write::{Object, array, object, string};
use crate::codec::json::{Edit, Kind, Raw, Scan, patch};

/// `body` with its schemas in JSON Schema; `None` if they already are, or if there are none.
pub(super) fn reword(body: &[u8], scan: &Scan) -> Option<Vec<u8>> {
    let mut edits = Vec::new();
    for (name, value) in scan.members(body) {
        let mut out = Vec::new();
        match &*camel(name.clone()) {
            "tools"
                if tools_of(value)
                    .any(|tool| declarations(tool).any(|function| get(function, "parameters").is_some())) =>
            {
                array(&mut out, tools_of(value), tool);
            }
            "generationConfig" if get(value, "responseSchema").is_some() => {
                renamed(&mut out, value, "responseSchema", "responseJsonSchema");
            }
            _ => continue,
        }
        edits.push((name.to_string(), out));
    }
    if edits.is_empty() {
        return None;
    }
    let edits: Vec<_> = edits.iter().map(|(name, value)| (name.as_str(), Edit::Set(value))).collect();
    Some(patch(body, scan, &edits))
}

/// The items of a list, or a single item without brackets.
fn items(value: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let alone = (value.kind() == Kind::Object).then_some(value);
    alone.into_iter().chain(value.items())
}

fn tools_of(tools: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    items(tools)
}

fn declarations(tool: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    get(tool, "functionDeclarations").into_iter().flat_map(items)
}

fn tool(out: &mut Vec<u8>, tool: Raw<'_>) {
    if tool.kind() != Kind::Object {
        out.extend_from_slice(tool.text().as_bytes());
        return;
    }
    object(out, |to| {
        for (name, value) in members(tool) {
            if name == "functionDeclarations" {
                to.array(&name, items(value), |out, function| {
                    renamed(out, function, "parameters", "parametersJsonSchema");
                });
            } else {
                to.raw(&name, value.text());
            }
        }
    });
}

/// Appends an object whose member `from` is renamed to `to` and rewritten as JSON Schema.
fn renamed(out: &mut Vec<u8>, value: Raw<'_>, from: &str, to: &str) {
    if value.kind() != Kind::Object {
        out.extend_from_slice(value.text().as_bytes());
        return;
    }
    object(out, |object| {
        for (name, value) in members(value) {
            if name == from {
                schema(object.member(to), value);
            } else {
                object.raw(&name, value.text());
            }
        }
    });
}

/// Appends a schema as JSON Schema. Anything else stays as it is, so that the reader reports the error.
fn schema(out: &mut Vec<u8>, value: Raw<'_>) {
    if value.kind() != Kind::Object {
        out.extend_from_slice(value.text().as_bytes());
        return;
    }
    let nullable = get(value, "nullable").and_then(Raw::boolean) == Some(true);
    let of_many = get(value, "anyOf").is_some_and(|kinds| kinds.items().all(|kind| get(kind, "type").is_some()));
    object(out, |to| {
        for (name, value) in members(value) {
            match &*name {
                // The API requires a type here, even if each alternative in `anyOf` has its own.
                "type" if of_many => {}
                "type" => kind(to, value, nullable),
                // The properties' order is the order in which they are written; an example is not part of the schema.
                "nullable" | "propertyOrdering" | "example" => {}
                "items" | "additionalProperties" => schema(to.member(&name), value),
                // If null is allowed, it is one of the values.
                "enum" if nullable => to.array(&name, value.items().chain([Raw::NULL]), |out, value| {
                    out.extend_from_slice(value.text().as_bytes());
                }),
                "anyOf" if nullable => {
                    let null = Raw::parse(r#"{"type":"null"}"#);
                    to.array(&name, value.items().chain(null), schema);
                }
                "anyOf" | "prefixItems" => to.array(&name, value.items(), schema),
                "properties" | "defs" => to.object(&name, |to| {
                    // These names are the caller's own, not the API's.
                    for (name, value) in value.members() {
                        schema(to.member(&name), value);
                    }
                }),
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                    // The API writes 64-bit numbers as text.
                    let text = value.text();
                    let digits = text.trim_matches('"');
                    to.raw(&name, if digits.parse::<u64>().is_ok() { digits } else { text });
                }
                _ => to.raw(&name, value.text()),
            }
        }
    });
}

fn kind(to: &mut Object<'_>, value: Raw<'_>, nullable: bool) {
    let Some(name) = value.string() else { return to.raw("type", value.text()) };
    let name = name.to_ascii_lowercase();
    if name == "type_unspecified" {
        return;
    }
    if nullable {
        to.array("type", [&*name, "null"], string);
    } else {
        to.string("type", &name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::scan;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn schemas_become_json_schema() {
        let body = br#"{"contents":[],"tools":[{"function_declarations":[{"name":"f","parameters":{"type":"OBJECT",
            "properties":{"min_items":{"type":"ARRAY","items":{"type":"STRING","nullable":true},"minItems":"1"},
            "kind":{"anyOf":[{"type":"NUMBER"},{"type":"string","enum":["a"]}]}},"required":["kind"],
            "propertyOrdering":["kind"]}}]},{"googleSearch":{}}],
            "generation_config":{"temperature":1,"response_schema":{"type":"INTEGER","example":7}}}"#;
        let reworded = String::from_utf8(reword(body, &scan(body).unwrap()).unwrap()).unwrap();
        let expect = concat!(
            r#""tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","#,
            r#""properties":{"min_items":{"type":"array","items":{"type":["string","null"]},"minItems":1},"#,
            r#""kind":{"anyOf":[{"type":"number"},{"type":"string","enum":["a"]}]}},"required":["kind"]}}]},"#,
            r#"{"googleSearch":{}}]"#
        );
        assert!(reworded.contains(expect), "{reworded}");
        assert!(reworded.contains(r#"{"temperature":1,"responseJsonSchema":{"type":"integer"}}"#), "{reworded}");
    }

    /// As Google's SDK writes `int | str | None`. A function's argument came out as an object, so no value could follow
    /// the schema, and it was lost that the argument is optional.
    #[test]
    fn one_of_many_kinds_is_none_besides() {
        let check = |schema: &str, expect: &str| {
            let body = format!(r#"{{"generationConfig":{{"responseSchema":{schema}}}}}"#);
            let reworded = reword(body.as_bytes(), &scan(body.as_bytes()).unwrap()).unwrap();
            let expect = format!(r#"{{"generationConfig":{{"responseJsonSchema":{expect}}}}}"#);
            assert_eq!(String::from_utf8(reworded).unwrap(), expect);
        };
        let kinds = r#"{"type":"INTEGER"},{"type":"STRING"}"#;
        let expect = r#"{"anyOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}"#;
        check(&format!(r#"{{"anyOf":[{kinds}],"nullable":true}}"#), expect);
        check(&format!(r#"{{"anyOf":[{kinds}],"nullable":true,"type":"OBJECT"}}"#), expect);
        let of_one = r#"{"type":"STRING","anyOf":[{"pattern":"a"},{"pattern":"b"}]}"#;
        check(of_one, &of_one.to_lowercase().replace("anyof", "anyOf"));
    }

    #[test]
    fn a_body_without_them_stays_as_it_is() {
        for body in [
            r#"{"contents":[]}"#,
            r#"{"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}]}"#,
            r#"{"tools":7,"generationConfig":"x"}"#,
        ] {
            assert_eq!(reword(body.as_bytes(), &scan(body.as_bytes()).unwrap()), None);
        }
    }
}

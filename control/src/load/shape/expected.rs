//! What the schema can ask of a value.

use serde_json::{Map, Value, json};

/// What one part of the schema asks for.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    /// Text, as it is written.
    Text,
    /// Text that may look like a number.
    Size,
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Number(Range),
    /// A number with decimals. It is handed on as it is written, because a binary fraction holds no price exactly.
    Decimal(Sign),
    /// One of these names.
    OneOf(Vec<&'a str>),
    /// A list of such values.
    List(&'a Value),
    /// Such values by name.
    Map(&'a Value),
    /// These fields, and the names of those that must be there.
    Fields(&'a Map<String, Value>, Vec<&'a str>),
}

/// The whole numbers that a field can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    least: i128,
    most: i128,
}

/// Whether a decimal may be below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Zero or more.
    Positive,
    /// Any.
    Any,
}

/// What a part of the schema may say without a meaning for the shape.
const NOTES: [&str; 5] = ["$defs", "$schema", "default", "description", "title"];

impl<'a> Shape<'a> {
    /// What `schema` asks for, be it written there, behind a reference, or beside a null. `None` if the schema says anything that
    /// is not known here: then a check that is written there would not be made.
    pub(super) fn of(schema: &'a Value, defs: &'a Value) -> Option<Self> {
        let schema = schema.as_object()?;
        let mut says: Vec<&str> = schema.keys().map(String::as_str).filter(|key| !NOTES.contains(key)).collect();
        says.sort_unstable();
        match says.as_slice() {
            ["$ref"] => Self::of(defs.get(schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?)?, defs),
            ["anyOf"] => match schema.get("anyOf")?.as_array()?.as_slice() {
                [one, null] | [null, one] if *null == json!({ "type": "null" }) => Self::of(one, defs),
                _ => None,
            },
            ["oneOf"] => {
                let name = |one: &'a Value| (one.get("type")? == "string").then_some(one.get("const")?.as_str()?);
                Some(Self::OneOf(schema.get("oneOf")?.as_array()?.iter().map(name).collect::<Option<_>>()?))
            }
            _ => Self::of_kind(schema, &says),
        }
    }

    fn of_kind(schema: &'a Map<String, Value>, says: &[&str]) -> Option<Self> {
        let mut kinds: Vec<&str> = match schema.get("type")? {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().map(Value::as_str).collect::<Option<_>>()?,
            _ => return None,
        };
        kinds.retain(|kind| *kind != "null");
        kinds.sort_unstable();
        let says_only = |known: &[&str]| says.iter().all(|key| *key == "type" || known.contains(key));
        match kinds.as_slice() {
            ["string"] if says_only(&[]) => Some(Self::Text),
            ["string"] if says_only(&["enum"]) => {
                let names = schema.get("enum")?.as_array()?.iter().filter(|name| !name.is_null());
                Some(Self::OneOf(names.map(Value::as_str).collect::<Option<_>>()?))
            }
            ["integer", "string"] if says_only(&[]) => Some(Self::Size),
            ["number", "string"] if says_only(&["minimum"]) => match schema.get("minimum") {
                None => Some(Self::Decimal(Sign::Any)),
                Some(least) => (least.as_f64()? == 0.0).then_some(Self::Decimal(Sign::Positive)),
            },
            ["boolean"] if says_only(&[]) => Some(Self::Truth),
            ["integer"] if says_only(&["format", "maximum", "minimum"]) => Range::of(schema).map(Self::Number),
            ["array"] if says_only(&["items"]) => Some(Self::List(schema.get("items")?)),
            ["object"] if says_only(&["additionalProperties"]) => {
                Some(Self::Map(schema.get("additionalProperties").filter(|each| each.is_object())?))
            }
            ["object"] if says_only(&["additionalProperties", "properties", "required"]) => {
                // Other fields are refused, so the schema must say so too.
                schema.get("additionalProperties").filter(|others| **others == json!(false))?;
                let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
                let required = required.map(Value::as_str).collect::<Option<_>>()?;
                Some(Self::Fields(schema.get("properties")?.as_object()?, required))
            }
            _ => None,
        }
    }

    /// What is expected, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Size => "a size, such as 16MiB".to_owned(),
            Self::Truth => "true or false".to_owned(),
            Self::Number(_) => "a whole number".to_owned(),
            Self::Decimal(_) => "a number, such as 0.15".to_owned(),
            Self::OneOf(names) => format!("one of: {}", names.join(", ")),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping from names".to_owned(),
            Self::Fields(..) => "a mapping with fields".to_owned(),
        }
    }

    /// How such a value is written, if the words do not say it.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::List(_) => "begin each item with \"- \", or write [a, b]",
            Self::Map(_) => "write \"name: …\" for each, below it and indented",
            Self::Fields(..) => {
                "write \"field: …\" for each, below it and indented; docs/configure.md lists the fields"
            }
            Self::Text | Self::Size | Self::Truth | Self::Number(_) | Self::Decimal(_) | Self::OneOf(_) => return None,
        };
        Some(hint.to_owned())
    }

    /// The emptiest value that fits.
    pub(super) fn nothing(&self, defs: &'a Value) -> Value {
        match self {
            Self::Text | Self::Size => json!(""),
            Self::Truth => json!(false),
            Self::Number(range) => range.nearest_to_zero(),
            Self::Decimal(_) => json!("0"),
            Self::OneOf(names) => json!(names.first()),
            Self::List(_) => json!([]),
            Self::Map(_) => json!({}),
            Self::Fields(fields, required) => {
                let nothing = |name: &&str| {
                    let shape = Shape::of(fields.get(*name)?, defs)?;
                    Some(((*name).to_owned(), shape.nothing(defs)))
                };
                Value::Object(required.iter().filter_map(nothing).collect())
            }
        }
    }
}

impl Range {
    /// What the number's format can hold, within what the schema allows.
    fn of(schema: &Map<String, Value>) -> Option<Self> {
        let (least, most) = match schema.get("format").map(|format| format.as_str().unwrap_or_default()) {
            Some("uint8") => (0, u8::MAX.into()),
            Some("uint16") => (0, u16::MAX.into()),
            Some("uint32") => (0, u32::MAX.into()),
            Some("uint64") => (0, u64::MAX.into()),
            Some("int32") => (i32::MIN.into(), i32::MAX.into()),
            Some("int64") => (i64::MIN.into(), i64::MAX.into()),
            _ => return None,
        };
        let bound = |name: &str, by_format: i128| match schema.get(name) {
            None => Some(by_format),
            Some(bound) => bound.as_u64().map(i128::from).or_else(|| bound.as_i64().map(i128::from)),
        };
        Some(Self { least: bound("minimum", least)?.max(least), most: bound("maximum", most)?.min(most) })
    }

    /// The number that `text` says, if it is one of these. No digit is lost: the largest is [`u64::MAX`].
    pub(super) fn read(self, text: &str) -> Option<Value> {
        text.parse().ok().filter(|number| (self.least..=self.most).contains(number)).map(value)
    }

    fn nearest_to_zero(self) -> Value {
        value(0.clamp(self.least, self.most))
    }

    pub(super) fn words(self) -> String {
        format!("from {} to {}", self.least, self.most)
    }
}

/// A number that is within the 64 bits of one of JSON's integers.
fn value(number: i128) -> Value {
    u64::try_from(number).map(Value::from).or_else(|_| i64::try_from(number).map(Value::from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::{JsonSchema, schema_for};

    use super::*;
    use crate::schema;

    /// The places in `schema` whose shape is not known.
    fn unknown(schema: &Value) -> Vec<String> {
        let defs = schema.get("$defs").unwrap_or(&Value::Null);
        let mut found = Vec::new();
        look(schema, defs, "", &mut found);
        for (name, schema) in defs.as_object().into_iter().flatten() {
            look(schema, defs, name, &mut found);
        }
        found
    }

    fn look(schema: &Value, defs: &Value, path: &str, found: &mut Vec<String>) {
        let is_reference = |schema: &Value| schema.get("$ref").is_some();
        let any = schema.get("anyOf").and_then(Value::as_array);
        let leads_elsewhere = is_reference(schema) || any.is_some_and(|any| any.iter().any(is_reference));
        match Shape::of(schema, defs) {
            None => found.push(path.to_owned()),
            // Looked at where it is defined: a type may hold itself.
            Some(_) if leads_elsewhere => {}
            Some(Shape::List(each) | Shape::Map(each)) => look(each, defs, &format!("{path}[]"), found),
            Some(Shape::Fields(fields, _)) => {
                for (name, schema) in fields {
                    look(schema, defs, &format!("{path}.{name}"), found);
                }
            }
            Some(_) => {}
        }
    }

    /// A shape that nobody knows would be read as something else, and its checks would not be made.
    #[test]
    fn every_shape_of_the_configurations_schema_is_known() {
        let unknown = unknown(&schema::value());
        assert!(unknown.is_empty(), "load/shape/expected.rs must learn the shapes of: {}", unknown.join(", "));
    }

    #[test]
    fn what_is_not_known_is_found_wherever_it_stands() {
        #[derive(JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[expect(dead_code, reason = "only the schema is looked at")]
        struct Top {
            fine: Option<u64>,
            fraction: f64,
            anything: Value,
            pairs: Vec<(u8, u8)>,
            #[schemars(regex(pattern = "^a"))]
            matched: String,
            below: BTreeMap<String, Below>,
            beside: Option<Below>,
            of_names: Option<Plain>,
        }
        #[derive(JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[expect(dead_code, reason = "only the schema is looked at")]
        struct Below {
            itself: Vec<Below>,
            large: u128,
            open: Open,
        }
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only the schema is looked at")]
        struct Open {
            fine: bool,
        }
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only the schema is looked at")]
        enum Plain {
            One,
            Other,
        }
        let mut found = unknown(&schema_for!(Top).to_value());
        found.sort();
        let expect = [".anything", ".fraction", ".matched", ".pairs[]", "Below.large", "Below.open", "Open"];
        assert_eq!(found, expect);
    }

    #[test]
    fn a_numbers_range_is_its_formats_within_the_schemas() {
        let check = |schema: Value, expect: &str| match Shape::of(&schema, &Value::Null) {
            Some(Shape::Number(range)) => assert_eq!(range.words(), expect),
            other => panic!("{schema}: {other:?}"),
        };
        check(json!({ "type": "integer", "format": "uint64", "minimum": 0 }), "from 0 to 18446744073709551615");
        check(json!({ "type": ["integer", "null"], "format": "uint16", "minimum": 1 }), "from 1 to 65535");
        check(json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 }), "from 0 to 255");
        check(json!({ "type": "integer", "format": "int64" }), "from -9223372036854775808 to 9223372036854775807");
        assert!(Shape::of(&json!({ "type": "integer" }), &Value::Null).is_none(), "nobody knows what holds it");
    }
}

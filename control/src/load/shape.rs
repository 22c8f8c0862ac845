//! A tree against the schema: unknown fields, wrong types, missing and repeated fields, all at once.
//!
//! What is wrong is noted and replaced by an empty value of the right type, so that the checks that follow see the rest.

use serde_json::{Map, Value, json};
use weir_core::config::did_you_mean;

use super::tree::{Content, Entry, Node, Style};

/// Something that does not fit the schema.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

/// Reads `root` as `schema` says, with the definitions in `defs`; the value always fits the schema.
pub(super) fn read(root: &Node, schema: &Value, defs: &Value) -> (Value, Vec<Misfit>) {
    let mut reader = Reader { defs, misfits: Vec::new() };
    let value = reader.value(root, schema, "", root.line);
    (value, reader.misfits)
}

struct Reader<'a> {
    defs: &'a Value,
    misfits: Vec<Misfit>,
}

/// The types that the schema knows.
enum Expected<'a> {
    Text,
    /// Text, which may look like a number.
    Size,
    Truth,
    Number,
    OneOf(Vec<&'a str>),
    List(&'a Value),
    Map(&'a Value),
    Fields(&'a Map<String, Value>, Vec<&'a str>),
}

impl Expected<'_> {
    fn words(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Size => "a size, such as 16MiB".to_owned(),
            Self::Truth => "true or false".to_owned(),
            Self::Number => "a whole number".to_owned(),
            Self::OneOf(names) => format!("one of: {}", names.join(", ")),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping from names".to_owned(),
            Self::Fields(..) => "a mapping with fields".to_owned(),
        }
    }

    /// How such a value is written, where its words do not say it.
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::List(_) => "begin each item with \"- \", or write [a, b]",
            Self::Map(_) => "write \"name: …\" for each, below it and indented",
            Self::Fields(..) => {
                "write \"field: …\" for each, below it and indented; docs/configure.md lists the fields"
            }
            Self::Text | Self::Size | Self::Truth | Self::Number | Self::OneOf(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl<'a> Reader<'a> {
    fn misfit(&mut self, line: usize, path: &str, problem: impl Into<String>, hint: Option<String>) {
        self.misfits.push(Misfit { line, path: path.to_owned(), problem: problem.into(), hint });
    }

    /// What `schema` expects, whether it stands there, behind a reference, or beside a null.
    fn expected(&self, schema: &'a Value) -> Expected<'a> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.defs.get(name).map_or(Expected::Text, |schema| self.expected(schema));
        }
        let is_null = |schema: &&Value| schema.get("type").and_then(Value::as_str) == Some("null");
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array)
            && let Some(schema) = any.iter().find(|schema| !is_null(schema))
        {
            return self.expected(schema);
        }
        if let Some(one) = schema.get("oneOf").and_then(Value::as_array) {
            return Expected::OneOf(one.iter().filter_map(|schema| schema.get("const")?.as_str()).collect());
        }
        let kinds = schema.get("type");
        let kind = kinds
            .and_then(Value::as_str)
            .or_else(|| kinds.and_then(Value::as_array)?.iter().filter_map(Value::as_str).find(|kind| *kind != "null"));
        let or_integer = kinds.and_then(Value::as_array).is_some_and(|kinds| kinds.contains(&json!("integer")));
        match kind {
            Some("string") if or_integer => Expected::Size,
            Some("boolean") => Expected::Truth,
            Some("integer") => Expected::Number,
            Some("array") => Expected::List(schema.get("items").unwrap_or(&Value::Null)),
            Some("object") => match (schema.get("properties").and_then(Value::as_object), schema.get("required")) {
                (Some(fields), required) => {
                    let required = required.and_then(Value::as_array).into_iter().flatten();
                    Expected::Fields(fields, required.filter_map(Value::as_str).collect())
                }
                (None, _) => Expected::Map(schema.get("additionalProperties").unwrap_or(&Value::Null)),
            },
            _ => Expected::Text,
        }
    }

    /// The emptiest value that fits.
    fn nothing(&self, expected: &Expected<'a>) -> Value {
        match expected {
            Expected::Text | Expected::Size => json!(""),
            Expected::Truth => json!(false),
            Expected::Number => json!(0),
            Expected::OneOf(names) => json!(names.first()),
            Expected::List(_) => json!([]),
            Expected::Map(_) => json!({}),
            Expected::Fields(fields, required) => {
                let required = required
                    .iter()
                    .filter_map(|name| Some(((*name).to_owned(), self.nothing(&self.expected(fields.get(*name)?)))));
                Value::Object(required.collect())
            }
        }
    }

    fn value(&mut self, node: &Node, schema: &'a Value, path: &str, line: usize) -> Value {
        let expected = self.expected(schema);
        match (&node.content, &expected) {
            (Content::Map(entries), Expected::Fields(fields, required)) => {
                self.fields(entries, fields, required, path, line)
            }
            (Content::Map(entries), Expected::Map(each)) => {
                let entries = self.once(entries, path);
                let values = entries.into_iter().map(|entry| {
                    (entry.key.clone(), self.value(&entry.value, each, &join(path, &entry.key), entry.line))
                });
                Value::Object(values.collect())
            }
            (Content::List(items), Expected::List(each)) => {
                let items = items.iter().enumerate();
                items.map(|(i, item)| self.value(item, each, &format!("{path}[{i}]"), item.line)).collect()
            }
            (Content::Scalar { .. }, Expected::Fields(fields, required)) if node.is_null() => {
                self.fields(&[], fields, required, path, line)
            }
            (Content::Scalar { .. }, Expected::Map(_) | Expected::List(_)) if node.is_null() => self.nothing(&expected),
            (Content::Scalar { text, style }, _) => match scalar(text, *style, &expected) {
                Ok(value) => value,
                Err((problem, hint)) => {
                    self.misfit(line, path, problem, hint);
                    self.nothing(&expected)
                }
            },
            (found, _) => {
                let found = if matches!(found, Content::List(_)) { "a list" } else { "a mapping" };
                self.misfit(line, path, format!("expected {}, found {found}", expected.words()), expected.hint());
                self.nothing(&expected)
            }
        }
    }

    fn fields(
        &mut self,
        entries: &[Entry],
        fields: &'a Map<String, Value>,
        required: &[&str],
        path: &str,
        line: usize,
    ) -> Value {
        let entries = self.once(entries, path);
        let mut values = Map::new();
        for entry in &entries {
            let mut name = entry.key.as_str();
            if !fields.contains_key(name) {
                let free = || fields.keys().map(String::as_str).filter(|f| !entries.iter().any(|e| e.key == *f));
                // A field that is not written yet is the likelier one.
                let near = did_you_mean(name, free()).filter(|hint| hint.starts_with("did you mean"));
                let hint = near.or_else(|| did_you_mean(name, fields.keys().map(String::as_str)));
                let hint = hint.or_else(|| Some(beside(name).to_owned()));
                // What was meant is read as if it had been written, so that it is not called missing as well.
                let meant = free().find(|field| hint.as_deref() == Some(&format!("did you mean \"{field}\"?")));
                self.misfit(entry.line, &join(path, name), format!("there is no field \"{name}\" here"), hint);
                let Some(meant) = meant else { continue };
                name = meant;
            }
            if entry.value.is_null() && !required.contains(&name) {
                continue;
            }
            let Some(schema) = fields.get(name) else { continue };
            let value = self.value(&entry.value, schema, &join(path, name), entry.line);
            values.insert(name.to_owned(), value);
        }
        for name in required {
            let Some(schema) = fields.get(*name) else { continue };
            if !values.contains_key(*name) {
                let expected = self.expected(schema);
                self.misfit(
                    line,
                    &join(path, name),
                    "this field is missing",
                    Some(format!("it takes {}", expected.words())),
                );
                values.insert((*name).to_owned(), self.nothing(&expected));
            }
        }
        Value::Object(values)
    }

    /// The entries, without those whose key came before.
    fn once<'n>(&mut self, entries: &'n [Entry], path: &str) -> Vec<&'n Entry> {
        let mut once: Vec<&Entry> = Vec::with_capacity(entries.len());
        let mut lines = std::collections::HashMap::new();
        for entry in entries {
            if let Some(first) = lines.get(entry.key.as_str()) {
                let hint = Some(format!("line {first} has it first"));
                self.misfit(entry.line, &join(path, &entry.key), "this is written twice", hint);
                continue;
            }
            lines.insert(entry.key.as_str(), entry.line);
            once.push(entry);
        }
        once
    }
}

fn scalar(text: &str, style: Style, expected: &Expected<'_>) -> Result<Value, (String, Option<String>)> {
    let found = if style == Style::Quoted { Plain::Text } else { plain(text) };
    let wrong = |hint| Err((format!("expected {}, found {}", expected.words(), found.words(text)), hint));
    match (expected, &found) {
        // As it is written: whoever reads a duration or an address knows better what is wrong with a number.
        (Expected::Text | Expected::Size, Plain::Text | Plain::Number(_)) => Ok(json!(text)),
        (Expected::Text, Plain::Null) => wrong(None),
        (Expected::Text, _) => wrong(Some(format!("write it in quotes: \"{text}\""))),
        (Expected::Truth, Plain::Truth(truth)) => Ok(json!(truth)),
        (Expected::Number, Plain::Number(Some(number))) => Ok(json!(number)),
        (Expected::OneOf(names), Plain::Text) if names.contains(&text) => Ok(json!(text)),
        (Expected::OneOf(names), Plain::Text) => wrong(did_you_mean(text, names.iter().copied())),
        (Expected::Number, Plain::Number(None)) => wrong(Some("from 0 to 4294967295".to_owned())),
        _ => wrong(expected.hint()),
    }
}

/// What YAML's core schema makes of a plain scalar.
enum Plain {
    Null,
    Truth(bool),
    /// A number; `None` if it is not one from 0 to 2³² − 1.
    Number(Option<u32>),
    Text,
}

impl Plain {
    fn words(&self, text: &str) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Truth(_) => text.to_owned(),
            Self::Number(_) => format!("the number {text}"),
            Self::Text => format!("\"{}\"", shown(text)),
        }
    }
}

/// What to do about a field that is near none.
fn beside(name: &str) -> &'static str {
    match name {
        // YAML 1.2 has no merge keys any more, but many know them.
        "<<" => "write the fields out: an alias stands for a whole value here",
        _ => "docs/configure.md lists the fields",
    }
}

/// Text in a message is cut: what was written in the wrong place may be long, or a key.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(12).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Truth(true),
        "false" | "False" | "FALSE" => Plain::Truth(false),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok() => {
            Plain::Number(text.parse().ok())
        }
        _ => Plain::Text,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

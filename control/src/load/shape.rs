//! Checks a tree against the schema: unknown fields, wrong types, missing and repeated fields, all at once.
//!
//! A wrong value is noted and replaced by an empty value of the right type, so that the checks that follow see the rest.

mod expected;
mod scalar;

use serde_json::{Map, Value};
use weir_core::config::did_you_mean;

use super::tree::{Content, Entry, Tree};
use expected::Shape;

/// Something that does not fit the schema.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

/// Reads `root` as `schema` says, with the definitions in `defs`. The value always fits the schema.
pub(super) fn read(root: &Tree, schema: &Value, defs: &Value) -> (Value, Vec<Misfit>) {
    let mut reader = Reader { defs, misfits: Vec::new() };
    let value = reader.value(root, schema, "", root.line);
    (value, reader.misfits)
}

struct Reader<'a> {
    defs: &'a Value,
    misfits: Vec<Misfit>,
}

impl<'a> Reader<'a> {
    fn misfit(&mut self, line: usize, path: &str, problem: impl Into<String>, hint: Option<String>) {
        self.misfits.push(Misfit { line, path: path.to_owned(), problem: problem.into(), hint });
    }

    fn value(&mut self, node: &Tree, schema: &'a Value, path: &str, line: usize) -> Value {
        let Some(expected) = Shape::of(schema, self.defs) else {
            // A test looks at the whole schema, so that this does not happen.
            self.misfit(line, path, "Weir cannot read this field", Some("please report it".to_owned()));
            return Value::Null;
        };
        match (&node.content, &expected) {
            (Content::Map(entries), Shape::Fields(fields, required)) => {
                self.fields(entries, fields, required, path, line)
            }
            (Content::Map(entries), Shape::Map(each)) => {
                let entries = self.once(entries, path);
                let values = entries.into_iter().map(|entry| {
                    (entry.key.clone(), self.value(&entry.value, each, &join(path, &entry.key), entry.line))
                });
                Value::Object(values.collect())
            }
            (Content::List(items), Shape::List(each)) => {
                let items = items.iter().enumerate();
                items.map(|(i, item)| self.value(item, each, &format!("{path}[{i}]"), item.line)).collect()
            }
            (Content::Scalar { .. }, Shape::Fields(fields, required)) if node.is_null() => {
                self.fields(&[], fields, required, path, line)
            }
            (Content::Scalar { .. }, Shape::Map(_) | Shape::List(_)) if node.is_null() => expected.nothing(self.defs),
            (Content::Scalar { text, style }, _) => match scalar::read(text, *style, &expected) {
                Ok(value) => value,
                Err((problem, hint)) => {
                    self.misfit(line, path, problem, hint);
                    expected.nothing(self.defs)
                }
            },
            (found, _) => {
                let found = if matches!(found, Content::List(_)) { "a list" } else { "a mapping" };
                self.misfit(line, path, format!("expected {}, found {found}", expected.words()), expected.hint());
                expected.nothing(self.defs)
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
                // A field that is not written yet is more likely.
                let near = did_you_mean(name, free()).filter(|hint| hint.starts_with("did you mean"));
                let hint = near.or_else(|| did_you_mean(name, fields.keys().map(String::as_str)));
                let hint = hint.or_else(|| Some(beside(name).to_owned()));
                // The field that was meant is read as if it were written right, so that it is not reported as missing as well.
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
                let Some(expected) = Shape::of(schema, self.defs) else { continue };
                let hint = Some(format!("it takes {}", expected.words()));
                self.misfit(line, &join(path, name), "this field is missing", hint);
                values.insert((*name).to_owned(), expected.nothing(self.defs));
            }
        }
        Value::Object(values)
    }

    /// The entries without repeated keys.
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

/// What to do about a field whose name is near no other.
fn beside(name: &str) -> &'static str {
    match name {
        // YAML 1.2 has no merge keys, but many people know them from YAML 1.1.
        "<<" => "write the fields out: an alias stands for a whole value here",
        _ => "docs/configure.md lists the fields",
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

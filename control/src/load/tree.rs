//! YAML as a tree in which every value knows its line. Nothing is interpreted yet.

use std::collections::HashMap;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Number, Value, json};

use crate::Diagnostic;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// Line, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) content: Content,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Text as written, and whether quotes say that it is text.
    Scalar { text: String, style: Style },
    /// A list.
    List(Vec<Tree>),
    /// A mapping, in the order written, duplicates included.
    Map(Vec<Entry>),
}

/// Whether a scalar may be something other than text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Written plainly: `5` is a number.
    Plain,
    /// Quoted, or a block: always text.
    Quoted,
}

/// One key of a mapping, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// The key's line.
    pub(super) line: usize,
    /// The value.
    pub(super) value: Tree,
}

/// Why a text is no YAML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Line, from 1.
    pub(super) line: usize,
    /// What is wrong there.
    pub(super) problem: String,
    /// What to do now, where that is known.
    pub(super) hint: Option<String>,
}

impl Broken {
    /// As it is told about `file`.
    pub(super) fn in_file(self, file: &Path) -> Diagnostic {
        let Self { line, problem, hint } = self;
        Diagnostic { file: file.to_owned(), line, path: String::new(), problem, hint }
    }
}

/// How many values aliases may add. They can make a short text a huge tree, but no configuration comes near this. What is written
/// out is as large as its file.
const MAX_COPIED: usize = 1_000_000;
/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

impl Tree {
    /// Whether this is what YAML calls null: nothing, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, style: Style::Plain } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// As JSON. Plain scalars are read by YAML's core schema, and of two equal keys the last one counts.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            _ if self.is_null() => Value::Null,
            Content::Scalar { text, style: Style::Plain } => match text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                number => {
                    number.parse().ok().filter(|read| is_exact(number, read)).map_or_else(|| json!(text), Value::Number)
                }
            },
            Content::Scalar { text, .. } => json!(text),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.value())).collect(),
        }
    }

    /// The line of what `path` names, or of the nearest value around it.
    ///
    /// Keys may contain dots (`models.gpt-4.1.targets[0]`), so the longest key that fits is taken at each step.
    pub(super) fn line_of(&self, path: &str) -> usize {
        let rest = path.strip_prefix('.').unwrap_or(path);
        match &self.content {
            Content::Map(entries) => {
                let fits = |entry: &&Entry| {
                    let below = rest.strip_prefix(entry.key.as_str());
                    !entry.key.is_empty()
                        && below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
                };
                let Some(entry) = entries.iter().filter(fits).max_by_key(|entry| entry.key.len()) else {
                    return self.line;
                };
                let below = rest.get(entry.key.len()..).unwrap_or_default();
                if below.is_empty() || !entry.value.holds(below) { entry.line } else { entry.value.line_of(below) }
            }
            Content::List(items) => {
                let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                let item = index.and_then(|(index, below)| Some((items.get(index.parse::<usize>().ok()?)?, below)));
                item.map_or(self.line, |(item, below)| item.line_of(below))
            }
            Content::Scalar { .. } => self.line,
        }
    }

    /// Whether the first step of `path` leads to something below this value.
    fn holds(&self, path: &str) -> bool {
        match &self.content {
            Content::Map(entries) => {
                let rest = path.strip_prefix('.').unwrap_or(path);
                entries.iter().any(|entry| !entry.key.is_empty() && rest.starts_with(entry.key.as_str()))
            }
            Content::List(_) => path.starts_with('['),
            Content::Scalar { .. } => false,
        }
    }
}

/// Whether no digit was lost. A whole number beyond 64 bits would be read as a fraction that is near it.
fn is_exact(text: &str, number: &Number) -> bool {
    !number.is_f64() || text.contains(['.', 'e', 'E'])
}

/// Reads one YAML document. An empty text is an empty mapping.
pub(super) fn parse(text: &str) -> Result<Tree, Broken> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let line = error.marker().line().max(1);
                return Err(Broken {
                    line,
                    problem: format!("no YAML: {}", error.info()),
                    hint: Some(amiss(text, line)),
                });
            }
        }
    }
    let empty = || Tree { line: 1, content: Content::Map(Vec::new()) };
    Ok(builder.root.filter(|root| !root.is_null()).unwrap_or_else(empty))
}

/// What is most likely wrong at the line where a text stops being YAML.
fn amiss(text: &str, line: usize) -> String {
    // The parser notices an error late, but a tab can be found.
    let tab = text.lines().zip(1..).take(line).find(|(text, _)| text.trim_start_matches(' ').starts_with('\t'));
    match tab {
        Some((_, at)) => format!("line {at} is indented with a tab; YAML takes spaces"),
        None => "look for a bracket, quote or colon that is missing in this line or above it".to_owned(),
    }
}

/// A list or mapping that has not ended yet.
struct Open {
    node: Tree,
    anchor: usize,
    /// A key of a mapping that has no value yet.
    key: Option<(String, usize)>,
}

#[derive(Default)]
struct Builder {
    root: Option<Tree>,
    open: Vec<Open>,
    anchors: HashMap<usize, Tree>,
    /// How many values aliases have added.
    copied: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        let line = span.start.line().max(1);
        let broken = |problem: &str| Err(Broken { line, problem: problem.to_owned(), hint: None });
        match event {
            Event::DocumentStart(_) if self.root.is_some() => broken("a second document begins here; use one"),
            Event::Scalar(text, style, anchor, _) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let node = Tree { line, content: Content::Scalar { text: text.into_owned(), style } };
                self.place(node, anchor)
            }
            Event::SequenceStart(anchor, _) => self.begin(Content::List(Vec::new()), line, anchor),
            Event::MappingStart(anchor, _) => self.begin(Content::Map(Vec::new()), line, anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.place(open.node, open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else { return broken("this alias names nothing") };
                self.copied += size(&node);
                if self.copied > MAX_COPIED {
                    return broken("aliases repeat more than any configuration holds");
                }
                self.place(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, content: Content, line: usize, anchor: usize) -> Result<(), Broken> {
        if self.open.len() >= MAX_DEPTH {
            let problem = "this is nested deeper than any configuration".to_owned();
            return Err(Broken { line, problem, hint: None });
        }
        self.open.push(Open { node: Tree { line, content }, anchor, key: None });
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Tree, anchor: usize) -> Result<(), Broken> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => {
                if let Some((key, line)) = open.key.take() {
                    entries.push(Entry { key, line, value: node });
                } else if let Content::Scalar { text, .. } = node.content {
                    open.key = Some((text, node.line));
                } else {
                    let hint = Some("put it in quotes".to_owned());
                    return Err(Broken { line: node.line, problem: "a key must be text".to_owned(), hint });
                }
            }
            Content::Scalar { .. } => {}
        }
        Ok(())
    }
}

fn size(node: &Tree) -> usize {
    match &node.content {
        Content::Scalar { .. } => 1,
        Content::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Content::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_line_even_through_keys_with_dots() {
        let root =
            parse("models:\n  gpt-4.1:\n    targets:\n      - provider: a\n      - provider: b\n        model: c\n");
        let root = root.unwrap();
        assert_eq!(root.line_of("models"), 1);
        assert_eq!(root.line_of("models.gpt-4.1"), 2);
        assert_eq!(root.line_of("models.gpt-4.1.targets[1].provider"), 5);
        assert_eq!(root.line_of("models.gpt-4.1.targets[1].model"), 6);
        assert_eq!(root.line_of("models.gpt-4.1.targets[7]"), 4, "the nearest thing around it");
        assert_eq!(root.line_of("models.gpt-4.1.limits.gap"), 2);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        let broken = parse("listen: a\nmodels: [\n").unwrap_err();
        assert!(broken.line >= 2, "{broken:?}");
        assert_eq!(parse("a: 1\n---\nb: 2\n").unwrap_err().line, 2);
        assert!(parse("{[a]: b}").is_err());
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            text = format!("{text}a{i}: &a{i} [{list}]\n");
        }
        assert!(parse(&text).is_err());
    }

    /// 500 providers with 20 000 models were larger than any configuration.
    #[test]
    fn what_is_written_out_may_be_long() {
        let model = |i| {
            format!("  m{i}: {{ targets: [{{ provider: p{}, model: a }}, {{ provider: q, model: b }}] }}\n", i % 500)
        };
        let text: String = std::iter::once("models:\n".to_owned()).chain((0..20_000).map(model)).collect();
        assert_eq!(parse(&text).unwrap().line_of("models.m19999.targets[1].model"), 20_001);
    }

    /// What stands in an operator's routes goes to Envoy, which knows numbers of 64 bits.
    #[test]
    fn a_number_keeps_all_its_digits() {
        let read =
            parse("[18446744073709551615, -9223372036854775808, 0.15, 18446744073709551616, 1e3]").unwrap().value();
        assert_eq!(read, json!([u64::MAX, i64::MIN, 0.15, "18446744073709551616", 1000.0]));
    }

    #[test]
    fn nothing_is_an_empty_mapping() {
        assert!(matches!(parse("# nothing\n").unwrap().content, Content::Map(entries) if entries.is_empty()));
    }
}

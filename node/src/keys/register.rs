//! The text of a keys file as `weir keys` writes it: YAML of one simple shape, changed in place so that comments survive.
//!
//! Weir itself reads any YAML there. These commands refuse to change a text of another shape.

use std::ops::Range;

const HEAD: &str = "\
# Made by `weir keys`: the hashes of callers' keys, never the keys. Weir takes changes up at once.
";

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Who it is for.
    pub name: String,
    /// The hash of the key.
    pub sha256: String,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// Whether it is not valid for now.
    pub disabled: bool,
    /// The models that it may use; `None` for all.
    pub models: Option<Vec<String>>,
    /// The endpoints that it may use; `None` for all.
    pub endpoints: Option<Vec<String>>,
    /// The networks that it may be used from; `None` for all.
    pub networks: Option<Vec<String>>,
    /// When it expires, in RFC 3339.
    pub expires: Option<String>,
}

/// A file's text, and where each key is in it.
#[derive(Debug)]
pub(super) struct Register {
    text: String,
    entries: Vec<(Entry, Range<usize>)>,
}

impl Register {
    /// Reads a file's text. The error is the number of the first line of another shape.
    pub(super) fn read(text: &str) -> Result<Self, usize> {
        let mut entries: Vec<(Entry, Range<usize>)> = Vec::new();
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let range = start..start + line.len();
            start = range.end;
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') || line == "[]" {
                continue;
            }
            let known = if let Some(name) = line.strip_prefix("- name: ") {
                string(name).map(|name| {
                    entries.push((Entry { name, ..Entry::default() }, range));
                })
            } else if let Some((entry, whole)) = entries.last_mut() {
                whole.end = range.end;
                field(entry, line)
            } else {
                None
            };
            known.ok_or(number + 1)?;
        }
        Ok(Self { text: text.to_owned(), entries })
    }

    /// The keys, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }

    /// The file's text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds a key at the end.
    pub(super) fn add(&mut self, entry: &Entry) {
        if self.entries.is_empty() {
            self.text.clear();
            self.text.push_str(HEAD);
        } else if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        let start = self.text.len();
        // JSON strings are YAML strings.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut lines =
            vec![format!("- name: {}", quoted(&entry.name)), format!("  sha256: {}", quoted(&entry.sha256))];
        lines.extend(entry.team.as_ref().map(|team| format!("  team: {}", quoted(team))));
        lines.extend(entry.disabled.then(|| "  disabled: true".to_owned()));
        let lists = [("models", &entry.models), ("endpoints", &entry.endpoints), ("networks", &entry.networks)];
        for (name, list) in lists {
            let Some(list) = list else { continue };
            let list: Vec<_> = list.iter().map(|one| quoted(one)).collect();
            lines.push(format!("  {name}: [{}]", list.join(", ")));
        }
        lines.extend(entry.expires.as_ref().map(|expires| format!("  expires: {}", quoted(expires))));
        lines.push(String::new());
        self.text.push_str(&lines.join("\n"));
        self.entries.push((entry.clone(), start..self.text.len()));
    }

    /// Changes every key of that name and moves it to the end. Says whether there was one.
    pub(super) fn change(&mut self, name: &str, change: impl Fn(&mut Entry)) -> bool {
        let mut of_name: Vec<Entry> = self.entries().filter(|entry| entry.name == name).cloned().collect();
        self.remove(name);
        for entry in &mut of_name {
            change(entry);
            self.add(entry);
        }
        !of_name.is_empty()
    }

    /// Removes every key of that name. Says whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let (gone, kept): (Vec<_>, Vec<_>) = self.entries.drain(..).partition(|(entry, _)| entry.name == name);
        // From the end, so that the earlier ranges stay valid.
        for (_, range) in gone.iter().rev() {
            self.text.replace_range(range.clone(), "");
        }
        if kept.is_empty() {
            HEAD.clone_into(&mut self.text);
        }
        // The keys that are left have moved.
        if let Ok(read) = Self::read(&self.text) {
            *self = read;
        }
        !gone.is_empty()
    }
}

/// Reads `  sha256: …` or another field into the entry that is being read.
fn field(entry: &mut Entry, line: &str) -> Option<()> {
    let (name, value) = line.strip_prefix("  ")?.split_once(": ")?;
    let list = || serde_json::from_str(value).ok();
    match name {
        "sha256" => entry.sha256 = string(value)?,
        "team" => entry.team = Some(string(value)?),
        "disabled" => entry.disabled = value.parse().ok()?,
        "models" => entry.models = Some(list()?),
        "endpoints" => entry.endpoints = Some(list()?),
        "networks" => entry.networks = Some(list()?),
        "expires" => entry.expires = Some(string(value)?),
        _ => return None,
    }
    Some(())
}

/// A quoted string, or one plain word.
fn string(text: &str) -> Option<String> {
    if text.starts_with('"') {
        return serde_json::from_str(text).ok();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, models: Option<&[&str]>) -> Entry {
        let models = models.map(|models| models.iter().map(|model| (*model).to_owned()).collect());
        Entry { name: name.to_owned(), sha256: "ab".repeat(32), models, ..Entry::default() }
    }

    #[test]
    fn what_is_added_can_be_read_and_removed() {
        let mut register = Register::read("").unwrap();
        let all = [entry("ada", None), entry("it's \"odd\": #1", Some(&["gpt-4o", "a b"])), entry("bob", Some(&[]))];
        for entry in &all {
            register.add(entry);
        }
        let mut read = Register::read(register.text()).unwrap();
        assert_eq!(read.entries().cloned().collect::<Vec<_>>(), all);
        assert!(read.remove("ada"));
        assert!(!read.remove("ada"));
        assert!(read.remove("bob"));
        assert_eq!(read.entries().cloned().collect::<Vec<_>>(), all[1..2]);
        read.add(&all[0]);
        assert_eq!(Register::read(read.text()).unwrap().entries().count(), 2);
    }

    #[test]
    fn every_field_of_a_key_is_kept() {
        let list = |text: &str| Some(vec![text.to_owned()]);
        let whole = Entry {
            team: Some("search & ranking".to_owned()),
            disabled: true,
            endpoints: list("chat"),
            networks: list("2001:db8::/32"),
            expires: Some("2027-03-01T00:00:00Z".to_owned()),
            ..entry("ada", Some(&["m"]))
        };
        let mut register = Register::read("").unwrap();
        register.add(&whole);
        assert_eq!(Register::read(register.text()).unwrap().entries().next(), Some(&whole));
    }

    #[test]
    fn a_change_concerns_one_name_alone() {
        let mut register = Register::read("").unwrap();
        register.add(&entry("ada", None));
        register.add(&entry("bob", None));
        assert!(register.change("ada", |entry| entry.expires = Some("2027-03-01T00:00:00Z".to_owned())));
        assert!(!register.change("eve", |_| {}));
        let read = Register::read(register.text()).unwrap();
        let expires: Vec<_> = read.entries().map(|entry| (entry.name.as_str(), entry.expires.as_deref())).collect();
        assert_eq!(expires, [("bob", None), ("ada", Some("2027-03-01T00:00:00Z"))]);
    }

    #[test]
    fn comments_survive_and_hand_written_words_are_read() {
        let text = "# ours\n- name: ada\n  sha256: 00ff\n# about bob\n- name: bob\n  sha256: \"11\"\n";
        let mut register = Register::read(text).unwrap();
        assert!(register.remove("ada"));
        assert_eq!(register.text(), "# ours\n# about bob\n- name: bob\n  sha256: \"11\"\n");
    }

    #[test]
    fn another_shape_is_refused_with_its_line() {
        assert_eq!(Register::read("- name: a\n  sha256: b\n  models:\n    - c\n").unwrap_err(), 3);
        assert_eq!(Register::read("keys:\n").unwrap_err(), 1);
        assert_eq!(Register::read("- {name: a, sha256: b}\n").unwrap_err(), 1);
    }
}

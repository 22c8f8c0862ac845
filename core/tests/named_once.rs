//! A provider's name stands in its own file and in data, and in no other code: so that a new one is a file and a line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use weir_core::provider::{ALL, Reach};

/// The code that runs in Envoy or for it, but for what speaks to providers.
const CRATES: [&str; 6] = ["hub", "core", "filter", "control", "node", "cli"];
const PROVIDERS: &str = "core/src/provider";
/// Names makers of proofs, who are not providers: a cloud's proofs have the name of whoever made the model.
const MAKERS: &str = "hub/src/signature.rs";

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, into);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            into.push(entry);
        }
    }
}

/// The lines of a file that run outside tests, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let begins = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod tests {"];
    let tests = begins.into_iter().find_map(|begin| text.find(begin)).unwrap_or(text.len());
    let lines = text.split_at(tests).0.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn no_code_but_its_own_names_a_provider() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    for name in CRATES {
        files(&root.join(name).join("src"), &mut all);
    }
    // "local" is a word of Envoy's, too; what is special about the sidecar goes by how it is reached.
    let names: Vec<String> = ALL
        .into_iter()
        .filter(|provider| provider.reach() == Reach::Url)
        .map(|provider| format!("\"{}\"", provider.name()))
        .collect();
    let mut found = Vec::new();
    for file in &all {
        let place = file.strip_prefix(&root).unwrap();
        let is_test = place.components().any(|part| part.as_os_str() == "tests") || place.ends_with("tests.rs");
        if is_test || place.ends_with("trial.rs") || place.starts_with(PROVIDERS) || place == Path::new(MAKERS) {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        let lines = code(&text).filter(|(_, line)| names.iter().any(|name| line.contains(name)));
        found.extend(lines.map(|(at, line)| format!("{}:{at}: {}", place.display(), line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(all.len() > 200, "{} files", all.len());
}

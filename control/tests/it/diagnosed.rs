//! What is said about a configuration that does not hold: each case a file, and beside it what is said.
//!
//! `BLESS=1 cargo test -p weir-control` writes what is said now.

use std::path::Path;

use weir_control::Environment;

/// What is said about the configuration in `folder`, one finding a line, with the folder cut off.
fn said(folder: &Path) -> String {
    let mut environment = Environment::new([("HOME".to_owned(), folder.display().to_string())]);
    environment.vars.insert("SET".to_owned(), "sk-very-secret".to_owned());
    environment.vars.insert("EMPTY".to_owned(), String::new());
    environment.vars.insert("WITH_LINE_BREAK".to_owned(), "sk-very-secret\n".to_owned());
    match weir_control::load(&folder.join("weir.yaml"), &environment) {
        Ok(loaded) if loaded.warnings.is_empty() => "nothing\n".to_owned(),
        Ok(loaded) => {
            let lines: Vec<String> = loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            lines.concat().replace(&format!("{}/", folder.display()), "")
        }
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            (lines.join("\n") + "\n").replace(&format!("{}/", folder.display()), "")
        }
    }
}

#[test]
fn every_error_is_told_at_once_with_its_place() {
    let cases = crate::common::repository().join("control/tests/diagnostics");
    let mut wrong = Vec::new();
    let mut cases: Vec<_> = std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 3);
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&case).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let said = said(folder.path());
        assert!(!said.contains("very-secret"), "{said}");
        let file = case.join("said.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &said).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected; BLESS=1 accepts it:\n{}", wrong.join("\n"));
}

#[test]
fn any_text_is_read_without_a_panic() {
    // Every prefix of the default configuration, as an editor might save it half-way.
    let text = std::fs::read_to_string(crate::common::repository().join("config/weir.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::new([("HOME".to_owned(), folder.path().display().to_string())]);
    let file = folder.path().join("weir.yaml");
    for (at, _) in text.char_indices().step_by(7) {
        std::fs::write(&file, &text[..at]).unwrap();
        let _ = weir_control::load(&file, &environment);
    }
}

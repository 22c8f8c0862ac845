//! The keys file: the keys that join those of the configuration.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};
use weir_core::config::did_you_mean;
use weir_core::config::source::{Key, Source};

use super::sheet::Sheet;
use super::text;
use crate::Diagnostic;

/// Reads the keys file; `None` if there is none.
pub(super) fn read(file: &Path, defs: &Value) -> Result<Option<(Sheet, Vec<Key>)>, Vec<Diagnostic>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(vec![text::unreadable(file, &error, "`weir keys` writes one")]),
    };
    // Here an empty text is an empty list.
    let text = if text::is_blank(&text) { "[]".to_owned() } else { text };
    let schema = json!({ "type": "array", "items": { "$ref": "#/$defs/Key" } });
    Sheet::read(file, &text, &schema, defs).map(Some)
}

/// `path` as a path through the keys file, if it leads there: `keys[3].sha256` → `[1].sha256` if the configuration has two keys of
/// its own.
pub(super) fn path_in_file(path: &str, own: usize) -> Option<String> {
    let (index, below) = path.strip_prefix("keys[")?.split_once(']')?;
    Some(format!("[{}]{below}", index.parse::<usize>().ok()?.checked_sub(own)?))
}

/// Disables the keys of the keys file whose team `source` does not have, and warns about them: no key may be used without its team's
/// limits. As for [models](models_of_others), that is no error.
pub(super) fn of_other_teams(sheet: &Sheet, keys: &mut [Key], source: &Source) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for (i, key) in keys.iter_mut().enumerate() {
        let Some(team) = key.team.take_if(|team| !source.teams.contains_key(team)) else { continue };
        key.disabled = true;
        let near = did_you_mean(&team, source.teams.keys().map(String::as_str));
        let near = near.filter(|hint| hint.starts_with("did you mean"));
        let problem =
            format!("this configuration has no team \"{team}\", so the key \"{}\" is disabled here", key.name);
        let hint = near.unwrap_or_else(|| "this is right if another configuration has it".to_owned());
        warnings.push(sheet.warning(format!("[{i}].team"), problem, hint));
    }
    warnings
}

/// Takes the models that `source` does not have from the keys of the keys file, and warns about them.
///
/// Several configurations may share a keys file. What a key may do in one of them grants nothing in another one, and is no
/// error there: a key for one team must not keep another team's gateway from starting.
pub(super) fn models_of_others(sheet: &Sheet, keys: &mut [Key], source: &Source) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for (i, key) in keys.iter_mut().enumerate() {
        let Some(models) = &mut key.models else { continue };
        let unknown: Vec<String> = models.extract_if(.., |model| !source.models.contains_key(model)).collect();
        let Some(first) = unknown.first() else { continue };
        let path = format!("[{i}].models");
        let known = source.models.keys().map(String::as_str);
        let near = did_you_mean(first, known).filter(|hint| hint.starts_with("did you mean"));
        let problem = format!(
            "the key \"{}\" names models that this configuration does not have: {}",
            key.name,
            unknown.join(", ")
        );
        let hint = near.unwrap_or_else(|| "this is right if another configuration has them".to_owned());
        warnings.push(sheet.warning(path, problem, hint));
    }
    warnings
}

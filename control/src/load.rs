//! The configuration file, read: every error at once, each with its line.
//!
//! Three passes over one tree: [`shape`] holds it against the schema, [`credentials`] follows its references, and the
//! core's [`Gateway::parse`] checks what it means. An error that only follows from another one is left out.

mod credentials;
mod exposed;
mod foreign;
mod shape;
mod tree;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_core::config::source::{Key, Source};
use weir_core::config::{ConfigError, Gateway, Preset, did_you_mean};
use weir_core::upstream::Credential;

use crate::{Diagnostic, Environment, References, schema};
use shape::Misfit;
use tree::Node;

/// The model that a clone of Weir fetches.
const TEST_MODEL: &str = "all-minilm-l6-v2";

/// A configuration without errors, and what it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub gateway: Gateway,
    /// What holds, but may not be what was meant.
    pub warnings: Vec<Diagnostic>,
    /// The keys file, which need not exist.
    pub keys_file: PathBuf,
    /// The files to watch: the configuration, the keys (which need not exist), credentials and CA bundles.
    pub files: Vec<PathBuf>,
}

/// Reads the configuration at `path`, and the keys file beside it.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Vec<Diagnostic>> {
    let whole =
        |problem: String, hint| vec![Diagnostic { file: path.to_owned(), line: 0, path: String::new(), problem, hint }];
    let text = std::fs::read_to_string(path)
        .map_err(|error| whole(format!("cannot be read: {error}"), Some(unread(&error, "config/weir.yaml is one"))))?;
    if is_blank(&text) {
        // What a save leaves that a full disk cut short, or that is not finished: no configuration to run, least of all to
        // take the place of one that runs.
        let hint = "name a provider and a model; config/weir.yaml is an example".to_owned();
        return Err(whole("nothing is written in it".to_owned(), Some(hint)));
    }
    let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();

    let schema = schema::value();
    let defs = schema.get("$defs").unwrap_or(&Value::Null);
    let (mut sheet, mut source) = Sheet::read::<Source>(path, &text, &schema, defs)?;
    if let Some(diagnostic) = sheet.foreign() {
        return Err(vec![diagnostic]);
    }
    let (base, here) = match &environment.references {
        References::Here => (&folder, true),
        References::Elsewhere { base } => (base.as_ref().unwrap_or(&folder), false),
    };
    resolve(&mut source, environment, base);
    let keys_file = match &source.keys_file {
        Some(written) => environment.absolute(written, &folder),
        None => environment.state.join("keys.yaml"),
    };
    let own_keys = source.keys.len();
    let keys = keys(&keys_file, defs);
    let mut keys_sheet = None;
    let mut diagnostics = Vec::new();
    let mut warnings = Vec::new();
    match keys {
        Ok(Some((sheet, mut keys))) => {
            warnings = sheet.models_of_others(&mut keys, &source);
            source.keys.extend(keys);
            keys_sheet = Some(sheet);
        }
        Ok(None) => {}
        Err(errors) => diagnostics = errors,
    }

    let (unset, unusable) = if here { credentials::check(&source, environment) } else { Default::default() };
    for found in unusable {
        sheet.found(ConfigError { path: found.path, problem: found.problem, hint: found.hint });
    }
    let parsed = Gateway::parse(&source, &unset);
    for error in parsed.as_ref().err().into_iter().flatten() {
        match (&mut keys_sheet, below_keys(&error.path, own_keys)) {
            (Some(sheet), Some(path)) => sheet.found(ConfigError { path, ..error.clone() }),
            _ => sheet.found(error.clone()),
        }
    }
    for found in parsed.as_ref().map(exposed::exposed).unwrap_or_default() {
        warnings.push(sheet.warning(found.path, found.problem, found.hint.to_owned()));
    }
    if here {
        warnings.extend(sheet.models_not_there(&source, environment));
    }
    let mut all = sheet.diagnostics();
    all.extend(keys_sheet.map(Sheet::diagnostics).unwrap_or_default());
    all.append(&mut diagnostics);
    match parsed {
        Ok(gateway) if all.is_empty() => {
            let mut files = vec![path.to_owned(), keys_file.clone()];
            if here {
                files.extend(referred_to(&gateway));
            }
            Ok(Loaded { gateway, warnings, keys_file, files })
        }
        _ => Err(all),
    }
}

/// Reads a route configuration of the operator's, as YAML or JSON.
pub fn own_routes(file: &Path) -> Result<Value, Diagnostic> {
    let found = |line, problem, hint| Diagnostic { file: file.to_owned(), line, path: String::new(), problem, hint };
    let text = std::fs::read_to_string(file).map_err(|error| {
        found(0, format!("cannot be read: {error}"), Some(unread(&error, "docs/own-envoy.md has one")))
    })?;
    let tree = tree::parse(&text).map_err(|broken| found(broken.line, broken.problem, broken.hint))?;
    Ok(tree.value())
}

/// Writes the paths in `source` as Envoy and the sidecar, which run in another folder, can use them.
fn resolve(source: &mut Source, environment: &Environment, folder: &Path) {
    let absolute = |written: &str| environment.absolute(written, folder).display().to_string();
    let presets = Preset::all();
    for provider in source.providers.values_mut() {
        let preset = provider.preset.as_ref().and_then(|name| presets.get(name));
        if let (None, Some(preset)) = (&provider.credential, preset) {
            provider.credential.clone_from(&preset.credential);
        }
        if let Some(file) = provider.aws.as_mut().and_then(|aws| aws.credentials_file.as_mut()) {
            *file = absolute(file);
        }
        if let Some(Ok(Credential::File(file))) = provider.credential.as_deref().map(Credential::parse) {
            provider.credential = Some(format!("file:{}", absolute(&file)));
        }
        provider.ca = provider.ca.as_deref().map(absolute);
    }
    source.local.folder = source.local.folder.as_deref().map(absolute);
    if let Some(log) = source.telemetry.access_log.as_deref().filter(|log| !matches!(*log, "" | "stdout")) {
        source.telemetry.access_log = Some(absolute(log));
    }
}

/// The keys file; `None` if there is none.
fn keys(file: &Path, defs: &Value) -> Result<Option<(Sheet, Vec<Key>)>, Vec<Diagnostic>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let problem = format!("cannot be read: {error}");
            let hint = Some(unread(&error, "`weir keys` writes one"));
            return Err(vec![Diagnostic { file: file.to_owned(), line: 0, path: String::new(), problem, hint }]);
        }
    };
    // An empty text is an empty list here.
    let text = if is_blank(&text) { "[]".to_owned() } else { text };
    let schema = json!({ "type": "array", "items": { "$ref": "#/$defs/Key" } });
    Sheet::read(file, &text, &schema, defs).map(Some)
}

/// Whether nothing stands in `text` but comments.
fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.starts_with('#'))
}

/// What to do about a file that cannot be read.
fn unread(error: &std::io::Error, example: &str) -> String {
    match error.kind() {
        ErrorKind::NotFound => "check its path, which is relative to the folder you are in".to_owned(),
        ErrorKind::PermissionDenied => "let this user read it".to_owned(),
        ErrorKind::InvalidData => "save it as UTF-8".to_owned(),
        _ => format!("name a text file in YAML; {example}"),
    }
}

/// `path` as a path through the keys file, if it is one: `keys[3].sha256` → `[1].sha256` after two keys of our own.
fn below_keys(path: &str, own: usize) -> Option<String> {
    let (index, below) = path.strip_prefix("keys[")?.split_once(']')?;
    Some(format!("[{}]{below}", index.parse::<usize>().ok()?.checked_sub(own)?))
}

/// Credentials and CA bundles.
fn referred_to(gateway: &Gateway) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for provider in gateway.providers() {
        if let Some(Credential::File(file)) = &provider.credential {
            files.push(file.into());
        }
        files.extend(provider.ca.iter().map(PathBuf::from));
        files
            .extend(provider.signing.iter().filter_map(|signing| signing.credentials_file.as_ref()).map(PathBuf::from));
    }
    files
}

/// One file, and what was found in it.
struct Sheet {
    file: PathBuf,
    tree: Node,
    misfits: Vec<Misfit>,
    errors: Vec<ConfigError>,
}

impl Sheet {
    /// Reads `text` as `schema` says; what does not fit is noted in the sheet.
    fn read<T: serde::de::DeserializeOwned>(
        file: &Path,
        text: &str,
        schema: &Value,
        defs: &Value,
    ) -> Result<(Self, T), Vec<Diagnostic>> {
        let at =
            |line, problem, hint| vec![Diagnostic { file: file.to_owned(), line, path: String::new(), problem, hint }];
        let tree = tree::parse(text).map_err(|broken| at(broken.line, broken.problem, broken.hint))?;
        let (value, misfits) = shape::read(&tree, schema, defs);
        let sheet = Self { file: file.to_owned(), tree, misfits, errors: Vec::new() };
        match serde_json::from_value(value) {
            Ok(read) => Ok((sheet, read)),
            // The value fits the schema, so only a schema that says less than the types leads here.
            Err(error) if sheet.misfits.is_empty() => Err(at(0, error.to_string(), None)),
            Err(_) => Err(sheet.diagnostics()),
        }
    }

    /// Takes from the keys of this file the models that `source` does not have, and tells of them.
    ///
    /// Several configurations may share a keys file. What a key may do in one of them grants nothing in another, and is no
    /// error there: a key for one team must not keep another's gateway from starting.
    fn models_of_others(&self, keys: &mut [Key], source: &Source) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for (i, key) in keys.iter_mut().enumerate() {
            let Some(models) = &mut key.models else { continue };
            let unknown: Vec<String> = models.extract_if(.., |model| !source.models.contains_key(model)).collect();
            let Some(first) = unknown.first() else { continue };
            let path = format!("[{i}].models");
            let known = source.models.keys().map(String::as_str);
            let near = did_you_mean(first, known).filter(|hint| hint.starts_with("did you mean"));
            let problem = format!("the key \"{}\" grants what is no model here: {}", key.name, unknown.join(", "));
            let hint = near.unwrap_or_else(|| "right if it is a model of another configuration".to_owned());
            warnings.push(self.warning(path, problem, hint));
        }
        warnings
    }

    /// What the whole file is, if it is another gateway's.
    fn foreign(&self) -> Option<Diagnostic> {
        let found = foreign::foreign(&self.tree)?;
        let (line, path, hint) = (found.line, found.path, Some(found.hint));
        Some(Diagnostic { file: self.file.clone(), line, path, problem: found.problem, hint })
    }

    /// Tells of local models whose folder is not there. They fail when they are asked, and keep nothing else from starting.
    fn models_not_there(&self, source: &Source, environment: &Environment) -> Vec<Diagnostic> {
        let folder = source.local.folder.as_ref().map_or_else(|| environment.models(), PathBuf::from);
        let missing = source.local.models.keys().filter(|name| !folder.join(name).is_dir());
        let tell = |name: &String| {
            let problem = format!("there is no folder {}", folder.join(name).display());
            let hint = if name == TEST_MODEL {
                format!("put the model there; in a clone of Weir `cargo xtask fetch` does so for {TEST_MODEL}")
            } else {
                "put the model there, or correct the name, and start anew; until then it is answered with an error"
                    .to_owned()
            };
            self.warning(format!("local.models.{name}"), problem, hint)
        };
        missing.map(tell).collect()
    }

    fn warning(&self, path: String, problem: String, hint: String) -> Diagnostic {
        let line = self.tree.line_of(&path);
        Diagnostic { file: self.file.clone(), line, path, problem, hint: Some(hint) }
    }

    fn found(&mut self, error: ConfigError) {
        let follows = |misfit: &Misfit| {
            let below = error.path.strip_prefix(misfit.path.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
        };
        if !self.misfits.iter().any(follows) {
            self.errors.push(error);
        }
    }

    /// All that was found, by line.
    fn diagnostics(self) -> Vec<Diagnostic> {
        let Self { file, tree, misfits, errors } = self;
        let misfits = misfits.into_iter().map(|found| (found.line, found.path, found.problem, found.hint));
        let errors = errors.into_iter().map(|found| (tree.line_of(&found.path), found.path, found.problem, found.hint));
        let mut all: Vec<_> = misfits
            .chain(errors)
            .map(|(line, path, problem, hint)| Diagnostic { file: file.clone(), line, path, problem, hint })
            .collect();
        all.sort_by_key(|found| found.line);
        all
    }
}

//! Reads the configuration file and tells every error at once, each with its line.
//!
//! Three passes over one tree: [`shape`] holds it against the schema, [`credentials`] follows its references, and the core's
//! [`Gateway::parse`] checks what it means. An error that only follows from another one is left out.

mod calendar;
mod credentials;
mod exposed;
mod foreign;
mod keys;
pub mod prices;
mod references;
mod routes;
mod shape;
mod sheet;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use weir_core::config::source::Source;
use weir_core::config::{ConfigError, Gateway, Target};

use crate::{Diagnostic, Environment, References, schema};
pub use routes::own_routes;
use sheet::Sheet;

/// A configuration without errors, and what it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub gateway: Gateway,
    /// What is allowed, but may not be what was meant.
    pub warnings: Vec<Diagnostic>,
    /// What is worth knowing and needs no change: the targets of which no price is known.
    pub notes: Vec<Diagnostic>,
    /// The keys file, which need not exist.
    pub keys_file: PathBuf,
    /// The files to watch: the configuration, the keys file (which need not exist), credentials and CA bundles.
    pub files: Vec<PathBuf>,
}

/// Reads the configuration at `path`, and the keys file beside it.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Vec<Diagnostic>> {
    let text = text::read(path, "config/weir.yaml is one").map_err(|found| vec![found])?;
    if text::is_blank(&text) {
        // A save that a full disk cut short, or that is not finished, leaves such a file. It must not take the place of the
        // configuration that runs.
        let hint = "name a provider and a model; config/weir.yaml is an example".to_owned();
        return Err(vec![Diagnostic::of_file(path, "nothing is written in it".to_owned(), Some(hint))]);
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
    references::resolve(&mut source, environment, base);
    let keys_file = match &source.keys_file {
        Some(written) => environment.absolute(written, &folder),
        None => environment.state.join("keys.yaml"),
    };
    let own_keys = source.keys.len();
    let mut keys_sheet = None;
    let mut diagnostics = Vec::new();
    let mut warnings = Vec::new();
    match keys::read(&keys_file, defs) {
        Ok(Some((sheet, mut keys))) => {
            warnings = keys::models_of_others(&sheet, &mut keys, &source);
            warnings.extend(keys::of_other_teams(&sheet, &mut keys, &source));
            source.keys.extend(keys);
            keys_sheet = Some(sheet);
        }
        Ok(None) => {}
        Err(errors) => diagnostics = errors,
    }

    source.prices = prices::shipped().clone();
    let prices_file = source.prices_file.as_ref().map(|written| environment.absolute(written, &folder));
    match prices_file.as_deref().map(prices::read) {
        Some(Ok(own)) => source.prices.overlay(own),
        Some(Err(errors)) => diagnostics.extend(errors),
        None => {}
    }

    let (unset, unusable) = if here { credentials::check(&source, environment) } else { Default::default() };
    for found in unusable {
        sheet.found(ConfigError { path: found.path, problem: found.problem, hint: found.hint });
    }
    source.calendar = calendar::edges(&source, Timestamp::now());
    let parsed = Gateway::parse(&source, &unset);
    for error in parsed.as_ref().err().into_iter().flatten() {
        match (&mut keys_sheet, keys::path_in_file(&error.path, own_keys)) {
            (Some(sheet), Some(path)) => sheet.found(ConfigError { path, ..error.clone() }),
            _ => sheet.found(error.clone()),
        }
    }
    for found in parsed.as_ref().map(exposed::exposed).unwrap_or_default() {
        warnings.push(sheet.warning(found.path, found.problem, found.hint.to_owned()));
    }
    if here {
        warnings.extend(references::missing_models(&sheet, &source, environment));
    }
    let notes = parsed.as_ref().map(|gateway| unpriced(&sheet, gateway)).unwrap_or_default();
    let mut all = sheet.diagnostics();
    all.extend(keys_sheet.map(Sheet::diagnostics).unwrap_or_default());
    all.append(&mut diagnostics);
    match parsed {
        Ok(gateway) if all.is_empty() => {
            let mut files = vec![path.to_owned(), keys_file.clone()];
            files.extend(prices_file);
            if here {
                files.extend(references::files(&gateway));
            }
            Ok(Loaded { gateway, warnings, notes, keys_file, files })
        }
        _ => Err(all),
    }
}

/// For each model, the targets of which no price is known. Simulated ones cost nothing, and are not told.
fn unpriced(sheet: &Sheet, gateway: &Gateway) -> Vec<Diagnostic> {
    let mut models: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for (model, _, target) in gateway.unpriced() {
        let entry = gateway.providers().find(|entry| entry.name == target.provider);
        if entry.is_some_and(|entry| !entry.simulated) {
            models.entry(model).or_default().push(target);
        }
    }
    let is_local = |name: &str| gateway.providers().any(|entry| entry.name == name && entry.url.is_none());
    let tell = |(model, targets): (&str, Vec<&Target>)| {
        let names: Vec<String> = targets.iter().map(|target| format!("{}/{}", target.provider, target.model)).collect();
        let problem = format!("no price is known of {}, so what they cost is not counted", names.join(", "));
        let hint = if targets.iter().all(|target| is_local(&target.provider)) {
            "add `price: {second: …}` to the target; `price: {second: 0}` says that it costs nothing"
        } else {
            "add `price: {input: …, output: …}` to the target, or its model to a `prices_file`"
        };
        sheet.warning(format!("models.{model}"), problem, hint.to_owned())
    };
    models.into_iter().map(tell).collect()
}

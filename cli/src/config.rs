//! The commands that only look at a configuration: check, render, explain, schema.

use std::fs;
use std::io::Read;
use std::path::Path;

use weir_control::render::{MOST_CONNECTIONS, Module, Node, Resources, render as rendered};
use weir_control::{Environment, Loaded, explain};
use weir_core::config::Preset;
use weir_places::Places;

use crate::problem::{Outcome, Problem, at, counted};
use crate::say;
use crate::up::filter;
use crate::up::places::Folders;

/// The machine as the configuration sees it, with Weir's folders where `weir` has them.
pub(crate) fn environment(places: &Places) -> Environment {
    let mut environment = Environment::of_process();
    environment.cache.clone_from(&places.cache);
    environment.state.clone_from(&places.state);
    environment
}

pub(crate) fn load(file: &Path) -> Outcome<(Loaded, Places, Environment)> {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    let environment = environment(&places);
    Ok((weir_control::load(file, &environment)?, places, environment))
}

/// `weir check`.
pub(crate) fn check(file: &Path) -> Outcome {
    let (loaded, places, environment) = load(file)?;
    // What cannot be rendered here could not be run here either.
    resources(file, &loaded, &places, &environment)?;
    for left_out in loaded.gateway.left_out() {
        say::line(&format!("left out: {left_out}"));
    }
    warn(&loaded);
    let alone = weir_control::alone::alone(&loaded.gateway);
    for line in &alone {
        say::line(&format!("warning: {line}"));
    }
    let mut found = vec![
        counted(loaded.gateway.routing().models.len(), "model"),
        counted(loaded.gateway.providers().count(), "provider"),
    ];
    let warnings = loaded.warnings.len() + alone.len();
    if warnings > 0 {
        found.push(counted(warnings, "warning"));
    }
    say::result(&format!("{}: ok ({})", file.display(), found.join(", ")))
}

/// Says what holds, but may not be what was meant.
pub(crate) fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        say::line(&format!("warning: {warning}"));
    }
}

/// How an explanation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `weir explain`.
pub(crate) fn explain(file: &Path, request: &Path, path: Option<&str>, form: Form) -> Outcome {
    let (loaded, ..) = load(file)?;
    let body = if request == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map_err(at(request))?;
        body
    } else {
        fs::read(request).map_err(at(request))?
    };
    // A refusal is as good an explanation as any.
    let path = path.unwrap_or_else(|| explain::endpoint(&body).path());
    let (text, value) = match explain::explain(&loaded.gateway, &body, path) {
        Ok(explanation) => (explanation.to_string(), serde_json::to_value(&explanation)),
        Err(refusal) => (format!("refused: {refusal}"), serde_json::to_value(&refusal)),
    };
    match form {
        Form::Text => say::result(text.trim_end()),
        Form::Json => say::result(&serde_json::to_string_pretty(&value.unwrap_or_default()).unwrap_or_default()),
    }
}

/// `weir presets`: each with the pages that say how it deviates, and what none was found to say.
pub(crate) fn presets() -> Outcome {
    for (name, preset) in Preset::all() {
        let credential = preset.credential.as_deref().unwrap_or("no credential");
        say::result(&format!("{name:<14} {:<10} {}  ({credential})", preset.dialect, preset.endpoint))?;
        for source in &preset.sources {
            say::result(&format!("{:<14} {source}", ""))?;
        }
        if !preset.unconfirmed.is_empty() {
            say::result(&format!("{:<14} unconfirmed: {}", "", preset.unconfirmed.join(", ")))?;
        }
    }
    Ok(())
}

/// `weir schema`.
pub(crate) fn schema(file: Option<&Path>, check: bool) -> Outcome {
    let fresh = weir_control::schema::schema();
    let Some(file) = file else {
        return say::result(fresh.trim_end());
    };
    if fs::read_to_string(file).is_ok_and(|held| held == fresh) {
        return Ok(());
    }
    if check {
        return Err(Problem::Failed(format!("{}: stale; `cargo xtask schema` writes it anew", file.display())));
    }
    fs::write(file, fresh).map_err(at(file))
}

/// What `weir up` would run.
pub(crate) fn resources(
    file: &Path,
    loaded: &Loaded,
    places: &Places,
    environment: &Environment,
) -> Outcome<Resources> {
    rendered(&loaded.gateway, &paths(file, places, environment)?).map_err(|error| Problem::Failed(error.to_string()))
}

/// Where `weir up` would have things.
fn paths(file: &Path, places: &Places, environment: &Environment) -> Outcome<Node> {
    // How many files may be open there is not known.
    Ok(Folders::of(places, file)?.paths(module()?, environment, MOST_CONNECTIONS))
}

/// Where an installed filter is, for what is only looked at.
const INSTALLED: &str = "/usr/lib/weir/weir_filter.wasm";

/// Says so, if no filter is here.
pub(crate) fn hint_at_filter() -> Outcome {
    if module()?.path() == Path::new(INSTALLED) && !Path::new(INSTALLED).is_file() {
        say::line(&format!(
            "no filter was found, so this names {INSTALLED}: put one there, or name one with WEIR_FILTER"
        ));
    }
    Ok(())
}

/// The filter that `weir up` would take. One that is not built yet is no error in a configuration; one that `WEIR_FILTER` names
/// must be there.
fn module() -> Outcome<Module> {
    match filter::find(None, None) {
        Err(_) if !filter::is_named() => Ok(Module::Wasm(INSTALLED.into())),
        found => found,
    }
}

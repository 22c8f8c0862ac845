//! The configuration's file: where it is, and what this machine adds to it.

use std::path::{Path, PathBuf};

use weir_control::{Environment, Loaded};
use weir_places::Places;

use crate::problem::{Outcome, Problem};
use crate::say;

/// The file that is named, or the one where a clone and a usual installation have it.
pub fn find(named: Option<&Path>) -> Outcome<PathBuf> {
    const USUAL: [&str; 2] = ["weir.yaml", "config/weir.yaml"];
    match named {
        Some(file) => Ok(file.to_owned()),
        None => USUAL.iter().map(PathBuf::from).find(|file| file.is_file()).ok_or_else(|| {
            Problem::Usage(format!("no configuration is named, and there is neither {} here", USUAL.join(" nor ")))
        }),
    }
}

/// This machine as the configuration sees it, with the folders that `weir` uses.
pub(crate) fn environment(places: &Places) -> Environment {
    let mut environment = Environment::of_process();
    environment.cache.clone_from(&places.cache);
    environment.state.clone_from(&places.state);
    environment
}

/// Reads a configuration as this machine sees it.
pub fn load(file: &Path) -> Outcome<(Loaded, Places, Environment)> {
    let places = Places::here().map_err(|error| Problem::Failed(error.to_string()))?;
    let environment = environment(&places);
    Ok((weir_control::load(file, &environment)?, places, environment))
}

/// Warns of what is valid, but may not be what was meant.
pub fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        say::line(&format!("warning: {warning}"));
    }
}

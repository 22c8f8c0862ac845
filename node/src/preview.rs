//! What `weir up` would run, without running it.

use std::path::Path;

use weir_control::render::{MOST_CONNECTIONS, Module, Node, Resources, render};
use weir_control::{Environment, Loaded};
use weir_places::Places;

use crate::filter;
use crate::folders::Folders;
use crate::problem::{Outcome, Problem};
use crate::say;

/// What `weir up` would run.
pub fn resources(file: &Path, loaded: &Loaded, places: &Places, environment: &Environment) -> Outcome<Resources> {
    render(&loaded.gateway, &paths(file, places, environment)?).map_err(|error| Problem::Failed(error.to_string()))
}

/// Where `weir up` would have things.
fn paths(file: &Path, places: &Places, environment: &Environment) -> Outcome<Node> {
    // How many files may be open there is not known.
    Ok(Folders::of(places, file)?.paths(module()?, environment, MOST_CONNECTIONS))
}

/// Where an installed filter is, for what is only looked at.
const INSTALLED: &str = "/usr/lib/weir/weir_filter.wasm";

/// Says so, if no filter is here.
pub fn hint_at_filter() -> Outcome {
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

//! What `weir up` would run, without running it.

use std::path::Path;

use weir_control::render::{MOST_CONNECTIONS, Module, Node, Resources, render};
use weir_control::{Environment, Loaded};
use weir_places::Places;

use crate::filter;
use crate::folders::Folders;
use crate::problem::{Outcome, Problem};
use crate::say;

/// The resources of the Envoy that `weir up` would run.
pub fn resources(file: &Path, loaded: &Loaded, places: &Places, environment: &Environment) -> Outcome<Resources> {
    render(&loaded.gateway, &node(file, places, environment)?).map_err(|error| Problem::Failed(error.to_string()))
}

/// The node that `weir up` would run.
fn node(file: &Path, places: &Places, environment: &Environment) -> Outcome<Node> {
    // The limit of open files is not known: `weir up` may run as another user.
    let folders = Folders::of(places, file)?;
    Ok(folders.node(folders.name(places), module()?, environment, MOST_CONNECTIONS))
}

/// The filter that is named if none is found: where an installation has it.
const INSTALLED: &str = "/usr/lib/weir/weir_filter.wasm";

/// Says so if no filter is found.
pub fn hint_at_filter() -> Outcome {
    if module()?.path() == Path::new(INSTALLED) && !Path::new(INSTALLED).is_file() {
        say::line(&format!(
            "no filter was found, so this names {INSTALLED}: put one there, or name one with WEIR_FILTER"
        ));
    }
    Ok(())
}

/// The filter that `weir up` would use. A configuration is valid before a filter is built, so a missing filter is no error,
/// unless `WEIR_FILTER` names one.
fn module() -> Outcome<Module> {
    match filter::find(None, None) {
        Err(_) if !filter::is_named() => Ok(Module::Wasm(INSTALLED.into())),
        found => found,
    }
}

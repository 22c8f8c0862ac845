//! What is rendered: accepted by Envoy, the same to the byte each time, without a secret.

use std::path::Path;

use crate::common::{configurations, copy, environment, paths, validate};
use weir_control::render::{File, Resources, render};

/// Loads and renders `file` as if it stood in `folder`.
fn rendered(file: &Path, folder: &Path) -> Resources {
    let environment = environment(folder);
    let file = copy(file, folder);
    let loaded = weir_control::load(&file, &environment).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", errors.join("\n"))
    });
    render(&loaded.gateway, &paths(folder, &environment)).unwrap()
}

#[test]
fn every_configuration_that_ships_is_accepted_by_envoy() {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let resources = rendered(&file, folder);
        let environment = environment(folder);
        let in_one = folder.join("in-one.json");
        std::fs::write(&in_one, resources.in_one().to_string()).unwrap();
        validate(&in_one, &environment);
        std::fs::create_dir_all(folder.join("envoy")).unwrap();
        for (_, name, text) in resources.files() {
            std::fs::write(folder.join("envoy").join(name), text).unwrap();
        }
        validate(&folder.join("envoy").join(File::Bootstrap.name()), &environment);
    }
}

#[test]
fn nothing_rendered_holds_a_secret() {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let resources = rendered(&file, folder.path());
        let texts: Vec<String> = resources.files().into_iter().map(|(_, _, text)| text).collect();
        let all = texts.join("\n") + &resources.in_one().to_string();
        assert!(!all.contains("-secret"), "{} leaks a credential", file.display());
    }
}

#[test]
fn the_same_configuration_is_rendered_the_same_to_the_byte() {
    for file in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let one = rendered(&file, folder.path());
        let other = rendered(&file, folder.path());
        assert_eq!(one.files(), other.files());
    }
}

//! What was fetched, what is used instead, and what is said where something is missing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use weir_tests::{Home, Ports};

use crate::up::CONFIGURATION;

/// A program that says it is this Envoy.
fn envoy(home: &Home, folder: &str, version: &str) -> PathBuf {
    fs::create_dir_all(home.path(folder)).unwrap();
    let path = home.write(
        &format!("{folder}/envoy"),
        &format!("#!/bin/sh\necho 'envoy  version: 0123abcd/{version}/Clean/RELEASE/BoringSSL'\n"),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn an_envoy_on_path_is_used_if_it_is_new_enough() {
    let home = Home::new();
    let (old, new) = (envoy(&home, "old", "1.38.3"), envoy(&home, "new", "1.41.0"));
    let folders = [old.parent().unwrap(), new.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()];
    let mut command = home.command(&["fetch"]);
    let output = command.env("PATH", std::env::join_paths(folders).unwrap()).env_remove("WEIR_ENVOY").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(&format!("Envoy 1.41 (found on PATH): {}", new.display())), "{out}");
}

#[test]
fn a_named_envoy_goes_before_all_and_must_be_new_enough() {
    let home = Home::new();
    let check = |version: &str, expect: &str| {
        let named = envoy(&home, "own", version);
        let output = home.command(&["fetch"]).env("WEIR_ENVOY", &named).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(expect), "{said}");
    };
    check("1.39.0", "Envoy 1.39 (named by WEIR_ENVOY)");
    check("1.38.0", "is Envoy 1.38; name an Envoy 1.39 or later, or unset it");
    check("none", "tells no version; name an Envoy 1.39 or later, or unset it");
}

#[test]
fn what_is_missing_is_told_before_anything_starts() {
    let home = Home::new();
    home.write("weir.yaml", &Ports::free().replace(CONFIGURATION));
    let mut command = home.command(&["up", "weir.yaml", "--no-sim", "--cache", "empty"]);
    let said = command.env("SIM_KEY", "sk-test").env("PATH", "/nowhere").env_remove("WEIR_ENVOY").output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(err.contains("no Envoy: ") && err.contains("`cargo xtask fetch`"), "{err}");
}

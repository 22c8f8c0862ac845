//! What `envoy/` ships: the default configuration as Envoy reads it, for those who run an Envoy of their own.
//!
//! `BLESS=1 cargo test -p weir-control` writes it anew.

use std::collections::BTreeMap;
use std::path::Path;

use weir_control::render::{MOST_CONNECTIONS, Module, Paths, render};

use crate::common::{copy, environment, repository};

/// Places as a package would install them.
fn paths() -> Paths {
    Paths {
        folder: "/etc/weir/envoy".into(),
        filter: Module::Wasm("/usr/lib/weir/weir_filter.wasm".into()),
        sidecar_socket: "/run/weir/sidecar.sock".into(),
        admin_socket: "/run/weir/admin.sock".into(),
        access_log: "/var/log/weir/access.log".into(),
        ca_bundle: Some("/etc/ssl/certs/ca-certificates.crt".into()),
        connections: MOST_CONNECTIONS,
    }
}

fn held(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    };
    files.map(read).collect()
}

#[test]
fn the_includes_are_what_is_rendered_now() {
    let folder = tempfile::tempdir().unwrap();
    let file = copy(&repository().join("config/weir.yaml"), folder.path());
    let loaded = weir_control::load(&file, &environment(folder.path())).unwrap();
    let rendered = render(&loaded.gateway, &paths()).unwrap().files();
    let rendered: BTreeMap<String, String> = rendered.into_iter().map(|(_, name, text)| (name, text)).collect();
    let includes = repository().join("envoy");
    if std::env::var_os("BLESS").is_some() {
        for name in held(&includes).into_keys() {
            std::fs::remove_file(includes.join(name)).unwrap();
        }
        for (name, text) in &rendered {
            std::fs::write(includes.join(name), text).unwrap();
        }
    }
    let held = held(&includes);
    assert_eq!(held.keys().collect::<Vec<_>>(), rendered.keys().collect::<Vec<_>>());
    for (name, text) in &rendered {
        assert!(held.get(name) == Some(text), "envoy/{name} is stale: BLESS=1 cargo test -p weir-control");
    }
}

//! What `envoy/` ships: the default configuration, rendered for an Envoy of somebody's own.
//!
//! `BLESS=1 cargo test -p weir --test it includes` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use weir_tests::{Home, Said};

fn held(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|kind| kind == "json" || kind == "service"));
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn an_envoy_of_ones_own_is_connected_to_the_control_that_is_named() {
    let home = Home::new();
    home.write("module.wasm", "");
    home.write(
        "weir.yaml",
        "providers: { p: { dialect: openai, endpoint: 'http://127.0.0.1:9' } }\n\
         models: { m: { targets: [{ provider: p }] } }\n\
         quotas: { all: { budget: 9 tokens per day } }\n",
    );
    let render = |flags: &[&str]| {
        let mut command = home.command(&[&["render", "weir.yaml", "--out", "envoy"], flags].concat());
        Said::of(command.env("WEIR_FILTER", "module.wasm"))
    };
    let alone = render(&[]);
    assert!(alone.code == Some(0) && alone.err.contains("a restart forgets them"), "{alone:?}");
    assert!(!home.read("envoy/bootstrap.json").contains("weir-control"));
    let shares = render(&["--control", "unix:/run/weir/control.sock", "--node", "edge-1"]);
    assert!(shares.code == Some(0) && !shares.err.contains("forgets"), "{shares:?}");
    let bootstrap = home.read("envoy/bootstrap.json");
    for part in ["weir-control", "/run/weir/control.sock", "edge-1"] {
        assert!(bootstrap.contains(part), "{part}: {bootstrap}");
    }
    assert_eq!(render(&["--control", "unix:/run/weir/control.sock"]).code, Some(2), "without a name");
    assert_eq!(render(&["--control", "https://control.example", "--node", "edge-1"]).code, Some(2));
}

#[test]
fn the_includes_are_what_is_rendered_now() {
    let home = Home::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    home.write("module.wasm", "");
    home.write("ca.pem", "");
    let configuration = repository.join("config/weir.yaml");
    let mut command = home.command(&["render", configuration.to_str().unwrap(), "--out", "envoy"]);
    command.args(["--prefix", "/var/lib/weir/envoy"]).env("WEIR_FILTER", "module.wasm");
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let rendered = held(&home.path("envoy"));
    assert!(rendered.contains_key("sidecar.json") && rendered.contains_key("weir-sidecar.service"));
    let includes = repository.join("envoy");
    if std::env::var_os("BLESS").is_some() {
        for name in held(&includes).into_keys() {
            fs::remove_file(includes.join(name)).unwrap();
        }
        for (name, text) in &rendered {
            fs::write(includes.join(name), text).unwrap();
        }
    }
    let held = held(&includes);
    assert_eq!(held.keys().collect::<Vec<_>>(), rendered.keys().collect::<Vec<_>>());
    for (name, text) in &rendered {
        assert!(held.get(name) == Some(text), "envoy/{name} is stale: BLESS=1 cargo test -p weir --test it includes");
    }
}

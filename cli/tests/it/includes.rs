//! What `envoy/` ships: the default configuration, rendered for an Envoy of somebody's own.
//!
//! `BLESS=1 cargo test -p weir --test it includes` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use weir_tests::Home;

fn held(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|kind| kind == "json" || kind == "service"));
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
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

//! What `envoy/` ships, in a real Envoy. A test of `weir render` holds it against what is rendered now.

use std::time::Duration;

use serde_json::{Value, json};
use weir_ports::free;

use crate::common::{environment, repository, running_with, validate_with, wasm};
use crate::traffic;

/// Where the folder will lie.
const FOLDER: &str = "/var/lib/weir/envoy";

#[tokio::test]
async fn an_operators_envoy_takes_every_file_that_ships() {
    let folder = tempfile::tempdir().unwrap();
    let (here, mut environment) = (folder.path().to_str().unwrap(), environment(folder.path()));
    let mut secrets = 0;
    for file in std::fs::read_dir(repository().join("envoy")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&file).unwrap().replace(FOLDER, here);
            let text = text.replace("/etc/ssl/certs/ca-certificates.crt", &format!("{here}/ca.pem"));
            assert!(!text.contains("/root/") && !text.contains("/home/"), "{} names a folder here", file.display());
            let name = file.file_name().unwrap();
            secrets += usize::from(name.to_str().unwrap().starts_with("sds-"));
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    std::fs::copy(wasm(), folder.path().join("weir_filter.wasm")).unwrap();
    let admin = free().port();
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": admin } });
    let own = json!({ "node": { "id": "own", "cluster": "own" }, "admin": { "address": address } });
    let bootstrap = folder.path().join("own.json");
    std::fs::write(&bootstrap, own.to_string()).unwrap();
    let part = std::fs::read_to_string(folder.path().join("bootstrap.json")).unwrap();
    environment.vars.insert("GEMINI_API_KEY".to_owned(), "a-key".to_owned());
    validate_with(&bootstrap, &environment, &["--config-yaml", &part]);

    // Running, it says of each file whether it took it.
    let log = folder.path().join("envoy.log");
    let running = running_with(&bootstrap, folder.path(), &["--config-yaml", &part], environment.vars);
    let told = taken(admin, secrets).await;
    drop(running);
    let words = std::fs::read_to_string(log).unwrap();
    assert!(told.is_ok(), "{told:?}\n{words}");
    for complaint in ["deprecated", "unknown field", "Unused"] {
        assert!(!words.contains(complaint), "{words}");
    }
}

/// Waits until every file is taken, or one is refused.
async fn taken(admin: u16, secrets: usize) -> Result<(), String> {
    let path = "/stats?format=json&filter=(update_success|update_rejected|config_reload|config_fail)$";
    let ends = ["cluster_manager.cds.update_success", "listener_manager.lds.update_success", "rds.weir.update_success"];
    let mut seen = String::new();
    for _ in 0..3000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let Some(text) = traffic::get(admin, path).await else { continue };
        let Ok(told) = serde_json::from_str::<Value>(&text) else { continue };
        let count = |ends: &dyn Fn(&str) -> bool| {
            let stats = told["stats"].as_array().into_iter().flatten();
            let fits = stats.filter(|stat| stat["name"].as_str().is_some_and(ends) && stat["value"].as_u64() > Some(0));
            fits.count()
        };
        if count(&|name| name.ends_with("update_rejected") || name.ends_with("config_fail")) > 0 {
            return Err(text);
        }
        let all = ends.iter().all(|end| count(&|name| name.ends_with(end)) == 1);
        let edge = count(&|name| name.ends_with("weir-edge.config_reload")) == 1;
        if all && edge && count(&|name| name.starts_with("sds.") && name.ends_with("update_success")) >= secrets {
            return Ok(());
        }
        seen = text;
    }
    Err(format!("not all is taken: {seen}"))
}

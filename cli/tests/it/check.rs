//! Looking at a configuration: what is said, where it is said, and the exit code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use weir_tests::Home;

const GOOD: &str = "\
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
models:
  gpt-4o-mini:
    targets: [{ provider: sim }]
";

#[test]
fn a_good_configuration_is_ok() {
    let home = Home::new();
    home.write("weir.yaml", GOOD);
    let said = home.weir(&["check", "weir.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert_eq!(said.out, "weir.yaml: ok (1 model, 1 provider)\n");
}

#[test]
fn what_only_the_first_target_can_serve_is_told() {
    let home = Home::new();
    let other = "  claude: { dialect: anthropic, endpoint: 'http://127.0.0.1:10003' }\nmodels:";
    // At the simulator's usual address it would stand in for what is real.
    let two = GOOD
        .replace("10002", "10012")
        .replace("models:", other)
        .replace("{ provider: sim }", "{ provider: sim }, { provider: claude, model: m }");
    home.write("weir.yaml", &two);
    let said = home.weir(&["check", "weir.yaml"]);
    let told = "models.gpt-4o-mini: claude/m cannot take seed, n,";
    assert!(said.code == Some(0) && format!("{}{}", said.out, said.err).contains(told), "{said:?}");
}

#[test]
fn every_error_is_reported_at_once_with_its_line_and_a_hint() {
    let home = Home::new();
    home.write("weir.yaml", &GOOD.replace("provider: sim }", "provider: smi }").replace("openai,", "opnai,"));
    let said = home.weir(&["check", "weir.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("weir.yaml:2: providers.sim.dialect: "), "{said:?}");
    assert!(said.err.contains("weir.yaml:5: models.gpt-4o-mini.targets[0].provider: "), "{said:?}");
    assert!(said.err.contains("(did you mean \"openai\"?)"), "{said:?}");
    assert!(said.err.ends_with("\n2 errors\n"), "{said:?}");
}

#[test]
fn a_missing_file_is_an_error_and_a_wrong_flag_is_usage() {
    let home = Home::new();
    let missing = home.weir(&["check", "nowhere.yaml"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.starts_with("nowhere.yaml: cannot be read"), "{missing:?}");
    assert_eq!(home.weir(&["check"]).code, Some(2));
    assert_eq!(home.weir(&["up", "--frobnicate"]).code, Some(2));
    let endless = home.weir(&["up", "--wait", "9999999999999999h"]);
    assert!(endless.code == Some(2) && endless.err.contains("is longer than 24h"), "{endless:?}");
    let nothing = home.weir(&["up"]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.err.contains("neither weir.yaml nor config/weir.yaml here"), "{nothing:?}");
}

#[test]
fn what_is_rendered_names_the_models_and_no_secret() {
    let home = Home::new();
    let text = GOOD.replace("/v1' }", "/v1', credential: 'env:A_PROVIDERS_KEY' }");
    home.write("weir.yaml", &text);
    let said = home.command(&["render", "weir.yaml"]).env("A_PROVIDERS_KEY", "sk-very-secret").output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let all: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(all.pointer("/static_resources/listeners").is_some());
    assert!(out.contains("gpt-4o-mini") && out.contains("A_PROVIDERS_KEY") && !out.contains("sk-very-secret"));
}

/// Kills what it follows with.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_changes_is_rendered_anew_while_it_is_watched() {
    let home = Home::new();
    home.write("weir.yaml", GOOD);
    home.write("module.wasm", "a filter");
    let mut command = home.command(&["render", "weir.yaml", "--out", "envoy", "--watch"]);
    command.env("WEIR_FILTER", "module.wasm").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut following = Following(command.spawn().unwrap());
    let mut said = BufReader::new(following.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |what: &str| said.find(|line| line.contains(what)).unwrap_or_else(|| panic!("never said {what:?}"));
    until("weir.yaml: watching it");
    assert!(home.read("envoy/edge.json").contains("gpt-4o-mini"));

    home.write("weir.yaml", &GOOD.replace("gpt-4o-mini", "another"));
    until("the change is written");
    assert!(home.read("envoy/edge.json").contains("another") && !home.read("envoy/edge.json").contains("gpt-4o-mini"));

    home.write("weir.yaml", &GOOD.replace("openai,", "opnai,"));
    until("nothing was changed");
    assert!(home.read("envoy/edge.json").contains("another"), "what is wrong changes nothing");

    home.write("weir.yaml", &format!("{GOOD}local: {{ models: {{ minilm: {{}} }} }}\n"));
    until("restart weir-sidecar");
    assert!(home.read("envoy/sidecar.json").contains("minilm"));
}

#[test]
fn a_folder_for_another_machine_is_rendered_without_what_is_there() {
    let home = Home::new();
    let text = GOOD.replace("http:", "https:");
    let text = text.replace("/v1' }", "/v1', credential: 'env:A_PROVIDERS_KEY', ca: ca.pem }");
    home.write("weir.yaml", &format!("{text}local: {{ models: {{ minilm: {{}} }} }}\n"));
    home.write("module.wasm", "a filter");
    let mut command = home.command(&["render", "weir.yaml", "--out", "envoy", "--prefix", "/srv/weir"]);
    let said = command.env("WEIR_FILTER", "module.wasm").output().unwrap();
    let (out, err) = (String::from_utf8(said.stdout).unwrap(), String::from_utf8(said.stderr).unwrap());
    assert!(said.status.success() && err.is_empty(), "{err}");
    let written: Vec<_> = out.lines().map(|line| line.rsplit_once('/').unwrap().1).collect();
    let mut files: Vec<_> = fs::read_dir(home.path("envoy"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expect = "bootstrap.json cds.json edge.json lds.json rds.json sds-credential-sim.json sidecar.json \
                  weir-sidecar.service weir_filter.wasm";
    assert_eq!(files.join(" "), expect);
    assert_eq!(written.len() + 1, files.len(), "all but the filter, which is named as it was: {out}");

    let read = |name: &str| fs::read_to_string(home.path("envoy").join(name)).unwrap();
    let here = home.path("").display().to_string();
    for name in files.iter().filter(|name| *name != "weir_filter.wasm") {
        assert!(!read(name).contains(here.trim_end_matches('/')), "{name} names a folder of this machine");
    }
    assert!(
        read("cds.json").contains("\"/srv/weir/weir_filter.wasm\"") && read("cds.json").contains("/srv/weir/ca.pem")
    );
    assert!(read("edge.json").contains("gpt-4o-mini"), "a credential that is not set here leaves nothing out");
    assert!(read("sds-credential-sim.json").contains("A_PROVIDERS_KEY"));
    let settings: serde_json::Value = serde_json::from_str(&read("sidecar.json")).unwrap();
    assert_eq!(
        (&settings["socket"], &settings["models"][0]["path"]),
        (&"/srv/weir/sidecar.sock".into(), &"/srv/weir/models/minilm".into())
    );
    assert!(read("weir-sidecar.service").contains("weir sidecar --config /srv/weir/sidecar.json\n"));

    let relative = home.weir(&["render", "weir.yaml", "--out", "envoy", "--prefix", "srv"]);
    assert!(relative.code == Some(2) && relative.err.contains("name an absolute path"), "{relative:?}");
}

#[test]
fn a_filter_that_is_not_where_it_is_said_to_be_is_told() {
    let home = Home::new();
    home.write("weir.yaml", GOOD);
    let wrong = home.command(&["render", "weir.yaml"]).env("WEIR_FILTER", "nowhere.wasm").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("nowhere.wasm: there is no filter here"), "{wrong:?}");

    // An installation without one: a binary that has nothing beside it.
    let binary = home.path("weir");
    fs::copy(env!("CARGO_BIN_EXE_weir"), &binary).unwrap();
    let render = |home: &Home| {
        let mut command = std::process::Command::new(&binary);
        command.args(["render", "weir.yaml"]).current_dir(home.path("")).env("WEIR_STATE", home.path("state"));
        command.env_remove("WEIR_FILTER");
        // Another test that starts a process just now holds the file open for writing until its child runs.
        loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                output => break output.unwrap(),
            }
        }
    };
    let none = render(&home);
    assert!(none.status.success() && String::from_utf8_lossy(&none.stderr).contains("no filter was found"), "{none:?}");
    home.write("weir_filter.wasm", "");
    let found = render(&home);
    assert!(found.status.success() && found.stderr.is_empty(), "{found:?}");
}

#[test]
fn a_request_is_explained_without_sending_it() {
    let home = Home::new();
    home.write("weir.yaml", GOOD);
    home.write("request.json", r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}"#);
    let said = home.weir(&["explain", "weir.yaml", "request.json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains("1. sim as gpt-4o-mini (openai)"), "{said:?}");
    assert!(said.out.contains("POST http://127.0.0.1:10002/v1/chat/completions"), "{said:?}");

    home.write("request.json", r#"{"model":"gpt-5","messages":[]}"#);
    let said = home.weir(&["explain", "weir.yaml", "request.json", "--json"]);
    let refusal: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(refusal["status"], 404, "{said:?}");
}

#[test]
fn the_schema_is_what_is_checked_in() {
    let home = Home::new();
    let held = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/schema.json");
    let said = home.weir(&["schema", "--check", "--file", held]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn what_others_can_reach_or_read_is_warned_of() {
    let home = Home::new();
    let check = |text: &str| {
        home.write("weir.yaml", text);
        let said = home.command(&["check", "weir.yaml"]).env("A_KEY", "sk-x").output().unwrap();
        assert!(said.status.success(), "{said:?}");
        // A note is no warning.
        let said = String::from_utf8(said.stderr).unwrap();
        let warnings: Vec<&str> = said.split_inclusive('\n').filter(|line| !line.starts_with("note: ")).collect();
        warnings.concat()
    };
    let with = |head: &str, endpoint: &str| {
        let own = format!("endpoint: '{endpoint}', credential: 'env:A_KEY' }}");
        format!("{head}{}", GOOD.replace("endpoint: 'http://127.0.0.1:10002/v1' }", &own))
    };
    for quiet in [
        with("listen: 127.0.0.1:10000\nadmin: 127.0.0.1:10001\n", "https://api.example.com/v1"),
        with("admin: '[::1]:10001'\n", "http://localhost:8000/v1"),
        with("listen: 10.0.0.7:10000\n", "http://[::1]:8000/v1"),
        GOOD.replace("127.0.0.1:10002", "gpu-1:8000"),
    ] {
        assert_eq!(check(&quiet), "", "{quiet}");
    }
    for (head, endpoint, told) in [
        ("listen: 0.0.0.0:10000\n", "https://h/v1", "weir.yaml:1: listen: 0.0.0.0:10000 listens on every network"),
        ("listen: '[::]:10000'\n", "https://h/v1", "weir.yaml:1: listen: [::]:10000 listens on every network"),
        ("admin: 0.0.0.0:10001\n", "https://h/v1", "weir.yaml:1: admin: whoever reaches 0.0.0.0:10001"),
        ("admin: 10.0.0.7:10001\n", "https://h/v1", "weir.yaml:1: admin: whoever reaches 10.0.0.7:10001"),
        ("", "http://gpu-1:8000/v1", "weir.yaml:2: providers.sim.endpoint: the credential goes to gpu-1 in plain text"),
        (
            "",
            "http://10.0.0.8/v1",
            "weir.yaml:2: providers.sim.endpoint: the credential goes to 10.0.0.8 in plain text",
        ),
    ] {
        let said = check(&with(head, endpoint));
        assert!(said.starts_with("warning: ") && said.contains(told) && said.lines().count() == 1, "{told}: {said}");
    }
}

/// With real keys set, an outage ended at the simulator as a 200 with an invented answer.
#[test]
fn of_the_configuration_of_a_clone_the_simulator_is_left_out_where_keys_are_set() {
    let home = Home::new();
    home.write("weir.yaml", include_str!("../../../config/weir.yaml"));
    let with = |command: &str, keys: &[&str]| {
        let mut command = home.command(&[command, "weir.yaml"]);
        command.envs(keys.iter().map(|key| (format!("{key}_API_KEY"), "sk-x")));
        let said = command.output().unwrap();
        assert!(said.status.success(), "{said:?}");
        (String::from_utf8(said.stdout).unwrap(), String::from_utf8(said.stderr).unwrap())
    };
    assert!(with("render", &[]).0.contains("sim-openai"));
    let (_, said) = with("check", &["OPENAI"]);
    for model in ["assistant", "gpt-4o-mini", "text-embedding-3-small"] {
        assert!(said.contains(&format!("left out: model {model}: its simulated targets")), "{said}");
    }
    assert!(!said.contains("model claude-sonnet-4-5: its simulated"), "{said}");
    let (all, _) = with("render", &["OPENAI", "ANTHROPIC", "GEMINI"]);
    assert!(!all.contains("sim-") && !all.contains(":10002"), "nothing leads to the simulator");
}

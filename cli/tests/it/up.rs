//! `weir up`: it answers, survives its children's deaths, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use weir_ports::free;

use crate::home::{Home, lives};
use crate::running::{LONG, Running, config, gone};

const LOCAL: &str =
    "  all-minilm-l6-v2:\n    targets: [{ provider: local }]\nlocal:\n  models: { all-minilm-l6-v2: {} }\n";

#[test]
fn it_answers_tells_how_and_leaves_nothing_behind() {
    let mut running = Running::start(&[], "");
    assert!(running.chats(), "{}", running.said());

    let key = running.key();
    let said = running.home.read("out");
    for line in [
        format!("http://{}/v1", running.listen),
        key.clone(),
        "gpt-4o-mini".to_owned(),
        format!("curl http://{}/v1/chat/completions", running.listen),
        "from openai import OpenAI".to_owned(),
    ] {
        assert!(said.contains(&line), "{line} is not in:\n{said}");
    }
    let mode = fs::metadata(running.home.path("state/key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!running.home.read("state/keys.yaml").contains(&key));

    let children = running.children();
    assert_eq!(children.len(), 2, "the simulator and Envoy");
    Running::kill(running.id(), "TERM");
    assert!(running.ended().success(), "{}", running.said());
    gone(&children);
    assert!(!running.home.path("ready.json").exists());
    for file in files(&running.home.path("run")) {
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&key) && !text.contains("sk-test"), "a secret is in {}", file.display());
    }
    // The ports are free, the key is the old one, nothing is made twice.
    running.again(&[]);
    assert_eq!(running.key(), key);
    assert!(running.chats(), "{}", running.said());
    assert_eq!(running.home.weir(&["keys", "list"]).out.lines().count(), 1);
}

#[test]
fn the_pasted_curl_line_works() {
    let running = Running::start(&[], "");
    let said = running.home.read("out");
    let from = said.find("curl http").unwrap();
    let line = said[from..].split("\n\n").next().unwrap();
    let answer = std::process::Command::new("sh").args(["-c", &format!("{} -s", line.trim())]).output().unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.contains("chat.completion"), "{line}\n{answer}");
}

#[test]
fn the_configuration_of_a_clone_answers_without_any_credential() {
    let annotated = include_str!("../../../config/weir.yaml");
    let running = Running::with(&[], |listen, admin, sim| {
        annotated
            .replace("127.0.0.1:10000", &listen.to_string())
            .replace("127.0.0.1:10001", &admin.to_string())
            .replace("127.0.0.1:10002", &sim.to_string())
    });
    for model in ["gpt-4o-mini", "claude-sonnet-4-5", "assistant"] {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] });
        let (status, text) = running.ask("/v1/chat/completions", &body).unwrap();
        assert_eq!(status, 200, "{model}: {text}\n{}", running.said());
    }
    for model in ["all-minilm-l6-v2", "text-embedding-3-small"] {
        let (status, text) = running.ask("/v1/embeddings", &json!({ "model": model, "input": "Hi" })).unwrap();
        assert_eq!(status, 200, "{model}: {text}\n{}", running.said());
    }
}

#[test]
fn what_dies_comes_back() {
    let mut running = Running::start(&[], LOCAL);
    let embed = |running: &Running| {
        let body = json!({ "model": "all-minilm-l6-v2", "input": "Hi" });
        running
            .ask("/v1/embeddings", &body)
            .is_some_and(|(status, text)| status == 200 && text.contains("\"embedding\""))
    };
    assert!(running.chats() && embed(&running), "{}", running.said());
    for name in ["sidecar", "envoy", "sim"] {
        Running::kill(running.child(name), "KILL");
    }
    running.until("chat is answered again", Running::chats);
    running.until("the local model is back", embed);
    for name in ["sidecar", "envoy", "sim"] {
        assert!(running.said().contains(&format!("{name} was killed by signal 9; starting it again in 0.1 s")));
        assert!(running.said().contains(&format!("{name} was started again")));
    }
}

/// An Envoy that came back while somebody else had its port ran on without a listener, for good, and nobody was told.
#[test]
fn an_envoy_that_comes_back_without_its_port_is_told_and_started_until_it_has_it() {
    let mut running = Running::start(&[], "");
    Running::kill(running.child("envoy"), "KILL");
    let start = std::time::Instant::now();
    let taken = loop {
        match TcpListener::bind(running.listen) {
            Ok(taken) => break taken,
            Err(error) => assert!(start.elapsed() < LONG, "{error}"),
        }
    };
    let told = format!("envoy does not listen on {}; starting it again", running.listen);
    running.until("it is told", |running| running.said().contains(&told));
    drop(taken);
    running.until("it is answered again", Running::chats);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_another_way() {
    let home = Home::new();
    home.write("weir.yaml", &config(free(), free(), free(), ""));
    let said = home.command(&["up", "--run", "weir.yaml/run", "--no-sim"]).env("SIM_KEY", "sk-test").output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{err}");
    assert!(err.contains("weir.yaml/run: Not a directory") && err.contains("may write with --run"), "{err}");
}

#[test]
fn local_models_are_listed() {
    let running = Running::start(&[], LOCAL);
    let listed = running.home.weir(&["models", "--run", "run"]);
    assert_eq!(listed.out, "all-minilm-l6-v2\tready\tonnx on cpu\n", "{listed:?}");
}

#[test]
fn killed_outright_it_leaves_nothing_behind_either() {
    let mut running = Running::start(&[], LOCAL);
    let children = running.children();
    assert_eq!(children.len(), 3);
    Running::kill(running.id(), "KILL");
    running.ended();
    gone(&children);
}

#[test]
fn a_stream_under_way_is_not_cut_by_a_stop() {
    // The simulator is slow, and is not the supervisor's.
    let sim = free();
    let home = Home::new();
    let slow = ["sim", "--listen", &sim.to_string(), "--pace", "100ms", "--tokens", "20"];
    let mut slow = home.command(&slow).stdout(std::process::Stdio::null()).spawn().unwrap();
    let more = "  slow:\n    targets: [{ provider: slow, model: gpt-4o-mini }]\n";
    let config = |listen, admin, own| {
        config(listen, admin, own, more).replace(
            "  local: { dialect: local }\n",
            &format!("  slow: {{ dialect: openai, endpoint: 'http://{sim}/v1', credential: 'env:SIM_KEY' }}\n"),
        )
    };
    let mut running = Running::with(&["--drain", "60s"], config);
    let body = json!({ "model": "slow", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let mut stream = BufReader::new(running.send("/v1/chat/completions", &body).unwrap());
    let mut text = String::new();
    while !text.contains("data:") {
        assert!(stream.read_line(&mut text).unwrap() > 0, "{text}\n{}", running.said());
    }
    Running::kill(running.id(), "TERM");
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("data: [DONE]"), "{text}\n{}", running.said());
    assert!(running.ended().success());
    assert!(running.said().contains("waiting for 1 under way"), "{}", running.said());
    slow.kill().unwrap();
    slow.wait().unwrap();
}

#[test]
fn a_taken_port_is_told_with_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new();
    let listen = taken.local_addr().unwrap();
    home.write("weir.yaml", &config(listen, free(), free(), ""));
    let said = home.command(&["up", "weir.yaml", "--no-sim"]).env("SIM_KEY", "sk-test").output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(err.contains(&format!("{listen} is in use by ")), "{err}");
    assert!(err.contains("stop that, or change `listen` in weir.yaml"), "{err}");
}

#[test]
fn a_second_start_of_the_same_is_refused() {
    let running = Running::start(&[], "");
    let again = running.home.command(&["up", "weir.yaml", "--run", "run"]).env("SIM_KEY", "sk-test").output().unwrap();
    let err = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(err.contains(&format!("running already, as process {}", running.id())), "{err}");
}

#[test]
fn a_change_is_taken_up_and_a_bad_one_is_refused() {
    let mut running = Running::start(&[], "");
    let good = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &good.replace("provider: sim }", "provider: smi }"));
    running.until("the bad change is refused", |running| running.said().contains("no provider is called \"smi\""));
    assert!(!running.said().contains("read again"), "nothing is said of what was read again unchanged at the start");
    assert!(running.chats(), "{}", running.said());
    running
        .home
        .write("weir.yaml", &format!("{good}  another: {{ targets: [{{ provider: sim, model: gpt-4o-mini }}] }}\n"));
    let body = json!({ "model": "another", "messages": [{ "role": "user", "content": "Hi" }] });
    running.until("the new model answers", |running| {
        running.ask("/v1/chat/completions", &body).is_some_and(|(status, _)| status == 200)
    });
}

/// A disk that became full or read-only once ended everything at the next save, because the sidecar's settings could not be written.
#[test]
fn settings_that_cannot_be_written_end_nothing() {
    let mut running = Running::start(&[], LOCAL);
    let settings = running.home.path("run/sidecar.json");
    fs::remove_file(&settings).unwrap();
    fs::create_dir_all(settings.join("in the way")).unwrap();
    let text = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &format!("{text}limits: {{ whole: 200s }}\n"));
    running.until("it is told", |running| running.said().contains("the local models stay as they were"));
    assert!(running.chats(), "{}", running.said());
}

/// A model whose folder is missing keeps everything from starting; saved while it ran, it took the models away that were there.
#[test]
fn a_missing_model_leaves_those_that_run() {
    let mut running = Running::start(&[], LOCAL);
    let sidecar = running.child("sidecar");
    let text = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &format!("{text}  folder: nowhere\n"));
    running.until("it is told", |running| running.said().contains("the local models stay as they were"));
    assert!(running.said().contains("nowhere/all-minilm-l6-v2; put it there"), "{}", running.said());
    assert!(lives(sidecar), "{}", running.said());
    running.home.write("weir.yaml", &format!("{text}  threads: 1\n"));
    running.until("it starts anew", |running| running.said().contains("the sidecar starts anew"));
}

#[test]
fn a_provider_that_a_change_puts_at_the_simulators_address_finds_it_there() {
    let mut running = Running::with(&[], |listen, admin, sim| {
        config(listen, admin, sim, "").replace(&sim.to_string(), "127.0.0.1:9")
    });
    assert_eq!(running.children().len(), 1, "Envoy alone");
    let text = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &text.replace("127.0.0.1:9/", &format!("{}/", running.sim)));
    running.until("the simulator answers", Running::chats);
    let said = format!("a provider is at {} now; the simulated provider starts there", running.sim);
    assert!(running.said().contains(&said), "{}", running.said());
    Running::kill(running.id(), "TERM");
    assert!(running.ended().success(), "{}", running.said());
    assert!(std::net::TcpStream::connect(running.sim).is_err(), "it has ended with the others");
}

#[test]
fn a_key_made_while_it_runs_works_and_a_revoked_one_does_not() {
    let mut running = Running::start(&[], "");
    let first = running.key();
    let key = running.home.weir(&["keys", "new", "ada"]).out;
    fs::write(running.home.path("state/key"), key.trim()).unwrap();
    running.until("the new key works", Running::chats);
    fs::write(running.home.path("state/key"), &first).unwrap();
    running.home.weir(&["keys", "revoke", "default"]);
    running.until("the old key is refused", |running| !running.chats());
}

/// It went to Envoy's log once, where nobody looks for it.
#[test]
fn an_access_log_on_standard_output_is_on_weirs_own() {
    let mut running = Running::start(&[], "telemetry: { access_log: stdout }\n");
    assert!(running.chats(), "{}", running.said());
    running.until("the record is there", |running| running.home.read("out").contains("\"model\":\"gpt-4o-mini\""));
    assert!(running.chats(), "{}", running.said());
    Running::kill(running.id(), "TERM");
    assert!(running.ended().success(), "{}", running.said());
    let out = running.home.read("out");
    assert_eq!(out.lines().filter(|line| line.starts_with('{') && line.ends_with('}')).count(), 2, "{out}");
    assert!(!running.home.read("run/logs/envoy.log").contains("gpt-4o-mini"));
}

#[test]
fn configurations_with_keys_files_of_their_own_each_keep_their_first_key() {
    let shown = |running: &Running| {
        let out = running.home.read("out");
        out.split_once("\n  key       ").unwrap().1.split('\n').next().unwrap().to_owned()
    };
    let mut running = Running::start(&[], "keys_file: ours/one.yaml\n");
    let (text, first) = (running.home.read("weir.yaml"), shown(&running));
    let three = running.home.path("ours/three.yaml");
    assert!(first.starts_with("weir-"), "{first}");
    assert_eq!(files(&running.home.path("ours")).len(), 2, "hashes and their lock, no key");
    let mut again = |keys_file: &str| {
        Running::kill(running.id(), "TERM");
        running.ended();
        running.home.write("weir.yaml", &text.replace("ours/one.yaml", keys_file));
        running.again(&[]);
        shown(&running)
    };
    let second = again("ours/two.yaml");
    assert!(second.starts_with("weir-") && second != first, "{second}");
    assert_eq!(again("ours/one.yaml"), first, "it was not overwritten");
    // A key that is kept nowhere: the banner says how another is made.
    fs::write(&three, format!("- name: ada\n  sha256: {}\n", "ab".repeat(32))).unwrap();
    let how = format!("`weir keys --file '{}' new NAME`", three.display());
    let third = again("ours/three.yaml");
    assert!(third.contains(&how), "{third}");
}

#[test]
fn an_envoy_that_does_not_start_is_told_with_the_end_of_its_log() {
    let home = Home::new();
    let wasm = home.write("broken.wasm", "this is no module");
    home.write("weir.yaml", &config(free(), free(), free(), ""));
    let flags = ["up", "weir.yaml", "--no-sim", "--run", "run", "--wait", "20s", "--filter", wasm.to_str().unwrap()];
    let said = home.command(&flags).env("SIM_KEY", "sk-test").output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(err.contains("envoy") && err.contains("the end of ") && err.contains("envoy.log"), "{err}");
}

/// An Envoy that never gets ready, so that whatever comes comes before that.
#[test]
fn a_signal_before_everything_is_up_ends_what_has_been_started() {
    let home = Home::new();
    let ids = home.path("ids");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'envoy  version: 0/1.40.0/Clean/RELEASE/BoringSSL'\necho $$ >> {}\nexec \
         tail -f /dev/null\n",
        ids.display()
    );
    let envoy = home.write("envoy", &text);
    fs::set_permissions(&envoy, fs::Permissions::from_mode(0o755)).unwrap();
    for signal in ["INT", "TERM"] {
        let _ = fs::remove_file(&ids);
        home.write("weir.yaml", &config(free(), free(), free(), ""));
        let mut command = home.command(&["up", "weir.yaml", "--no-sim", "--run", "run"]);
        command.env("SIM_KEY", "sk-test").env("WEIR_ENVOY", &envoy);
        let err = fs::File::create(home.path("err")).unwrap();
        let mut child = command.stdout(std::process::Stdio::null()).stderr(err).spawn().unwrap();
        let start = std::time::Instant::now();
        let started = loop {
            if let Ok(id) = home.read("ids").trim().parse() {
                break id;
            }
            assert!(start.elapsed() < LONG && child.try_wait().unwrap().is_none(), "{}", home.read("err"));
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        Running::kill(child.id(), signal);
        assert!(child.wait().unwrap().success(), "{signal}: {}", home.read("err"));
        assert!(home.read("err").ends_with("stopping before everything was up\n"), "{signal}: {}", home.read("err"));
        gone(&[started]);
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

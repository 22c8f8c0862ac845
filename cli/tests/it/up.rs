//! `weir up`: it answers, survives its children's deaths, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
    let running = Running::with(&[], |listen, sim| {
        annotated.replace("127.0.0.1:10000", &listen.to_string()).replace("127.0.0.1:10002", &sim.to_string())
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

/// Whether the local model answers.
fn embeds(running: &Running) -> bool {
    let body = json!({ "model": "all-minilm-l6-v2", "input": "Hi" });
    let answer = running.ask("/v1/embeddings", &body);
    answer.is_some_and(|(status, text)| status == 200 && text.contains("\"embedding\""))
}

#[test]
fn what_dies_comes_back() {
    let mut running = Running::start(&[], LOCAL);
    assert!(running.chats() && embeds(&running), "{}", running.said());
    for name in ["sidecar", "envoy", "sim"] {
        Running::kill(running.child(name), "KILL");
    }
    running.until("chat is answered again", Running::chats);
    running.until("the local model is back", embeds);
    for name in ["sidecar", "envoy", "sim"] {
        assert!(running.said().contains(&format!("{name} was killed by signal 9; restarting it in 0.1 s")));
        assert!(running.said().contains(&format!("{name} was restarted")));
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
    let told = format!("envoy does not listen on {}; restarting it", running.listen);
    running.until("it is told", |running| running.said().contains(&told));
    drop(taken);
    running.until("it is answered again", Running::chats);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_another_way() {
    let home = Home::new();
    home.write("weir.yaml", &config(free(), free(), ""));
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
    let config = |listen, own| {
        config(listen, own, more).replace(
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
    assert!(running.said().contains("waiting for 1 running request"), "{}", running.said());
    slow.kill().unwrap();
    slow.wait().unwrap();
}

#[test]
fn a_taken_port_is_told_with_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new();
    let listen = taken.local_addr().unwrap();
    home.write("weir.yaml", &config(listen, free(), ""));
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

/// Saved while it ran, it took the models away that were there.
#[test]
fn a_missing_model_leaves_those_that_run() {
    let mut running = Running::start(&[], LOCAL);
    let sidecar = running.child("sidecar");
    let text = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &format!("{text}  folder: nowhere\n"));
    running.until("it is told", |running| running.said().contains("the model of before goes on"));
    assert!(running.said().contains("local model all-minilm-l6-v2: "), "{}", running.said());
    assert!(running.said().contains("nowhere/all-minilm-l6-v2: no such folder"), "{}", running.said());
    assert!(embeds(&running), "{}", running.said());
    running.home.write("weir.yaml", &format!("{text}  threads: 1\n"));
    let loaded =
        |running: &Running| running.said().matches("local model all-minilm-l6-v2\tready\tonnx on cpu\n").count();
    running.until("it is loaded with its other settings", |running| loaded(running) == 2);
    assert!(embeds(&running) && lives(sidecar), "{}", running.said());
}

#[test]
fn a_setting_of_the_sidecar_itself_starts_it_anew() {
    let mut running = Running::start(&[], LOCAL);
    let text = running.home.read("weir.yaml");
    running.home.write("weir.yaml", &format!("{text}limits: {{ body: {{ embeddings: 1MiB }} }}\n"));
    running.until("it is restarted", |running| running.said().contains("the sidecar is restarted"));
    running.until("the local model is back", embeds);
}

#[test]
fn a_local_model_is_unloaded_and_loaded_by_hand() {
    let running = Running::start(&[], LOCAL);
    let weir =
        |arguments: &[&str]| running.home.weir(&[&["models"], arguments, &["weir.yaml", "--run", "run"]].concat());
    let unloaded = weir(&["unload", "all-minilm-l6-v2"]);
    assert_eq!((unloaded.code, unloaded.err.trim()), (Some(0), "local model all-minilm-l6-v2 is unloaded"));
    assert!(!embeds(&running) && running.chats(), "{}", running.said());
    let loaded = weir(&["load", "all-minilm-l6-v2", "--threads", "1"]);
    assert_eq!(loaded.out, "all-minilm-l6-v2\tready\tonnx on cpu\n", "{loaded:?}");
    assert!(embeds(&running), "{}", running.said());
    let failed = weir(&["load", "all-minilm-l6-v2", "--path", "nowhere"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.err.contains("nowhere: no such folder"), "{failed:?}");
    assert!(failed.err.trim().ends_with("the model of before goes on") && embeds(&running), "{failed:?}");
    let unknown = weir(&["unload", "mine"]);
    assert_eq!((unknown.code, unknown.err.trim()), (Some(1), "weir: no model is called \"mine\""));
}

/// One folder that was not there kept everything else from starting.
#[test]
fn what_does_not_need_a_missing_model_starts() {
    let local = "  mine:\n    targets: [{ provider: local }]\nlocal:\n  folder: models\n  models: { mine: {} }\n";
    let running = Running::start(&[], local);
    assert!(running.said().contains("local.models.mine: there is no folder "), "{}", running.said());
    assert!(running.chats(), "{}", running.said());
    let (status, said) = running.ask("/v1/embeddings", &json!({ "model": "mine", "input": "Hi" })).unwrap();
    assert!(
        status == 502 && said.contains("could not be loaded: the model's folder: no such folder"),
        "{status} {said}"
    );
}

#[test]
fn a_provider_that_a_change_puts_at_the_simulators_address_finds_it_there() {
    let mut running =
        Running::with(&[], |listen, sim| config(listen, sim, "").replace(&sim.to_string(), "127.0.0.1:9"));
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
    home.write("weir.yaml", &config(free(), free(), ""));
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
        home.write("weir.yaml", &config(free(), free(), ""));
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

/// Folders were 0755 and logs 0644, so that every user of the machine could read who asked for what.
#[test]
fn nobody_else_can_read_or_open_what_it_makes() {
    let running = Running::start(&[], LOCAL);
    assert!(running.chats(), "{}", running.said());
    let mut seen = Vec::new();
    for top in ["run", "state"] {
        walk(&running.home.path(top), &mut |path, found| {
            let (mode, expect) = (found.mode() & 0o777, if found.is_dir() { 0o700 } else { 0o600 });
            assert_eq!(mode, expect, "{} is open to others: {mode:o}", path.display());
            seen.push(path.file_name().unwrap().to_string_lossy().into_owned());
        });
    }
    for name in
        ["admin.sock", "sidecar.sock", "access.log", "envoy.log", "edge.json", "key", "keys.yaml", "sidecar.json"]
    {
        assert!(seen.iter().any(|seen| seen == name), "{name} is not among {seen:?}");
    }
}

/// What earlier versions left open is closed at the next start.
#[test]
fn what_was_open_to_others_is_closed_at_the_start() {
    let mut running = Running::start(&[], "");
    let open =
        ["run", "run/logs", "run/logs/access.log", "run/envoy", "run/envoy/edge.json", "state", "state/keys.yaml"];
    Running::kill(running.id(), "TERM");
    running.ended();
    for name in open {
        fs::set_permissions(running.home.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    running.again(&[]);
    for name in open {
        let mode = fs::metadata(running.home.path(name)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn envoys_admin_interface_is_asked_by_weir_admin_and_tells_no_key_either() {
    let mut running = Running::start(&[], "");
    let admin =
        |running: &Running, arguments: &[&str]| running.home.weir(&[&["admin", "--run", "run"], arguments].concat());
    assert!(running.home.read("out").contains("`weir admin` asks Envoy itself"), "{}", running.said());
    let stats = admin(&running, &["stats"]);
    assert!(stats.code == Some(0) && stats.out.contains("http.edge.downstream_rq_total: "), "{stats:?}");
    assert!(admin(&running, &["config_dump"]).out.contains("weir-edge"));
    let wrong = admin(&running, &["reopen_logs"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("--post sends what changes something"), "{wrong:?}");
    assert_eq!(admin(&running, &["--post", "reopen_logs"]).code, Some(0));
    let loud = admin(&running, &["--post", "logging?level=trace"]);
    assert!(loud.code == Some(0) && loud.err.contains("http stays at info"), "{loud:?}");
    assert!(running.chats(), "{}", running.said());
    running.until("Envoy logs", |running| running.home.read("run/logs/envoy.log").contains("[debug]"));
    assert!(!running.home.read("run/logs/envoy.log").contains(&running.key()));
    let nobody = running.home.weir(&["admin", "--run", "elsewhere"]);
    assert!(nobody.code == Some(1) && nobody.err.contains("is `weir up` running this configuration?"), "{nobody:?}");
}

/// It stood there from `debug` on, in the headers of requests.
#[test]
fn at_no_level_does_a_key_stand_in_a_log() {
    // Of the filters the wasm one is told more by Envoy's log.
    for level in ["trace", "debug"] {
        let mut running = Running::start(&["--log-level", level, "--filter", "wasm"], LOCAL);
        let key = running.key();
        for (name, value) in [
            ("authorization", format!("Bearer {key}")),
            ("x-api-key", key.clone()),
            ("x-goog-api-key", key.clone()),
            ("authorization", format!("Bearer {key}x")),
            ("cookie", format!("key={key}")),
        ] {
            for (path, body) in [
                (
                    "/v1/chat/completions",
                    json!({ "model": "gpt-4o-mini", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] }),
                ),
                ("/v1/embeddings", json!({ "model": "all-minilm-l6-v2", "input": "Hi" })),
                ("/v1/models", json!({})),
                (&format!("/v1beta/models/gpt-4o-mini:generateContent?key={key}"), json!({ "contents": [] })),
            ] {
                // Some of these are refused before their body has come.
                let _ = running.ask_with(path, &format!("{name}: {value}"), &body);
            }
        }
        Running::kill(running.id(), "TERM");
        assert!(running.ended().success(), "{}", running.said());
        for log in files(&running.home.path("run/logs")) {
            let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
            let told = text.lines().find(|line| line.contains(&key));
            assert_eq!(told, None, "in {}", log.display());
        }
        assert!(running.home.read("run/logs/envoy.log").contains("[debug]"));
    }
}

/// Idle connections, for which nobody needs a key, took every file that Envoy may have open, and shut everybody out.
#[test]
fn connections_beyond_what_the_files_allow_are_closed_and_the_others_are_served() {
    let running = Running::limited(256);
    let mut first = TcpStream::connect(running.listen).unwrap();
    let others: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(running.listen).unwrap()).collect();
    let (idle, closed): (Vec<TcpStream>, Vec<TcpStream>) = others.into_iter().partition(|stream| {
        let (mut stream, mut answer) = (stream, [0; 12]);
        stream.set_read_timeout(Some(LONG)).unwrap();
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: weir\r\n\r\n");
        asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer == *b"HTTP/1.1 200"
    });
    assert_eq!((1 + idle.len(), closed.len()), (96, 55), "{}", running.said());
    first.set_read_timeout(Some(LONG)).unwrap();
    for _ in 0..3 {
        let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hi" }] }).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            running.key(),
            body.len()
        );
        first.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("chat.completion") {
            let mut part = [0; 4096];
            let read = first.read(&mut part).unwrap();
            assert!(read > 0, "{}\n{}", String::from_utf8_lossy(&answer), running.said());
            answer.extend_from_slice(&part[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "the provider is reached: {}", String::from_utf8_lossy(&answer));
    }
    // A place that is free again is somebody else's.
    drop(idle);
    let mut running = running;
    running.until("others are served again", Running::chats);
}

/// With a key that is set and wrong, or a provider that is down, callers received an invented answer with status 200.
#[test]
fn what_stands_in_for_real_providers_answers_for_none_that_can_be_asked() {
    let running = Running::with(&[], |listen, sim| {
        format!(
            "listen: {listen}\nproviders:\n  real: {{ dialect: openai, endpoint: 'http://127.0.0.1:9/v1', credential: 'env:SIM_KEY' }}\n  \
             unset: {{ dialect: openai, endpoint: 'http://127.0.0.1:9/v1', credential: 'env:NOBODY_SETS_THIS', optional: true }}\n  \
             sim: {{ dialect: openai, endpoint: 'http://{sim}/v1', simulated: true }}\nmodels:\n  \
             gpt-4o-mini: {{ targets: [{{ provider: real }}, {{ provider: sim }}] }}\n  \
             without: {{ targets: [{{ provider: unset }}, {{ provider: sim }}] }}\n"
        )
    });
    let ask = |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "my secret" }] });
        running.ask("/v1/chat/completions", &body).unwrap()
    };
    assert_eq!(ask("without").0, 200, "nobody real can be asked");
    let (status, text) = ask("gpt-4o-mini");
    assert!(status >= 500, "{status} {text}");
    assert!(running.said().contains("model gpt-4o-mini: its simulated targets"), "{}", running.said());
    // What it was asked it tells nobody, since nobody asked it to keep that.
    let mut stream = TcpStream::connect(running.sim).unwrap();
    stream.write_all(b"GET /_sim/requests HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("my secret"), "{answer}");
}

fn walk(path: &Path, see: &mut impl FnMut(&Path, &fs::Metadata)) {
    let found = fs::symlink_metadata(path).unwrap();
    see(path, &found);
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            walk(&entry.path(), see);
        }
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

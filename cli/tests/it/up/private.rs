//! What is nobody else's: keys, logs, sockets, and the places of callers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use weir_tests::{Up, signal};

use super::{LOCAL, chats, files, until_chats, with, with_configuration};

/// Folders were 0755 and logs 0644, so that every user of the machine could read who asked for what.
#[tokio::test]
async fn nobody_else_can_read_or_open_what_it_makes() {
    let up = with(LOCAL).start().await;
    assert!(chats(&up).await);
    let mut seen = Vec::new();
    for top in ["run", "state"] {
        walk(&up.path(top), &mut |path, found| {
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
#[tokio::test]
async fn what_was_open_to_others_is_closed_at_the_start() {
    let mut up = with("").start().await;
    let open =
        ["run", "run/logs", "run/logs/access.log", "run/envoy", "run/envoy/edge.json", "state", "state/keys.yaml"];
    signal(up.id(), "TERM");
    up.ended().await;
    for name in open {
        fs::set_permissions(up.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    up.again().await;
    for name in open {
        let mode = fs::metadata(up.path(name)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn envoys_admin_interface_is_asked_by_weir_admin_and_tells_no_key_either() {
    let up = with("").start().await;
    let admin = |arguments: &[&str]| up.home().weir(&[&["admin", "--run", "run"], arguments].concat());
    assert!(up.home().read("out").contains("`weir admin` asks Envoy itself"));
    let stats = admin(&["stats"]);
    assert!(stats.code == Some(0) && stats.out.contains("http.edge.downstream_rq_total: "), "{stats:?}");
    assert!(admin(&["config_dump"]).out.contains("weir-edge"));
    let wrong = admin(&["reopen_logs"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("--post sends what changes something"), "{wrong:?}");
    assert_eq!(admin(&["--post", "reopen_logs"]).code, Some(0));
    let loud = admin(&["--post", "logging?level=trace"]);
    assert!(loud.code == Some(0) && loud.err.contains("http stays at info"), "{loud:?}");
    assert!(chats(&up).await);
    let log = || up.home().read("run/logs/envoy.log");
    up.until("Envoy logs", async || log().contains("[debug]").then_some(())).await;
    assert!(!log().contains(&up.key()));
    let nobody = up.home().weir(&["admin", "--run", "elsewhere"]);
    assert!(nobody.code == Some(1) && nobody.err.contains("is `weir up` running this configuration?"), "{nobody:?}");
}

/// It stood there from `debug` on, in the headers of requests.
#[tokio::test]
async fn at_no_level_does_a_key_stand_in_a_log() {
    // Of the filters the wasm one is told more by Envoy's log.
    for level in ["trace", "debug"] {
        let up = with(LOCAL).flags(&["--log-level", level, "--filter", "wasm"]).start().await;
        let key = up.key();
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
                let _ = up.post(path, body).without_key().header(name, &value).if_answered().await;
            }
        }
        signal(up.id(), "TERM");
        assert!(up.ended().await.success());
        for log in files(&up.path("run/logs")) {
            let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
            let told = text.lines().find(|line| line.contains(&key));
            assert_eq!(told, None, "in {}", log.display());
        }
        assert!(up.home().read("run/logs/envoy.log").contains("[debug]"));
    }
}

/// Idle connections, for which nobody needs a key, took every file that Envoy may have open, and shut everybody out.
#[tokio::test]
async fn connections_beyond_what_the_files_allow_are_closed_and_the_others_are_served() {
    let up = with("").open_files(256).start().await;
    let connect = || {
        let stream = TcpStream::connect(up.ports().listen).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream
    };
    let mut first = connect();
    // Envoy's workers take connections in no order, so that the others must wait until this one is served.
    chat_on(&mut first, &up);
    let others: Vec<TcpStream> = (0..150).map(|_| connect()).collect();
    let (idle, closed): (Vec<TcpStream>, Vec<TcpStream>) = others.into_iter().partition(|stream| {
        let (mut stream, mut answer) = (stream, [0; 12]);
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: weir\r\n\r\n");
        asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer == *b"HTTP/1.1 200"
    });
    assert_eq!((1 + idle.len(), closed.len()), (96, 55));
    for _ in 0..3 {
        let answer = chat_on(&mut first, &up);
        assert!(answer.starts_with("HTTP/1.1 200"), "the provider is reached: {answer}");
    }
    // A place that is free again is somebody else's.
    drop(idle);
    until_chats(&up).await;
}

/// Asks on a connection that is open, and reads no further than to the answer's first object.
fn chat_on(stream: &mut TcpStream, up: &Up) -> String {
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hi" }] }).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        up.key(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("chat.completion") {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// With a key that is set and wrong, or a provider that is down, callers received an invented answer with status 200.
#[tokio::test]
async fn what_stands_in_for_real_providers_answers_for_none_that_can_be_asked() {
    const TWO: &str = "
listen: 127.0.0.1:10000
providers:
  real: { dialect: openai, endpoint: 'http://127.0.0.1:9/v1', credential: 'env:SIM_KEY' }
  unset: { dialect: openai, endpoint: 'http://127.0.0.1:9/v1', credential: 'env:NOBODY_SETS_THIS', optional: true }
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1', simulated: true }
models:
  gpt-4o-mini: { targets: [{ provider: real }, { provider: sim }] }
  without: { targets: [{ provider: unset }, { provider: sim }] }
";
    let up = with_configuration(TWO).without_env("WEIR_SIM_TOKEN").start().await;
    assert_eq!(up.chat("without", "my secret").await.status(), 200, "nobody real can be asked");
    let answer = up.chat("gpt-4o-mini", "my secret").await;
    assert!(answer.status() >= 500, "{} {}", answer.status(), answer.text());
    assert!(up.said().contains("model gpt-4o-mini: its simulated targets"));
    // What it was asked it tells nobody, since nobody asked it to keep that.
    let shown = up.sim("requests").await;
    assert!(shown.status() == 401 && !shown.text().contains("my secret"), "{}", shown.text());
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

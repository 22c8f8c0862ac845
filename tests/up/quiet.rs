//! Nothing calls home: of a machine that runs everything, nobody hears but who is configured.

use std::fs;
use std::path::PathBuf;

use weir_tests::{Up, has_strace};

const CONFIGURATION: &str = "
listen: 127.0.0.1:10000
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
  local: { dialect: local }
models:
  gpt: { targets: [{ provider: sim, model: gpt-4o }] }
  embedder: { targets: [{ provider: local, model: all-minilm-l6-v2 }] }
local: { models: { all-minilm-l6-v2: {} } }
";

/// ONNX Runtime wrote a device's id into the home folder and looked its maker's host up, before it could be told not to.
#[tokio::test]
async fn nobody_is_told_but_who_is_configured_and_nothing_is_written_about_the_machine() {
    let up = Up::with(CONFIGURATION).watched().start().await;
    assert_eq!(up.embed("embedder", "Hi").await.status(), 200, "ONNX Runtime is loaded");
    assert_eq!(up.chat("gpt", "Hi").await.status(), 200);
    assert!(up.home().weir(&["models", "--run", "run"]).out.contains("onnx"), "by ONNX Runtime");
    let home =
        fs::read_dir(up.path("home")).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    assert_eq!(home.unwrap_or_default(), Vec::<PathBuf>::new(), "nothing in the home folder");
    if has_strace() {
        let calls = fs::read_to_string(up.path("calls")).unwrap();
        assert!(calls.contains(&format!("htons({})", up.ports().sim.port())), "the simulator is asked:\n{calls}");
        let others: Vec<&str> = calls.lines().filter(|call| goes_out(call)).collect();
        assert!(others.is_empty(), "{}", others.join("\n"));
    }
}

/// Whether a call speaks to another machine, or asks for a name.
fn goes_out(call: &str) -> bool {
    let v4 = call.split_once("inet_addr(\"").is_some_and(|(_, rest)| !rest.starts_with("127."));
    let v6 = call.split_once("inet_pton(AF_INET6, \"").is_some_and(|(_, rest)| !rest.starts_with("::1\""));
    v4 || v6 || call.contains("htons(53)")
}

#[test]
fn what_goes_out_is_seen() {
    let to = |address: &str| format!("7 connect(5, {{sa_family=AF_INET, {address}}}, 16) = 0");
    for (call, expect) in [
        (to("sin_port=htons(443), sin_addr=inet_addr(\"20.1.2.3\")"), true),
        (to("sin_port=htons(53), sin_addr=inet_addr(\"127.0.0.53\")"), true),
        (to("sin6_port=htons(443), inet_pton(AF_INET6, \"2603::1\", &sin6_addr)"), true),
        (to("sin_port=htons(10002), sin_addr=inet_addr(\"127.0.0.1\")"), false),
        (to("sun_path=\"/run/weir/sidecar.sock\""), false),
    ] {
        assert_eq!(goes_out(&call), expect, "{call}");
    }
}

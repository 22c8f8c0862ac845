//! The start: what it prints, what answers then, and why it may be refused.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use weir_tests::{Home, Ports, Said, signal};

use super::{CONFIGURATION, SIM_KEY, chats, files, gone, with, with_configuration};

#[tokio::test]
async fn it_answers_tells_how_and_leaves_nothing_behind() {
    let mut up = with("").start().await;
    assert!(chats(&up).await);

    let key = up.key();
    let said = up.home().read("out");
    let listen = up.ports().listen;
    for line in [
        format!("http://{listen}/v1"),
        key.clone(),
        "gpt-4o-mini".to_owned(),
        format!("curl http://{listen}/v1/chat/completions"),
        "from openai import OpenAI".to_owned(),
    ] {
        assert!(said.contains(&line), "{line} is not in:\n{said}");
    }
    let mode = fs::metadata(up.path("state/key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!up.home().read("state/keys.yaml").contains(&key));

    let children = up.children();
    assert_eq!(children.len(), 3, "the simulator, control and Envoy");
    signal(up.id(), "TERM");
    assert!(up.ended().await.success());
    gone(&children).await;
    assert!(!up.path("ready.json").exists());
    for file in files(&up.path("run")) {
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&key) && !text.contains(SIM_KEY), "a secret is in {}", file.display());
    }
    // The ports are free, the key is the old one, nothing is made twice.
    up.again().await;
    assert_eq!(up.key(), key);
    assert!(chats(&up).await);
    assert_eq!(up.home().weir(&["keys", "list"]).out.lines().count(), 1);
}

#[tokio::test]
async fn the_pasted_curl_line_works() {
    let up = with("").start().await;
    let said = up.home().read("out");
    let from = said.find("curl http").unwrap();
    let line = said[from..].split("\n\n").next().unwrap();
    let answer = Said::of(up.command("sh").args(["-c", &format!("{} -s", line.trim())]));
    assert!(answer.out.contains("chat.completion"), "{line}\n{answer:?}");
}

#[tokio::test]
async fn the_configuration_of_a_clone_answers_without_any_credential() {
    let up = with_configuration(include_str!("../../../../config/weir.yaml")).start().await;
    for model in ["gpt-4o-mini", "claude-sonnet-4-5", "assistant"] {
        let answer = up.chat(model, "Hi").await;
        assert_eq!(answer.status(), 200, "{model}: {}", answer.text());
    }
    for model in ["all-minilm-l6-v2", "text-embedding-3-small"] {
        let answer = up.embed(model, "Hi").await;
        assert_eq!(answer.status(), 200, "{model}: {}", answer.text());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_another_way() {
    let home = Home::new();
    home.write("weir.yaml", &Ports::free().replace(CONFIGURATION));
    let mut command = home.command(&["up", "--run", "weir.yaml/run", "--no-sim"]);
    let said = Said::of(command.env("SIM_KEY", SIM_KEY));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("weir.yaml/run: Not a directory") && said.err.contains("may write with --run"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_taken_port_is_told_with_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let configuration = CONFIGURATION.replace("127.0.0.1:10000", &listen);
    let up = with_configuration(&configuration).flags(&["--no-sim"]).begin();
    assert_eq!(up.ended().await.code(), Some(1));
    let err = up.home().read("err");
    assert!(err.contains(&format!("{listen} is in use by ")), "{err}");
    assert!(err.contains("stop that, or change `listen` in weir.yaml"), "{err}");
}

#[tokio::test]
async fn a_second_start_of_the_same_is_refused() {
    let up = with("").start().await;
    let again = Said::of(up.home().command(&["up", "weir.yaml", "--run", "run"]).env("SIM_KEY", SIM_KEY));
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains(&format!("running already, as process {}", up.id())), "{again:?}");
}

#[tokio::test]
async fn an_envoy_that_does_not_start_is_told_with_the_end_of_its_log() {
    let broken = with("").file("broken.wasm", "this is no module");
    let up = broken.flags(&["--no-sim", "--wait", "20s", "--filter", "broken.wasm"]).begin();
    assert_eq!(up.ended().await.code(), Some(1));
    let err = up.home().read("err");
    assert!(err.contains("envoy") && err.contains("the end of ") && err.contains("envoy.log"), "{err}");
}

#[tokio::test]
async fn configurations_with_keys_files_of_their_own_each_keep_their_first_key() {
    let with_keys = |file: &str| format!("{CONFIGURATION}keys_file: {file}\n");
    let mut up = with_configuration(&with_keys("ours/one.yaml")).start().await;
    let shown = |out: &str| out.split_once("\n  key       ").unwrap().1.split('\n').next().unwrap().to_owned();
    let first = shown(&up.home().read("out"));
    let three = up.path("ours/three.yaml");
    assert!(first.starts_with("weir-"), "{first}");
    assert_eq!(files(&up.path("ours")).len(), 2, "hashes and their lock, no key");
    let mut again = async |file: &str| {
        signal(up.id(), "TERM");
        up.ended().await;
        up.overwrite(&with_keys(file));
        up.again().await;
        shown(&up.home().read("out"))
    };
    let second = again("ours/two.yaml").await;
    assert!(second.starts_with("weir-") && second != first, "{second}");
    assert_eq!(again("ours/one.yaml").await, first, "it was not overwritten");
    // A key that is kept nowhere: the banner says how another is made.
    fs::write(&three, format!("- name: ada\n  sha256: {}\n", "ab".repeat(32))).unwrap();
    let how = format!("`weir keys --file '{}' new NAME`", three.display());
    let third = again("ours/three.yaml").await;
    assert!(third.contains(&how), "{third}");
}

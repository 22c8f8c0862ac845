//! The coding agents of the README before `weir up`, with the configuration that is made for them: the real Claude Code and the
//! real Codex, from npm, on every provider of that file, with the simulator in the providers' place.
//!
//! `make agents` runs it: each agent must call its shell, send back what that said, and tell it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "../up/kit.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod kit;

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use weir_tests::Up;

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../config/examples/coding-agents.yaml");

/// What the simulator fills in where a tool wants a string: the command that a shell is told to run.
const COMMAND: &str = "example";
/// What that command is here.
const SCRIPT: &str = "#!/bin/sh\necho 'three fish' | tee fish.txt\n";

/// An agent as the README starts it, and what makes it work through one task by itself.
struct Agent {
    name: &'static str,
    asks: fn(&str) -> String,
}

const AGENTS: [Agent; 2] = [
    Agent {
        name: "claude",
        asks: |command| format!("{command} --print 'How many fish are in the weir?' --tools Bash --allowedTools Bash"),
    },
    Agent {
        name: "codex",
        asks: |command| {
            let command = command.replacen("codex ", "codex exec ", 1);
            format!("{command} --skip-git-repo-check --sandbox danger-full-access 'How many fish are in the weir?'")
        },
    },
];

/// The folder with the agents' programs, installed once into Weir's cache folder.
async fn programs() -> PathBuf {
    let (folder, list) = (kit::environment("agents"), Path::new(env!("CARGO_MANIFEST_DIR")).join("agents"));
    let (_, mut npm) = kit::npm().await;
    let stamp = folder.join("node_modules/.weir-installed");
    kit::once(&folder, &stamp, &list.join("package-lock.json"), async || {
        fs::create_dir_all(&folder).unwrap();
        for name in ["package.json", "package-lock.json"] {
            fs::copy(list.join(name), folder.join(name)).unwrap();
        }
        kit::run("npm ci", npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund"])).await;
    })
    .await;
    folder.join("node_modules/.bin")
}

/// The README's lines for an agent, up to the one that starts it.
fn told(agent: &str) -> String {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.contains("claude --model")).expect("the README starts agents");
    let start = format!("{agent} --model");
    let starts = block.lines().find(|line| line.contains(&start));
    let exports = block.lines().filter(|line| line.starts_with("export "));
    exports
        .chain([starts.unwrap_or_else(|| panic!("the README does not start {agent}"))])
        .collect::<Vec<_>>()
        .join("\n")
}

/// The providers and models that the example has for `coder`.
fn targets() -> Vec<(&'static str, &'static str)> {
    let values = |name: &str| {
        let name = format!("{name}: ");
        let lines = EXAMPLE.split("\nmodels:").nth(1).unwrap().lines();
        lines.filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(&name)).collect::<Vec<&str>>()
    };
    let (providers, models): (Vec<&str>, _) = (values("provider"), values("model"));
    assert!(providers.len() >= 3 && providers.len() == models.len(), "{providers:?} {models:?}");
    providers.into_iter().zip(models).collect()
}

/// The example with the simulator in the place of its providers. Only this one answers for `coder`.
fn configuration(provider: &str, model: &str) -> String {
    let mut text = String::from("listen: 127.0.0.1:10000\n");
    for line in EXAMPLE.split("\nmodels:").next().unwrap().lines() {
        let line = match line.split_once("endpoint: https://") {
            Some((before, rest)) => {
                let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
                format!("{before}endpoint: http://127.0.0.1:10002/{path}")
            }
            None if line.trim().starts_with("credential:") => "    credential: file:key".to_owned(),
            // All alone, it is asked what only another vendor knows, too.
            None if line.trim() == "drop_unsupported: true" => continue,
            None => line.to_owned(),
        };
        writeln!(text, "{line}").unwrap();
        if line == format!("  {provider}:") {
            text.push_str("    drop_unsupported: true\n");
        }
    }
    // A real model would choose by itself; where there is no such tool, it is the first, which is Codex's shell.
    write!(text, "models:\n  coder: {{ targets: [{{ provider: {provider}, model: {model}+call-Bash }}] }}\n").unwrap();
    text
}

/// Lets an agent work in an empty folder with a home of its own; what it says.
async fn works(agent: &Agent, up: &Up, programs: &Path, folder: &Path) -> String {
    let (home, bin) = (folder.join("home"), folder.join("bin"));
    for folder in [&home, &bin] {
        fs::create_dir_all(folder).unwrap();
    }
    let command = bin.join(COMMAND);
    fs::write(&command, SCRIPT).unwrap();
    fs::set_permissions(&command, Permissions::from_mode(0o755)).unwrap();
    let mut shell = Command::from(up.command("sh"));
    kit::forget_others(&mut shell);
    let path = std::env::join_paths(
        [bin, programs.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.unwrap();
    // A login shell begins anew.
    fs::write(home.join(".bash_profile"), format!("export PATH='{}'\n", path.to_string_lossy())).unwrap();
    let script = (agent.asks)(&told(agent.name));
    let script = up.ports().replace(&script).replace("weir-…", &up.key());
    shell.args(["-euc", &script]).current_dir(folder).kill_on_drop(true).env("PATH", path).env("HOME", home);
    // Nothing but the gateway is to be reached.
    shell.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    let output = tokio::time::timeout(Duration::from_secs(180), shell.output()).await.expect("it ends").unwrap();
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{script}\n{said}");
    said
}

#[tokio::test]
async fn agents_work_on_every_provider_of_the_example() {
    let programs: PathBuf = programs().await;
    for (provider, model) in targets() {
        let up = Up::with(&configuration(provider, model)).file("key", "sk-of-an-account").start().await;
        for agent in AGENTS {
            let before = up.records().len();
            let folder = up.path(agent.name);
            let said = works(&agent, &up, &programs, &folder).await;
            assert!(!said.contains("assumes a context window"), "{} on {provider}:\n{said}", agent.name);
            let written = fs::read_to_string(folder.join("fish.txt"));
            assert_eq!(written.ok().as_deref(), Some("three fish\n"), "{} on {provider}:\n{said}", agent.name);
            assert!(
                said.contains("The tool said") && said.contains("three fish"),
                "{} on {provider}:\n{said}",
                agent.name
            );
            let records = || up.records().split_off(before);
            let enough =
                async || (records().iter().filter(|record| record["outcome"] == "ok").count() >= 2).then_some(());
            up.until("its requests are recorded", enough).await;
            for record in records().iter().filter(|record| record["model"] == "coder") {
                assert_eq!(record["provider"], provider, "{record:?}");
            }
            println!("{} works on {provider}: {} requests", agent.name, records().len());
        }
    }
}

#[test]
fn the_example_says_what_the_readme_says() {
    for agent in AGENTS {
        for line in told(agent.name).lines() {
            assert!(EXAMPLE.contains(&format!("#   {line}\n")), "{line}");
        }
    }
}

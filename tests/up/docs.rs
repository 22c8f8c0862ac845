//! What the pages tell their readers to run, run: every block of `sh` and `python` against the configuration of a clone, and
//! every configuration through `weir check`. A block that cannot be run here says why in a comment above it,
//! `<!-- not run by a test: … -->`, which readers do not see.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;
use weir_tests::Up;

use crate::kit;
use crate::sdk::shared;

/// A fenced block of a page.
pub(crate) struct Block {
    /// Where it stands: page and line.
    pub(crate) place: String,
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) runs: bool,
}

const EXCUSE: &str = "<!-- not run by a test: ";

/// Pages that are followed from their first line to their last, by [`own`](crate::own).
pub(crate) const FOLLOWED: [&str; 2] = ["docs/own-envoy.md", "envoy/README.md"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages that people wrote, whose blocks stand each for itself.
fn pages() -> Vec<PathBuf> {
    let followed = FOLLOWED.map(|page| root().join(page));
    all_pages().into_iter().filter(|page| !followed.contains(page)).collect()
}

/// The pages that people wrote.
fn all_pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "deploy", "envoy", "fuzz"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    pages.sort();
    pages
}

pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let name = page.file_name().unwrap().to_string_lossy();
    let (mut blocks, mut before, mut lines) = (Vec::new(), "", text.lines().zip(1..));
    while let Some((line, number)) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let inside = lines.by_ref().map(|(line, _)| line).take_while(|line| line.trim() != "```");
            let inside: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
            blocks.push(Block {
                place: format!("{name}:{number}"),
                language: language.to_owned(),
                text: inside.join("\n"),
                runs: !before.trim_start().starts_with(EXCUSE),
            });
        }
        before = line;
    }
    blocks
}

fn check(block: &Block, output: &Output) {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{}: {}\n{}\n\n{said}", block.place, output.status, block.text);
}

/// A program that finds `weir` by its name.
fn command(up: &Up, program: &str, folder: &Path) -> Command {
    let mut command = Command::from(up.command(program));
    kit::forget_others(&mut command);
    command.current_dir(folder).kill_on_drop(true);
    command
}

/// An empty folder.
fn folder(up: &Up, name: &str) -> PathBuf {
    let folder = up.path(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// As a reader would write it who has these addresses and this key.
fn own(up: &Up, text: &str) -> String {
    let admin = format!("weir admin --run {} ", up.path("run").display());
    up.ports().replace(text).replace("weir-…", &up.key()).replace("weir admin ", &admin)
}

#[tokio::test]
async fn what_the_pages_tell_to_run_runs() {
    let up = &shared().await.up;
    let python = kit::python().await;
    let (mut shells, mut pythons) = (0, 0);
    for (number, page) in pages().iter().enumerate() {
        // Like a reader's clone, but what the blocks write stays in it.
        let folder = folder(up, &format!("page-{number}"));
        symlink(root().join("config"), folder.join("config")).unwrap();
        for block in blocks(page).iter().filter(|block| block.runs) {
            let text = own(up, &block.text);
            match &*block.language {
                "sh" => {
                    // An error of the server's fails, too.
                    let text = format!("curl() {{ command curl --fail --silent --show-error \"$@\"; }}\n{text}");
                    check(block, &command(up, "sh", &folder).args(["-euc", &text]).output().await.unwrap());
                    shells += 1;
                }
                "python" => {
                    let python = python.to_string_lossy();
                    check(block, &command(up, &python, &folder).args(["-c", &text]).output().await.unwrap());
                    pythons += 1;
                }
                "" | "yaml" | "json" => {}
                other => panic!("{}: nobody knows how to run {other:?}", block.place),
            }
        }
    }
    assert!(shells >= 4 && pythons >= 1, "{shells} blocks of sh, {pythons} of Python");
}

#[tokio::test]
async fn the_configurations_of_the_pages_are_without_errors() {
    let up = &shared().await.up;
    let mut count = 0;
    for block in pages().iter().flat_map(|page| blocks(page)).filter(|block| block.language == "yaml" && block.runs) {
        let folder = folder(up, &format!("configuration-{count}"));
        let mut command = command(up, "weir", &folder);
        let words = block.text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for variable in words.filter(|word| word.ends_with("_API_KEY")) {
            command.env(variable, "sk-of-a-reader");
        }
        for file in block.text.split("file:/run/secrets/").skip(1) {
            let name = file.split_whitespace().next().unwrap();
            fs::write(folder.join(name), "sk-of-a-reader").unwrap();
        }
        let text = block.text.replace("/run/secrets/", "");
        fs::write(folder.join("weir.yaml"), text).unwrap();
        check(&block, &command.args(["check", "weir.yaml"]).output().await.unwrap());
        count += 1;
    }
    assert!(count >= 3, "{count} configurations");
}

/// What stands in `text` between `open` and `close`, each time.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// The names by which GitHub links to the headings of a page.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_lead_somewhere() {
    for page in all_pages()
        .into_iter()
        .chain(fs::read_dir(root().join("docs/providers")).unwrap().map(|page| page.unwrap().path()))
    {
        let text = fs::read_to_string(&page).unwrap();
        let pictures = between(&text, " src=\"", '"').chain(between(&text, " srcset=\"", '"'));
        for link in between(&text, "](", ')').chain(pictures).filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {link}", page.display());
            if !heading.is_empty() && file.extension().is_some_and(|extension| extension == "md") {
                let there = anchors(&fs::read_to_string(&file).unwrap());
                assert!(there.iter().any(|anchor| anchor == heading), "{}: {link}: {there:?}", page.display());
            }
        }
    }
}

#[test]
fn the_picture_is_the_same_in_light_and_in_dark() {
    let [light, dark] = ["request.svg", "request-dark.svg"].map(|name| {
        let text = fs::read_to_string(root().join("docs/images").join(name)).unwrap();
        let (colours, rest): (Vec<String>, Vec<String>) =
            text.lines().map(str::to_owned).partition(|line| line.trim().starts_with("svg {"));
        assert_eq!(colours.len(), 1, "{name}: one line has the colours");
        (colours, rest)
    });
    assert_eq!(light.1, dark.1);
    assert_ne!(light.0, dark.0);
}

/// What stands in backticks on a page, but for fenced blocks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// The text of all Rust files of the clone.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "target" && !name.starts_with('.') {
            all.push_str(&sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&entry).unwrap());
        }
    }
    all
}

/// Fields of Envoy's that look like a test.
const ENVOYS: [&str; 1] = ["rate_limited_retry_back_off"];

/// Files, and the tests that show an invariant; what is still to come has a section of its own.
#[test]
fn what_the_architecture_names_is_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (before, rest) = page.split_once("\n## Where what is coming").unwrap();
    let (_, after) = rest.split_once("\n## ").unwrap();
    let (mut files, mut tests, sources) = (0, 0, sources(&root()));
    for word in quoted(before).chain(quoted(after)) {
        let from_root = word.split_once('/').is_some_and(|(folder, _)| root().join(folder).is_dir());
        let of_letters = word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        if from_root && !word.contains(['*', ' ']) && !word.ends_with("/name.rs") {
            assert!(root().join(word).exists(), "{word}");
            files += 1;
        } else if of_letters && word.matches('_').count() > 3 && !ENVOYS.contains(&word) {
            assert!(sources.contains(&format!("fn {word}(")), "{word}");
            tests += 1;
        }
    }
    assert!(files > 40 && tests > 15, "{files} files, {tests} tests");
}

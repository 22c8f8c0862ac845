//! The pages about an Envoy of one's own, followed from their first line to their last, as a reader would who has other ports free.
//!
//! A block of YAML that begins with `# NAME.yaml` is a file of that name. `# here the fields of FILE` in one stands for what the
//! reader copies there. A block without a language after commands is what they print, line by line.

use std::fs;
use std::path::Path;

use serde_json::Value;
use weir_ports::free;
use weir_tests::Shell;

use crate::docs::{Block, FOLLOWED, blocks, root};

const FIELDS: &str = "# here the fields of ";

/// A reader, and what is elsewhere for them than the page says.
struct Reader {
    shell: Shell,
    elsewhere: Vec<(String, String)>,
    files: Vec<(String, String)>,
    commands: usize,
    printed: String,
}

impl Reader {
    fn new(ports: &[&str]) -> Self {
        let elsewhere = ports.iter().map(|port| ((*port).to_owned(), free().port().to_string())).collect();
        Self { shell: Shell::start(), elsewhere, files: Vec::new(), commands: 0, printed: String::new() }
    }

    fn own(&self, text: &str) -> String {
        self.elsewhere.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    async fn follow(&mut self, page: &str) {
        for block in blocks(&root().join(page)).iter().filter(|block| block.runs) {
            self.follow_block(block).await;
        }
        assert!(self.commands >= 2, "{page} says nothing to run");
    }

    async fn follow_block(&mut self, block: &Block) {
        match &*block.language {
            "yaml" => {
                let name = block.text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
                if Path::new(name).extension().is_some_and(|extension| extension == "yaml") {
                    self.files.push((name.to_owned(), self.own(&block.text)));
                }
            }
            "sh" => {
                for (name, text) in &self.files {
                    fs::write(self.shell.path(name), self.with_fields(text)).unwrap();
                }
                self.printed = self.shell.run(&self.own(&block.text)).await;
                self.commands += 1;
            }
            "" => {
                for line in block.text.lines() {
                    assert!(self.printed.contains(line), "{}: {line:?} is not in\n{}", block.place, self.printed);
                }
            }
            other => panic!("{}: nobody knows how to follow {other:?}", block.place),
        }
    }

    /// `text` with the fields copied to where it says so, once there are any.
    fn with_fields(&self, text: &str) -> String {
        let line = |line: &str| {
            let Some((indent, file)) = line.split_once(FIELDS) else { return line.to_owned() };
            let Ok(fields) = fs::read(self.shell.path(file.trim())) else { return line.to_owned() };
            let fields: Value = serde_json::from_slice(&fields).unwrap();
            let fields = fields.as_object().unwrap().iter().map(|(name, value)| format!("{indent}{name}: {value}"));
            fields.collect::<Vec<_>>().join("\n")
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn the_page_about_an_envoy_of_ones_own_can_be_followed() {
    let mut reader = Reader::new(&["8080", "8081", "9901", "9902", "10002"]);
    reader.follow(FOLLOWED[0]).await;
}

#[tokio::test]
async fn the_page_of_the_includes_can_be_followed() {
    let mut reader = Reader::new(&["8080"]);
    let lies = reader.shell.path("lies").display().to_string();
    // The folder that the files name is another's here.
    let includes = reader.shell.path("envoy");
    fs::create_dir(&includes).unwrap();
    for file in fs::read_dir(root().join("envoy")).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap().replace("/var/lib/weir/envoy", &lies);
        fs::write(includes.join(file.file_name().unwrap()), text).unwrap();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    std::os::unix::fs::symlink(fs::canonicalize(target).unwrap(), reader.shell.path("target")).unwrap();
    reader.elsewhere.push(("/var/lib/weir/envoy".to_owned(), lies));
    reader.follow(FOLLOWED[1]).await;
}

//! A reader at a terminal, who types what a page says, block after block, in a folder of their own.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::envoy;
use crate::home::{Home, binary};
use crate::logs;

/// How long a block may take: only one that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A shell and all that it has started, gone when dropped.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    input: ChildStdin,
    blocks: usize,
    read: u64,
    home: Home,
}

impl Shell {
    /// A shell that finds `weir` and `envoy` by their names. It ends at the first command that fails.
    pub fn start() -> Self {
        let home = Home::new();
        let programs = home.path("programs");
        fs::create_dir(&programs).expect("a folder");
        // Nothing is shared with the other Envoys of this machine.
        let wrapper =
            format!("#!/bin/sh\nexec '{}' --disable-hot-restart -l warning \"$@\"\n", envoy::binary().display());
        let envoy = programs.join("envoy");
        fs::write(&envoy, wrapper).expect("a wrapper");
        fs::set_permissions(&envoy, fs::Permissions::from_mode(0o755)).expect("a program");
        let beside = binary().parent().map(Path::to_owned);
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs].into_iter().chain(beside).chain(env::split_paths(&others)));
        let output = File::create(home.path("output")).expect("a log");
        logs::show_on_failure(&home.path("output"));
        let mut shell = Command::new("sh");
        home.applies_to(&mut shell).arg("-eu").env("PATH", path.expect("a path")).process_group(0);
        shell.stdin(Stdio::piped()).stdout(output.try_clone().expect("a log")).stderr(output);
        let mut child = shell.spawn().expect("a shell");
        let mut input = child.stdin.take().expect("its input");
        // When this process is killed, the shell's input ends: it exits, and kills what it has started.
        input.write_all(b"trap 'kill $(jobs -p) 2>/dev/null' EXIT\n").expect("the shell reads");
        Self { child, input, blocks: 0, read: 0, home }
    }

    /// A path in its home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// Runs a block, and returns what it printed, once it has ended.
    pub async fn run(&mut self, block: &str) -> String {
        self.blocks += 1;
        let mark = format!("block {} has ended", self.blocks);
        // What runs on in the background must not read what is typed.
        let block = format!("{{\n{block}\n}} </dev/null\necho; echo '{mark}'\n");
        self.input.write_all(block.as_bytes()).expect("the shell reads");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = logs::since(&self.path("output"), self.read);
            if let Some((printed, _)) = printed.split_once(&mark) {
                self.read += (printed.len() + mark.len()) as u64;
                return printed.to_owned();
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the shell has ended ({ended:?}) in\n{block}\n{printed}");
            assert!(Instant::now() < deadline, "this does not end:\n{block}\n{printed}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its group: all that it has started.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

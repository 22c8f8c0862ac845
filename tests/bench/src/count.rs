//! Instructions instead of time: what Envoy executes for one answer, by valgrind's callgrind.
//!
//! The same on every run to within 1 %, whatever else the machine does; but it knows nothing of caches, and little of what
//! the kernel does.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::envoy::Running;
use crate::load::{self, Call};

/// Answers for each caller before anything is counted: connections, lazy tables, wasm code that V8 compiles when it is warm.
const WARM: u64 = 50;
/// Answers for each caller that are counted.
const COUNTED: u64 = 50;
/// How many ask at a time: a worker that has more than one event to handle at a wake-up is a busy one.
const CALLERS: usize = 8;

/// Counts what `running`, which was started [under callgrind](crate::envoy::Place::Callgrind), executes for an answer to `call`.
///
/// Leaves callgrind's file in `folder`, as `callgrind.out`.
pub(crate) async fn per_answer(folder: &Path, running: &Running, call: &Call) -> io::Result<f64> {
    load::times(call, CALLERS, WARM).await?;
    control(running, &["--instr=on"])?;
    control(running, &["--zero"])?;
    let run = load::times(call, CALLERS, COUNTED).await?;
    control(running, &["--dump"])?;
    control(running, &["--instr=off"])?;
    let kept = folder.join("callgrind.out");
    std::fs::rename(newest(folder, running.id())?, &kept)?;
    let text = std::fs::read_to_string(&kept)?;
    let count = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let count: Option<f64> = count.and_then(|count| count.trim().parse().ok());
    let count = count.ok_or_else(|| io::Error::other(format!("{} has no totals", kept.display())))?;
    Ok(count / load::precise(run.answers))
}

fn control(running: &Running, arguments: &[&str]) -> io::Result<()> {
    let done = Command::new("callgrind_control").args(arguments).arg(running.id().to_string()).output()?;
    if done.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()))
    }
}

/// The dump that callgrind has written last for the process `id`.
fn newest(folder: &Path, id: u32) -> io::Result<std::path::PathBuf> {
    let prefix = format!("callgrind.out.{id}");
    let mut dumps = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
            dumps.push((path.metadata()?.modified()?, path));
        }
    }
    dumps.into_iter().max().map(|(_, path)| path).ok_or_else(|| io::Error::other("callgrind has written nothing"))
}

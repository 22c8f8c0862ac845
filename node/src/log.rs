//! The log of one child: put aside at the start, and shown when the child fails.

use std::fs;
use std::path::Path;

/// How many lines are shown.
const LINES: usize = 12;

/// Renames the log of an earlier run, so that the end of the log belongs to this run.
pub(crate) fn rotate(log: &Path) {
    // This fails where there is no log yet, and never matters enough to refuse to start.
    let _ = fs::rename(log, log.with_extension("log.old"));
}

/// The last lines of a log, indented. After a crash of Envoy they show its message and leave out the stack frames.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_frame = |line: &str| line.contains("[backtrace] [") || line.contains("[envoy_bug] [");
    let lines: Vec<_> = text.lines().filter(|line| !is_frame(line)).collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    if last.is_empty() {
        return format!("      ({} is empty)", log.display());
    }
    format!("      the end of {}:\n      | {}", log.display(), last.join("\n      | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line that says what to do about too few inotify instances was 40 lines above the end of the log.
    #[test]
    fn a_crash_of_envoys_shows_what_it_says_and_no_frames() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("envoy.log");
        let frames = "[9][error][envoy_bug] [assert.h:66] #1 UNKNOWN [0x5]\n[9][critical][backtrace] [backtrace.h:1] #0: [0x7]\n";
        fs::write(&log, format!("[9][critical][assert] [a.cc:25] raise a limit\n{}", frames.repeat(20))).unwrap();
        let shown = tail(&log);
        assert!(shown.ends_with("| [9][critical][assert] [a.cc:25] raise a limit"), "{shown}");
    }
}

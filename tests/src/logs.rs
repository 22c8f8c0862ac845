//! What the gateways of a test have logged, shown if it fails.
//!
//! It is a panic hook and not a `Drop`, because a gateway that several tests share is never dropped.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The most lines that are shown of one log, the latest.
const LINES: usize = 80;

thread_local! {
    /// The logs of the gateways that this thread, and so this test, has used, and where each began for it.
    static USED: RefCell<Vec<(PathBuf, u64)>> = const { RefCell::new(Vec::new()) };
}

/// Shows `log` from here on if the test that runs on this thread fails.
pub(crate) fn show_on_failure(log: &Path) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            USED.with_borrow(|used| used.iter().for_each(|(log, from)| show(log, *from)));
        }));
    });
    USED.with_borrow_mut(|used| {
        if used.iter().all(|(known, _)| known != log) {
            used.push((log.to_owned(), fs::metadata(log).map_or(0, |log| log.len())));
        }
    });
}

fn show(log: &Path, from: u64) {
    let text = since(log, from);
    if text.is_empty() {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    eprintln!("--- {}", log.display());
    for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
        eprintln!("{line}");
    }
}

/// What `log` says from `from` on.
pub(crate) fn since(log: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(log) {
        let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

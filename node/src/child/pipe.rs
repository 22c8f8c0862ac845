//! Copies a child's output to our own.

use std::io::{self, PipeReader, Read, Write};
use std::thread;

use tokio::sync::oneshot;

/// Copies what arrives from a child to our standard output until the child closes its end. The receiver then completes.
///
/// It runs in a thread of its own, because whoever reads our output may be slow, and the node must not wait for them.
pub(super) fn copy(mut from: PipeReader) -> io::Result<oneshot::Receiver<()>> {
    let (done, copied) = oneshot::channel();
    let work = move || {
        let (mut to, mut buffer) = (io::stdout(), [0; 16 << 10]);
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            // Reading goes on after our own output is closed. Otherwise the child would block on a full pipe.
            let _ = to.write_all(buffer.get(..read).unwrap_or_default()).and_then(|()| to.flush());
        }
        // Nobody may be waiting.
        let _ = done.send(());
    };
    thread::Builder::new().name("output".to_owned()).spawn(work).map(|_| copied)
}

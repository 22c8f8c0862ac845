//! What outlives a test: simulators and collectors that tests of one file share.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Each test has a runtime of its own, which ends with it; this one does not.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads"));

/// Runs `task` where it and what it spawns live as long as the process.
pub(crate) async fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    RUNTIME.spawn(task).await.expect("a task in the background")
}

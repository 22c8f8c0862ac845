//! Every task a simulator has started, so that none outlives it.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::rt::Executor;
use tokio::task::JoinSet;

/// A set of tasks that ends as one. Clones share the set.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Set>>);

#[derive(Default)]
struct Set {
    running: JoinSet<()>,
    closed: bool,
}

impl Tasks {
    /// Runs `task` with the others; drops it unrun where they have already been told to end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if set.closed {
            return;
        }
        // A JoinSet keeps what has ended until someone asks.
        while set.running.try_join_next().is_some() {}
        set.running.spawn(task);
    }

    /// Tells all tasks to end, and refuses new ones.
    ///
    /// The tasks hold this set themselves, so dropping it would not end them.
    pub(crate) fn abort(&self) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.closed = true;
        set.running.abort_all();
    }

    /// Ends all tasks and waits until they have.
    pub(crate) async fn stop(&self) {
        self.abort();
        let mut running = {
            let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut set.running)
        };
        while running.join_next().await.is_some() {}
    }
}

/// HTTP/2 runs each stream as a task of its own.
impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

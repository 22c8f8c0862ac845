//! A model in memory. Whoever uses one holds a [`Lease`], and a model is freed when the last of these is gone.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::Builder;

use tokio::sync::{mpsc, oneshot};

use super::tokens::Tokens;
use crate::embed::{Normalize, Pool};
use crate::engine::Description;

/// A model that can be asked.
pub struct Model {
    /// Turns texts into tokens.
    pub tokens: Tokens,
    /// Runs them.
    pub pool: Pool,
    /// What was loaded.
    pub description: Description,
    /// Whether its embeddings have unit length.
    pub normalize: Normalize,
    /// Every token id a caller may send is less than this.
    pub vocabulary: usize,
}

/// A model in use. It stays in memory while one of these is left.
#[derive(Clone)]
pub struct Lease {
    // The order matters: the model is let go before the owner learns of it.
    model: Arc<Model>,
    _user: mpsc::Sender<Infallible>,
}

impl Deref for Lease {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

/// The one who frees a model.
pub(super) struct Owned {
    lease: Lease,
    users: mpsc::Receiver<Infallible>,
}

impl Owned {
    pub(super) fn new(model: Model) -> Self {
        let (user, users) = mpsc::channel(1);
        Self { lease: Lease { model: Arc::new(model), _user: user }, users }
    }

    pub(super) fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Frees the model once nobody uses it any more; the receiver learns of that.
    ///
    /// A thread of its own: freeing waits for the batch that runs, and must not stop the threads that serve all streams.
    pub(super) fn free(self, name: &str) -> oneshot::Receiver<()> {
        let (done, freed) = oneshot::channel();
        let Self { lease, mut users } = self;
        let name = name.to_owned();
        let wait = move || {
            let model = Arc::clone(&lease.model);
            drop(lease);
            // Nobody sends: this ends when the last sender, and with it the last lease, is gone.
            let _: Option<Infallible> = users.blocking_recv();
            drop(model);
            tracing::info!(model = name, "model freed");
            // Who asked for it may have left.
            let _ = done.send(());
        };
        // Without a thread the closure is dropped here, and the model with it.
        if let Err(error) = Builder::new().name("free".to_owned()).spawn(wait) {
            tracing::error!(%error, "no thread to free a model with");
        }
        freed
    }
}

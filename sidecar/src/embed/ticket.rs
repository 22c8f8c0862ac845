//! What a caller holds while its request is in a pool.

use std::sync::Weak;

use tokio::sync::oneshot;

use super::job::Fault;
use super::queue::RequestId;
use super::shared::Shared;

/// A place in the queue. Dropping it gives the place up: what has not begun will not run.
pub struct Ticket {
    pub(super) id: RequestId,
    pub(super) shared: Weak<Shared>,
    pub(super) done: oneshot::Receiver<Result<Vec<f32>, Fault>>,
}

impl Ticket {
    /// Waits for the embeddings: one after the other, in the order of the inputs.
    pub async fn wait(mut self) -> Result<Vec<f32>, Fault> {
        (&mut self.done).await.unwrap_or(Err(Fault::Stopped))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.leave(self.id);
        }
    }
}

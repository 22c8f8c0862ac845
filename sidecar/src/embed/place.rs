//! A request's place in the queue.

use std::sync::Weak;

use super::queue::RequestId;
use super::shared::Shared;

/// A place in the queue. Dropping it gives the place up: what has not begun will not run.
pub(super) struct Place {
    pub(super) id: RequestId,
    pub(super) shared: Weak<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.leave(self.id);
        }
    }
}

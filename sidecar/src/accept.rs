//! Accepting connections while the process may have no file descriptor left.

use std::io;
use std::time::Duration;

/// The pause after a failure to accept a connection.
const REST: Duration = Duration::from_millis(100);

/// Returns what was accepted, and a failure only after a pause. While no file descriptor is left, every try fails at once, and a
/// loop without a pause would take a core from inference.
pub(crate) async fn rested<T>(accepted: io::Result<T>) -> io::Result<T> {
    if accepted.is_err() {
        tokio::time::sleep(REST).await;
    }
    accepted
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn after_a_failure_to_accept_there_is_a_rest() {
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(rested(Ok(()))).poll(&mut context).is_ready());
        assert!(pin!(rested::<()>(Err(io::Error::other("no descriptor is left")))).poll(&mut context).is_pending());
    }
}

//! Whether an Envoy that was started again serves anybody: one whose listener was refused, as when somebody else took the port in
//! between, runs on without it.

use std::time::Duration;

use tokio::time::sleep;
use weir_control::AdminAddress;

use crate::http;

/// Who has taken the port may keep it: Envoy is not started again more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Waits until the Envoy at `admin` listens for clients, or has refused to: then that is an error.
///
/// It may wait for long: clusters whose names are being resolved come first.
pub(crate) async fn settled(admin: &AdminAddress) -> Result<(), Refused> {
    loop {
        sleep(INTERVAL).await;
        // One that does not answer is still starting, or will be told of as dead.
        let Ok(listeners) = http::get(admin, "/listeners").await else { continue };
        if listeners.body.lines().any(|line| line.starts_with(DOOR)) {
            return Ok(());
        }
        let Ok(stats) = http::get(admin, "/stats?filter=listener_manager.lds.update_rejected").await else { continue };
        if stats.body.lines().any(refused) {
            return Err(Refused);
        }
    }
}

/// Envoy refused its listener.
#[derive(Debug)]
pub(crate) struct Refused;

/// What the line about the clients' listener begins with.
const DOOR: &str = "edge::";

fn refused(line: &str) -> bool {
    let count = line.trim().strip_prefix("listener_manager.lds.update_rejected: ");
    count.is_some_and(|count| count != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_counted() {
        assert!(refused("listener_manager.lds.update_rejected: 1\r"));
        assert!(!refused("listener_manager.lds.update_rejected: 0"));
        assert!(!refused("listener_manager.lds.update_success: 1"));
    }
}

//! Whether an Envoy that was restarted serves clients. If another program took the port meanwhile, Envoy refuses its listener and
//! runs on without it.

use std::time::Duration;

use tokio::time::sleep;
use weir_control::admin::Admin;

/// How often Envoy is asked, and so the shortest time between two restarts: the port may stay taken.
const INTERVAL: Duration = Duration::from_secs(5);

/// Waits until the Envoy at `admin` listens for clients. The error says that it refused to.
///
/// This may take long: Envoy resolves the names of its clusters first.
pub(crate) async fn settled(admin: &Admin) -> Result<(), Refused> {
    loop {
        sleep(INTERVAL).await;
        // An Envoy that does not answer is starting, or the supervisor will report its death.
        let Ok(listeners) = admin.get("/listeners").await else { continue };
        if listeners.text().lines().any(|line| line.starts_with(EDGE)) {
            return Ok(());
        }
        let Ok(stats) = admin.get("/stats?filter=listener_manager.lds.update_rejected").await else { continue };
        if stats.text().lines().any(refused) {
            return Err(Refused);
        }
    }
}

/// Envoy refused its listener.
#[derive(Debug)]
pub(crate) struct Refused;

/// How the line about the clients' listener begins.
const EDGE: &str = "edge::";

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

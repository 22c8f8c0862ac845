//! Lets requests under way end before Envoy is stopped.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use weir_control::AdminAddress;

use crate::http;
use crate::say;

const INTERVAL: Duration = Duration::from_millis(50);

/// Tells clients to go, and waits until none is left or `limit` has passed.
pub(crate) async fn drain(admin: &AdminAddress, limit: Duration) {
    let deadline = Instant::now() + limit;
    if http::post(admin, "/drain_listeners?graceful").await.is_err() {
        // Whoever does not answer has nothing to drain.
        return;
    }
    let mut said = None;
    loop {
        let active = match http::get(admin, "/stats?filter=downstream_rq_active").await {
            Ok(answer) => active(&answer.body),
            Err(_) => return,
        };
        if active == 0 {
            return;
        }
        if Instant::now() >= deadline {
            say::line(&format!("{active} not ended within {limit:?}; cut off"));
            return;
        }
        if said != Some(active) {
            say::line(&format!("waiting for {active} under way (at most {limit:?}; Ctrl-C again cuts them off)"));
            said = Some(active);
        }
        sleep(INTERVAL).await;
    }
}

/// What stands in the statistics of the door: the admin interface's requests and those to the sidecar are counted elsewhere.
const DOOR: &str = "http.edge.downstream_rq_active: ";

fn active(stats: &str) -> u64 {
    stats.lines().filter_map(|line| line.strip_prefix(DOOR)?.trim().parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_at_the_door_count() {
        let stats = "http.admin.downstream_rq_active: 1\nhttp.edge.downstream_rq_active: 2\r\n\
                     http.sidecar.downstream_rq_active: 2\nlistener.0.0.0.0_1.downstream_cx_active: 9\n";
        assert_eq!(active(stats), 2);
        assert_eq!(active(""), 0);
    }
}

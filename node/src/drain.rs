//! Lets the requests that are running end before Envoy is stopped.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use weir_control::admin::Admin;

use crate::problem::counted;
use crate::say;

/// How often Envoy is asked.
const INTERVAL: Duration = Duration::from_millis(50);

/// Tells clients to close their connections, and waits until no request is left or `limit` has passed.
pub(crate) async fn drain(admin: &Admin, limit: Duration) {
    let deadline = Instant::now() + limit;
    if admin.post("/drain_listeners?graceful").await.is_err() {
        // An Envoy that does not answer has no requests.
        return;
    }
    let mut said = None;
    loop {
        let active = match admin.get("/stats?filter=downstream_rq_active").await {
            Ok(answer) => active(&answer.text()),
            Err(_) => return,
        };
        if active == 0 {
            return;
        }
        if Instant::now() >= deadline {
            say::line(&format!("{} not ended within {limit:?}; cut off", counted(active, "request")));
            return;
        }
        if said != Some(active) {
            let running = counted(active, "running request");
            say::line(&format!("waiting for {running} (at most {limit:?}; Ctrl-C again cuts off)"));
            said = Some(active);
        }
        sleep(INTERVAL).await;
    }
}

/// The counter of the clients' listener. Requests to the admin interface and to the sidecar have counters of their own.
const EDGE: &str = "http.edge.downstream_rq_active: ";

fn active(stats: &str) -> usize {
    stats.lines().filter_map(|line| line.strip_prefix(EDGE)?.trim().parse::<usize>().ok()).sum()
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

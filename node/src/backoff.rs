//! How long to wait before a child is started again.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);
/// A child that ran for this long is healthy: the next pause is the shortest again.
const STABLE: Duration = Duration::from_secs(60);

/// Exponential back-off: each pause is twice the one before, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// The pause after a run of this length.
    pub(crate) fn pause(&mut self, lasted: Duration) -> Duration {
        if lasted >= STABLE {
            self.next = SHORTEST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_stable_minute_forgives() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9).map(|_| backoff.pause(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.pause(STABLE).as_millis(), 100);
        assert_eq!(backoff.pause(Duration::ZERO).as_millis(), 200);
    }
}

//! Measures how fast a queue empties while there is work. `retry-after` is computed from it.

use std::time::{Duration, Instant};

/// How quickly old measurements lose their weight.
const MEMORY: Duration = Duration::from_secs(10);

/// The estimate before anything was measured.
const FIRST_GUESS: Duration = Duration::from_secs(1);

/// The longest estimate. Requests that wait may leave before their turn, and a rate measured on single short inputs is far below
/// the rate of full batches. Weir never lets a sidecar rest, so only callers act on this.
const LONGEST: Duration = Duration::from_secs(60);

/// Tokens finished per busy second. Older seconds count less.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    running: usize,
    since: Option<Instant>,
    tokens: f64,
    seconds: f64,
}

impl Drain {
    /// A batch begins.
    pub fn started(&mut self, now: Instant) {
        self.pass(now);
        self.running += 1;
    }

    /// A batch of `tokens` ended.
    pub fn finished(&mut self, now: Instant, tokens: usize) {
        self.pass(now);
        self.running = self.running.saturating_sub(1);
        #[allow(clippy::cast_precision_loss, reason = "batches are far smaller than 2^52 tokens")]
        let tokens = tokens as f64;
        self.tokens += tokens;
    }

    /// How long `tokens` that wait will take, and at most [`LONGEST`].
    pub fn estimate(&self, tokens: usize) -> Duration {
        if self.tokens <= 0.0 || self.seconds <= 0.0 {
            return FIRST_GUESS;
        }
        #[allow(clippy::cast_precision_loss, reason = "queues are far shorter than 2^52 tokens")]
        let seconds = tokens as f64 * self.seconds / self.tokens;
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }

    fn pass(&mut self, now: Instant) {
        let past = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.since = Some(now);
        if self.running > 0 {
            let kept = (-past.as_secs_f64() / MEMORY.as_secs_f64()).exp();
            self.tokens *= kept;
            self.seconds = self.seconds * kept + past.as_secs_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_follows_what_was_measured_and_ignores_idle_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut drain = Drain::default();
        assert_eq!(drain.estimate(1000), FIRST_GUESS);
        drain.started(at(0));
        drain.started(at(0));
        drain.finished(at(100), 100);
        drain.finished(at(100), 100);
        assert_eq!(drain.estimate(1000).as_millis(), 500);
        drain.started(at(60_000));
        drain.finished(at(60_100), 200);
        assert!((490..510).contains(&drain.estimate(1000).as_millis()), "{:?}", drain.estimate(1000));
    }

    #[test]
    fn nobody_is_sent_away_for_minutes_because_short_inputs_were_slow() {
        let start = Instant::now();
        let mut drain = Drain::default();
        drain.started(start);
        drain.finished(start + Duration::from_millis(30), 3);
        assert_eq!(drain.estimate(2000).as_secs(), 20);
        assert_eq!(drain.estimate(64_000), LONGEST);
    }

    #[test]
    fn what_is_newer_counts_more() {
        let start = Instant::now();
        let mut drain = Drain::default();
        for second in 0..60 {
            drain.started(start + Duration::from_secs(second));
            drain.finished(start + Duration::from_secs(second + 1), if second < 30 { 10 } else { 1000 });
        }
        assert!(drain.estimate(1000) < Duration::from_millis(1100));
    }
}

//! Whether a streamed answer goes on, judged by its tokens instead of its bytes.
//!
//! Envoy's timers notice when nothing comes. Bytes that are not a token (half an event, an empty delta) must not keep a
//! stream open. A keep-alive (a comment, a ping) may, up to a limit.

use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::progress::Signs;

use crate::plan::Limits;
use crate::time::Instant;

/// How a stream has gone so far.
pub(super) struct Pace {
    limits: Limits,
    /// When the last token came.
    token: Instant,
    /// When the last token or keep-alive came.
    sign: Instant,
    /// When the last bytes came.
    any: Instant,
    signs: Signs,
}

impl Pace {
    /// For an answer whose headers have just come.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, token: now, sign: now, any: now, signs: Signs::default() }
    }

    /// Whether a keep-alive has just come, and no token has come for half the time limit to the first token, which
    /// began at `since`. Nobody waits longer than that half for such a sign, however far apart the signs are.
    pub(super) fn thinks(&self, since: Instant, now: Instant) -> bool {
        let Signs { tokens, beats } = self.signs;
        tokens == 0 && beats > 0 && self.sign == now && now - since >= self.limits.first / 2
    }

    /// Bytes have come; `signs` counts what all bytes so far have said. Gives an error if the answer has stalled.
    pub(super) fn check(&mut self, signs: Signs, now: Instant) -> Result<(), UpstreamFault> {
        let limit = if self.signs.tokens == 0 { self.limits.first } else { self.limits.gap };
        // Envoy judges silences. A silence that Envoy allowed is not the provider's: if a caller does not read, both
        // stop.
        let silence = now - self.any;
        if silence > limit {
            self.token = self.token.after(silence);
            self.sign = self.sign.after(silence);
        }
        self.any = now;
        let before = core::mem::replace(&mut self.signs, signs);
        if signs.tokens != before.tokens {
            (self.token, self.sign) = (now, now);
            return Ok(());
        }
        if now - self.sign > limit || now - self.token > self.limits.keep_alive.max(limit) {
            return Err(UpstreamFault::new(FaultKind::Timeout, "The provider's stream goes on, but without tokens."));
        }
        if signs.beats != before.beats {
            self.sign = now;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    /// Longer than any limit.
    const LONG: Duration = Duration::from_secs(1 << 20);

    const LIMITS: Limits = Limits {
        first: Duration::from_secs(10),
        gap: Duration::from_secs(20),
        keep_alive: Duration::from_secs(60),
        total: None,
    };

    #[derive(Clone, Copy)]
    enum Comes {
        Token,
        Beat,
        Nothing,
    }

    use Comes::{Beat, Nothing, Token};

    /// The second at which a stream is found to have stalled, if each of these comes this many seconds after the one
    /// before.
    fn stalls(limits: Limits, come: impl IntoIterator<Item = (u64, Comes)>) -> Option<u64> {
        let start = Instant::from_nanos(7);
        let (mut pace, mut signs, mut at) = (Pace::new(limits, start), Signs::default(), 0);
        for (after, comes) in come {
            at += after;
            match comes {
                Token => signs.tokens += 1,
                Beat => signs.beats += 1,
                Nothing => {}
            }
            if let Err(fault) = pace.check(signs, start.after(Duration::from_secs(at))) {
                assert_eq!(fault.kind, FaultKind::Timeout);
                return Some(at);
            }
        }
        None
    }

    fn each(after: u64, comes: Comes) -> impl Iterator<Item = (u64, Comes)> {
        core::iter::repeat_n((after, comes), 1000)
    }

    #[test]
    fn tokens_go_on_without_end() {
        assert_eq!(stalls(LIMITS, each(9, Token)), None);
    }

    #[test]
    fn what_is_no_token_prolongs_nothing() {
        assert_eq!(stalls(LIMITS, each(1, Nothing)), Some(11), "the limit of the first token");
        assert_eq!(stalls(LIMITS, [(1, Token)].into_iter().chain(each(1, Nothing))), Some(22), "the gap");
        assert_eq!(
            stalls(LIMITS, [(1, Token), (15, Nothing), (4, Token)].into_iter().chain(each(1, Nothing))),
            Some(41)
        );
    }

    #[test]
    fn keep_alives_prolong_a_gap_up_to_a_bound() {
        assert_eq!(stalls(LIMITS, [(1, Token)].into_iter().chain(each(5, Beat))), Some(66));
        assert_eq!(stalls(LIMITS, each(5, Beat)), Some(65));
        let thinks = [(1, Token), (18, Beat), (18, Beat), (18, Token)];
        assert_eq!(stalls(LIMITS, thinks.into_iter().chain(each(5, Beat))), Some(120));
        // Two keep-alives must not be further apart than a gap, whatever comes between them.
        assert_eq!(stalls(LIMITS, [(1, Token), (5, Beat)].into_iter().chain(each(1, Nothing))), Some(27));
        // A limit on keep-alives that is below the gap has no effect.
        assert_eq!(stalls(Limits { keep_alive: Duration::ZERO, ..LIMITS }, each(5, Beat)), Some(15));
        assert_eq!(stalls(Limits { keep_alive: LONG, ..LIMITS }, each(5, Beat)), None);
    }

    #[test]
    fn a_silence_that_envoy_let_pass_is_not_the_providers() {
        let reads_again = [(1, Token), (500, Nothing), (1, Token), (300, Beat), (19, Nothing)];
        assert_eq!(stalls(LIMITS, reads_again), None);
    }
}

//! How long a provider asks not to be used.

use core::time::Duration;

use crate::time::{self, Instant};

/// Reads `retry-after`: seconds, or a date by the provider's clock. `date` is the answer's own `date` header, by the
/// same clock.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn read(asked: &str, date: Option<&str>, now: Instant) -> Option<Duration> {
    let asked = asked.trim();
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = time::http_date(asked)?;
    Some(then - date.and_then(time::http_date).unwrap_or(now))
}

//! What the workers share: the targets that rest.

use weir_core::health::cooldown::{self, Rests};
use weir_core::time::Instant;

use crate::host::Host;

/// Tries at a compare-and-swap before a change is let go: it is a hint, and the next failure writes it again.
const SWAPS: usize = 8;

/// Changes which targets rest; `change` says whether it has changed anything.
pub(crate) fn rests(host: &mut impl Host, change: impl Fn(&mut Rests, Instant) -> bool) {
    let now = host.now();
    for _ in 0..SWAPS {
        let (text, cas) = host.shared(cooldown::KEY);
        let mut rests = Rests::from_text(str::from_utf8(&text).unwrap_or_default());
        if !change(&mut rests, now) || host.set_shared(cooldown::KEY, rests.to_text().as_bytes(), cas) {
            return;
        }
    }
}

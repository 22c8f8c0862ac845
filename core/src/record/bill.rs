//! What each try may cost.

use weir_hub::fault::FaultKind;
use weir_hub::usage::Usage;

use super::{Prices, Progress, Record, Stage, Subject};
use crate::money::Picodollars;
use crate::plan::{Candidate, Outcome, Plan};
use crate::price::Billed;
use crate::provider::{self, Reach};
use crate::time::Instant;

/// What a provider may bill for one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The tokens: told by the provider, or estimated.
    pub usage: Usage,
    /// What they cost; `None` if no price is known.
    pub cost: Option<Picodollars>,
    /// How long a local model worked on it, in milliseconds; 0 for any other.
    pub local_ms: u64,
}

/// A try that its provider may bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BilledTry<'r> {
    /// The target that was asked; `None` if the plan does not have it.
    pub target: Option<&'r Candidate>,
    /// What it may bill.
    pub bill: Bill,
}

/// What the tries of one request cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// The sum; `None` if no try has a price.
    pub cost: Option<Picodollars>,
    /// Whether a try may be billed and has no price.
    pub unpriced: bool,
    /// How long local models worked, in milliseconds.
    pub local_ms: u64,
}

/// Whether the provider may bill a try that ended like this, with this status of its answer (0 if there was none).
/// `outcome` is `None` if the caller was told an error, and not only a failure of this try.
///
/// It cannot bill what it never got, and it does not bill what it refused: a 4xx, also as an error in an answer of
/// another status where that says a rate limit or something about our account. Whatever else happened, it may have
/// worked on the request.
pub fn may_bill(outcome: Option<Outcome>, status: u16) -> bool {
    if (400..500).contains(&status) {
        return false;
    }
    match outcome {
        // An error of Weir's own has no status: nothing was sent.
        None => status != 0,
        Some(
            Outcome::Answered | Outcome::Unanswered | Outcome::Deadline | Outcome::ClientLeft | Outcome::SlowCaller,
        ) => true,
        Some(Outcome::Fault(kind)) => match kind {
            FaultKind::Unreachable
            | FaultKind::RateLimited
            | FaultKind::Auth
            | FaultKind::NotFound
            | FaultKind::Billing => false,
            // Without a status, Weir itself could not write the request for this provider.
            FaultKind::InvalidRequest | FaultKind::ContextLength | FaultKind::ContentPolicy | FaultKind::TooLarge => {
                status != 0
            }
            FaultKind::Unavailable
            | FaultKind::Timeout
            | FaultKind::ErrorEvent
            | FaultKind::Cut
            | FaultKind::Malformed
            | FaultKind::Reset => true,
        },
    }
}

/// The tokens of a try of which the provider has told `usage`, or of which nothing has come.
pub(super) fn usage(subject: &Subject, told: Option<Usage>) -> Usage {
    let input = subject.input_estimate;
    match told {
        Some(told) if !told.estimated || told.input > 0 => told,
        told => Usage { input, estimated: true, ..told.unwrap_or_default() },
    }
}

/// Whether the latest try may be billed; it has not failed as those in the plan have.
pub(super) fn latest_may_bill(outcome: Option<Outcome>, progress: Option<&Progress>, connected: bool) -> bool {
    match progress {
        Some(progress) => may_bill(outcome, progress.status),
        None => connected && may_bill(outcome, 0),
    }
}

/// The bill of a try of `target` that used `usage`.
pub(super) fn bill(
    record: &Record<'_>,
    target: Option<&Candidate>,
    usage: Usage,
    stage: Option<Stage>,
    took_ms: u64,
) -> Bill {
    let Record { subject, plan, prices, .. } = *record;
    let made = plan.map_or(Instant::default(), |plan: &Plan| plan.made);
    let is_local = |prices: Prices<'_>, target: &Candidate| {
        let upstream = prices.upstreams.get(&target.provider);
        let speaks = upstream.and_then(|upstream| provider::by_name(&upstream.dialect));
        speaks.is_some_and(|speaks| speaks.reach() == Reach::Sidecar)
    };
    let local = prices.zip(target).is_some_and(|(prices, target)| is_local(prices, target));
    let local_ms = if local { took_ms } else { 0 };
    // Nobody has counted images of a try that did not begin to answer.
    let images = if matches!(stage, Some(Stage::Done | Stage::Flowing | Stage::Cut(_))) { subject.images } else { 0 };
    let billed = Billed { tier: subject.tier, images, local_ms, ..Billed::default() };
    let price = prices.zip(target).and_then(|(prices, target)| prices.tariff.get(&target.provider)?.get(&target.model));
    Bill { usage, cost: price.and_then(|price| price.cost(&usage, &billed, made)), local_ms }
}

impl<'r> Record<'r> {
    /// The tries that their providers may bill, in order. Limits settle with these.
    pub fn billed(&self) -> impl Iterator<Item = BilledTry<'r>> {
        self.tries().filter_map(|one| Some(BilledTry { target: one.target, bill: one.bill? }))
    }

    /// What all tries cost together.
    pub fn total(&self) -> Total {
        let mut total = Total::default();
        self.billed().for_each(|one| total.add(&one.bill));
        total
    }
}

impl Total {
    pub(super) fn add(&mut self, bill: &Bill) {
        self.cost = match (self.cost, bill.cost) {
            (Some(sum), Some(cost)) => Some(sum + cost),
            (one, other) => one.or(other),
        };
        self.unpriced |= bill.cost.is_none();
        self.local_ms = self.local_ms.saturating_add(bill.local_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a try is billed that ended like this with no answer, with a 200, a 408, a 429 and a 503.
    fn check(outcome: Option<Outcome>, expect: [bool; 5]) {
        let found = [0, 200, 408, 429, 503].map(|status| may_bill(outcome, status));
        assert_eq!(found, expect, "{outcome:?}");
    }

    #[test]
    fn what_a_provider_cannot_have_billed_costs_nothing() {
        const NEVER: [bool; 5] = [false; 5];
        const UNLESS_REFUSED: [bool; 5] = [true, true, false, false, true];
        const IF_ANSWERED: [bool; 5] = [false, true, false, false, true];
        check(None, IF_ANSWERED);
        for outcome in
            [Outcome::Answered, Outcome::Unanswered, Outcome::Deadline, Outcome::ClientLeft, Outcome::SlowCaller]
        {
            check(Some(outcome), UNLESS_REFUSED);
        }
        for kind in FaultKind::ALL {
            let expect = match kind {
                FaultKind::Unreachable
                | FaultKind::RateLimited
                | FaultKind::Auth
                | FaultKind::NotFound
                | FaultKind::Billing => NEVER,
                FaultKind::InvalidRequest
                | FaultKind::ContextLength
                | FaultKind::ContentPolicy
                | FaultKind::TooLarge => IF_ANSWERED,
                FaultKind::Unavailable
                | FaultKind::Timeout
                | FaultKind::ErrorEvent
                | FaultKind::Cut
                | FaultKind::Malformed
                | FaultKind::Reset => UNLESS_REFUSED,
            };
            check(Some(Outcome::Fault(kind)), expect);
        }
    }

    #[test]
    fn the_input_is_estimated_where_nobody_has_told_it() {
        let subject = Subject { input_estimate: 70, ..Subject::default() };
        let check = |told: Option<Usage>, input, output, estimated| {
            let usage = usage(&subject, told);
            assert_eq!((usage.input, usage.output, usage.estimated), (input, output, estimated), "{told:?}");
        };
        let counted = Usage { output: 5, estimated: true, ..Usage::default() };
        check(None, 70, 0, true);
        check(Some(counted), 70, 5, true);
        check(Some(Usage { input: 66, ..counted }), 66, 5, true);
        check(Some(Usage { input: 66, estimated: false, ..counted }), 66, 5, false);
        check(Some(Usage::default()), 0, 0, false);
    }
}

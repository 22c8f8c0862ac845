//! Why two sides differ.

use std::fmt;

use super::export::Billed;
use crate::ledger::sums::Sums;

/// Costs of a day that differ by no more than this are the same: providers round. One cent, in pico-dollars.
const ROUNDING: i128 = 10_000_000_000;

/// A likely reason for a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The ledger has nothing of it: it did not go through this Weir.
    NotThroughWeir,
    /// The provider tells nothing of it.
    NotTold,
    /// Rows of that day may be missing: so many gaps.
    Gaps(usize),
    /// An Envoy was killed: what it had under way is not in the rows.
    Killed,
    /// So many tries were estimated: callers hung up, or the provider did not tell its usage.
    Estimated(i128),
    /// So many tries of requests that failed are in the ledger, and the provider may not have billed them.
    Failed(i128),
    /// The provider counts more, and nothing here explains it: others use the same account.
    OthersUseTheAccount,
    /// The provider counts less, and nothing here explains it: its report may be late.
    ReportIsLate,
    /// So many tries had no price.
    Unpriced(i128),
    /// The tokens agree and the cost does not: the provider has other prices.
    OtherPrices,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThroughWeir => f.write_str("not through this Weir: others use the account, or another key"),
            Self::NotTold => f.write_str("the provider tells nothing of it: another account, or its report is late"),
            Self::Gaps(1) => f.write_str("rows may be missing: 1 gap"),
            Self::Gaps(gaps) => write!(f, "rows may be missing: {gaps} gaps"),
            Self::Killed => f.write_str("an Envoy was killed, with requests under way"),
            Self::Estimated(tries) => write!(f, "estimated, hang-ups included: {tries} tries"),
            Self::Failed(tries) => write!(f, "tries of failed requests, which the provider may not bill: {tries}"),
            Self::OthersUseTheAccount => f.write_str("others use the account"),
            Self::ReportIsLate => f.write_str("the provider's report may be late"),
            Self::Unpriced(tries) => write!(f, "tries without a price: {tries}"),
            Self::OtherPrices => f.write_str("other prices than in the price list, such as a discount or another tier"),
        }
    }
}

/// What is known of the ledger's side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) gaps: usize,
    pub(super) lost: bool,
    pub(super) sums: Sums,
    pub(super) failed: i128,
}

/// The likely reasons, the most likely first. None if both sides agree.
pub(super) fn causes(theirs: &Billed, ours: &Billed, known: &Circumstances) -> Vec<Cause> {
    let difference = |theirs: Option<i128>, ours: Option<i128>| match (theirs, ours) {
        (None, None) => 0,
        (theirs, ours) => theirs.unwrap_or_default() - ours.unwrap_or_default(),
    };
    let tokens = [(theirs.input, ours.input), (theirs.output, ours.output), (theirs.cached, ours.cached)];
    let tokens = tokens.map(|(theirs, ours)| difference(theirs, ours));
    let cost = difference(theirs.cost, ours.cost);
    let same_tokens = tokens.iter().all(|tokens| *tokens == 0);
    let same_cost = cost.abs() <= ROUNDING;
    if same_tokens && same_cost {
        return Vec::new();
    }
    if known.sums.tries == 0 {
        return vec![Cause::NotThroughWeir];
    }
    if *theirs == Billed::default() {
        return vec![Cause::NotTold];
    }
    let has_tokens = ours.input.is_some() || ours.output.is_some();
    let mut causes = Vec::new();
    // A report of costs alone does not say whether tokens or prices differ.
    if !same_tokens || !has_tokens {
        let more = if same_tokens { cost > 0 } else { tokens.iter().any(|tokens| *tokens > 0) };
        let less = if same_tokens { cost < 0 } else { tokens.iter().any(|tokens| *tokens < 0) };
        if more && known.gaps > 0 {
            causes.push(Cause::Gaps(known.gaps));
        }
        if more && known.lost {
            causes.push(Cause::Killed);
        }
        if known.sums.estimated > 0 {
            causes.push(Cause::Estimated(known.sums.estimated));
        }
        if less && known.failed > 0 {
            causes.push(Cause::Failed(known.failed));
        }
        if causes.is_empty() && !same_tokens {
            causes.push(if more { Cause::OthersUseTheAccount } else { Cause::ReportIsLate });
        }
    }
    if !same_cost && known.sums.unpriced > 0 {
        causes.push(Cause::Unpriced(known.sums.unpriced));
    }
    if causes.is_empty() {
        causes.push(Cause::OtherPrices);
    }
    causes
}

//! What a model costs: [`Price`], and [`List`], the prices of many models.
//!
//! A price has base rates, and cases in which other rates hold: a long context, another service tier, some hours of the
//! day. Everything is exact: parts of a pico-dollar are summed, and only the whole cost is rounded, up.

mod case;
mod list;
mod rates;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use weir_hub::usage::Usage;

use crate::money::Picodollars;
use crate::time::Instant;

pub use case::{Case, Days, Hours, Tier};
pub use list::{List, Listed, Section};
pub use rates::Rates;

/// What targets cost, by provider and model.
pub type Tariff = BTreeMap<String, BTreeMap<String, Price>>;

/// What one model at one provider costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The rates where no case says otherwise.
    pub base: Rates,
    /// Where other rates hold. Of those that apply, the rates of a later one replace the rates of an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Case>,
}

/// What a provider bills besides tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Billed {
    /// How fast the answer had to be.
    pub tier: Tier,
    /// Requests.
    pub requests: u64,
    /// Images made.
    pub images: u64,
    /// Audio, in milliseconds; `None` if its length is not known.
    pub audio_ms: Option<u64>,
    /// Inference on this machine, in milliseconds.
    pub local_ms: u64,
}

impl Default for Billed {
    /// One request, and nothing else.
    fn default() -> Self {
        Self { tier: Tier::Standard, requests: 1, images: 0, audio_ms: None, local_ms: 0 }
    }
}

impl Price {
    /// The cost of an answer to a request that was admitted at `at`.
    ///
    /// `None` if it cannot be known: the price is one of seconds of audio, and nobody has said how many there were.
    pub fn cost(&self, usage: &Usage, billed: &Billed, at: Instant) -> Option<Picodollars> {
        let applies = |case: &&Case| case.is_for(billed.tier) && case.is_above(usage.input) && case.is_at(at);
        let mut rates = self.base;
        for case in self.when.iter().filter(applies) {
            rates.replace(&case.rates);
        }
        rates.cost(usage, billed)
    }

    /// The most that an answer can cost, for a reservation: `ahead` has the tokens that are expected at most, and
    /// `billed` what else is.
    ///
    /// Of all rates that can hold for this tier at `at` or soon after, the dearest counts, whatever the hour is. All of
    /// the input is at the dearest of the rates for text (plain, read from a cache, written to a cache for 5 minutes),
    /// all of the output at that of text and reasoning. Only as many tokens as `ahead` names are at the rates for audio,
    /// or of a cache for an hour. So an answer with at most these tokens costs at most this.
    pub fn most(&self, ahead: &Usage, billed: &Billed, at: Instant) -> Picodollars {
        let can_apply = |case: &&Case| case.is_for(billed.tier) && case.is_above(ahead.input) && case.is_in_force(at);
        let mut dearest = self.base.filled();
        for case in self.when.iter().filter(can_apply) {
            dearest.raise(&case.rates);
        }
        dearest.most(ahead, billed)
    }

    /// Every set of rates: the base, then those of the cases.
    pub fn rates(&self) -> impl Iterator<Item = &Rates> {
        core::iter::once(&self.base).chain(self.when.iter().map(|case| &case.rates))
    }
}

#[cfg(test)]
mod tests;

//! What a request uses of what limits count, or may use.

use super::limit::Meter;

/// Amounts of what limits count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Cost, in pico-dollars.
    pub cost: u128,
}

impl Amounts {
    /// How much of one request a limit counts, in its unit.
    pub fn of(&self, meter: Meter) -> u128 {
        match meter {
            Meter::Requests => 1,
            Meter::Tokens => u128::from(self.input) + u128::from(self.output),
            Meter::InputTokens => self.input.into(),
            Meter::OutputTokens => self.output.into(),
            Meter::Cost => self.cost,
        }
    }
}

/// By how much a reservation grows at a time, if an answer outgrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Output tokens.
    pub output: u64,
    /// What they cost at most, in pico-dollars.
    pub cost: u128,
}

/// The fewest tokens of a step.
const FEWEST: u64 = 256;

impl Step {
    /// How many output tokens a step has, where `reserved` are reserved at first.
    pub fn tokens(reserved: u64) -> u64 {
        (reserved / 4).max(FEWEST)
    }

    /// How much of a step a limit counts, in its unit; `None` if output does not matter to it.
    pub fn of(&self, meter: Meter) -> Option<u128> {
        match meter {
            Meter::Requests | Meter::InputTokens => None,
            Meter::Tokens | Meter::OutputTokens => Some(self.output.into()),
            Meter::Cost => Some(self.cost),
        }
    }
}

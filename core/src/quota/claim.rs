//! What a request takes of a limit: at once, or later.

use alloc::string::String;

use super::limit::Limit;

/// What a request takes of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want<'l> {
    /// The number by which the caller knows the limit.
    pub number: usize,
    /// The limit.
    pub limit: &'l Limit,
    /// Whose account.
    pub subject: String,
    /// How much, in the limit's unit.
    pub amount: u128,
}

/// What must be taken of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number by which the edge knows the limit.
    pub number: usize,
    /// The limit.
    pub limit: Limit,
    /// Whose account.
    pub subject: String,
    /// How much, in the limit's unit.
    pub amount: u128,
}

impl Claim {
    /// What somebody wants.
    pub fn of(want: &Want<'_>) -> Self {
        let Want { number, limit, subject, amount } = want;
        Self { number: *number, limit: (*limit).clone(), subject: subject.clone(), amount: *amount }
    }

    /// It, to be taken.
    pub fn want(&self) -> Want<'_> {
        Want { number: self.number, limit: &self.limit, subject: self.subject.clone(), amount: self.amount }
    }

    /// It, to be taken for so many tries.
    pub(super) fn want_times(&self, tries: u128) -> Want<'_> {
        Want { amount: self.amount.saturating_mul(tries), ..self.want() }
    }
}

//! What a later try takes under limits before it begins.

use alloc::vec::Vec;

use super::Attempt;
use crate::answer::Answer;
use crate::plan::{Failed, exhausted};
use crate::quota::Unmet;
use crate::record::may_bill;
use crate::role::Effect;
use crate::time::Instant;

/// What must be taken for a later try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    /// The place of its target in the plan.
    pub target: usize,
    /// The targets of the earlier tries that their providers may bill, one for each try.
    pub billed: Vec<usize>,
}

impl Attempt {
    /// What is still to be taken for it, if an earlier try asked another target, or the same one before.
    pub fn takes(&self) -> Option<Takes> {
        let bills = |failed: &&Failed| may_bill(Some(failed.outcome), failed.status);
        let billed = || self.plan.failed.iter().filter(bills).map(|failed| failed.target).collect();
        (self.plan.begun > 1).then(|| Takes { target: self.plan.at, billed: billed() })
    }

    /// It cannot begin, because of a limit: the caller is told.
    pub fn refuse(&mut self, unmet: Unmet, now: Instant, effects: &mut Vec<Effect>) {
        let problem = match unmet {
            Unmet::Target(problem) => problem,
            Unmet::Every(limit) => {
                self.plan.give_up(["limit ", &limit].concat());
                effects.push(Effect::Plan(self.plan.to_text()));
                effects.push(Effect::Tries(self.plan.tries()));
                exhausted(&self.plan, now)
            }
        };
        let answer = Answer::problem(&problem, self.plan.asked.endpoint.family());
        effects.push(Effect::Progress(self.plan.origin, self.refused(&answer)));
        effects.push(Effect::Answer(answer));
    }

    /// The place of its target in the plan.
    pub fn target(&self) -> usize {
        self.plan.at
    }
}

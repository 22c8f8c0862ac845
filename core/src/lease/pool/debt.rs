//! The debt of a budget: by how much it is over, because of answers that cost more than they had reserved, and of what Envoys used
//! while control was away.
//!
//! A debt is what was over when it was used. So a smaller amount makes no debt of what was granted before. The next window takes it
//! over as a state, not as a difference, so it may be told as often as one likes.

use super::super::Rule;
use super::{Pool, credited};

impl Pool {
    /// Follows the debt, after `before` was committed and holders have told what they used. Those who hold leases of an earlier epoch
    /// owe nothing for that.
    pub(super) fn owe(&mut self, rule: &Rule, before: u128) {
        let Rule::Budget { amount, .. } = *rule else { return };
        let (amount, now) = (credited(amount, self.credit), self.committed(rule));
        if now > before {
            self.over = self.over.saturating_add(now.saturating_sub(amount.max(before)));
        } else {
            self.over = self.over.saturating_sub(before - now);
        }
    }

    /// What of a budget's debt the next window has to take over: what is over still, without what may flow back.
    pub fn owed(&self, rule: &Rule) -> u128 {
        let Rule::Budget { .. } = rule else { return 0 };
        let standing = self.standing(rule);
        self.over.min(standing.spent.saturating_sub(standing.amount))
    }

    /// Takes over what the window before owes: all of it, however much of it was taken over already.
    pub fn carry(&mut self, rule: &Rule, owed: u128) {
        let before = self.committed(rule);
        self.carried = owed;
        self.owe(rule, before);
    }
}

//! Debts of a budget that go from one window to the next.
//!
//! The pool of each window is a cell of its own. A new one looks at the one before; what shows only later is brought to it then. A
//! window in which nothing was used has no pool, and has paid. And
//! because two controls may do that at the same time, each [sweep](super::sweep) looks again. What is owed is a state, so nothing is
//! counted twice.

use weir_core::lease::{Account, Pool, Rule};
use weir_core::shared::Cell;
use weir_core::time::Instant;

use super::limits::Limits;
use super::pools::{Away, Opened, Pools};
use super::store::StoreError;

/// Where an account is, and how much there is.
pub(super) struct Place {
    /// The key of its cell.
    pub(super) key: String,
    /// How much there is.
    pub(super) rule: Rule,
    /// The key of the window before, and how much there was.
    before: Option<(String, Rule)>,
}

impl Opened {
    /// Where an account is.
    pub(super) async fn place(&self, limits: &Limits, account: &Account, rule: Rule) -> Result<Place, StoreError> {
        let key = self.key(limits, account).await?;
        let before = match limits.before(account).and_then(|before| Some((limits.rule(&before)?, before))) {
            Some((rule, before)) => Some((self.key(limits, &before).await?, rule)),
            None => None,
        };
        Ok(Place { key, rule, before })
    }

    /// What the window before owes; `None` if nothing is known of it.
    pub(super) async fn owed(&self, place: &Place) -> Result<Option<u128>, StoreError> {
        let Some((key, rule)) = &place.before else { return Ok(None) };
        let Some(bytes) = self.store.read(key).await? else { return Ok(None) };
        Ok(Some(Pool::read(&bytes).ok_or(StoreError::Newer)?.owed(rule)))
    }
}

impl Pools {
    /// Brings what a window owes, which is over, to those after it.
    pub(super) async fn carry(
        &self,
        opened: &Opened,
        limits: &Limits,
        account: &Account,
        owed: u128,
        now: Instant,
    ) -> Result<(), Away> {
        let (mut account, mut owed) = (account.clone(), owed);
        while let Some(after) = limits.after(&account, now) {
            let Some(rule) = limits.rule(&after) else { break };
            let place = opened.place(limits, &after, rule).await?;
            // One that is created later looks for itself.
            if opened.store.read(&place.key).await?.is_none() {
                break;
            }
            owed = self
                .change(opened, &place, now, |pool| {
                    pool.carry(&rule, owed);
                    pool.owed(&rule)
                })
                .await?;
            account = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

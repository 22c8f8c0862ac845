//! What is done beside all exchanges: who has fallen silent is found and resolved, and windows that are over are removed.

use std::sync::Arc;
use std::time::Duration;

use weir_core::lease::{Account, Ended, Pool, Resolved, Rule};
use weir_core::shared::Cell;
use weir_core::time::Instant;

use super::name;
use super::pools::{Away, Opened, Pools};

/// How long after its end a window is kept.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

impl Pools {
    /// Looks at every account once.
    pub async fn sweep(&self, now: Instant) -> Result<(), Away> {
        let opened = self.opened(now).await?;
        let done = self.sweep_in(&opened, now).await;
        self.drop_after(&done).await;
        done
    }

    async fn sweep_in(&self, opened: &Opened, now: Instant) -> Result<(), Away> {
        let limits = self.limits();
        let names = opened.names(&limits).await?;
        for (key, bytes) in opened.store.list(name::ACCOUNTS).await? {
            let (Some(mut account), Some(mut pool)) = (name::account(&key), Pool::read(&bytes)) else { continue };
            let Some(limit) = names.get(&account.limit) else { continue };
            account.limit.clone_from(limit);
            let Some(rule) = limits.rule(&account) else { continue };
            if is_over(&rule, now) {
                opened.store.swap(&key, Some(&bytes), None).await?;
                continue;
            }
            let place = opened.place(&limits, &account, rule).await?;
            let owed = opened.owed(&place).await?;
            let mut carried = pool.clone();
            carried.carry(&rule, owed.unwrap_or_default());
            let is_behind = owed.is_some() && carried != pool;
            let changed = pool.advance(&rule, now) || is_behind;
            if changed || pool.unresolved().next().is_some() || pool.found().next().is_some() {
                // Only of a budget something can be lost.
                let is_lost = matches!(rule, Rule::Budget { .. });
                let said = if is_lost { self.resolved(opened, &account, &pool).await? } else { Said::default() };
                if changed || said != Said::default() {
                    self.change(opened, &place, now, |pool| {
                        pool.advance(&rule, now);
                        if let Some(owed) = owed {
                            pool.carry(&rule, owed);
                        }
                        for (ended, resolved) in &said.resolved {
                            pool.resolve(&rule, ended, *resolved);
                        }
                        for found in &said.found {
                            pool.take_back(found);
                        }
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }

    /// What the ledger says of leases that have ended, and of those whose Envoys are there again.
    async fn resolved(&self, opened: &Opened, account: &Account, pool: &Pool) -> Result<Said, Away> {
        let (ended, found): (Vec<_>, Vec<_>) = (pool.unresolved().collect(), pool.found().collect());
        let names = name::all(&opened.store, &account.limit).await?;
        let (book, account) = (Arc::clone(&self.book), account.clone());
        let ask = move || {
            let mut said = Said::default();
            for ended in ended {
                if let Some(resolved) = book.ended(&account, &names, &ended)? {
                    said.resolved.push((ended, resolved));
                }
            }
            for found in found {
                book.found(&account, &found)?;
                said.found.push(found);
            }
            Ok(said)
        };
        self.blocking(ask).await
    }
}

/// What the ledger says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    resolved: Vec<(Ended, Resolved)>,
    /// The leases of which what was lost is taken back.
    found: Vec<Ended>,
}

fn is_over(rule: &Rule, now: Instant) -> bool {
    let Rule::Budget { window, .. } = rule else { return false };
    window.end.is_some_and(|end| end.after(KEPT) < now)
}

//! What is done beside all exchanges: who has fallen silent is found and resolved, and windows that are over are removed.

use std::sync::Arc;
use std::time::Duration;

use weir_core::lease::{Account, Pool, Resolved, Rule};
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
            if pool.advance(&rule, now) || pool.unresolved().next().is_some() {
                let resolved = self.resolved(&account, &pool).await?;
                self.change(opened, &key, &rule, now, |pool| {
                    pool.advance(&rule, now);
                    for (node, start, resolved) in &resolved {
                        pool.resolve(node, *start, *resolved);
                    }
                })
                .await?;
            }
        }
        Ok(())
    }

    /// What the ledger says of those who have fallen silent.
    async fn resolved(&self, account: &Account, pool: &Pool) -> Result<Vec<(String, u64, Resolved)>, Away> {
        let silent: Vec<_> = pool.unresolved().map(|(node, start, held)| (node.to_owned(), start, held)).collect();
        let (book, account) = (Arc::clone(&self.book), account.clone());
        let ask = move || {
            let mut all = Vec::new();
            for (node, start, held) in silent {
                if let Some(resolved) = book.ended(&node, start, &account, held)? {
                    all.push((node, start, resolved));
                }
            }
            Ok(all)
        };
        self.blocking(ask).await
    }
}

fn is_over(rule: &Rule, now: Instant) -> bool {
    let Rule::Budget { window, .. } = rule else { return false };
    window.end.is_some_and(|end| end.after(KEPT) < now)
}

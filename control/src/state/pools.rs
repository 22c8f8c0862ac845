//! The pools of all accounts, in a store that other processes may share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::task::spawn_blocking;
use weir_core::lease::{Account, Exchange, Grant, Grants, Pool, Report, Rule, Standing, State};
use weir_core::quota::Kind;
use weir_core::shared::Cell;
use weir_core::time::Instant;

use super::book::Book;
use super::carry::Place;
use super::epoch::Epoch;
use super::limits::Limits;
use super::name;
use super::store::{Address, Store, StoreError};

/// Why an exchange could not be made. The Envoy goes on with what it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// The store cannot do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger cannot.
    #[error("the ledger is away: {0}")]
    Book(String),
}

/// Why an account cannot be credited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCredited {
    /// No limit has this name.
    #[error("no limit is called \"{0}\"")]
    NoLimit(String),
    /// Only a budget is spent.
    #[error("\"{0}\" is no budget: what it limits comes back by itself")]
    NoBudget(String),
    /// It could not be written.
    #[error(transparent)]
    Away(#[from] Away),
}

/// One account, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The account.
    pub account: Account,
    /// What became of it.
    pub standing: Standing,
    /// In how many milliseconds the limit is whole again; 0 if it never is.
    pub reset_ms: u64,
}

/// Tells the operator something, in a line.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Reads the limits as they are configured now, or says what is wrong with the configuration. It may block.
pub type ReadLimits = Arc<dyn Fn() -> Result<Limits, String> + Send + Sync>;

/// The pools.
pub struct Pools {
    address: Address,
    limits: RwLock<Arc<Limits>>,
    /// One reads at a time, so that the latest limits are the ones that stay.
    read: tokio::sync::Mutex<Option<ReadLimits>>,
    pub(super) book: Arc<dyn Book>,
    tell: Tell,
    opened: tokio::sync::Mutex<Option<Arc<Opened>>>,
    /// What the store was last said to be wrong with.
    warned: Mutex<Option<String>>,
}

/// A store, and the epoch that it had when it was opened.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) epoch: Epoch,
    /// The first names of limits, by name and unit. They never change.
    roots: Mutex<HashMap<(String, u32), String>>,
}

impl Pools {
    /// Pools in the store at `address`, for these limits.
    pub fn new(address: Address, limits: Limits, book: Arc<dyn Book>, tell: Tell) -> Self {
        let (read, opened, warned) = Default::default();
        Self { address, limits: RwLock::new(Arc::new(limits)), read, book, tell, opened, warned }
    }

    /// Pools whose limits can be [read again](Self::reload).
    #[must_use]
    pub fn reading(self, read: ReadLimits) -> Self {
        Self { read: tokio::sync::Mutex::new(Some(read)), ..self }
    }

    /// Takes other limits. What was spent stays. An Envoy that does not know them yet is answered by those of before.
    pub fn set_limits(&self, limits: Limits) {
        let mut held = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(limits.succeed(&held));
    }

    /// Takes the limits as they are configured now. If the configuration has errors, they stay as they are, and the errors are
    /// returned.
    pub async fn reload(&self) -> Result<(), String> {
        let read = self.read.lock().await;
        let Some(ask) = read.clone() else { return Ok(()) };
        let limits = spawn_blocking(move || ask()).await.map_err(|error| error.to_string())??;
        self.set_limits(limits);
        Ok(())
    }

    pub(super) fn tell(&self, text: &str) {
        (self.tell)(text);
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the store, so that what is wrong with it is told at once.
    pub async fn check(&self, now: Instant) -> Result<(), Away> {
        self.opened(now).await.map(drop)
    }

    /// Answers a report. Nothing is answered of an account that no limit allows. If this fails, some of the report may
    /// have been taken; the next one makes up for it.
    pub async fn exchange(&self, report: &Report, now: Instant) -> Result<Grants, Away> {
        let opened = self.opened(now).await?;
        let done = self.exchange_in(&opened, report, now).await;
        self.drop_after(&done).await;
        done
    }

    async fn exchange_in(&self, opened: &Opened, report: &Report, now: Instant) -> Result<Grants, Away> {
        let limits = self.limits();
        let epoch = opened.epoch.number;
        let others =
            report.accounts.iter().map(|state| state.epoch).filter(|known| *known != 0 && *known != epoch).max();
        if let Some(known) = others.filter(|known| opened.epoch.is_first || *known > epoch) {
            opened.epoch.end(&opened.store, known, now).await?;
            return Err(StoreError::Lost.into());
        }
        let mut grants = Vec::with_capacity(report.accounts.len());
        for state in &report.accounts {
            if let Some(rule) = limits.answers(state) {
                grants.push(self.grant(opened, &limits, report, state, &rule, now).await?);
            }
        }
        Ok(Grants { sequence: report.sequence, epoch, grants })
    }

    async fn grant(
        &self,
        opened: &Opened,
        limits: &Limits,
        report: &Report,
        state: &State,
        rule: &Rule,
        now: Instant,
    ) -> Result<Grant, Away> {
        let place = opened.place(limits, &state.account, *rule).await?;
        let (grant, owed) = self
            .change(opened, &place, now, |pool| {
                let refilling = !pool.is_whole();
                let grant = pool.exchange(Exchange { rule, report, state, refilling }, now);
                (grant, pool.owed(rule))
            })
            .await?;
        self.carry(opened, limits, &state.account, owed, now).await?;
        Ok(grant)
    }

    /// Changes a pool: it is read, changed and written, until nobody else has written meanwhile. A pool that
    /// is not whole becomes so once that is possible.
    pub(super) async fn change<T>(
        &self,
        opened: &Opened,
        place: &Place,
        now: Instant,
        mut change: impl FnMut(&mut Pool) -> T,
    ) -> Result<T, Away> {
        let Opened { store, epoch, .. } = opened;
        let Place { key, rule, .. } = place;
        loop {
            let bytes = store.read(key).await?;
            let mut pool = if let Some(bytes) = &bytes {
                Pool::read(bytes).ok_or(StoreError::Newer)?
            } else {
                opened.is_current().await?;
                let mut pool = Pool::new(rule, epoch.number, epoch.is_first, now);
                pool.carry(rule, opened.owed(place).await?.unwrap_or(0));
                pool
            };
            pool.renew(epoch.number, now);
            if let Some(account) = name::account(key).filter(|_| !pool.is_whole() && !epoch.is_refilling(now)) {
                refill(&mut pool, self.spent(store, account).await?, now);
            }
            let changed = change(&mut pool);
            let new = pool.write();
            if bytes.as_ref() == Some(&new) || store.swap(key, bytes.as_deref(), Some(&new)).await? {
                if bytes.is_none() {
                    // If the store lost its data between these calls, this cell may be the first of the next epoch.
                    opened.is_current().await?;
                }
                return Ok(changed);
            }
        }
    }

    /// All accounts.
    pub async fn list(&self, now: Instant) -> Result<Vec<Listed>, Away> {
        let opened = self.opened(now).await?;
        let done = self.list_in(&opened, now).await;
        self.drop_after(&done).await;
        done
    }

    async fn list_in(&self, opened: &Opened, now: Instant) -> Result<Vec<Listed>, Away> {
        let limits = self.limits();
        let mut listed = Vec::new();
        let names = opened.names(&limits).await?;
        for (key, bytes) in opened.store.list(name::ACCOUNTS).await? {
            let (Some(mut account), Some(mut pool)) = (name::account(&key), Pool::read(&bytes)) else { continue };
            let Some(limit) = names.get(&account.limit) else { continue };
            account.limit.clone_from(limit);
            let Some(rule) = limits.rule(&account) else { continue };
            pool.advance(&rule, now);
            let standing = pool.standing(&rule);
            listed.push(Listed { account, standing, reset_ms: rule.reset_ms(now, standing.spent) });
        }
        listed.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(listed)
    }

    /// Adds to what a subject may spend of a budget in the window that is now, in the limit's unit, and books it.
    pub async fn credit(
        &self,
        limit: &str,
        subject: &str,
        amount: i128,
        why: &str,
        now: Instant,
    ) -> Result<Account, NotCredited> {
        let limits = self.limits();
        let found = limits.get(limit).ok_or_else(|| NotCredited::NoLimit(limit.to_owned()))?;
        let Kind::Budget { windows, .. } = &found.kind else { return Err(NotCredited::NoBudget(limit.to_owned())) };
        let (limit, subject) = (found.name.clone(), subject.to_owned());
        let account = Account { limit, subject, window_ms: windows.at(now).start };
        let rule = limits.rule(&account).ok_or_else(|| NotCredited::NoLimit(account.limit.clone()))?;
        let opened = self.opened(now).await?;
        // What is booked and not added can be seen and added; what is added and not booked could not be seen.
        let (book, booked, why) = (Arc::clone(&self.book), account.clone(), why.to_owned());
        self.blocking(move || book.credit(&booked, amount, &why)).await?;
        let place = opened.place(&limits, &account, rule).await.map_err(Away::from)?;
        let done = self.change(&opened, &place, now, |pool| pool.credit(amount)).await;
        self.drop_after(&done).await;
        done?;
        Ok(account)
    }

    /// What the ledger says is spent of an account, under all names that its limit has had.
    async fn spent(&self, store: &Store, account: Account) -> Result<i128, Away> {
        let names = name::all(store, &account.limit).await?;
        let book = Arc::clone(&self.book);
        self.blocking(move || {
            names.into_iter().try_fold(0_i128, |sum, limit| {
                let spent = book.spent(&Account { limit, ..account.clone() })?;
                Ok(sum.saturating_add(spent))
            })
        })
        .await
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Away> {
        spawn_blocking(ask).await.map_err(|error| Away::Book(error.to_string()))?.map_err(Away::Book)
    }

    /// The store, opened if it is not.
    pub(super) async fn opened(&self, now: Instant) -> Result<Arc<Opened>, Away> {
        let mut opened = self.opened.lock().await;
        if let Some(opened) = &*opened {
            return Ok(Arc::clone(opened));
        }
        let store = self.address.open().await?;
        let book = Arc::clone(&self.book);
        let is_first = self.blocking(move || book.is_empty()).await?;
        let epoch = Epoch::of(&store, is_first, now).await?;
        self.warn(&store, &epoch, now);
        let new = Arc::new(Opened { store, epoch, roots: Mutex::default() });
        *opened = Some(Arc::clone(&new));
        Ok(new)
    }

    /// After an error the store is opened anew.
    pub(super) async fn drop_after<T>(&self, done: &Result<T, Away>) {
        if matches!(done, Err(Away::Store(_))) {
            *self.opened.lock().await = None;
        }
    }

    fn warn(&self, store: &Store, epoch: &Epoch, now: Instant) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let warning = store.warning().map(str::to_owned);
        if *warned != warning {
            *warned = warning;
            if let Some(warning) = &*warned {
                self.tell(&format!("{}: {warning}", self.address));
            }
        }
        if epoch.is_refilling(now) {
            self.tell(&format!(
                "{}: the store may have lost data, or is another one; no lease is granted until all of before have expired",
                self.address
            ));
        }
    }
}

impl Opened {
    /// Fails if the store has lost its data since it was opened.
    async fn is_current(&self) -> Result<(), Away> {
        if self.epoch.is_of(&self.store).await? { Ok(()) } else { Err(StoreError::Lost.into()) }
    }

    async fn root(&self, limits: &Limits, limit: &str) -> Result<String, StoreError> {
        let named = (limit.to_owned(), limits.unit(limit));
        let known = self.roots.lock().unwrap_or_else(PoisonError::into_inner).get(&named).cloned();
        if let Some(root) = known {
            return Ok(root);
        }
        let root = name::root(&self.store, limits, limit).await?;
        let root = name::in_unit(&self.store, root, named.1).await?;
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).insert(named, root.clone());
        Ok(root)
    }

    pub(super) async fn key(&self, limits: &Limits, account: &Account) -> Result<String, StoreError> {
        Ok(name::key(&self.root(limits, &account.limit).await?, account))
    }

    /// The limits' names by their first names.
    pub(super) async fn names(&self, limits: &Limits) -> Result<HashMap<String, String>, StoreError> {
        let mut names = HashMap::new();
        for limit in limits.names() {
            names.insert(self.root(limits, limit).await?, limit.to_owned());
        }
        Ok(names)
    }
}

/// Books what the ledger says is spent. Credits can make that less than nothing.
fn refill(pool: &mut Pool, spent: i128, now: Instant) {
    pool.refill(u128::try_from(spent).unwrap_or(0), now);
    if spent < 0 {
        pool.credit(spent.saturating_neg());
    }
}

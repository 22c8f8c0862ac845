//! The limits that are shared, as the configuration has them now.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_core::lease::{Account, Rule, State, Window};
use weir_core::quota::{Kind, Limit};
use weir_core::time::Instant;

/// How long after its lease the requests of an Envoy that has fallen silent are believed to go on, if it does not start again.
const LONGEST: Duration = Duration::from_secs(600);

/// The limits of a configuration, by name, and those of the configuration before it.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    now: BTreeMap<String, Limit>,
    /// For Envoys that do not run the new configuration yet.
    former: BTreeMap<String, Limit>,
}

impl Limits {
    /// These limits.
    pub fn of(limits: &[Limit]) -> Self {
        let now = limits.iter().map(|limit| (limit.name.clone(), limit.clone())).collect();
        Self { now, former: BTreeMap::new() }
    }

    /// These limits, in place of those `before`.
    pub(super) fn succeed(self, before: &Self) -> Self {
        if self.now == before.now {
            return before.clone();
        }
        Self { former: before.now.clone(), ..self }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.now.keys().map(String::as_str)
    }

    /// The limit with this name, or the one that had it: an Envoy may not know the new configuration yet.
    pub fn get(&self, name: &str) -> Option<&Limit> {
        let renamed = || self.now.values().find(|limit| limit.was.as_deref() == Some(name));
        self.now.get(name).or_else(renamed)
    }

    /// How much an account allows. `None` if there is no such limit, or no such window of it.
    pub fn rule(&self, account: &Account) -> Option<Rule> {
        rule(&self.get(&account.limit)?.kind, account.window_ms)
    }

    /// How much there is for an account of a report. An Envoy may still run the configuration before: a limit that is gone is as it
    /// was there. `None` if the Envoy counts in another unit than the limit.
    pub fn answers(&self, state: &State) -> Option<Rule> {
        let Account { limit, window_ms, .. } = &state.account;
        let is_other = |limit: &Limit| state.unit != 0 && state.unit != limit.unit();
        if self.get(limit).is_some_and(is_other) {
            return None;
        }
        let former = || rule(&self.former.get(limit).filter(|former| !is_other(former))?.kind, *window_ms);
        self.rule(&state.account).or_else(former)
    }

    /// The unit of the limit with this name; 0 if there is none.
    pub(super) fn unit(&self, name: &str) -> u32 {
        self.get(name).map_or(0, Limit::unit)
    }

    /// The account of the window before, of which this one takes over the debt. A soft limit has none.
    pub(super) fn before(&self, account: &Account) -> Option<Account> {
        let last = account.window_ms.checked_sub(1)?;
        self.at(account, Instant::default().after(Duration::from_millis(last)))
    }

    /// The account of the window after, if that has begun.
    pub(super) fn after(&self, account: &Account, now: Instant) -> Option<Account> {
        let Rule::Budget { window, .. } = self.rule(account)? else { return None };
        self.at(account, window.end.filter(|end| *end <= now)?)
    }

    fn at(&self, account: &Account, at: Instant) -> Option<Account> {
        let limit = self.get(&account.limit).filter(|limit| !limit.soft)?;
        let Kind::Budget { windows, .. } = &limit.kind else { return None };
        let window_ms = windows.at(at).start;
        (window_ms != account.window_ms).then(|| Account { window_ms, ..account.clone() })
    }
}

fn rule(kind: &Kind, window_ms: u64) -> Option<Rule> {
    match kind {
        Kind::Budget { amount, windows } => {
            let window = windows.at(Instant::default().after(Duration::from_millis(window_ms)));
            let ms = |ms| Instant::default().after(Duration::from_millis(ms));
            let rule =
                Rule::Budget { amount: *amount, window: Window { start: ms(window.start), end: window.end.map(ms) } };
            (window.start == window_ms).then_some(rule)
        }
        Kind::Rate { amount, period, burst } => {
            let (amount, burst) = (u128::from(*amount), u128::from(*burst));
            let rule = Rule::Rate { amount, period: Duration::from_nanos((*period).max(1)), burst };
            (window_ms == 0).then_some(rule)
        }
        Kind::Concurrency { amount } => {
            let rule = Rule::Concurrency { amount: u128::from(*amount), longest: LONGEST };
            (window_ms == 0).then_some(rule)
        }
    }
}

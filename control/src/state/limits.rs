//! The limits that are shared, as the configuration has them now.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_core::lease::{Account, Rule, Window};
use weir_core::quota::{Kind, Limit};
use weir_core::time::Instant;

/// How long after its lease the requests of an Envoy that has fallen silent are believed to go on, if it does not start again.
const LONGEST: Duration = Duration::from_secs(600);

/// The limits of a configuration, by name.
#[derive(Clone, Debug, Default)]
pub struct Limits(BTreeMap<String, Limit>);

impl Limits {
    /// These limits.
    pub fn of(limits: &[Limit]) -> Self {
        Self(limits.iter().map(|limit| (limit.name.clone(), limit.clone())).collect())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The limit with this name, or the one that had it: an Envoy may not know the new configuration yet.
    pub fn get(&self, name: &str) -> Option<&Limit> {
        let renamed = || self.0.values().find(|limit| limit.was.as_deref() == Some(name));
        self.0.get(name).or_else(renamed)
    }

    /// How much an account allows. `None` if there is no such limit, or no such window of it.
    pub fn rule(&self, account: &Account) -> Option<Rule> {
        rule(&self.get(&account.limit)?.kind, account.window_ms)
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

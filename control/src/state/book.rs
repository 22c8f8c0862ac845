//! What the ledger is asked and told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_core::lease::{Account, Resolved};

use super::now;
use crate::ledger::gap::BookingKind;
use crate::ledger::{self, Batch, Booking, Sqlite, Store, StoreError};

/// The ledger, as leases see it. Calls may block.
pub trait Book: Send + Sync {
    /// Whether nothing was ever booked.
    fn is_empty(&self) -> Result<bool, String>;

    /// What is spent of an account, by requests and bookings together, in the limit's unit. Credits make it less.
    fn spent(&self, account: &Account) -> Result<i128, String>;

    /// What a start of an Envoy used of an account that has fallen silent, if the ledger knows it all; else what was held stays
    /// spent.
    fn ended(&self, node: &str, start: u64, account: &Account, held: Resolved) -> Result<Option<Resolved>, String>;

    /// Books what an operator adds to an account.
    fn credit(&self, account: &Account, amount: i128, why: &str) -> Result<(), String>;
}

/// No ledger. A store that loses its data then forgets what was spent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBook;

impl Book for NoBook {
    fn is_empty(&self) -> Result<bool, String> {
        Ok(true)
    }

    fn spent(&self, _: &Account) -> Result<i128, String> {
        Ok(0)
    }

    fn ended(&self, _: &str, _: u64, _: &Account, _: Resolved) -> Result<Option<Resolved>, String> {
        Ok(None)
    }

    fn credit(&self, _: &Account, _: i128, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// How long an answer of the ledger is used again: after a loss it is asked for every account.
const FRESH: Duration = Duration::from_secs(1);

/// The ledger in a SQLite file, which somebody else writes while this reads.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    asked: Mutex<Option<Asked>>,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    spent: HashMap<Account, i128>,
}

impl Ledger {
    /// The ledger in this file. It is opened when it is asked.
    pub fn new(path: PathBuf) -> Self {
        Self { path, asked: Mutex::new(None) }
    }

    fn all(&self) -> Result<HashMap<Account, i128>, String> {
        let mut sqlite = match Sqlite::open_to_read(&self.path) {
            Err(StoreError::Missing(_)) => return Ok(HashMap::new()),
            opened => opened.map_err(|error| error.to_string())?,
        };
        let spent = sqlite.spent(None).map_err(|error| error.to_string())?;
        let account = |told: ledger::Account| {
            let window_ms = u64::try_from(told.window_ms).unwrap_or(0);
            Account { limit: told.limit, subject: told.subject, window_ms }
        };
        Ok(spent.into_iter().map(|one| (account(one.account), one.amount)).collect())
    }
}

impl Book for Ledger {
    fn is_empty(&self) -> Result<bool, String> {
        Ok(self.all()?.is_empty())
    }

    fn spent(&self, account: &Account) -> Result<i128, String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = match asked.take().filter(|asked| asked.at.elapsed() < FRESH) {
            Some(fresh) => asked.insert(fresh),
            None => asked.insert(Asked { at: Instant::now(), spent: self.all()? }),
        };
        Ok(spent.spent.get(account).copied().unwrap_or(0))
    }

    fn ended(&self, _: &str, _: u64, _: &Account, _: Resolved) -> Result<Option<Resolved>, String> {
        // A line of the log does not say of which start it is, so what a start has used up is not known apart.
        Ok(None)
    }

    fn credit(&self, account: &Account, amount: i128, why: &str) -> Result<(), String> {
        let Account { limit, subject, window_ms } = account.clone();
        let window_ms = i64::try_from(window_ms).unwrap_or(i64::MAX);
        let booking = Booking {
            mark: String::new(),
            at_ms: i64::try_from(now().as_millis()).unwrap_or(i64::MAX),
            node: String::new(),
            kind: BookingKind::Credit,
            account: ledger::Account { limit, subject, window_ms },
            amount: amount.saturating_neg(),
            why: why.to_owned(),
        };
        let mut sqlite = Sqlite::open(&self.path).map_err(|error| error.to_string())?;
        let batch = Batch { bookings: vec![booking], ..Batch::default() };
        sqlite.append(&batch).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_is_a_row_that_makes_less_spent() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().join(ledger::FILE));
        let account = Account { limit: "month".to_owned(), subject: "team".to_owned(), window_ms: 7 };
        assert_eq!((ledger.is_empty(), ledger.spent(&account)), (Ok(true), Ok(0)));
        ledger.credit(&account, 500, "a gift").unwrap();
        assert_eq!(ledger.is_empty(), Ok(false));
        let again = Ledger::new(folder.path().join(ledger::FILE));
        assert_eq!(again.spent(&account), Ok(-500));
        assert_eq!(again.spent(&Account::default()), Ok(0));
    }
}

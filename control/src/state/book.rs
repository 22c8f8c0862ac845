//! What the ledger is asked and told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_core::lease::{Account, Ended, Resolved};

use super::now;
use crate::ledger::gap::BookingKind;
use crate::ledger::store::{Known, Leased};
use crate::ledger::{self, Batch, Booking, Question, Sqlite, Store, StoreError, Usage, usage};

/// The ledger, as leases see it. Calls may block.
pub trait Book: Send + Sync {
    /// Whether nothing was ever booked.
    fn is_empty(&self) -> Result<bool, String>;

    /// What is spent of an account, by requests and bookings together, in the limit's unit. Credits make it less.
    fn spent(&self, account: &Account) -> Result<i128, String>;

    /// What was used up of a lease that has ended, if the ledger knows it all; else what was held stays spent. What is lost is booked.
    /// `limits` are the names that the account's limit has had.
    fn ended(&self, account: &Account, limits: &[String], ended: &Ended) -> Result<Option<Resolved>, String>;

    /// Takes back what was booked as lost of a lease: its Envoy is there again.
    fn found(&self, account: &Account, found: &Ended) -> Result<(), String>;

    /// Sums what was used. Nothing, if there is no ledger yet.
    fn usage(&self, question: Question) -> Result<Usage, String> {
        Ok(Usage::nothing(question))
    }

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

    fn ended(&self, _: &Account, _: &[String], _: &Ended) -> Result<Option<Resolved>, String> {
        Ok(None)
    }

    fn found(&self, _: &Account, _: &Ended) -> Result<(), String> {
        Ok(())
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
    /// The leases of which it was asked before, and when that was first, in milliseconds since the epoch.
    waiting: Mutex<HashMap<(String, u64), i64>>,
    /// The file, opened to read it, and when that was: it is asked of many leases at once.
    reader: Mutex<Option<(Instant, Sqlite)>>,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    spent: HashMap<Account, i128>,
}

impl Ledger {
    /// The ledger in this file. It is opened when it is asked.
    pub fn new(path: PathBuf) -> Self {
        Self { path, asked: Mutex::new(None), waiting: Mutex::default(), reader: Mutex::default() }
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

    fn ended(&self, account: &Account, limits: &[String], ended: &Ended) -> Result<Option<Resolved>, String> {
        let Some((leased, known)) = self.known(limits, ended)? else { return Ok(None) };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.limit.clone(), ended.lease);
        // The Envoy has been silent for long. All that it wrote is read once its log was read to the end after that.
        if known.read_ms <= *waiting.entry(key.clone()).or_insert_with(now_ms) {
            return Ok(None);
        }
        waiting.remove(&key);
        let held = ended.held.settled.saturating_add(ended.held.lost);
        let settled = u128::try_from(leased.amount).unwrap_or(0);
        let resolved = Resolved { settled, lost: held.saturating_sub(settled) };
        if resolved.lost > 0 {
            self.lose(account, ended, resolved.lost)?;
        }
        Ok(Some(resolved))
    }

    fn found(&self, account: &Account, found: &Ended) -> Result<(), String> {
        self.lose(account, found, 0)
    }

    fn usage(&self, question: Question) -> Result<Usage, String> {
        match Sqlite::open_to_read(&self.path) {
            Err(StoreError::Missing(_)) => Ok(Usage::nothing(question)),
            opened => {
                opened.and_then(|mut sqlite| usage::ask(&mut sqlite, question)).map_err(|error| error.to_string())
            }
        }
    }

    fn credit(&self, account: &Account, amount: i128, why: &str) -> Result<(), String> {
        self.book(Booking {
            mark: String::new(),
            at_ms: now_ms(),
            node: String::new(),
            kind: BookingKind::Credit,
            account: told(account),
            amount: amount.saturating_neg(),
            why: why.to_owned(),
        })
    }
}

impl Ledger {
    /// What the rows say of a lease, and how far the log is read that they come from. `None` if there is no ledger.
    fn known(&self, limits: &[String], ended: &Ended) -> Result<Option<(Leased, Known)>, String> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = reader.take().filter(|(at, _)| at.elapsed() < FRESH);
        let (_, sqlite) = match fresh {
            Some(fresh) => reader.insert(fresh),
            None => match Sqlite::open_to_read(&self.path) {
                Err(StoreError::Missing(_)) => return Ok(None),
                opened => reader.insert((Instant::now(), opened.map_err(|error| error.to_string())?)),
            },
        };
        let leased = sqlite.leased(limits, ended.lease).map_err(|error| error.to_string())?;
        // Control and the ledger may call the same Envoy by different names.
        let node = if leased.node.is_empty() { &ended.node } else { &leased.node };
        let known = sqlite.known(node).map_err(|error| error.to_string())?;
        Ok(Some((leased, known)))
    }

    /// Books what is lost of a lease, in place of what was booked of it before.
    fn lose(&self, account: &Account, ended: &Ended, amount: u128) -> Result<(), String> {
        let why = if amount == 0 {
            "the Envoy is there again"
        } else {
            "the Envoy ended without saying what became of it; its provider may bill it"
        };
        self.book(Booking {
            mark: format!("lost:{}:{}:{}", account.limit, account.subject, ended.lease),
            at_ms: now_ms(),
            node: ended.node.clone(),
            kind: BookingKind::Lost,
            account: told(account),
            amount: i128::try_from(amount).unwrap_or(i128::MAX),
            why: why.to_owned(),
        })
    }

    fn book(&self, booking: Booking) -> Result<(), String> {
        let mut sqlite = Sqlite::open(&self.path).map_err(|error| error.to_string())?;
        let batch = Batch { bookings: vec![booking], ..Batch::default() };
        sqlite.append(&batch).map_err(|error| error.to_string())
    }
}

/// An account, as the ledger has it.
fn told(account: &Account) -> ledger::Account {
    let Account { limit, subject, window_ms } = account.clone();
    ledger::Account { limit, subject, window_ms: i64::try_from(window_ms).unwrap_or(i64::MAX) }
}

fn now_ms() -> i64 {
    i64::try_from(now().as_millis()).unwrap_or(i64::MAX)
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

    #[test]
    fn what_the_log_does_not_tell_of_an_ended_lease_is_booked_as_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ledger::FILE);
        let (ledger, mut sqlite) = (Ledger::new(path.clone()), Sqlite::open(&path).unwrap());
        let account = Account { limit: "month".to_owned(), subject: "team".to_owned(), window_ms: 7 };
        let held = Resolved { settled: 50, lost: 150 };
        let ended = Ended { node: "control's name".to_owned(), start: 1, lease: 9, held };
        let names = ["month".to_owned(), "old".to_owned()];
        let asked = |account: &Account| ledger.ended(account, &names, &ended);
        let row = |limit: &str, spent, lease| {
            let account = ledger::Account { limit: limit.to_owned(), ..told(&account) };
            let settled = vec![ledger::row::Settled { account, spent, lease: Some(lease) }];
            ledger::Row { at_ms: 1, settled, ..ledger::Row::default() }
        };
        let rows = vec![row("month", 40, 9), row("old", 30, 9), row("month", 500, 8)];
        let batch = Batch { node: "log".to_owned(), rows, read_ms: Some(5), ..Batch::default() };
        sqlite.append(&batch).unwrap();
        assert_eq!(asked(&account), Ok(None), "the log may have more than was read");
        let read_ms = Some(now_ms() + 1);
        sqlite.append(&Batch { node: "log".to_owned(), read_ms, ..Batch::default() }).unwrap();
        assert_eq!(asked(&account), Ok(Some(Resolved { settled: 70, lost: 130 })));
        let lost = |sqlite: &mut Sqlite| {
            let bookings = sqlite.bookings(0, i64::MAX).unwrap();
            bookings.into_iter().map(|one| (one.kind, one.amount)).collect::<Vec<_>>()
        };
        assert_eq!(lost(&mut sqlite), [(BookingKind::Lost, 130)]);
        // Control was killed before it had noted that.
        sqlite.append(&Batch { node: "log".to_owned(), read_ms: Some(now_ms() + 1000), ..Batch::default() }).unwrap();
        while asked(&account) != Ok(Some(Resolved { settled: 70, lost: 130 })) {}
        assert_eq!(lost(&mut sqlite), [(BookingKind::Lost, 130)]);
        assert_eq!(ledger.all().unwrap().get(&account), Some(&(40 + 500 + 130)));
        ledger.found(&account, &ended).unwrap();
        assert_eq!(lost(&mut sqlite), [(BookingKind::Lost, 0)]);
    }
}

//! A limit that was renamed: its accounts go to the new name, with what is under way in them.
//!
//! They go bucket by bucket, when the new name first has to do with one. First the old cell says where they go; nobody changes them
//! there any more. Then the new cell has them, and then the old one is emptied. Each step is one swap, and whoever finds one of them
//! done does the next. What old code still does under the old name is led to the new one.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Bucket, Place};
use crate::quota::account::Account;
use crate::quota::limit::Limit;
use crate::shared::{Store, Swap};
use crate::time::Instant;

/// How often an account is followed from name to name.
pub(super) const MOST: u8 = 8;

/// How long requests under the old name are led to the new one, in milliseconds. Later it may be the name of another limit.
const LEADS: u64 = 60_000;

/// The unit of an account that only notes, as its subject, where the others of its cell have gone.
const NOTE: u32 = u32::MAX;

/// Where the accounts of a bucket have gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// The limit's new name.
    pub(super) to: String,
    /// When they began to go, in milliseconds since the Unix epoch.
    pub(super) at: u64,
    /// Whether they are here still.
    pub(super) is_going: bool,
}

impl Moved {
    /// Whether a request goes on under the new name; `is_foreign` says that it has something under way which is not here.
    pub(super) fn leads(&self, now: Instant, is_foreign: bool) -> bool {
        self.is_going || is_foreign || now.as_millis() < self.at.saturating_add(LEADS)
    }

    /// An account that notes it. A version that does not know this takes it for one without content.
    pub(super) fn note(&self) -> Account {
        let state = if self.is_going { '+' } else { '-' };
        let mut subject = String::from(state);
        subject.push_str(itoa::Buffer::new().format(self.at));
        subject.push('/');
        subject.push_str(&self.to);
        Account::in_unit(&subject, NOTE)
    }

    /// What an account notes, if it is such a one.
    pub(super) fn noted_in(account: &Account) -> Option<Self> {
        let note = (account.unit() == NOTE).then_some(account.subject.as_str())?;
        let (is_going, note) = match note.strip_prefix('+') {
            Some(note) => (true, note),
            None => (false, note.strip_prefix('-')?),
        };
        let (at, to) = note.split_once('/')?;
        Some(Self { to: to.into(), at: at.parse().ok()?, is_going })
    }
}

/// Brings the accounts of one bucket from a limit's former name to its name.
pub(super) fn adopt(store: &dyn Store, limit: &Limit, (was, name): (&str, &str), number: u32, now: Instant) {
    let old = Place::numbered(was, number);
    let Some((accounts, at)) = leave(store, &old, name, now) else { return };
    if arrive(store, limit, &Place::numbered(name, number), &accounts, at, now) {
        empty(store, &old, at);
    }
}

/// Notes in the old cell where its accounts go. What they are then, and since when; `None` if there are none.
fn leave(store: &dyn Store, old: &Place, name: &str, now: Instant) -> Option<(Vec<Account>, u64)> {
    loop {
        let (bytes, number) = store.get(&old.key)?;
        let mut bucket = Bucket::read(&bytes).filter(|bucket| !bucket.accounts.is_empty())?;
        if let Some(moved) = bucket.moved.as_ref().filter(|moved| moved.is_going) {
            return (moved.to == name).then_some((bucket.accounts, moved.at));
        }
        // Another time of going has another number.
        let at = now.as_millis().max(bucket.moved.as_ref().map_or(0, |moved| moved.at + 1));
        bucket.moved = Some(Moved { to: name.into(), at, is_going: true });
        match store.replace(&old.key, &bucket.write(), number) {
            Swap::Done => return Some((bucket.accounts, at)),
            Swap::Outrun => {}
            Swap::Refused => return None,
        }
    }
}

/// Adds accounts to the new cell. Whether they are there.
fn arrive(store: &dyn Store, limit: &Limit, new: &Place, accounts: &[Account], at: u64, now: Instant) -> bool {
    loop {
        let found = store.get(&new.key);
        let Some(mut bucket) = Bucket::read(found.as_ref().map_or(&[], |(bytes, _)| bytes)) else { return false };
        for former in accounts {
            bucket.adopt(limit, former, at, now);
        }
        let swap = match &found {
            Some((_, number)) => store.replace(&new.key, &bucket.write(), *number),
            None => store.create(&new.key, &bucket.write()),
        };
        match swap {
            Swap::Done => {
                new.list(store);
                return true;
            }
            Swap::Outrun => {}
            Swap::Refused => return false,
        }
    }
}

/// Removes from the old cell what has arrived.
fn empty(store: &dyn Store, old: &Place, since: u64) {
    let Some((bytes, number)) = store.get(&old.key) else { return };
    let Some(mut bucket) = Bucket::read(&bytes) else { return };
    let Some(moved) = bucket.moved.as_mut().filter(|moved| moved.is_going && moved.at == since) else { return };
    moved.is_going = false;
    bucket.accounts.clear();
    // Who was first has done the same.
    let _ = store.replace(&old.key, &bucket.write(), number);
}

impl Bucket {
    /// Takes one account over, if it is in the limit's unit or the limit has none in that.
    fn adopt(&mut self, limit: &Limit, former: &Account, at: u64, now: Instant) {
        let unit = limit.unit();
        if former.is_in(unit) {
            let own = self.find(&former.subject, unit).unwrap_or_else(|| {
                self.accounts.push(Account::in_unit(&former.subject, unit));
                self.accounts.len() - 1
            });
            if let Some(account) = self.accounts.get_mut(own) {
                account.adopt(limit, former, at, now);
            }
        } else if self.find(&former.subject, former.unit()).is_none() {
            self.accounts.push(former.clone());
        }
    }
}

//! Buckets: the cells in which the accounts of a limit are.
//!
//! A cell cannot be removed, and in wasm nobody can list cells. So a limit that counts each value apart has a fixed
//! number of cells, a hash table: the hash of a subject names its bucket, and an account without content gives up its
//! place. An index cell has a bit for each bucket that exists.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::account::Account;
use super::limit::Limit;
use super::pack::{Packed, Unpacked};
use crate::shared::{Store, Swap};
use crate::time::Instant;

/// The layout of a bucket.
const LAYOUT: u8 = 1;

/// How many buckets a limit has that counts each value apart. Not for the configuration: with another number, each
/// subject would have another bucket, and what it spent would be lost.
const BUCKETS: u32 = 4096;

/// The fewest accounts of a bucket.
const FEWEST: usize = 4;

/// The name of a bucket's cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The cell's key.
    pub(super) key: String,
    index: String,
    /// Its number among those of its limit.
    pub(super) number: u32,
}

impl Place {
    /// Where the account of a subject is, in the limit of this name.
    pub(super) fn of(name: &str, values: u32, subject: &str) -> Self {
        let number = if values == 1 { 0 } else { hash(subject) % BUCKETS };
        Self::numbered(name, number)
    }

    fn numbered(name: &str, number: u32) -> Self {
        let mut digits = itoa::Buffer::new();
        Self {
            key: ["weir.quota/", name, "/", digits.format(number)].concat(),
            index: ["weir.quotas/", name].concat(),
            number,
        }
    }

    /// All places of a limit that exist.
    pub(super) fn all(store: &dyn Store, name: &str) -> Vec<Self> {
        let bits = store.get(&["weir.quotas/", name].concat()).map(|(bits, _)| bits).unwrap_or_default();
        let bytes = (0_u32..).step_by(8).zip(&bits).filter(|(_, byte)| **byte > 0);
        let numbers =
            bytes.flat_map(|(first, byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| first + bit));
        numbers.map(|number| Self::numbered(name, number)).collect()
    }

    /// Notes in the index that the bucket exists.
    fn list(&self, store: &dyn Store) {
        loop {
            let found = store.get(&self.index);
            let mut bits = found.as_ref().map_or_else(|| vec![0; BUCKETS as usize / 8], |(bits, _)| bits.clone());
            let Some(byte) = bits.get_mut((self.number / 8) as usize) else { return };
            *byte |= 1 << (self.number % 8);
            let swap = match found {
                Some((old, _)) if old == bits => return,
                Some((_, number)) => store.replace(&self.index, &bits, number),
                None => store.create(&self.index, &bits),
            };
            if swap != Swap::Outrun {
                return;
            }
        }
    }
}

/// FNV-1a: all code of all times must find the same bucket.
fn hash(text: &str) -> u32 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

/// The accounts of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    accounts: Vec<Account>,
}

impl Bucket {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (layout, rest) = bytes.split_first()?;
        let mut from = (*layout == LAYOUT).then_some(Unpacked::of(rest))?;
        let mut accounts = Vec::new();
        while !from.is_empty() {
            accounts.push(Account::unpack(&mut Unpacked::of(from.bytes()?))?);
        }
        Some(Self { accounts })
    }

    fn write(&self) -> Vec<u8> {
        let mut to = Packed::default();
        to.rest(&[LAYOUT]);
        for account in &self.accounts {
            let mut one = Packed::default();
            account.pack(&mut one);
            to.bytes(&one.end());
        }
        to.end()
    }

    /// The account of a subject, brought to `now`. It gets a place if it has none: a free one, that of an account without
    /// content, or the one that is shared.
    fn account(&mut self, limit: &Limit, whose: Whose<'_>, former: Option<Account>, now: Instant) -> &mut Account {
        let subject = whose.account();
        let at = match self.accounts.iter().position(|account| account.subject == subject) {
            Some(at) => at,
            None => self.add(limit, subject, former, now),
        };
        // The places are never fewer than before.
        let last = self.accounts.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "found or added above")]
        let account = &mut self.accounts[at.min(last)];
        account.advance(limit, now);
        account
    }

    fn add(&mut self, limit: &Limit, subject: &str, former: Option<Account>, now: Instant) -> usize {
        let new = former.map_or_else(|| Account::of(subject), |former| Account::after(&former, subject));
        if self.accounts.len() >= capacity(limit) {
            for account in &mut self.accounts {
                account.advance(limit, now);
            }
            self.accounts.retain(|account| !account.is_idle(limit));
        }
        let is_full = self.accounts.len() >= capacity(limit);
        let shared = self.accounts.iter().position(|account| account.subject.is_empty());
        match (is_full, shared) {
            (true, Some(shared)) => shared,
            (true, None) => {
                self.accounts.push(Account::of(""));
                self.accounts.len() - 1
            }
            (false, _) => {
                self.accounts.push(new);
                self.accounts.len() - 1
            }
        }
    }
}

/// How many accounts a bucket has, of a limit that counts so many values apart: so many that hardly a bucket is full
/// before there are as many values as that.
fn capacity(limit: &Limit) -> usize {
    match limit.most_values() {
        1 => 1,
        values => (values as usize).saturating_mul(6).div_ceil(BUCKETS as usize).max(FEWEST),
    }
}

/// Whose account is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'s> {
    /// The subject, which names the bucket.
    pub(super) subject: &'s str,
    /// In that bucket, the account of the values that have none of their own.
    pub(super) shared: bool,
}

impl<'s> Whose<'s> {
    /// The subject's own account, as far as it has one.
    pub(super) fn own(subject: &'s str) -> Self {
        Self { subject, shared: false }
    }

    fn account(self) -> &'s str {
        if self.shared { "" } else { self.subject }
    }
}

/// What became of a change of an account.
pub(super) enum Changed<T> {
    /// It was written, or needed no writing.
    Done(T),
    /// The cell cannot be read or written. Nothing is known then.
    Lost,
}

/// Changes the account of a subject. `change` says whether the account must be written, and what to tell. It is asked
/// again if another worker was first. Never gives up because of others.
pub(super) fn change<T>(
    store: &dyn Store,
    limit: &Limit,
    whose: Whose<'_>,
    now: Instant,
    mut change: impl FnMut(&mut Account) -> (bool, T),
) -> Changed<T> {
    let mut last = None;
    let is_done = swap(store, limit, whose, now, &mut |account| {
        let (writes, told) = change(account);
        last = Some(told);
        writes
    });
    last.filter(|_| is_done).map_or(Changed::Lost, Changed::Done)
}

/// The same, once for all who call it: whether it was done.
fn swap(
    store: &dyn Store,
    limit: &Limit,
    whose: Whose<'_>,
    now: Instant,
    change: &mut dyn FnMut(&mut Account) -> bool,
) -> bool {
    let subject = whose.account();
    let place = Place::of(&limit.name, limit.most_values(), whose.subject);
    loop {
        let found = store.get(&place.key);
        let (mut bucket, is_new) = match &found {
            None => (Bucket::default(), true),
            Some((bytes, _)) if bytes.is_empty() => (Bucket::default(), true),
            Some((bytes, _)) => match Bucket::read(bytes) {
                Some(bucket) => (bucket, false),
                None => return false,
            },
        };
        let former = match &limit.was {
            Some(was) if !bucket.accounts.iter().any(|account| account.subject == subject) => {
                look(store, was, limit.most_values(), subject)
            }
            _ => None,
        };
        if !change(bucket.account(limit, whose, former, now)) {
            return true;
        }
        let bytes = bucket.write();
        let swap = match found {
            Some((_, number)) => store.replace(&place.key, &bytes, number),
            None => store.create(&place.key, &bytes),
        };
        match swap {
            Swap::Done => {
                if is_new {
                    place.list(store);
                }
                return true;
            }
            Swap::Outrun => {}
            Swap::Refused => return false,
        }
    }
}

/// The account of a subject as it is, in the limit of this name.
fn look(store: &dyn Store, name: &str, values: u32, subject: &str) -> Option<Account> {
    let (bytes, _) = store.get(&Place::of(name, values, subject).key)?;
    Bucket::read(&bytes)?.accounts.into_iter().find(|account| account.subject == subject)
}

/// Shows each account of a limit, brought to `now`.
pub(super) fn each(store: &dyn Store, limit: &Limit, now: Instant, mut show: impl FnMut(Cow<'_, str>, &Account)) {
    for place in Place::all(store, &limit.name) {
        let bucket = store.get(&place.key).and_then(|(bytes, _)| Bucket::read(&bytes)).unwrap_or_default();
        for mut account in bucket.accounts {
            account.advance(limit, now);
            let subject = if account.subject.is_empty() && limit.most_values() > 1 {
                Cow::Borrowed("(shared)")
            } else {
                Cow::Owned(account.subject.clone())
            };
            show(subject, &account);
        }
    }
}

/// Changes every account of a limit for which `change` says that it must be written.
pub(super) fn change_each(
    store: &dyn Store,
    limit: &Limit,
    now: Instant,
    mut change: impl FnMut(&mut Account) -> bool,
) {
    for place in Place::all(store, &limit.name) {
        visit(store, &place, &mut |accounts| {
            accounts.iter_mut().fold(false, |writes, account| {
                account.advance(limit, now);
                change(account) || writes
            })
        });
    }
}

/// Changes the accounts of one cell, as they were written last, if `change` says that they must be written. It is asked again if
/// another worker was first.
pub(super) fn visit(store: &dyn Store, place: &Place, change: &mut dyn FnMut(&mut [Account]) -> bool) {
    while let Some((bytes, number)) = store.get(&place.key) {
        let Some(mut bucket) = Bucket::read(&bytes) else { return };
        if !change(&mut bucket.accounts) || store.replace(&place.key, &bucket.write(), number) != Swap::Outrun {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

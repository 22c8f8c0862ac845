//! Buckets: the cells in which the accounts of a limit are.
//!
//! A cell cannot be removed, and in wasm nobody can list cells. So a limit that counts each value apart has a fixed
//! number of cells, a hash table: the hash of a subject names its bucket, and an account without content gives up its
//! place. An index cell has a bit for each bucket that exists.
//!
//! An account is found by its subject and its unit. So a limit that counts something else under the same name begins anew, while
//! what is under way in the old unit still finds its own account.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

mod renamed;

use self::renamed::{Moved, adopt};
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

/// How many accounts more a bucket may have that were counted in another unit.
const SPARE: usize = 4;

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
    /// Where they have gone, if the limit has another name now.
    moved: Option<Moved>,
}

impl Bucket {
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (layout, rest) = bytes.split_first()?;
        let mut from = (*layout == LAYOUT).then_some(Unpacked::of(rest))?;
        let mut bucket = Self::default();
        while !from.is_empty() {
            let account = Account::unpack(&mut Unpacked::of(from.bytes()?))?;
            match Moved::noted_in(&account) {
                Some(moved) => bucket.moved = Some(moved),
                None => bucket.accounts.push(account),
            }
        }
        Some(bucket)
    }

    fn write(&self) -> Vec<u8> {
        let mut to = Packed::default();
        to.rest(&[LAYOUT]);
        let note = self.moved.as_ref().map(Moved::note);
        for account in self.accounts.iter().chain(&note) {
            let mut one = Packed::default();
            account.pack(&mut one);
            to.bytes(&one.end());
        }
        to.end()
    }

    /// Whether its accounts are on their way to a limit with another name, so that nobody changes them here.
    fn is_going(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.is_going)
    }

    fn find(&self, subject: &str, unit: u32) -> Option<usize> {
        self.accounts.iter().position(|account| account.subject == subject && account.is_in(unit))
    }

    /// The account of a subject. It gets a place if it has none: a free one, that of an account without content, or the one that is
    /// shared.
    fn account(&mut self, limit: &Limit, subject: &str, now: Instant) -> &mut Account {
        let at = match self.find(subject, limit.unit()) {
            Some(at) => at,
            None => self.add(limit, subject, now),
        };
        // The places are never fewer than before.
        let last = self.accounts.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "found or added above")]
        let account = &mut self.accounts[at.min(last)];
        account.set_unit(limit.unit());
        account
    }

    fn add(&mut self, limit: &Limit, subject: &str, now: Instant) -> usize {
        let unit = limit.unit();
        for account in self.accounts.iter_mut().filter(|account| account.is_in(unit)) {
            account.advance(limit, now);
        }
        if self.accounts.len() >= capacity(limit) {
            self.accounts.retain(|account| !account.is_in(unit) || !account.is_idle(limit));
        }
        if self.accounts.len() >= capacity(limit) + SPARE {
            self.accounts.retain(|account| account.is_in(unit) || !account.is_released());
        }
        let is_full = self.accounts.iter().filter(|account| account.is_in(unit)).count() >= capacity(limit);
        let shared = self.find("", unit);
        // Who has used the shared account must not begin anew in one of its own, and nobody knows who has.
        let is_in_use = shared.and_then(|at| self.accounts.get(at)).is_some_and(|account| !account.is_idle(limit));
        match shared {
            Some(shared) if is_full || is_in_use => shared,
            _ => {
                self.accounts.push(Account::in_unit(if is_full { "" } else { subject }, unit));
                self.accounts.len() - 1
            }
        }
    }
}

/// How many accounts a bucket has, of a limit that counts so many values apart: so many that hardly a bucket is full
/// before there are as many values as that.
fn capacity(limit: &Limit) -> usize {
    match limit.most_values() {
        1 => FEWEST,
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

/// Changes the account of a subject, which is as it was written last. `change` says whether the account must be written, and what
/// to tell. It is asked again if another worker was first. Never gives up because of others.
pub(super) fn change<T>(
    store: &dyn Store,
    limit: &Limit,
    whose: Whose<'_>,
    now: Instant,
    change: impl FnMut(&mut Account) -> (bool, T),
) -> Changed<T> {
    change_for(store, limit, whose, None, now, change)
}

/// The same, for what a worker has under way since a window.
pub(super) fn change_for<T>(
    store: &dyn Store,
    limit: &Limit,
    whose: Whose<'_>,
    under_way: Option<(u64, u64)>,
    now: Instant,
    mut change: impl FnMut(&mut Account) -> (bool, T),
) -> Changed<T> {
    let mut last = None;
    let is_done = swap(store, limit, whose, under_way, now, &mut |account| {
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
    under_way: Option<(u64, u64)>,
    now: Instant,
    change: &mut dyn FnMut(&mut Account) -> bool,
) -> bool {
    let (subject, unit) = (whose.account(), limit.unit());
    let mut place = Place::of(&limit.name, limit.most_values(), whose.subject);
    let mut name = Cow::Borrowed(limit.name.as_str());
    let mut was = limit.was.as_deref().map(Cow::Borrowed);
    let mut renamed = 0;
    loop {
        let found = store.get(&place.key);
        let Some(mut bucket) = Bucket::read(found.as_ref().map_or(&[], |(bytes, _)| bytes)) else { return false };
        let is_new = found.as_ref().is_none_or(|(bytes, _)| bytes.is_empty());
        let own = bucket.find(subject, unit);
        let is_held = |(worker, window)| {
            own.and_then(|at| bucket.accounts.get(at)).is_some_and(|account| account.is_held(worker, window))
        };
        if let Some(moved) = &bucket.moved
            && moved.leads(now, under_way.is_some_and(|request| !is_held(request)))
            && renamed < renamed::MOST
        {
            renamed += 1;
            place = Place::numbered(&moved.to, place.number);
            was = Some(core::mem::replace(&mut name, Cow::Owned(moved.to.clone())));
            continue;
        }
        if own.is_none()
            && let Some(was) = was.take()
        {
            // Then it is looked for again.
            adopt(store, limit, (&was, &name), place.number, now);
            continue;
        }
        if !change(bucket.account(limit, subject, now)) {
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

/// Shows each account of a limit, brought to `now`.
pub(super) fn each(store: &dyn Store, limit: &Limit, now: Instant, mut show: impl FnMut(Cow<'_, str>, &Account)) {
    for place in Place::all(store, &limit.name) {
        let bucket = store.get(&place.key).and_then(|(bytes, _)| Bucket::read(&bytes)).unwrap_or_default();
        for mut account in bucket.accounts.into_iter().filter(|account| account.is_in(limit.unit())) {
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

/// Changes every account of the limit with this name for which `change` says that it must be written. Those in another unit than
/// the limit's are as they were written last.
pub(super) fn change_each(
    store: &dyn Store,
    (limit, name): (&Limit, &str),
    now: Instant,
    mut change: impl FnMut(&mut Account) -> bool,
) {
    for place in Place::all(store, name) {
        visit(store, &place, &mut |accounts| {
            accounts.iter_mut().fold(false, |writes, account| {
                if account.is_in(limit.unit()) {
                    account.advance(limit, now);
                }
                change(account) || writes
            })
        });
    }
}

/// Changes the accounts of one cell, as they were written last, if `change` says that they must be written. It is asked again if
/// another worker was first.
pub(super) fn visit(store: &dyn Store, place: &Place, change: &mut dyn FnMut(&mut [Account]) -> bool) {
    while let Some((bytes, number)) = store.get(&place.key) {
        let Some(mut bucket) = Bucket::read(&bytes).filter(|bucket| !bucket.is_going()) else { return };
        if !change(&mut bucket.accounts) || store.replace(&place.key, &bucket.write(), number) != Swap::Outrun {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

//! The index of the targets that may have a cooldown.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::{Cooldown, LAYOUT};
use crate::shared::{Cell, Change, Fields, Hint, Key, Reader};
use crate::time::Instant;

/// The most targets in the index. If there are more, those that wake soonest are left out, which ends their cooldown.
const MOST: usize = 256;

/// Times are rounded up to multiples of this, in nanoseconds, so that the entry does not change for cooldowns of one
/// target that closely follow each other.
const GRAIN: u64 = 4_000_000_000;

/// The targets that may have a cooldown.
///
/// It may name a target whose cooldown has ended: only the target's own cell has the truth. A target's cell is written
/// before the index, so whoever finds a target here also finds its cell.
///
/// It exists because values in proxy-wasm's shared data can neither be listed nor removed. The steward uses it to find
/// the cells that it clears. It also limits how many cooldowns a request has to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    provider: String,
    model: String,
    /// When the target wakes; may be earlier than that.
    until: Instant,
    /// When its cooldown no longer matters at all; may be earlier than that.
    forgotten: Instant,
}

impl Entry {
    /// The entry for a cooldown of a target whose entry was `known`.
    fn of(cooldown: &Cooldown, known: Option<&Self>) -> Self {
        let (until, forgotten) = (rounded(cooldown.until), rounded(cooldown.forgotten()));
        // Never earlier than before, because the cell may have kept the later cooldown.
        Self {
            provider: cooldown.provider.clone(),
            model: cooldown.model.clone(),
            until: known.map_or(until, |known| known.until.max(until)),
            forgotten: known.map_or(forgotten, |known| known.forgotten.max(forgotten)),
        }
    }

    fn is_of(&self, provider: &str, model: &str) -> bool {
        self.model == model && self.provider == provider
    }
}

fn rounded(at: Instant) -> Instant {
    Instant::from_nanos(at.as_nanos().div_ceil(GRAIN).saturating_mul(GRAIN))
}

impl Index {
    /// The key of its cell.
    pub const KEY: Key<Self> = Key::one("weir.cooldowns");

    /// Whether a target may have a cooldown; `model` is empty for all models of a provider.
    pub fn names(&self, provider: &str, model: &str) -> bool {
        self.0.iter().any(|entry| entry.is_of(provider, model))
    }

    /// How many targets cool down at `now`, or did a few seconds ago.
    pub fn cooling(&self, now: Instant) -> usize {
        self.0.iter().filter(|entry| entry.until > now).count()
    }

    /// The targets whose cooldown no longer matters: provider and model.
    pub fn ended(&self, now: Instant) -> impl Iterator<Item = (&str, &str)> {
        let ended = self.0.iter().filter(move |entry| entry.forgotten <= now);
        ended.map(|entry| (entry.provider.as_str(), entry.model.as_str()))
    }

    /// How to change the index, `old`, when a target gets a cooldown.
    pub fn with(old: Option<&Self>, cooldown: &Cooldown, now: Instant) -> Change<Self> {
        let old = old.map(|index| index.0.as_slice()).unwrap_or_default();
        let known = old.iter().find(|entry| entry.is_of(&cooldown.provider, &cooldown.model));
        let new = Entry::of(cooldown, known);
        if known == Some(&new) {
            return Change::Keep;
        }
        let others = old.iter().filter(|other| other.forgotten > now && !other.is_of(&new.provider, &new.model));
        let mut entries: Vec<Entry> = others.cloned().collect();
        entries.push(new);
        entries.sort_by_key(|entry| Reverse(entry.until));
        entries.truncate(MOST);
        Change::Write(Self(entries))
    }

    /// How to change the index, `old`, when ended cooldowns are cleared away.
    pub fn swept(old: Option<&Self>, now: Instant) -> Change<Self> {
        let Some(Self(old)) = old else { return Change::Keep };
        let left: Vec<Entry> = old.iter().filter(|entry| entry.forgotten > now).cloned().collect();
        match left.len() {
            0 => Change::Clear,
            all if all == old.len() => Change::Keep,
            _ => Change::Write(Self(left)),
        }
    }
}

impl Cell for Index {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        let count = fields.number()?;
        // Each entry has its length, so that a later version can append to it.
        let mut next = || {
            let mut fields = Reader::of(LAYOUT, fields.bytes()?)?;
            Some(Entry {
                provider: fields.text()?.to_string(),
                model: fields.text()?.to_string(),
                until: Instant::from_nanos(fields.number()?),
                forgotten: Instant::from_nanos(fields.number()?),
            })
        };
        (0..count).map(|_| next()).collect::<Option<_>>().map(Self)
    }

    fn write(&self) -> Vec<u8> {
        let index = Fields::of(LAYOUT).number(self.0.len() as u64);
        let entry = |index: Fields, Entry { provider, model, until, forgotten }: &Entry| {
            let entry = Fields::of(LAYOUT).text(provider).text(model);
            index.bytes(&entry.number(until.as_nanos()).number(forgotten.as_nanos()).end())
        };
        self.0.iter().fold(index, entry).end()
    }
}

impl Hint for Index {}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use weir_hub::fault::FaultKind;

    fn at(secs: u64) -> Instant {
        Instant::default().after(Duration::from_secs(secs))
    }

    fn cooldown(model: &str, until: Instant) -> Cooldown {
        let (provider, model) = ("a".to_string(), model.to_string());
        Cooldown { provider, version: 1, model, kind: FaultKind::RateLimited, until, times: 0, on_trial: false }
    }

    fn with(index: &Index, cooldown: &Cooldown, now: Instant) -> Index {
        let Change::Write(index) = Index::with(Some(index), cooldown, now) else { panic!("{cooldown:?}") };
        Index::read(&index.write()).unwrap()
    }

    #[test]
    fn beyond_the_most_the_soonest_to_wake_is_left_out() {
        let mut index = Index::default();
        for i in 0..=MOST as u64 {
            index = with(&index, &cooldown(&i.to_string(), at(4 + 4 * ((i + 1) % (MOST as u64 + 1)))), at(0));
        }
        assert_eq!(index.0.len(), MOST);
        assert!(!index.names("a", &MOST.to_string()), "it wakes first, though it came last");
        assert!(index.names("a", "0") && !index.names("b", "0"));
    }

    #[test]
    fn cooldowns_that_follow_each_other_closely_change_nothing() {
        let index = with(&Index::default(), &cooldown("m", at(5)), at(1));
        assert_eq!(Index::with(Some(&index), &cooldown("m", at(6)), at(2)), Change::Keep);
        let longer = with(&index, &cooldown("m", at(9)), at(5));
        assert_eq!((longer.cooling(at(9)), longer.cooling(at(12))), (1, 0));
    }

    #[test]
    fn what_has_ended_is_cleared_away() {
        let index = with(&Index::default(), &cooldown("x", at(4)), at(0));
        let index = with(&index, &cooldown("y", at(8)), at(0));
        assert_eq!(Index::swept(Some(&index), at(3)), Change::Keep);
        assert_eq!(index.ended(at(4)).collect::<Vec<_>>(), [("a", "x")]);
        let Change::Write(left) = Index::swept(Some(&index), at(4)) else { panic!("x has ended") };
        assert!(left.names("a", "y") && !left.names("a", "x"));
        assert_eq!(Index::swept(Some(&left), at(8)), Change::Clear);
        assert_eq!(Index::swept(None, at(8)), Change::Keep);
    }

    #[test]
    fn entries_of_other_versions_are_read() {
        let entry = Fields::of(LAYOUT).text("a").text("m").number(4).number(4).text("from a later version").end();
        let cell = Fields::of(LAYOUT).number(1).bytes(&entry).text("from a later version").end();
        assert!(Index::read(&cell).unwrap().names("a", "m"));
        assert_eq!(Index::read(&Fields::of(LAYOUT + 1).number(0).end()), None);
        assert_eq!(Index::read(&Fields::of(LAYOUT).number(u64::MAX).end()), None, "cut short");
    }
}

//! The cells that the workers of one Envoy share, and the only loop that changes them.
//!
//! Each shell has a [`Store`]. What is in a cell, and what becomes of it, is [`weir_core::shared`]'s.

use weir_core::shared::{Change, Count, Hint, Key, Shared};

pub(crate) use weir_core::shared::{Number, Store, Swap};

/// How often a hint is tried before it is given up: whoever was first each time has given one as well.
const SWAPS: u32 = 8;

/// A store as the core reads it.
pub(crate) struct View<S>(pub(crate) S);

impl<S: Store> Shared for View<S> {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.0.get(key).map(|(bytes, _)| bytes).unwrap_or_default()
    }

    fn store(&self) -> Option<&dyn Store> {
        Some(&self.0)
    }
}

/// Why something was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncounted {
    /// No steward has created the cell: this Envoy runs none.
    NotThere,
    /// A version of Weir has written the cell that this one cannot read.
    Unreadable,
    /// Envoy does not take the new value.
    Refused,
}

/// Changes a hint: `change` says what becomes of what is there. What was done, or `None` if it was given up.
pub(crate) fn hint<C: Hint>(
    cells: &impl Store,
    key: &Key<C>,
    change: impl Fn(Option<C>) -> Change<C>,
) -> Option<Change<C>> {
    let changed = |old: Option<&[u8]>| {
        let change = change(old.filter(|bytes| !bytes.is_empty()).and_then(C::read));
        let bytes = match &change {
            Change::Keep => None,
            Change::Write(cell) => Some(cell.write()),
            Change::Clear => Some(Vec::new()),
        };
        Ok((bytes, change))
    };
    swap(cells, key.as_str(), Some(SWAPS), changed).ok()
}

/// Changes a count. It is never given up because others count at the same time.
pub(crate) fn count<C: Count>(cells: &impl Store, key: &Key<C>, change: impl Fn(&mut C)) -> Result<(), Uncounted> {
    let changed = |old: Option<&[u8]>| {
        let mut cell = C::read(old.ok_or(Uncounted::NotThere)?).ok_or(Uncounted::Unreadable)?;
        change(&mut cell);
        Ok((Some(cell.write()), ()))
    };
    swap(cells, key.as_str(), None, changed)
}

/// Compares and swaps: `changed` makes new bytes of what is in a cell, or leaves it as it is. Gives up after `most` swaps.
fn swap<T>(
    cells: &impl Store,
    key: &str,
    most: Option<u32>,
    changed: impl Fn(Option<&[u8]>) -> Result<(Option<Vec<u8>>, T), Uncounted>,
) -> Result<T, Uncounted> {
    let mut swaps = 0;
    while most.is_none_or(|most| swaps < most) {
        let found = cells.get(key);
        let (bytes, told) = changed(found.as_ref().map(|(bytes, _)| bytes.as_slice()))?;
        let Some(bytes) = bytes else { return Ok(told) };
        let swap = match found {
            Some((_, number)) => cells.replace(key, &bytes, number),
            None => cells.create(key, &bytes),
        };
        match swap {
            Swap::Done => return Ok(told),
            Swap::Outrun => swaps += 1,
            Swap::Refused => break,
        }
    }
    Err(Uncounted::Refused)
}

#[cfg(test)]
mod tests;

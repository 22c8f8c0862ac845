//! The cells of one Envoy, in its own memory.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::shared::{Number, Store, Swap};

/// Cells by key.
pub(crate) struct Cells(RwLock<BTreeMap<String, (Vec<u8>, Number)>>);

/// Those that all workers share. The module is never unloaded.
pub(super) static CELLS: Cells = Cells::new();

impl Cells {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }
}

impl Store for &Cells {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        match self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(key) {
            Some((held, last)) if *last == number => {
                with.clone_into(held);
                *last = number.checked_add(1).unwrap_or(Number::MIN);
                Swap::Done
            }
            _ => Swap::Outrun,
        }
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        let mut cells = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cells.contains_key(key) {
            return Swap::Outrun;
        }
        cells.insert(key.to_owned(), (with.to_vec(), Number::MIN));
        Swap::Done
    }
}

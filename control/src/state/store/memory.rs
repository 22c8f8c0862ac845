//! Cells in this process: for tests, and where nothing needs to outlast it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Cell;

/// A store in memory. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    fn cells(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.cells().get(key).cloned()
    }

    pub(super) fn swap(&self, key: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> bool {
        let mut cells = self.cells();
        if cells.get(key).map(Vec::as_slice) != old {
            return false;
        }
        match new {
            Some(new) => cells.insert(key.to_owned(), new.to_vec()),
            None => cells.remove(key),
        };
        true
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<Cell> {
        let cells = self.cells();
        let from = cells.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        from.map(|(key, bytes)| (key.clone(), bytes.clone())).collect()
    }

    /// Forgets everything, as a server without persistence does.
    pub fn lose(&self) {
        self.cells().clear();
    }
}

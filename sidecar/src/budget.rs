//! Limits how many bytes of requests and answers are held at once. Request bodies come without back-pressure in `ext_proc`, so
//! the limit is here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on the bytes that are held.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// Bytes that are held. Dropping this gives them back.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    budget: Budget,
}

impl Budget {
    /// Allows `limit` bytes at once.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Holds nothing yet.
    pub fn hold(&self) -> Held {
        Held { bytes: 0, budget: self.clone() }
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Hands everything that is held over to a new owner.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { bytes: std::mem::take(&mut self.bytes), budget: self.budget.clone() }
    }

    /// Holds `bytes` more, or nothing more when they do not fit.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let limit = self.budget.limit;
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let grown = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_held_again() {
        let budget = Budget::new(10);
        let mut first = budget.hold();
        assert!(first.grow(6) && first.grow(4) && !first.grow(1));
        assert!(!budget.hold().grow(1));
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.hold().grow(10) && !budget.hold().grow(11) && !budget.hold().grow(usize::MAX));
    }
}

//! What the workers of one Envoy share: cells of bytes, each under a key of its own.
//!
//! The core reads cells through [`Shared`] and says as values what is to change in them; a host changes them by
//! compare-and-swap. A [`Hint`] may be lost, a [`Count`] may not, and their hosts treat them differently.
//!
//! **Versions.** Old and new code share cells while the filter's code is replaced. Each cell begins with the number of its
//! layout, and its fields follow in a fixed order:
//! - A version that adds a field appends it and keeps the number. It reads a cell without that field as if the field had its
//!   default.
//! - A version that knows fewer fields ignores what follows them in a hint, and writes it back unchanged in a count.
//! - Any other change takes a new number. A hint whose layout is not known is a hint that nobody gave. A count whose layout is
//!   not known is never written.

mod fields;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

pub use fields::{Fields, Reader};

/// The cells that the workers of one Envoy share, to be read.
pub trait Shared {
    /// What is in the cell at `key`; empty if nothing is.
    fn bytes(&self, key: &str) -> Vec<u8>;
}

impl dyn Shared + '_ {
    /// Reads a cell. `None` if nothing is in it, or if its layout is not known.
    pub fn read<C: Cell>(&self, key: &Key<C>) -> Option<C> {
        let bytes = self.bytes(key.as_str());
        if bytes.is_empty() { None } else { C::read(&bytes) }
    }
}

/// Cells of one thread, for those that share nothing.
impl Shared for BTreeMap<String, Vec<u8>> {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.get(key).cloned().unwrap_or_default()
    }
}

/// What is in a cell.
pub trait Cell: Sized {
    /// Reads what [`write`](Self::write) wrote, in this version of Weir or in another. `None` if the layout is not known.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Writes it. Never empty: an empty cell has nothing in it.
    fn write(&self) -> Vec<u8>;
}

/// A cell whose change may be lost: the next one makes up for it.
pub trait Hint: Cell {}

/// A cell whose change may not be lost.
///
/// Only the steward creates it, before anybody counts. Proxy-wasm promises no call that creates a value only where there is none,
/// and two that created it at the same time could each begin at zero. Who counts where there is no cell is told so.
pub trait Count: Cell + Default {}

/// The name of a cell, which says what is in it.
pub struct Key<C> {
    text: Cow<'static, str>,
    of: PhantomData<fn() -> C>,
}

impl<C> Key<C> {
    /// The only cell of its kind.
    pub const fn one(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), of: PhantomData }
    }

    /// One of many cells.
    pub const fn of(text: String) -> Self {
        Self { text: Cow::Owned(text), of: PhantomData }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<C> fmt::Debug for Key<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// What becomes of a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<C> {
    /// It stays as it is.
    Keep,
    /// It takes the place of what is there.
    Write(C),
    /// Nothing is there any more.
    Clear,
}

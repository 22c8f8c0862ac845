//! The memory that the workers of one Envoy share: cells of bytes, each under its own key.
//!
//! The core reads cells through [`Shared`], and returns the changes as values. A host makes the changes by
//! compare-and-swap. A [`Hint`] may be lost, a [`Count`] may not, so hosts treat them differently.
//!
//! **Versions.** Old and new code share cells while the filter's code is replaced. Each cell begins with the number of
//! its layout. Its fields follow in a fixed order:
//! - A version that adds a field appends it and keeps the number. It reads a cell without that field as if the field had its
//!   default.
//! - A version that knows fewer fields ignores the others in a hint, and writes them back unchanged in a count.
//! - Any other change takes a new number. A hint with an unknown layout counts as absent. A count with an unknown
//!   layout is never written.

mod fields;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;

pub use fields::{Fields, Reader};

/// Read access to the cells that the workers of one Envoy share.
pub trait Shared {
    /// The bytes of the cell at `key`; empty if the cell is empty.
    fn bytes(&self, key: &str) -> Vec<u8>;

    /// Write access, for what must be decided and written in one step: [quotas](crate::quota). `None` if nothing can be
    /// written, as when a request is only explained.
    fn store(&self) -> Option<&dyn Store> {
        None
    }
}

/// Which change of a cell was its last. Never zero: in proxy-wasm, a value that is set with zero replaces any other.
pub type Number = NonZeroU32;

/// Write access to the cells, by compare-and-swap. A cell cannot be removed; an empty one has no content.
pub trait Store {
    /// The bytes of a cell, and the number of its last change. `None` if nobody has created it.
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)>;

    /// Replaces the bytes of a cell, if `number` is still the number of its last change.
    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap;

    /// Creates a cell, if nobody has.
    fn create(&self, key: &str, with: &[u8]) -> Swap;

    /// Lets other threads run, while one of them must finish something first.
    fn pause(&self) {
        core::hint::spin_loop();
    }
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Number)> {
        self.as_ref().get(key)
    }

    fn replace(&self, key: &str, with: &[u8], number: Number) -> Swap {
        self.as_ref().replace(key, with, number)
    }

    fn create(&self, key: &str, with: &[u8]) -> Swap {
        self.as_ref().create(key, with)
    }

    fn pause(&self) {
        self.as_ref().pause();
    }
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It is written.
    Done,
    /// Another thread was first: read again.
    Outrun,
    /// The host does not write it.
    Refused,
}

impl dyn Shared + '_ {
    /// Reads a cell. `None` if it is empty, or if its layout is unknown.
    pub fn read<C: Cell>(&self, key: &Key<C>) -> Option<C> {
        let bytes = self.bytes(key.as_str());
        if bytes.is_empty() { None } else { C::read(&bytes) }
    }
}

/// Cells of one thread, for hosts that share nothing.
impl Shared for BTreeMap<String, Vec<u8>> {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.get(key).cloned().unwrap_or_default()
    }
}

/// The content of a cell.
pub trait Cell: Sized {
    /// Reads bytes that [`write`](Self::write) wrote, in this version of Weir or another. `None` if the layout is
    /// unknown.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Writes the content. Never empty, because an empty cell has no content.
    fn write(&self) -> Vec<u8>;
}

/// A cell whose change may be lost: the next one makes up for it.
pub trait Hint: Cell {}

/// A cell whose changes may not be lost.
///
/// Only the steward creates it, before anybody counts. Proxy-wasm has no call that creates a value only if there is
/// none: two workers that create a cell at the same time could each begin at zero. A worker that counts where there is
/// no cell is told so.
pub trait Count: Cell + Default {}

/// The name of a cell, with the type of its content.
pub struct Key<C> {
    text: Cow<'static, str>,
    of: PhantomData<fn() -> C>,
}

impl<C> Key<C> {
    /// The key of a kind with only one cell.
    pub const fn one(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), of: PhantomData }
    }

    /// The key of one of many cells.
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

/// A change of a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<C> {
    /// The cell stays as it is.
    Keep,
    /// This replaces the cell's content.
    Write(C),
    /// The cell becomes empty.
    Clear,
}

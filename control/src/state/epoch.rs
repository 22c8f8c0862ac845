//! The epoch of a store: whether what was written is still all there.
//!
//! It is a cell. If the cell is gone, or the store is another [incarnation](Store::incarnation) of itself, data may be lost: a
//! new epoch begins. Until all leases of the one before have expired, nothing is granted and Envoys only say what they hold.

use weir_core::lease::BELIEVED;
use weir_core::shared::{Fields, Reader};
use weir_core::time::Instant;

use super::store::{Store, StoreError};

/// The cell's key.
pub(super) const KEY: &str = "epoch";

const LAYOUT: u8 = 1;

/// The epoch of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number. A later one is higher.
    pub number: u64,
    /// When it began.
    pub since: Instant,
    /// Whether nothing can have been there before: neither leases nor spent amounts.
    pub is_first: bool,
    incarnation: String,
}

impl Epoch {
    /// The epoch of a store that was just opened. `is_first` tells of a store without one whether it is new, and has not only
    /// lost everything.
    pub(super) async fn of(store: &Store, is_first: bool, now: Instant) -> Result<Self, StoreError> {
        loop {
            let bytes = store.read(KEY).await?;
            let old = bytes.as_deref().map(|bytes| Self::read(bytes).ok_or(StoreError::Newer)).transpose()?;
            if let Some(old) = old.as_ref().filter(|old| old.incarnation == store.incarnation()) {
                return Ok(old.clone());
            }
            let new = Self {
                number: old.as_ref().map_or(0, |old| old.number + 1).max(now.as_millis()),
                since: now,
                is_first: is_first && old.is_none(),
                incarnation: store.incarnation().to_owned(),
            };
            if store.swap(KEY, bytes.as_deref(), Some(&new.write())).await? {
                return Ok(new);
            }
        }
    }

    /// Begins another epoch, because somebody holds leases of one that this store does not know.
    pub(super) async fn end(&self, store: &Store, known: u64, now: Instant) -> Result<(), StoreError> {
        let number = self.number.max(known).saturating_add(1).max(now.as_millis());
        let new = Self { number, since: now, is_first: false, incarnation: self.incarnation.clone() };
        store.swap(KEY, Some(&self.write()), Some(&new.write())).await?;
        Ok(())
    }

    /// Whether it is still the store's.
    pub(super) async fn is_of(&self, store: &Store) -> Result<bool, StoreError> {
        Ok(store.read(KEY).await?.is_some_and(|bytes| bytes == self.write()))
    }

    /// Whether Envoys may still hold leases of the one before.
    pub fn is_refilling(&self, now: Instant) -> bool {
        !self.is_first && now < self.since.after(BELIEVED)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        Some(Self {
            number: fields.number()?,
            since: Instant::from_nanos(fields.number()?),
            is_first: fields.number()? == 1,
            incarnation: fields.text()?.to_owned(),
        })
    }

    fn write(&self) -> Vec<u8> {
        let fields = Fields::of(LAYOUT).number(self.number).number(self.since.as_nanos());
        fields.number(u64::from(self.is_first)).text(&self.incarnation).end()
    }
}

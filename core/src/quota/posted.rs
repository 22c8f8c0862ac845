//! The limits as filters post them for the steward, which has no configuration of its own.

use alloc::vec::Vec;

use super::limit::Limit;
use crate::shared::{Cell, Hint, Key, Shared};

const LAYOUT: u8 = 1;

/// The limits of the latest configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted(pub Vec<Limit>);

impl Posted {
    /// The cell.
    pub const KEY: Key<Self> = Key::one("weir.limits");

    /// The limits that were posted; none, if there are none or they cannot be read.
    pub fn of(shared: &dyn Shared) -> Vec<Limit> {
        shared.read(&Self::KEY).unwrap_or_default().0
    }
}

impl Cell for Posted {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (layout, json) = bytes.split_first()?;
        (*layout == LAYOUT).then(|| serde_json::from_slice(json).ok().map(Self)).flatten()
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::from([LAYOUT]);
        bytes.extend(serde_json::to_vec(&self.0).unwrap_or_default());
        bytes
    }
}

impl Hint for Posted {}

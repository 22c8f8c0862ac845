//! An account as bytes.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::lease::Lease;
use super::turn::Debts;
use super::{Account, Held, Pending};
use crate::quota::pack::{Packed, Unpacked};

impl Account {
    /// Writes it as bytes.
    pub(in crate::quota) fn pack(&self, to: &mut Packed) {
        to.text(&self.subject);
        for number in [self.window.into(), self.settled, self.other.0.into(), self.other.1, self.at.into()] {
            to.number(number);
        }
        to.number(self.period.into());
        to.number(self.held.len() as u128);
        for Held { worker, window, amount } in &self.held {
            to.number((*worker).into());
            to.number((*window).into());
            to.number(*amount);
        }
        to.number(self.pending.len() as u128);
        for Pending { worker, serial, window, amount } in &self.pending {
            to.number((*worker).into());
            to.number((*serial).into());
            to.number((*window).into());
            to.number(*amount);
        }
        to.number(self.leases.len() as u128);
        for lease in &self.leases {
            to.bytes(&lease.pack());
        }
        to.number(self.unit.into());
        let Debts { own, other, moved, nested } = self.debts;
        for number in [own, other, moved, u128::from(nested), self.drained, self.adopted.into()] {
            to.number(number);
        }
        to.rest(&self.unknown);
    }

    /// Reads what [`pack`](Self::pack) wrote. What an older version wrote ends before the leases, or before the unit.
    pub(in crate::quota) fn unpack(from: &mut Unpacked<'_>) -> Option<Self> {
        let subject = from.text()?.to_string();
        let (window, settled) = (from.small()?, from.number()?);
        let other = (from.small()?, from.number()?);
        let (at, period) = (from.small()?, from.small()?);
        let count = from.small()?;
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(Held { worker: from.small()?, window: from.small()?, amount: from.number()? });
        }
        let count = from.small()?;
        let mut pending = Vec::new();
        for _ in 0..count {
            let (worker, serial, window) = (from.small()?, from.small()?, from.small()?);
            pending.push(Pending { worker, serial, window, amount: from.number()? });
        }
        let mut leases = Vec::new();
        let count = if from.is_empty() { 0 } else { from.small()? };
        for _ in 0..count {
            leases.push(Lease::unpack(from.bytes()?)?);
        }
        let mut account =
            Self { subject, window, settled, other, at, period, held, pending, leases, ..Self::default() };
        if !from.is_empty() {
            account.unit = from.small()?.try_into().ok()?;
            let (own, other, moved) = (from.number()?, from.number()?, from.number()?);
            account.debts = Debts { own, other, moved, nested: from.number()? != 0 };
            (account.drained, account.adopted) = (from.number()?, from.small()?);
        }
        account.unknown = from.rest().to_vec();
        Some(account)
    }
}

//! A pool as bytes.

use alloc::vec::Vec;

use super::Pool;
use super::holder::{Holder, Phase};
use crate::shared::{Cell, Fields, Reader};
use crate::time::Instant;

/// The layout's number.
const LAYOUT: u8 = 1;

impl Cell for Pool {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(LAYOUT, bytes)?;
        let mut pool = Self {
            epoch: fields.number()?,
            credit: signed(fields.amount()?),
            settled: fields.amount()?,
            lost: fields.amount()?,
            debts: fields.amount()?,
            level: signed(fields.amount()?),
            filled: Instant::from_nanos(fields.number()?),
            least: fields.amount()?,
            is_whole: fields.number()? == 1,
            over: 0,
            carried: 0,
            holders: Vec::new(),
            unknown: Vec::new(),
        };
        for _ in 0..fields.number()? {
            // A holder's fields are bytes of their own, so that a later version can add to them.
            pool.holders.push(holder(fields.bytes()?)?);
        }
        // What an older version wrote ends here.
        if !fields.unknown().is_empty() {
            (pool.over, pool.carried) = (fields.amount()?, fields.amount()?);
        }
        pool.unknown = fields.unknown().to_vec();
        Some(pool)
    }

    fn write(&self) -> Vec<u8> {
        let fields = Fields::of(LAYOUT)
            .number(self.epoch)
            .amount(bits(self.credit))
            .amount(self.settled)
            .amount(self.lost)
            .amount(self.debts)
            .amount(bits(self.level))
            .number(self.filled.as_nanos())
            .amount(self.least)
            .number(u64::from(self.is_whole))
            .number(self.holders.len() as u64);
        let fields = self.holders.iter().fold(fields, |fields, holder| fields.bytes(&written(holder)));
        fields.amount(self.over).amount(self.carried).end_with(&self.unknown)
    }
}

fn holder(bytes: &[u8]) -> Option<Holder> {
    let mut fields = Reader::of(LAYOUT, bytes)?;
    Some(Holder {
        node: fields.text()?.into(),
        start: fields.number()?,
        since: fields.number()?,
        sequence: fields.number()?,
        version: fields.number()?,
        granted: fields.amount()?,
        settled: fields.amount()?,
        reserved: fields.amount()?,
        first: (fields.amount()?, Instant::from_nanos(fields.number()?)),
        pace: fields.amount()?,
        paced: (fields.amount()?, Instant::from_nanos(fields.number()?)),
        born: Instant::from_nanos(fields.number()?),
        seen: Instant::from_nanos(fields.number()?),
        until: Instant::from_nanos(fields.number()?),
        phase: match fields.number()? {
            0 => Phase::Live,
            1 => Phase::Ended,
            2 => Phase::Silent,
            _ => return None,
        },
        // What is written without it is asked of the ledger again, which books it once.
        booked: fields.number() == Some(1),
    })
}

fn written(holder: &Holder) -> Vec<u8> {
    Fields::of(LAYOUT)
        .text(&holder.node)
        .number(holder.start)
        .number(holder.since)
        .number(holder.sequence)
        .number(holder.version)
        .amount(holder.granted)
        .amount(holder.settled)
        .amount(holder.reserved)
        .amount(holder.first.0)
        .number(holder.first.1.as_nanos())
        .amount(holder.pace)
        .amount(holder.paced.0)
        .number(holder.paced.1.as_nanos())
        .number(holder.born.as_nanos())
        .number(holder.seen.as_nanos())
        .number(holder.until.as_nanos())
        .number(match holder.phase {
            Phase::Live => 0,
            Phase::Ended => 1,
            Phase::Silent => 2,
        })
        .number(u64::from(holder.booked))
        .end()
}

/// The bits of a signed number.
fn bits(number: i128) -> u128 {
    u128::from_le_bytes(number.to_le_bytes())
}

fn signed(bits: u128) -> i128 {
    i128::from_le_bytes(bits.to_le_bytes())
}

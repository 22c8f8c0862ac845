//! The messages of the exchange as bytes: protobuf, as `proto/weir/control/v1/exchange.proto` has it.

use alloc::vec::Vec;
use core::fmt;

use prost::Message;
use weir_proto::control::v1;

use super::{Account, Grant, Grants, Report, State};

/// The path to which a report is posted.
pub const PATH: &str = "/weir.control.v1/exchange";

/// The longest name in a report, in bytes.
const LONGEST_NAME: usize = 1024;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They are no protobuf, or of another message.
    NotAMessage,
    /// The node has no name.
    NoNode,
    /// A name is too long.
    NameTooLong,
    /// An amount is larger than what sums can hold: 2^120.
    TooMuch,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAMessage => "this is no message of the exchange",
            Self::NoNode => "the report names no node",
            Self::NameTooLong => "a name is longer than 1024 bytes",
            Self::TooMuch => "an amount is larger than 2^120",
        })
    }
}

impl core::error::Error for Malformed {}

impl Report {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let accounts = self.accounts.iter().map(|state| v1::Account {
            limit: state.account.limit.clone(),
            subject: state.account.subject.clone(),
            window_ms: state.account.window_ms,
            settled: amount(state.settled),
            reserved: amount(state.reserved),
            granted: amount(state.granted),
            version: state.version,
            epoch: state.epoch,
            wanted: amount(state.wanted),
            least: amount(state.least),
            since: state.since,
            ending: state.ending,
            unit: state.unit,
        });
        let (node, start, sequence) = (self.node.clone(), self.start, self.sequence);
        let (at_ms, ending) = (self.at_ms, self.ending);
        v1::Report { node, start, sequence, at_ms, ending, accounts: accounts.collect() }.encode_to_vec()
    }

    /// Reads bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let read = v1::Report::decode(bytes).map_err(|_| Malformed::NotAMessage)?;
        if read.node.is_empty() {
            return Err(Malformed::NoNode);
        }
        let too_long = |name: &str| name.len() > LONGEST_NAME;
        if too_long(&read.node) || read.accounts.iter().any(|one| too_long(&one.limit) || too_long(&one.subject)) {
            return Err(Malformed::NameTooLong);
        }
        let accounts = read.accounts.into_iter().map(|one| {
            Ok(State {
                account: Account { limit: one.limit, subject: one.subject, window_ms: one.window_ms },
                settled: number(one.settled)?,
                reserved: number(one.reserved)?,
                granted: number(one.granted)?,
                version: one.version,
                epoch: one.epoch,
                wanted: number(one.wanted)?,
                least: number(one.least)?,
                since: one.since,
                ending: one.ending,
                unit: one.unit,
            })
        });
        let accounts = accounts.collect::<Result<_, _>>()?;
        let v1::Report { node, start, sequence, at_ms, ending, .. } = read;
        Ok(Self { node, start, sequence, at_ms, ending, accounts })
    }
}

impl Grants {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let grants = self.grants.iter().map(|grant| v1::Grant {
            limit: grant.account.limit.clone(),
            subject: grant.account.subject.clone(),
            window_ms: grant.account.window_ms,
            granted: amount(grant.granted),
            version: grant.version,
            expires_ms: grant.expires_ms,
            left: amount(grant.left),
            reset_ms: grant.reset_ms,
            keep: amount(grant.keep),
            unspent: amount(grant.unspent),
            unit: grant.unit,
        });
        v1::Grants { sequence: self.sequence, epoch: self.epoch, grants: grants.collect() }.encode_to_vec()
    }

    /// Reads bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let read = v1::Grants::decode(bytes).map_err(|_| Malformed::NotAMessage)?;
        let grants = read.grants.into_iter().map(|one| {
            Ok(Grant {
                account: Account { limit: one.limit, subject: one.subject, window_ms: one.window_ms },
                granted: number(one.granted)?,
                version: one.version,
                expires_ms: one.expires_ms,
                left: number(one.left)?,
                unspent: number(one.unspent)?,
                reset_ms: one.reset_ms,
                keep: number(one.keep)?,
                unit: one.unit,
            })
        });
        Ok(Self { sequence: read.sequence, epoch: read.epoch, grants: grants.collect::<Result<_, _>>()? })
    }
}

/// An amount as it is written; zero is left out.
fn amount(number: u128) -> Option<v1::Amount> {
    let [high, low] = [number >> 64, number & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(u64::MAX));
    (number > 0).then_some(v1::Amount { high, low })
}

fn number(amount: Option<v1::Amount>) -> Result<u128, Malformed> {
    let number = amount.map_or(0, |amount| u128::from(amount.high) << 64 | u128::from(amount.low));
    if number >> 120 == 0 { Ok(number) } else { Err(Malformed::TooMuch) }
}

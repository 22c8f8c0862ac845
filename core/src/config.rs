//! The operator's configuration, parsed once: [`source`] mirrors the YAML, and the rest of Weir uses [`Gateway`].
//!
//! Only [`Gateway::parse`] makes a `Gateway`, so whoever has one has a configuration without errors.

mod access;
mod check;
mod entry;
mod gateway;
mod hint;
mod network;
mod preset;
mod routing;
pub mod source;
pub mod units;

pub use access::{Access, Claim, Identities, Key, Team};
pub use check::price::prices;
pub use entry::{AccessLog, Jwt, Ledger, Limits, LocalModel, LocalSettings, ProviderEntry, Signing, Telemetry};
pub use gateway::Gateway;
pub use hint::did_you_mean;
pub use network::{Network, NoNetwork};
pub use preset::Preset;
pub use routing::{BodyLimits, Class, LedgerPlace, Model, Role, Routing, Target};

use alloc::string::String;

/// An error of the operator. All errors of a file are reported at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as a path through the file: `models.gpt-4o.targets[1].provider`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to do now, if that is known: `did you mean "anthropic"?`
    pub hint: Option<String>,
}

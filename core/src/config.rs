//! What the operator wrote, parsed once: [`source`] mirrors the YAML, [`Gateway`] is what the rest of Weir works with.
//!
//! Only [`Gateway::parse`] makes a `Gateway`, so whoever holds one holds a configuration without errors.

mod check;
mod entry;
mod gateway;
mod hint;
mod preset;
mod routing;
pub mod source;
pub mod units;

pub use entry::{AccessLog, Limits, LocalModel, LocalSettings, ProviderEntry, Signing, Telemetry};
pub use gateway::Gateway;
pub use hint::did_you_mean;
pub use preset::Preset;
pub use routing::{BodyLimits, Class, Key, Model, Role, Routing, Target};

use alloc::string::String;

/// The operator's error: one of possibly many, all reported at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as a path through the file: `models.gpt-4o.targets[1].provider`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to do now, where that is known: `did you mean "anthropic"?`
    pub hint: Option<String>,
}

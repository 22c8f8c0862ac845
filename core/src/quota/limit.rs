//! What a limit says: how much, of what, in which time, and for whom.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::window::Windows;
use crate::key::KeyHash;
use crate::money::Picodollars;

/// One limit of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name. What was counted belongs to the name, so a new amount keeps what was spent.
    pub name: String,
    /// Its former name, from which it takes over what was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Whose requests it counts. All of these must fit. None: all requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// What it counts.
    pub meter: Meter,
    /// How much, and in which time.
    pub kind: Kind,
    /// A soft limit refuses nothing: it only tells that it is spent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub soft: bool,
    /// What happens while the process that shares the limit among several Envoys cannot be reached.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alone: Alone,
    /// For how many values of its subjects it counts apart; more than these may share one count.
    #[serde(default = "usual_values", skip_serializing_if = "is_usual")]
    pub values: u32,
}

/// The longest text of a subject, in bytes. A longer one is told by its hash.
const LONGEST: usize = 512;

/// How many values a limit with `each` counts apart, if the configuration does not say.
pub const VALUES: u32 = 10_000;

fn usual_values() -> u32 {
    VALUES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_usual(values: &u32) -> bool {
    *values == VALUES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whose requests a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Which part of a request.
    pub of: Dimension,
    /// Its value. `None`: each value has a count of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A part of a request that a limit can go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The caller's key, by name.
    Key,
    /// The team of the caller's key.
    Team,
    /// The user that the caller names.
    User,
    /// The application that the caller names.
    Application,
    /// The model that the caller asks for.
    Model,
    /// The provider that a try asks.
    Provider,
    /// The provider and model that a try asks, as `provider/model`.
    Target,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 7] =
        [Self::Key, Self::Team, Self::User, Self::Application, Self::Model, Self::Provider, Self::Target];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::User => "user",
            Self::Application => "application",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "target",
        }
    }

    /// Whether it is known only when a target is chosen.
    pub const fn is_of_a_try(self) -> bool {
        matches!(self, Self::Provider | Self::Target)
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meter {
    /// Requests.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Cost, in pico-dollars.
    Cost,
}

impl Meter {
    /// Its unit in words.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::Cost => "USD",
        }
    }

    /// Reads an amount as people write it, in the unit in which it is counted: dollars in decimal become pico-dollars,
    /// anything else is a whole number. `None` if it is no such amount.
    pub fn read(self, text: &str) -> Option<i128> {
        match self {
            Self::Cost => Picodollars::parse(text).ok().map(Picodollars::get),
            Self::Requests | Self::Tokens | Self::InputTokens | Self::OutputTokens => text.parse().ok(),
        }
    }

    /// Writes an amount as [`read`](Self::read) reads it.
    pub fn show(self, amount: i128) -> String {
        match self {
            Self::Cost => Picodollars::new(amount).dollars(),
            Self::Requests | Self::Tokens | Self::InputTokens | Self::OutputTokens => amount.to_string(),
        }
    }
}

/// How much a limit allows, in which time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An amount that refills continuously.
    Rate {
        /// How much refills in one period, in the meter's unit.
        amount: u64,
        /// The period, in nanoseconds.
        period: u64,
        /// The most that can be taken at once.
        burst: u64,
    },
    /// An amount for a window of the calendar.
    Budget {
        /// The amount for each window, in the meter's unit.
        #[serde(with = "digits")]
        amount: u128,
        /// The windows.
        windows: Windows,
    },
    /// How many requests may be under way at once.
    Concurrency {
        /// How many.
        amount: u64,
    },
}

/// A number as a text of digits: JSON's readers know numbers up to 64 bits.
mod digits {
    use alloc::string::String;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What happens to a shared limit while the process that shares it cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alone {
    /// Requests go on, within what the limit would allow to one Envoy.
    #[default]
    Open,
    /// Requests are refused once the lease is spent.
    Closed,
}

/// What a request is, in the dimensions that limits go by. An empty value is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'w> {
    /// The key's name.
    pub key: &'w str,
    /// The key's team.
    pub team: &'w str,
    /// The user.
    pub user: &'w str,
    /// The application.
    pub application: &'w str,
    /// The model that the caller asks for.
    pub model: &'w str,
    /// The target's provider, for a try.
    pub provider: &'w str,
    /// The target's model, for a try.
    pub upstream_model: &'w str,
}

impl<'w> Who<'w> {
    /// Its value in a dimension; empty if it has none.
    pub(super) fn value(&self, dimension: Dimension) -> Cow<'w, str> {
        Cow::Borrowed(match dimension {
            Dimension::Key => self.key,
            Dimension::Team => self.team,
            Dimension::User => self.user,
            Dimension::Application => self.application,
            Dimension::Model => self.model,
            Dimension::Provider => self.provider,
            Dimension::Target if self.provider.is_empty() => "",
            Dimension::Target => return Cow::Owned([self.provider, "/", self.upstream_model].concat()),
        })
    }
}

impl Limit {
    /// Whether it is taken at each try.
    pub fn is_of_a_try(&self) -> bool {
        self.subjects.iter().any(|subject| subject.of.is_of_a_try())
    }

    /// The values that it counts apart, as one text: those of its subjects, in order, separated by `/`. `None` if it does
    /// not apply: a value differs, or is not known.
    pub fn subject(&self, who: &Who<'_>) -> Option<String> {
        let mut text = String::new();
        for (at, Subject { of, value }) in self.subjects.iter().enumerate() {
            let told = who.value(*of);
            if told.is_empty() || value.as_ref().is_some_and(|value| *value != told) {
                return None;
            }
            if at > 0 {
                text.push('/');
            }
            for c in told.chars() {
                match c {
                    // A target has one between its own two parts.
                    '/' if self.subjects.len() > 1 && *of != Dimension::Target => text.push_str("%2F"),
                    '%' if self.subjects.len() > 1 => text.push_str("%25"),
                    c => text.push(c),
                }
            }
        }
        // What is longer could not be told to control.
        Some(if text.len() > LONGEST { ["sha256:", &KeyHash::of(text.as_bytes()).to_string()].concat() } else { text })
    }

    /// How many values it can count apart: one, unless it says `each`.
    pub(super) fn most_values(&self) -> u32 {
        if self.subjects.iter().any(|subject| subject.value.is_none()) { self.values.max(1) } else { 1 }
    }

    /// The unit of what is counted, by its kind and its meter, as a number that is never 0. What was counted in another unit means
    /// something else.
    pub fn unit(&self) -> u32 {
        let kind = match &self.kind {
            Kind::Rate { .. } => 1,
            Kind::Budget { .. } => 2,
            Kind::Concurrency { .. } => return 3,
        };
        let meter = match self.meter {
            Meter::Requests => 0,
            Meter::Tokens => 1,
            Meter::InputTokens => 2,
            Meter::OutputTokens => 3,
            Meter::Cost => 4,
        };
        kind + 16 * (meter + 1)
    }

    /// The most that one request can ever take.
    pub fn most(&self) -> u128 {
        match &self.kind {
            Kind::Rate { burst, .. } => u128::from(*burst),
            Kind::Budget { amount, .. } => *amount,
            Kind::Concurrency { amount } => u128::from(*amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn limit(subjects: Vec<Subject>) -> Limit {
        Limit {
            name: "l".into(),
            was: None,
            subjects,
            meter: Meter::Requests,
            kind: Kind::Concurrency { amount: 1 },
            soft: false,
            alone: Alone::Open,
            values: VALUES,
        }
    }

    fn each(of: Dimension) -> Subject {
        Subject { of, value: None }
    }

    fn one(of: Dimension, value: &str) -> Subject {
        Subject { of, value: Some(value.to_string()) }
    }

    #[test]
    fn a_limit_applies_to_whom_it_names() {
        let who = Who { key: "k", team: "t", model: "a/b", provider: "p", upstream_model: "m/n", ..Who::default() };
        let subject = |subjects| limit(subjects).subject(&who);
        assert_eq!(subject(vec![]).as_deref(), Some(""));
        assert_eq!(subject(vec![each(Dimension::Team)]).as_deref(), Some("t"));
        assert_eq!(subject(vec![one(Dimension::Team, "t")]).as_deref(), Some("t"));
        assert_eq!(subject(vec![one(Dimension::Team, "u")]), None);
        assert_eq!(subject(vec![each(Dimension::User)]), None, "it has no user");
        assert_eq!(subject(vec![each(Dimension::Target)]).as_deref(), Some("p/m/n"));
        assert_eq!(subject(vec![each(Dimension::Model), one(Dimension::Key, "k")]).as_deref(), Some("a%2Fb/k"));
    }

    #[test]
    fn amounts_are_read_as_they_are_shown() {
        for (meter, text, amount) in [
            (Meter::Cost, "12.5", 12_500_000_000_000),
            (Meter::Cost, "-0.000000000001", -1),
            (Meter::Tokens, "123", 123),
            (Meter::Requests, "-4", -4),
        ] {
            assert_eq!((meter.read(text), meter.show(amount).as_str()), (Some(amount), text));
        }
        for (meter, wrong) in [(Meter::Cost, ".5"), (Meter::Cost, "1e3"), (Meter::Tokens, "1.5"), (Meter::Requests, "")]
        {
            assert_eq!(meter.read(wrong), None, "{wrong}");
        }
    }

    /// Control reads no report with a longer name.
    #[test]
    fn a_long_subject_is_told_by_its_hash() {
        let limit = limit(vec![each(Dimension::User)]);
        let subject = |user: &str| limit.subject(&Who { user, ..Who::default() }).unwrap();
        let long = "a".repeat(600);
        assert!(subject(&long).starts_with("sha256:") && subject(&long).len() < 100);
        assert_ne!(subject(&long), subject(&[&long, "b"].concat()));
    }

    /// `a/b` of `c` and `a` of `b/c` would be one.
    #[test]
    fn no_two_subjects_have_the_same_text() {
        let limit = limit(vec![each(Dimension::Key), each(Dimension::Model)]);
        let subject = |key, model| limit.subject(&Who { key, model, ..Who::default() });
        assert_ne!(subject("a/b", "c"), subject("a", "b/c"));
        assert_ne!(subject("a%2Fb", "c"), subject("a/b", "c"));
    }
}

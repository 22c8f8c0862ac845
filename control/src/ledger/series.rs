//! What sums are kept by: one series is one combination of names.

use std::fmt;
use std::str::FromStr;

use super::row::{Part, Row};

/// What a request can be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The Envoy that served it.
    Node,
    /// The team of the caller's key.
    Team,
    /// The caller's key.
    Key,
    /// The user that the caller named.
    User,
    /// The application that the caller named.
    Application,
    /// The API that was called.
    Endpoint,
    /// The model that the caller named.
    Model,
    /// The provider of the try.
    Provider,
    /// The model of the try, in the provider's words.
    UpstreamModel,
    /// The outcome of the request.
    Outcome,
    /// The day in which it was admitted, in UTC.
    Day,
    /// The hour in which it was admitted, in UTC.
    Hour,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 12] = [
        Self::Node,
        Self::Team,
        Self::Key,
        Self::User,
        Self::Application,
        Self::Endpoint,
        Self::Model,
        Self::Provider,
        Self::UpstreamModel,
        Self::Outcome,
        Self::Day,
        Self::Hour,
    ];

    /// How people write it, and the name of its column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Team => "team",
            Self::Key => "key",
            Self::User => "user",
            Self::Application => "application",
            Self::Endpoint => "endpoint",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::UpstreamModel => "upstream_model",
            Self::Outcome => "outcome",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No dimension has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDimension(String);

impl fmt::Display for UnknownDimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Dimension::ALL.iter().map(|one| one.name()).collect();
        write!(f, "\"{}\" is nothing to count by; write one or more of {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownDimension {}

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(text: &str) -> Result<Self, UnknownDimension> {
        let wanted = text.trim();
        let found = Self::ALL.into_iter().find(|one| one.name() == wanted.replace('-', "_"));
        found.ok_or_else(|| UnknownDimension(wanted.to_owned()))
    }
}

/// One combination of names. An empty name means that there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Series {
    /// The Envoy that served the request.
    pub node: String,
    /// The team of the caller's key.
    pub team: String,
    /// The caller's key.
    pub key: String,
    /// The user that the caller named.
    pub user: String,
    /// The application that the caller named.
    pub application: String,
    /// The API that was called.
    pub endpoint: String,
    /// The model that the caller named.
    pub model: String,
    /// The provider of the try.
    pub provider: String,
    /// The model of the try, in the provider's words.
    pub upstream_model: String,
    /// The outcome of the request.
    pub outcome: String,
}

impl Series {
    /// The names of the columns, in the order of [`values`](Self::values).
    pub const COLUMNS: [&'static str; 10] =
        ["node", "team", "key", "user", "application", "endpoint", "model", "provider", "upstream_model", "outcome"];

    /// The series in which a request counts.
    pub fn of(node: &str, row: &Row) -> Self {
        Self {
            node: node.to_owned(),
            team: row.team.clone(),
            key: row.key.clone(),
            user: row.user.clone(),
            application: row.application.clone(),
            endpoint: row.endpoint.clone(),
            model: row.model.clone(),
            provider: row.provider.clone(),
            upstream_model: row.upstream_model.clone(),
            outcome: row.outcome.clone(),
        }
    }

    /// The series in which one of its tries counts.
    #[must_use]
    pub fn with(&self, part: &Part<'_>) -> Self {
        Self { provider: part.provider.to_owned(), upstream_model: part.model.to_owned(), ..self.clone() }
    }

    /// The series of the same key in which all its users and applications count together.
    #[must_use]
    pub fn of_key(&self) -> Self {
        Self { user: String::new(), application: String::new(), ..self.clone() }
    }

    /// The names, in the order of [`COLUMNS`](Self::COLUMNS).
    pub fn values(&self) -> [&str; 10] {
        [
            &self.node,
            &self.team,
            &self.key,
            &self.user,
            &self.application,
            &self.endpoint,
            &self.model,
            &self.provider,
            &self.upstream_model,
            &self.outcome,
        ]
    }

    /// Makes a series of names in the order of [`COLUMNS`](Self::COLUMNS).
    pub fn from_values(values: [String; 10]) -> Self {
        let [node, team, key, user, application, endpoint, model, provider, upstream_model, outcome] = values;
        Self { node, team, key, user, application, endpoint, model, provider, upstream_model, outcome }
    }

    /// The name in one dimension. `None` for the day and the hour, which no series has.
    pub fn name(&self, dimension: Dimension) -> Option<&str> {
        let at = Self::COLUMNS.iter().position(|column| *column == dimension.name())?;
        self.values().get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dimension_reads_as_it_is_written_and_names_its_column() {
        let series = Series::from_values(Series::COLUMNS.map(str::to_owned));
        for dimension in Dimension::ALL {
            assert_eq!(dimension.name().parse(), Ok(dimension));
            let in_time = matches!(dimension, Dimension::Day | Dimension::Hour);
            assert_eq!(series.name(dimension), (!in_time).then_some(dimension.name()));
        }
        assert_eq!(" upstream-model".parse(), Ok(Dimension::UpstreamModel));
        assert!("colour".parse::<Dimension>().unwrap_err().to_string().contains("node, team, key"));
    }
}

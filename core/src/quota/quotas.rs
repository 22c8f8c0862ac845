//! All limits of a configuration, and the quick way to those of one request.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::limit::{Dimension, Limit, Who};

/// All limits. Which of them a request meets is looked up by its first subject, so it does not matter how many name others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Limit>", into = "Vec<Limit>")]
pub struct Quotas {
    limits: Vec<Limit>,
    /// Limits whose first subject has this value.
    of: BTreeMap<(Dimension, String), Vec<usize>>,
    /// The others: limits of everything, or whose first subject is each value.
    others: Vec<usize>,
}

impl From<Vec<Limit>> for Quotas {
    fn from(limits: Vec<Limit>) -> Self {
        let (mut of, mut others) = (BTreeMap::<_, Vec<usize>>::new(), Vec::new());
        for (number, limit) in limits.iter().enumerate() {
            let named = limit.subjects.iter().find_map(|subject| Some((subject.of, subject.value.clone()?)));
            match named {
                Some(first) => of.entry(first).or_default().push(number),
                None => others.push(number),
            }
        }
        Self { limits, of, others }
    }
}

impl From<Quotas> for Vec<Limit> {
    fn from(quotas: Quotas) -> Self {
        quotas.limits
    }
}

impl Quotas {
    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// All limits, in the order of their numbers.
    pub fn all(&self) -> &[Limit] {
        &self.limits
    }

    /// The limit with this number.
    pub fn get(&self, number: usize) -> Option<&Limit> {
        self.limits.get(number)
    }

    /// The limits that a request meets, each with its number and with whose account it is. Without a provider, the limits that
    /// are taken at the edge; with one, those that are taken at a try of it.
    pub fn of<'q>(&'q self, who: &Who<'_>) -> impl Iterator<Item = (usize, &'q Limit, String)> {
        let is_try = !who.provider.is_empty();
        let mut numbers = self.others.clone();
        // A limit of a try may name a subject that is not one of a try first.
        for dimension in Dimension::ALL {
            let value = who.value(dimension);
            if !value.is_empty() && !self.of.is_empty() {
                numbers.extend(self.of.get(&(dimension, value.into_owned())).into_iter().flatten());
            }
        }
        let who = *who;
        numbers.into_iter().filter_map(move |number| {
            let limit = self.limits.get(number).filter(|limit| limit.is_of_a_try() == is_try)?;
            Some((number, limit, limit.subject(&who)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::super::limit::{Alone, Kind, Meter, Subject, VALUES};
    use super::*;

    fn limit(name: &str, subjects: &[(Dimension, &str)]) -> Limit {
        let subject = |(of, value): &(Dimension, &str)| Subject {
            of: *of,
            value: (*value != "each").then(|| (*value).to_string()),
        };
        Limit {
            name: name.into(),
            was: None,
            subjects: subjects.iter().map(subject).collect(),
            meter: Meter::Requests,
            kind: Kind::Concurrency { amount: 1 },
            soft: false,
            alone: Alone::Open,
            values: VALUES,
        }
    }

    #[test]
    fn a_request_meets_the_limits_that_fit_it() {
        let quotas = Quotas::from(vec![
            limit("all", &[]),
            limit("each key", &[(Dimension::Key, "each")]),
            limit("team a", &[(Dimension::Team, "a")]),
            limit("team b", &[(Dimension::Team, "b")]),
            limit("each key of team a", &[(Dimension::Key, "each"), (Dimension::Team, "a")]),
            limit("provider", &[(Dimension::Provider, "p")]),
            limit("key at targets", &[(Dimension::Key, "k"), (Dimension::Target, "each")]),
        ]);
        let met = |who: Who<'_>| {
            quotas.of(&who).map(|(_, limit, subject)| (limit.name.as_str(), subject)).collect::<Vec<_>>()
        };
        let who = Who { key: "k", team: "a", ..Who::default() };
        let text = |text: &str| text.to_string();
        assert_eq!(
            met(who),
            [("all", text("")), ("each key", text("k")), ("team a", text("a")), ("each key of team a", text("k/a"))]
        );
        assert_eq!(
            met(Who { provider: "p", upstream_model: "m", ..who }),
            [("key at targets", text("k/p/m")), ("provider", text("p"))]
        );
        assert_eq!(met(Who { provider: "q", ..Who::default() }), []);
        let text = serde_json::to_string(&quotas).unwrap();
        assert_eq!(serde_json::from_str::<Quotas>(&text).unwrap(), quotas);
    }
}

//! Brings configurations to one Envoy: performs what a [`Rollout`] asks for.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::AdminAddress;
use crate::deliver::Deliver;
use crate::deliver::files::Files;
use crate::render::Resources;
use crate::rollout::{Input, NotTaken, Outcome, Reader, Report, Rollout, Step};

/// Keeps one Envoy as the running configuration says.
#[derive(Debug)]
pub struct Publisher<D = Files> {
    rollout: Rollout,
    delivery: D,
}

impl Publisher {
    /// Publishes into `folder`, from where the Envoy with this admin interface reads; see [`Files::new`].
    pub fn new(folder: impl Into<PathBuf>, admin: Option<AdminAddress>) -> Self {
        Self { rollout: Rollout::new(Reader::Later), delivery: Files::new(folder, admin) }
    }

    /// Publishes for an Envoy that somebody else runs, and that may run now: also the first time one file after the other.
    #[must_use]
    pub fn beside_envoy(self) -> Self {
        Self { rollout: Rollout::new(Reader::Now), delivery: self.delivery.beside_envoy() }
    }

    /// The last publication; see [`Files::drain`].
    pub fn drain(folder: &Path, last: &Resources) -> Result<(), NotTaken> {
        Files::drain(folder, last)
    }
}

impl<D: Deliver> Publisher<D> {
    /// See [`Rollout::with_grace`].
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { rollout: self.rollout.with_grace(grace), ..self }
    }

    /// See [`Rollout::with_patience`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { rollout: self.rollout.with_patience(patience), ..self }
    }

    /// Makes `next` the running configuration.
    pub async fn publish(&mut self, next: Resources, now: Instant) -> Result<Report, NotTaken> {
        self.perform(Input::Change(Arc::new(next)), now).await
    }

    /// Removes what is no longer needed at `now`.
    pub async fn remove(&mut self, now: Instant) -> Result<Report, NotTaken> {
        self.perform(Input::Tick, now).await
    }

    /// When the next removal is due, if there is one.
    pub fn next_removal(&self) -> Option<Instant> {
        self.rollout.next_removal()
    }

    /// Performs every step that follows from `input`, which comes at `now`. What is told last is what became of it.
    async fn perform(&mut self, input: Input, now: Instant) -> Result<Report, NotTaken> {
        let began = Instant::now();
        let mut result = Ok(Report::default());
        let mut steps = Vec::new();
        self.rollout.on(now, input, &mut steps);
        let mut ahead = VecDeque::from(steps);
        while let Some(step) = ahead.pop_front() {
            let answer = match step {
                Step::Put { kind, set, wait } => self.delivery.put(kind, &set, wait).await,
                Step::Sweep(set) => self.delivery.sweep(&set).await,
                Step::Tell(outcome) => {
                    result = match outcome {
                        Outcome::Live(report) | Outcome::Removed(report) => Ok(report),
                        Outcome::NotTaken(problem) => Err(problem),
                    };
                    continue;
                }
            };
            let mut steps = Vec::new();
            self.rollout.on(now + began.elapsed(), Input::Answer(answer), &mut steps);
            ahead.extend(steps);
        }
        result
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use weir_core::config::Gateway;

    use super::*;
    use crate::render::{Door, Kind, Module, Node, render};
    use crate::rollout::Taken;

    /// Another way of delivery: it remembers what came, and refuses one kind.
    #[derive(Default)]
    struct Scripted {
        came: Vec<&'static str>,
        refuses: Option<Kind>,
    }

    impl Deliver for Scripted {
        async fn put(&mut self, kind: Kind, _: &Resources, _: Option<Duration>) -> Result<Taken, NotTaken> {
            self.came.push(kind.file());
            let reasons = vec!["no".to_owned()];
            if self.refuses.take_if(|refuses| *refuses == kind).is_some() {
                return Err(NotTaken::Refused { kind, reasons });
            }
            Ok(Taken::Confirmed)
        }

        async fn sweep(&mut self, _: &Resources) -> Result<Taken, NotTaken> {
            self.came.push("sweep");
            Ok(Taken::Same)
        }
    }

    pub(crate) fn resources(provider: &str) -> Resources {
        let source = json!({
            "providers": { provider: { "dialect": "openai", "endpoint": "http://127.0.0.1:9" } },
            "models": { "m": { "targets": [{ "provider": provider }] } },
        });
        let gateway = Gateway::parse(&serde_json::from_value(source).unwrap(), &BTreeSet::new()).unwrap();
        let node = Node {
            folder: "/envoy".into(),
            filter: Module::Native("/filter.so".into()),
            sidecar_socket: "/sidecar.sock".into(),
            admin_socket: "/admin.sock".into(),
            access_log: "/access.log".into(),
            ca_bundle: None,
            connections: 1,
            control: None,
            door: Door::Port,
        };
        render(&gateway, &node).unwrap()
    }

    #[tokio::test]
    async fn every_step_is_performed_in_its_order_and_what_became_of_it_is_returned() {
        let mut publisher = Publisher { rollout: Rollout::new(Reader::Now), delivery: Scripted::default() };
        let now = Instant::now();
        let change = ["sds-", "cds.json", "rds.json", "edge.json", "lds.json", "bootstrap.json"];
        let report = publisher.publish(resources("a"), now).await.unwrap();
        assert_eq!((report.written.len(), report.confirmed), (6, true));
        assert_eq!(std::mem::take(&mut publisher.delivery.came), [&change[..], &["sweep"]].concat());

        publisher.delivery.refuses = Some(Kind::Routes);
        let refused = publisher.publish(resources("b"), now).await.unwrap_err();
        assert_eq!(refused.to_string(), "Envoy refused rds.json: no");
        let back: Vec<_> = change[..3].iter().chain(change.iter().rev()).copied().collect();
        assert_eq!(std::mem::take(&mut publisher.delivery.came), back);

        publisher.publish(resources("b"), now).await.unwrap();
        assert_eq!(publisher.remove(now).await.unwrap(), Report::default(), "nothing is due");
        publisher.delivery.came.clear();
        publisher.remove(publisher.next_removal().unwrap()).await.unwrap();
        assert_eq!(publisher.delivery.came, ["rds.json", "cds.json", "sweep"]);
    }
}

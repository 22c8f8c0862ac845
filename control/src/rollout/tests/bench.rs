//! A rollout without an Envoy: every step is performed on a picture of what Envoy reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;
use weir_core::config::Gateway;

use super::super::*;
use crate::render::{Door, Module, Node, render};

/// Every provider that a test may name. No name is part of another text.
pub(super) const PROVIDERS: [&str; 4] = ["anna", "berta", "clara", "dora"];
pub(super) type Answer = Result<Taken, NotTaken>;

pub(super) const GRACE: Duration = Duration::from_secs(60);

/// A configuration with these providers. Each answers for a model of its name.
pub(super) fn with(providers: &[&str]) -> Resources {
    listening_at(10_000, providers)
}

pub(super) fn listening_at(port: u16, providers: &[&str]) -> Resources {
    rendered(port, providers, &node(Path::new("/run/weir")))
}

pub(super) fn rendered(port: u16, providers: &[&str], node: &Node) -> Resources {
    let entry = |name: &&str| {
        (
            (*name).to_owned(),
            json!({ "dialect": "openai", "endpoint": "http://127.0.0.1:9", "credential": format!("env:{name}") }),
        )
    };
    let model = |name: &&str| ((*name).to_owned(), json!({ "targets": [{ "provider": name }] }));
    let source = json!({
        "listen": format!("127.0.0.1:{port}"),
        "providers": providers.iter().map(entry).collect::<serde_json::Map<_, _>>(),
        "models": providers.iter().map(model).collect::<serde_json::Map<_, _>>(),
    });
    let source = serde_json::from_value(source).unwrap();
    let gateway = Gateway::parse(&source, &BTreeSet::default()).unwrap();
    render(&gateway, node).unwrap()
}

pub(super) fn node(folder: &Path) -> Node {
    Node {
        folder: folder.join("envoy"),
        filter: Module::Native(folder.join("filter.so")),
        sidecar_socket: folder.join("sidecar.sock"),
        admin_socket: folder.join("admin.sock"),
        access_log: folder.join("access.log"),
        ca_bundle: None,
        connections: 1,
        control: None,
        door: Door::Port,
    }
}

/// A rollout, and the providers that each file names as the steps have left it.
pub(super) struct Bench {
    pub(super) rollout: Rollout,
    pub(super) now: Instant,
    pub(super) read: BTreeMap<Kind, Vec<&'static str>>,
    /// Secrets are files of their own, which stay until a sweep.
    pub(super) secrets: BTreeSet<&'static str>,
}

/// A step that delivers, and the providers that it names.
#[derive(Debug, PartialEq)]
pub(super) struct Put {
    pub(super) kind: Kind,
    pub(super) wait: Option<Duration>,
    pub(super) names: Vec<&'static str>,
}

impl Bench {
    /// One that runs `providers` already.
    pub(super) fn running(providers: &[&str]) -> Self {
        let mut bench = Self::new(Reader::Later);
        let (_, told) = bench.change(with(providers), |_| Ok(Taken::Unconfirmed));
        assert!(matches!(told.as_slice(), [Outcome::Live(_)]), "{told:?}");
        bench
    }

    pub(super) fn new(reader: Reader) -> Self {
        let (rollout, now) = (Rollout::new(reader), Instant::now());
        Self { rollout, now, read: BTreeMap::new(), secrets: BTreeSet::new() }
    }

    pub(super) fn on(&mut self, input: Input) -> Vec<Step> {
        let mut steps = Vec::new();
        self.rollout.on(self.now, input, &mut steps);
        let asked = steps.iter().filter(|step| !matches!(step, Step::Tell(_))).count();
        assert!(asked <= 1, "one step at a time: {steps:?}");
        steps
    }

    pub(super) fn change(&mut self, next: Resources, answer: impl Fn(Kind) -> Answer) -> (Vec<Put>, Vec<Outcome>) {
        self.bring(Input::Change(Arc::new(next)), answer)
    }

    pub(super) fn tick(&mut self) -> (Vec<Put>, Vec<Outcome>) {
        self.bring(Input::Tick, taken)
    }

    /// Performs every step, each of which takes a second and is answered as `answer` says. What was put, and what was told.
    pub(super) fn bring(&mut self, input: Input, answer: impl Fn(Kind) -> Answer) -> (Vec<Put>, Vec<Outcome>) {
        let steps = self.on(input);
        self.perform(steps, answer)
    }

    pub(super) fn perform(&mut self, steps: Vec<Step>, answer: impl Fn(Kind) -> Answer) -> (Vec<Put>, Vec<Outcome>) {
        let (mut puts, mut told) = (Vec::new(), Vec::new());
        let mut ahead = VecDeque::from(steps);
        while let Some(step) = ahead.pop_front() {
            self.now += Duration::from_secs(1);
            let answer = match step {
                Step::Tell(outcome) => {
                    told.push(outcome);
                    continue;
                }
                Step::Sweep(set) => {
                    let kept = named(Kind::Secrets, &set);
                    self.secrets.retain(|name| kept.contains(name));
                    Ok(Taken::Same)
                }
                Step::Put { kind, set, wait } => {
                    let names = named(kind, &set);
                    let answer = answer(kind);
                    if !matches!(answer, Err(NotTaken::Unwritable { .. })) {
                        if kind == Kind::Secrets {
                            self.secrets.extend(&names);
                        }
                        self.read.insert(kind, names.clone());
                    }
                    puts.push(Put { kind, wait, names });
                    answer
                }
            };
            if self.read.len() == Kind::ALL.len() {
                self.check_that_envoy_could_start();
            }
            ahead.extend(self.on(Input::Answer(answer)));
        }
        (puts, told)
    }

    /// Whatever one kind names is in the kind that it names.
    pub(super) fn check_that_envoy_could_start(&self) {
        for (by, of) in [(Kind::Edge, Kind::Routes), (Kind::Routes, Kind::Clusters)] {
            for name in &self.read[&by] {
                assert!(self.read[&of].contains(name), "{by:?} names {name}, which {of:?} does not have");
            }
        }
        for name in &self.read[&Kind::Clusters] {
            assert!(self.secrets.contains(name), "{name} has no secret");
        }
    }
}

/// The providers that the resources of one kind name.
pub(super) fn named(kind: Kind, set: &Resources) -> Vec<&'static str> {
    let texts: String = set.files_of(kind).into_iter().map(|(_, text)| text).collect();
    PROVIDERS.into_iter().filter(|name| texts.contains(name)).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer among others")]
pub(super) fn taken(_: Kind) -> Answer {
    Ok(Taken::Confirmed)
}

//! Follows the configuration file: a change is read, rendered and published, or refused with every reason while the old
//! configuration keeps running.

mod changes;
mod unnoticed;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout;
use weir_core::config::Gateway;

use crate::load::own_routes;
use crate::publisher::Publisher;
use crate::render::{Door, Node, RenderError, render};
use crate::rollout::{NotTaken, Report};
use crate::state::client::Client;
use crate::{Diagnostic, Environment, Loaded, load};
use changes::Changes;
use unnoticed::{Read, read_by_envoy, unnoticed};

/// What happened to the configuration.
#[derive(Debug)]
pub enum Event {
    /// A change is live.
    Live {
        /// The configuration that runs now. The receiver takes up what Envoy does not run, such as the sidecar's models.
        loaded: Box<Loaded>,
        /// What was written, and whether Envoy has confirmed it.
        report: Report,
    },
    /// A file that Envoy reads by itself has changed in a way that Envoy does not notice. What it read before is in force.
    Unnoticed {
        /// The file.
        file: PathBuf,
        /// What to do now.
        hint: &'static str,
    },
    /// What an earlier change no longer needed is removed.
    Removed(Report),
    /// The file has errors. The old configuration keeps running.
    Refused(Vec<Diagnostic>),
    /// The file has no errors, but cannot be rendered. The old configuration keeps running.
    NotRendered(RenderError),
    /// The file has no errors, but Envoy has not taken it. The old configuration keeps running.
    NotPublished(NotTaken),
}

/// What is watched.
#[derive(Debug)]
pub struct Watch {
    /// The configuration file.
    pub file: PathBuf,
    /// The machine around it.
    pub environment: Environment,
    /// The Envoy that runs it.
    pub node: Node,
    /// The operator's routes, if the door is in a connection manager of the operator's. They are read again with the
    /// configuration.
    pub routes: Option<PathBuf>,
    /// The control whose leases that Envoy gets. It learns of new limits before Envoy does.
    pub control: Option<Client>,
}

/// How long a change waits for control. If control is away, it reads the configuration when it starts again.
const PATIENCE: Duration = Duration::from_secs(1);

impl Watch {
    /// Follows the file, from the configuration that was `loaded` and published with `publisher`. Ends when the receiver is dropped.
    ///
    /// It runs as a task of its own, so that a publication that has begun is finished. Call it within a runtime.
    pub fn start(self, loaded: &Loaded, publisher: Publisher) -> Result<mpsc::Receiver<Event>, notify::Error> {
        let mut following = Following {
            watch: self,
            publisher,
            changes: Changes::new()?,
            began_with: Some(Box::new(loaded.gateway.clone())),
            keys: written(&loaded.keys_file),
            read: read_by_envoy(&loaded.gateway),
            unnoticed: Vec::new(),
        };
        following.look_at(loaded)?;
        let (events, receiver) = mpsc::channel(16);
        tokio::spawn(following.run(events));
        Ok(receiver)
    }
}

struct Following {
    watch: Watch,
    publisher: Publisher,
    changes: Changes,
    /// The configuration at the start, until the file has been read again. If it is the same then, nothing is said.
    began_with: Option<Box<Gateway>>,
    /// The keys file, if it had any content when it was read last.
    keys: Option<PathBuf>,
    /// The files that Envoy has been told to read by itself.
    read: BTreeSet<Read>,
    /// Events to be told after what became of the configuration.
    unnoticed: Vec<Event>,
}

impl Following {
    async fn run(mut self, events: mpsc::Sender<Event>) {
        loop {
            let removal = self.publisher.next_removal();
            let event = tokio::select! {
                () = events.closed() => return,
                changed = self.changes.settled() => match changed {
                    Some(()) => self.reload().await,
                    None => return,
                },
                () = until(removal) => self.removed().await,
            };
            for event in event.into_iter().chain(std::mem::take(&mut self.unnoticed)) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn reload(&mut self) -> Option<Event> {
        self.changes.see();
        let loaded = match load(&self.watch.file, &self.watch.environment) {
            Ok(loaded) => loaded,
            Err(errors) => return Some(Event::Refused(errors)),
        };
        let keys = written(&loaded.keys_file);
        if keys.is_none() && self.keys.as_ref() == Some(&loaded.keys_file) {
            return Some(Event::Refused(vec![gone(&loaded.keys_file)]));
        }
        if let Err(error) = self.look_at(&loaded) {
            tracing::warn!(%error, "a file of the configuration cannot be watched");
        }
        if let Some(file) = &self.watch.routes {
            match own_routes(file) {
                Ok(own) => self.watch.node.door = Door::Chain(own),
                Err(error) => return Some(Event::Refused(vec![error])),
            }
        }
        let resources = match render(&loaded.gateway, &self.watch.node) {
            Ok(resources) => resources,
            Err(error) => return Some(Event::NotRendered(error)),
        };
        self.keys = keys;
        let began_with = self.began_with.take();
        self.look_for_unnoticed(&loaded.gateway);
        if let Some(control) = &self.watch.control {
            let _ = timeout(PATIENCE, control.reload()).await;
        }
        match self.publisher.publish(resources, Instant::now()).await {
            Ok(report) if report.written.is_empty() && began_with.is_some_and(|held| *held == loaded.gateway) => None,
            Ok(report) => Some(Event::Live { loaded: Box::new(loaded), report }),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }

    fn look_at(&mut self, loaded: &Loaded) -> Result<(), notify::Error> {
        let files: Vec<PathBuf> = loaded.files.iter().chain(&self.watch.routes).cloned().collect();
        self.changes.look_at(&files)
    }

    /// Finds new content that Envoy does not notice, in the files that it had read before.
    fn look_for_unnoticed(&mut self, gateway: &Gateway) {
        let before = std::mem::replace(&mut self.read, read_by_envoy(gateway));
        let found = unnoticed(before.intersection(&self.read), &self.changes.take_fresh());
        self.unnoticed.extend(found.into_iter().map(|(file, hint)| Event::Unnoticed { file, hint }));
    }

    async fn removed(&mut self) -> Option<Event> {
        match self.publisher.remove(Instant::now()).await {
            Ok(report) if report.written.is_empty() => None,
            Ok(report) => Some(Event::Removed(report)),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }
}

/// The file, if it has any content.
fn written(file: &Path) -> Option<PathBuf> {
    std::fs::metadata(file).is_ok_and(|found| found.len() > 0).then(|| file.to_owned())
}

/// What is said when a keys file is empty or gone. It is being written, or was lost: neither is meant to lock every caller out.
/// Revoking the last key leaves a comment in the file.
fn gone(file: &Path) -> Diagnostic {
    let problem = "the keys in this file are gone; they stay in force until they are there again";
    let hint = "`weir keys remove` takes one away; [] in the file means that there is none";
    Diagnostic::of_file(file, problem.to_owned(), Some(hint.to_owned()))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

//! A change on disk, live: read again, rendered, published; or refused, with every reason, while the old one keeps running.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use weir_core::config::Gateway;

use crate::publish::{PublishError, Publisher, Report};
use crate::render::{Paths, RenderError, render};
use crate::{Diagnostic, Environment, Loaded, load};

/// What happened to the configuration.
#[derive(Debug)]
pub enum Event {
    /// A change is live.
    Live {
        /// What holds now. What Envoy does not run (the sidecar's models) is for the receiver to take up.
        loaded: Box<Loaded>,
        /// What was written, and whether Envoy has said that it took it.
        report: Report,
    },
    /// What a change had left over is gone.
    Removed(Report),
    /// The file has errors; the old configuration keeps running.
    Refused(Vec<Diagnostic>),
    /// The file is right, but cannot be rendered on this machine; the old configuration keeps running.
    NotRendered(RenderError),
    /// The file is right, but was not taken; the old configuration keeps running.
    NotPublished(PublishError),
}

/// What is watched.
#[derive(Debug)]
pub struct Watch {
    /// The configuration file.
    pub file: PathBuf,
    /// The machine around it.
    pub environment: Environment,
    /// Where things are.
    pub paths: Paths,
}

/// An editor writes a file in several steps; so long must nothing happen before it is read.
const QUIET: Duration = Duration::from_millis(50);
/// But not for longer than this, however busy the folder is.
const PATIENCE: Duration = Duration::from_millis(300);

impl Watch {
    /// Follows the file, from what was `loaded` and published with `publisher`. Ends when the receiver is dropped.
    ///
    /// It runs as a task of its own, so that a publication once begun is finished; must be called within a runtime.
    pub fn start(self, loaded: &Loaded, publisher: Publisher) -> Result<mpsc::Receiver<Event>, notify::Error> {
        let (tell, changed) = mpsc::unbounded_channel();
        // What was saved after it was loaded, and before this, nobody has told: so it is read once more.
        let _ = tell.send(Vec::new());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error means that events were lost, so that anything may have changed.
            let paths = match event {
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => event.paths,
                Err(_) => Vec::new(),
            };
            // The other end is gone when nobody watches any more.
            let _ = tell.send(paths);
        })?;
        let mut following = Following {
            watch: self,
            publisher,
            watcher,
            changed,
            files: BTreeSet::new(),
            folders: BTreeSet::new(),
            began_with: Some(Box::new(loaded.gateway.clone())),
            keys: written(&loaded.keys_file),
        };
        following.look_at(&loaded.files)?;
        let (events, receiver) = mpsc::channel(16);
        tokio::spawn(following.run(events));
        Ok(receiver)
    }
}

struct Following {
    watch: Watch,
    publisher: Publisher,
    watcher: RecommendedWatcher,
    changed: mpsc::UnboundedReceiver<Vec<PathBuf>>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// What held when this began, until it has been read again: then nothing need be said if it still does.
    began_with: Option<Box<Gateway>>,
    /// The keys file, if something stood in it when it was read last.
    keys: Option<PathBuf>,
}

impl Following {
    async fn run(mut self, events: mpsc::Sender<Event>) {
        loop {
            let removal = self.publisher.next_removal();
            let event = tokio::select! {
                () = events.closed() => return,
                changed = self.settled() => match changed {
                    Some(()) => self.reload().await,
                    None => return,
                },
                () = until(removal) => self.removed().await,
            };
            if let Some(event) = event
                && events.send(event).await.is_err()
            {
                return;
            }
        }
    }

    /// Waits for a change of a watched file, and until its folder is quiet again.
    async fn settled(&mut self) -> Option<()> {
        loop {
            let paths = self.changed.recv().await?;
            if self.concern(&paths) {
                break;
            }
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let quiet = deadline.min(tokio::time::Instant::now() + QUIET);
            match tokio::time::timeout_at(quiet, self.changed.recv()).await {
                Ok(Some(_)) if tokio::time::Instant::now() < deadline => {}
                Ok(None) => return None,
                _ => return Some(()),
            }
        }
    }

    /// Whether any of `paths` is a watched file, or the link by which Kubernetes swaps all files of a volume.
    fn concern(&self, paths: &[PathBuf]) -> bool {
        let link = |path: &Path| path.file_name().is_some_and(|name| name == "..data");
        paths.is_empty() || paths.iter().any(|path| self.files.contains(path) || link(path))
    }

    async fn reload(&mut self) -> Option<Event> {
        let loaded = match load(&self.watch.file, &self.watch.environment) {
            Ok(loaded) => loaded,
            Err(errors) => return Some(Event::Refused(errors)),
        };
        let keys = written(&loaded.keys_file);
        if keys.is_none() && self.keys.as_ref() == Some(&loaded.keys_file) {
            return Some(Event::Refused(vec![gone(&loaded.keys_file)]));
        }
        if let Err(error) = self.look_at(&loaded.files) {
            tracing::warn!(%error, "a file of the configuration cannot be watched");
        }
        let resources = match render(&loaded.gateway, &self.watch.paths) {
            Ok(resources) => resources,
            Err(error) => return Some(Event::NotRendered(error)),
        };
        self.keys = keys;
        let began_with = self.began_with.take();
        match self.publisher.publish(resources, Instant::now()).await {
            Ok(report) if report.written.is_empty() && began_with.is_some_and(|held| *held == loaded.gateway) => None,
            Ok(report) => Some(Event::Live { loaded: Box::new(loaded), report }),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }

    async fn removed(&mut self) -> Option<Event> {
        match self.publisher.remove(Instant::now()).await {
            Ok(report) if report.written.is_empty() => None,
            Ok(report) => Some(Event::Removed(report)),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }

    /// Watches these files from now on: their folders, because what replaces a file has another inode.
    fn look_at(&mut self, files: &[PathBuf]) -> Result<(), notify::Error> {
        self.files = files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect();
        // A link and what it leads to: either may be replaced.
        let targets: Vec<PathBuf> = self.files.iter().filter_map(|file| std::fs::canonicalize(file).ok()).collect();
        self.files.extend(targets);
        let mut outcome = Ok(());
        for folder in self.files.iter().filter_map(|file| file.parent()) {
            if self.folders.contains(folder) {
                continue;
            }
            // The keys file's folder is there once there is a key; without it there is nothing to watch.
            let _ = std::fs::create_dir_all(folder);
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder.to_owned())),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}

/// The file, if anything stands in it.
fn written(file: &Path) -> Option<PathBuf> {
    std::fs::metadata(file).is_ok_and(|found| found.len() > 0).then(|| file.to_owned())
}

/// What is said of a keys file that was there: it is being written, or was lost, and neither is meant to lock every caller out.
/// Revoking the last key leaves a comment.
fn gone(file: &Path) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        line: 0,
        path: String::new(),
        problem: "the keys that stood here are gone with the file, and stay in force until it is there again"
            .to_owned(),
        hint: Some("`weir keys revoke` takes one away; [] in the file means that there is none".to_owned()),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

//! A change on disk, live: read again, rendered, published; or refused, with every reason, while the old one keeps running.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use weir_core::config::Gateway;
use weir_core::upstream::Credential;

use crate::load::own_routes;
use crate::publisher::Publisher;
use crate::render::{Door, Node, RenderError, render};
use crate::rollout::{NotTaken, Report};
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
    /// A file that Envoy reads by itself has changed in a way that it does not notice; what it read before is in force.
    Unnoticed {
        /// The file.
        file: PathBuf,
        /// What to do now.
        hint: &'static str,
    },
    /// What a change had left over is gone.
    Removed(Report),
    /// The file has errors; the old configuration keeps running.
    Refused(Vec<Diagnostic>),
    /// The file is right, but cannot be rendered on this machine; the old configuration keeps running.
    NotRendered(RenderError),
    /// The file is right, but was not taken; the old configuration keeps running.
    NotPublished(NotTaken),
}

/// What is watched.
#[derive(Debug)]
pub struct Watch {
    /// The configuration file.
    pub file: PathBuf,
    /// The machine around it.
    pub environment: Environment,
    /// Where things are.
    pub node: Node,
    /// The operator's routes, where the door is in a connection manager of the operator's: read again with the configuration.
    pub routes: Option<PathBuf>,
}

/// An editor writes a file in several steps; so long must nothing happen before it is read.
const QUIET: Duration = Duration::from_millis(50);
/// But not for longer than this, however busy the folder is.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the files are looked at. The system tells of what happens in their folders, but not that a folder has another in its
/// place, by a link or a rename, nor of anything on some network file systems.
const LOOK: Duration = Duration::from_secs(1);

impl Watch {
    /// Follows the file, from what was `loaded` and published with `publisher`. Ends when the receiver is dropped.
    ///
    /// It runs as a task of its own, so that a publication once begun is finished; must be called within a runtime.
    pub fn start(self, loaded: &Loaded, publisher: Publisher) -> Result<mpsc::Receiver<Event>, notify::Error> {
        let (tell, changed) = mpsc::unbounded_channel();
        // What was saved after it was loaded, and before this, nobody has told: so it is read once more.
        let _ = tell.send(Change::default());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error means that events were lost, so that anything may have changed.
            let change = match event {
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => Change { how: How::of(event.kind), paths: event.paths },
                Err(_) => Change::default(),
            };
            // The other end is gone when nobody watches any more.
            let _ = tell.send(change);
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
            seen: BTreeMap::new(),
            fresh: BTreeMap::new(),
            read: read_by_envoy(&loaded.gateway),
            unnoticed: Vec::new(),
        };
        let files: Vec<PathBuf> = loaded.files.iter().chain(&following.watch.routes).cloned().collect();
        following.look_at(&files)?;
        let (events, receiver) = mpsc::channel(16);
        tokio::spawn(following.run(events));
        Ok(receiver)
    }
}

/// What the system tells of a change. Without a path: anything may have changed.
#[derive(Default)]
struct Change {
    how: Option<How>,
    paths: Vec<PathBuf>,
}

/// How a file got its content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// It was written where it stands.
    Written,
    /// It was moved there.
    Moved,
}

impl How {
    fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => Some(Self::Written),
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Some(Self::Moved),
            _ => None,
        }
    }
}

struct Following {
    watch: Watch,
    publisher: Publisher,
    watcher: RecommendedWatcher,
    changed: mpsc::UnboundedReceiver<Change>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// What held when this began, until it has been read again: then nothing need be said if it still does.
    began_with: Option<Box<Gateway>>,
    /// The keys file, if something stood in it when it was read last.
    keys: Option<PathBuf>,
    /// The watched files as they were when they were read last.
    seen: BTreeMap<PathBuf, Stamp>,
    /// The watched files that have new content since the last reading without errors.
    fresh: BTreeMap<PathBuf, How>,
    /// What Envoy has been told to read by itself.
    read: BTreeSet<Read>,
    /// What is to be told of after what became of the configuration.
    unnoticed: Vec<Event>,
}

/// A file that Envoy reads by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    /// Once more when something is moved into its folder.
    Credential(PathBuf),
    /// Never again.
    Ca(PathBuf),
}

fn read_by_envoy(gateway: &Gateway) -> BTreeSet<Read> {
    let files = gateway.providers().flat_map(|provider| {
        let credential = match &provider.credential {
            Some(Credential::File(file)) => Some(Read::Credential(file.into())),
            _ => None,
        };
        credential.into_iter().chain(provider.ca.as_ref().map(|file| Read::Ca(file.into())))
    });
    files.collect()
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
            for event in event.into_iter().chain(std::mem::take(&mut self.unnoticed)) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Waits for a change of a watched file, and until its folder is quiet again.
    async fn settled(&mut self) -> Option<()> {
        let mut look = tokio::time::Instant::now() + LOOK;
        loop {
            match tokio::time::timeout_at(look, self.changed.recv()).await {
                Ok(change) => {
                    let change = change?;
                    if self.concern(&change.paths) {
                        self.note(change);
                        break;
                    }
                }
                Err(_) if self.stamps() == self.seen => look += LOOK,
                Err(_) => {
                    // Nobody told: then what is watched is no longer where the files are.
                    for folder in std::mem::take(&mut self.folders) {
                        // It may be gone.
                        let _ = self.watcher.unwatch(&folder);
                    }
                    break;
                }
            }
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let quiet = deadline.min(tokio::time::Instant::now() + QUIET);
            match tokio::time::timeout_at(quiet, self.changed.recv()).await {
                Ok(Some(change)) => {
                    self.note(change);
                    if tokio::time::Instant::now() >= deadline {
                        return Some(());
                    }
                }
                Ok(None) => return None,
                Err(_) => return Some(()),
            }
        }
    }

    fn note(&mut self, change: Change) {
        let Some(how) = change.how else { return };
        self.fresh.extend(change.paths.into_iter().filter(|path| self.files.contains(path)).map(|path| (path, how)));
    }

    /// Whether any of `paths` is a watched file, or the link by which Kubernetes swaps all files of a volume.
    fn concern(&self, paths: &[PathBuf]) -> bool {
        let link = |path: &Path| path.file_name().is_some_and(|name| name == "..data");
        paths.is_empty() || paths.iter().any(|path| self.files.contains(path) || link(path))
    }

    async fn reload(&mut self) -> Option<Event> {
        self.seen = self.stamps();
        let loaded = match load(&self.watch.file, &self.watch.environment) {
            Ok(loaded) => loaded,
            Err(errors) => return Some(Event::Refused(errors)),
        };
        let keys = written(&loaded.keys_file);
        if keys.is_none() && self.keys.as_ref() == Some(&loaded.keys_file) {
            return Some(Event::Refused(vec![gone(&loaded.keys_file)]));
        }
        let files: Vec<PathBuf> = loaded.files.iter().chain(&self.watch.routes).cloned().collect();
        if let Err(error) = self.look_at(&files) {
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
        match self.publisher.publish(resources, Instant::now()).await {
            Ok(report) if report.written.is_empty() && began_with.is_some_and(|held| *held == loaded.gateway) => None,
            Ok(report) => Some(Event::Live { loaded: Box::new(loaded), report }),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }

    /// Finds what has new content that Envoy, which had read the file before, goes on without.
    fn look_for_unnoticed(&mut self, gateway: &Gateway) {
        let now = read_by_envoy(gateway);
        let before = std::mem::replace(&mut self.read, now);
        let fresh = std::mem::take(&mut self.fresh);
        let unnoticed = before.intersection(&self.read).filter_map(|read| {
            let (file, hint) = match read {
                Read::Credential(file) => (file, "write the new credential beside it, and mv it there"),
                Read::Ca(file) => (file, "name another file as `ca`, or restart weir"),
            };
            let how = fresh.get(file).or_else(|| fresh.get(&std::fs::canonicalize(file).ok()?))?;
            let noticed = *how == How::Moved && matches!(read, Read::Credential(_));
            (!noticed).then(|| Event::Unnoticed { file: file.clone(), hint })
        });
        self.unnoticed.extend(unnoticed);
    }

    async fn removed(&mut self) -> Option<Event> {
        match self.publisher.remove(Instant::now()).await {
            Ok(report) if report.written.is_empty() => None,
            Ok(report) => Some(Event::Removed(report)),
            Err(error) => Some(Event::NotPublished(error)),
        }
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        self.files.iter().map(|file| (file.clone(), stamp(file))).collect()
    }

    /// Watches these files from now on: their folders, because what replaces a file has another inode.
    fn look_at(&mut self, files: &[PathBuf]) -> Result<(), notify::Error> {
        self.files = files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect();
        // A link and what it leads to: either may be replaced.
        let targets: Vec<PathBuf> = self.files.iter().filter_map(|file| std::fs::canonicalize(file).ok()).collect();
        self.files.extend(targets);
        let seen = self.files.iter().map(|file| (file, self.seen.get(file).copied().unwrap_or_else(|| stamp(file))));
        self.seen = seen.map(|(file, stamp)| (file.clone(), stamp)).collect();
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

/// What tells one state of a file from another; `None` where there is none.
type Stamp = Option<(u64, u64, SystemTime, u64)>;

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.modified().ok()?, found.len()))
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

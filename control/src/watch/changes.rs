//! Which of the watched files have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How long nothing must happen before the files are read: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// The longest that this may take, however busy the folder is.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the files are looked at. The system tells what happens in their folders. It does not tell that another folder has
/// taken a folder's place, by a link or a rename, nor anything on some network file systems.
const LOOK: Duration = Duration::from_secs(1);

/// Tells when a watched file has changed.
pub(super) struct Changes {
    watcher: RecommendedWatcher,
    told: mpsc::UnboundedReceiver<Change>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// The watched files as they were when they were read last.
    seen: BTreeMap<PathBuf, Stamp>,
    /// The watched files that have new content, until they are taken.
    fresh: BTreeMap<PathBuf, How>,
}

/// What the system tells about a change. Without a path, anything may have changed.
#[derive(Default)]
struct Change {
    how: Option<How>,
    paths: Vec<PathBuf>,
}

/// How a file got its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It was written where it is.
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

impl Changes {
    /// Watches nothing yet. The first change is there already: nobody has told what was saved before this.
    pub(super) fn new() -> Result<Self, notify::Error> {
        let (tell, told) = mpsc::unbounded_channel();
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
        let (files, folders) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { watcher, told, files, folders, seen: BTreeMap::new(), fresh: BTreeMap::new() })
    }

    /// Watches these files from now on. It watches their folders, because a file that replaces another one has another inode.
    pub(super) fn look_at(&mut self, files: &[PathBuf]) -> Result<(), notify::Error> {
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
            // The folder of the keys file exists once there is a key. Without the folder there is nothing to watch.
            let _ = std::fs::create_dir_all(folder);
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder.to_owned())),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Waits for a change of a watched file, and until its folder is quiet again. `None` if nobody can tell any more.
    pub(super) async fn settled(&mut self) -> Option<()> {
        let mut look = Instant::now() + LOOK;
        loop {
            match timeout_at(look, self.told.recv()).await {
                Ok(change) => {
                    let change = change?;
                    if self.concern(&change.paths) {
                        self.note(change);
                        break;
                    }
                }
                Err(_) if self.stamps() == self.seen => look += LOOK,
                Err(_) => {
                    // Nobody told: then the files are no longer in the folders that are watched.
                    for folder in std::mem::take(&mut self.folders) {
                        // It may be gone.
                        let _ = self.watcher.unwatch(&folder);
                    }
                    break;
                }
            }
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let quiet = deadline.min(Instant::now() + QUIET);
            match timeout_at(quiet, self.told.recv()).await {
                Ok(Some(change)) => {
                    self.note(change);
                    if Instant::now() >= deadline {
                        return Some(());
                    }
                }
                Ok(None) => return None,
                Err(_) => return Some(()),
            }
        }
    }

    /// Remembers the files as they are now: they are about to be read.
    pub(super) fn see(&mut self) {
        self.seen = self.stamps();
    }

    /// The watched files that have had new content since this was asked last.
    pub(super) fn take_fresh(&mut self) -> BTreeMap<PathBuf, How> {
        std::mem::take(&mut self.fresh)
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

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        self.files.iter().map(|file| (file.clone(), stamp(file))).collect()
    }
}

/// What tells one state of a file from another. `None` if there is no file.
type Stamp = Option<(u64, u64, SystemTime, u64)>;

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.modified().ok()?, found.len()))
}

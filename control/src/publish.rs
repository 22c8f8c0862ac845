//! Resources into the folder that Envoy watches, in an order that drops no request.
//!
//! A plan that names a cluster Envoy does not have fails without a retry. So what is new comes first (clusters, then
//! routes, then the edge that makes plans with them), and what is old goes last: after the plans of before the change
//! can have ended. Between the two, Envoy holds both.

mod admin;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::AdminAddress;
use crate::render::{File, Resources};
use admin::{Admin, State};

/// Keeps one folder as the running configuration says.
#[derive(Debug)]
pub struct Publisher {
    folder: PathBuf,
    admin: Option<Admin>,
    first: First,
    grace: Option<Duration>,
    patience: Option<Duration>,
    current: Option<Resources>,
    /// What was current before, each until its plans have ended.
    older: Vec<(Instant, Resources)>,
}

/// Who reads what is published first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum First {
    /// An Envoy that is not running yet.
    #[default]
    BeforeEnvoy,
    /// Maybe one that runs already, on what an earlier process wrote.
    BesideEnvoy,
}

/// What became of a publication that was not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The files that changed.
    pub written: Vec<File>,
    /// Whether Envoy said that it has taken all of them.
    pub confirmed: bool,
    /// What Envoy must be restarted for, because it reads it only at its start.
    pub restart: bool,
}

/// Why a publication did not happen; what ran before is still running.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder cannot be written.
    #[error("{path} cannot be written: {source}")]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Envoy refused a file.
    #[error("Envoy refused {}: {}", .file.name(), if .reasons.is_empty() { "see its log".to_owned() } else { .reasons.join("; ") })]
    Refused {
        /// Which.
        file: File,
        /// Envoy's words, where it tells them.
        reasons: Vec<String>,
    },
}

/// How long Envoy may take to say that it has taken a file before we go on without its word.
const PATIENCE: Duration = Duration::from_millis(700);
/// The same for clusters. To requests one does not exist until its host's name is resolved, so that going on without it fails
/// those that are sent there. A resolver asks again after five seconds.
const PATIENCE_WITH_CLUSTERS: Duration = Duration::from_secs(8);
/// How long it is given where nobody can ask it.
const UNASKED: Duration = Duration::from_secs(1);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(10);

impl Publisher {
    /// Publishes into `folder`, from where the Envoy whose admin interface is at `admin` reads; without one, nobody is asked
    /// whether it has taken a change.
    pub fn new(folder: impl Into<PathBuf>, admin: Option<AdminAddress>) -> Self {
        let (folder, admin) = (folder.into(), admin.map(Admin::new));
        Self { folder, admin, first: First::default(), grace: None, patience: None, current: None, older: Vec::new() }
    }

    /// Publishes for an Envoy that is somebody else's, and may run already: the first time, too, one file after the other. Where
    /// there is nobody to ask, it waits a second after each that has taken another's place.
    #[must_use]
    pub fn beside_envoy(self) -> Self {
        Self { first: First::BesideEnvoy, ..self }
    }

    /// Keeps what was removed for `grace`; without this, for as long as a plan of its time can last.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Waits for `patience` until Envoy says that it has taken a file, before it goes on without its word; unless told,
    /// 700 ms, and 8 s for clusters, whose names may take long to resolve.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    fn patience(&self, file: File) -> Duration {
        let usual = if file == File::Clusters { PATIENCE_WITH_CLUSTERS } else { PATIENCE };
        self.patience.unwrap_or(usual)
    }

    /// Makes `next` the running configuration.
    ///
    /// The first time, everything is written at once: Envoy is not running yet, or runs on what an earlier process
    /// wrote here, about which nothing is known.
    pub async fn publish(&mut self, next: Resources, now: Instant) -> Result<Report, PublishError> {
        let Some(current) = self.current.clone() else {
            let report = match self.first {
                First::BeforeEnvoy => Report { written: self.write_all(&next)?, ..Report::default() },
                First::BesideEnvoy => self.bring(&next, &File::ALL).await?,
            };
            self.sweep(&next)?;
            self.current = Some(next);
            return Ok(report);
        };
        self.older.retain(|(until, _)| *until > now);
        let both = self.older.iter().rev().fold(next.with(&current), |both, (_, older)| both.with(older));
        let order = [File::Secrets, File::Clusters, File::Routes, File::Edge, File::Listeners];
        let mut report = match self.bring(&both, &order).await {
            Ok(report) => report,
            Err(error) => {
                // What is on disk must be what runs: Envoy reads it at its next start.
                let before = self.older.iter().rev().fold(current, |both, (_, older)| both.with(older));
                self.write_all(&before)?;
                return Err(error);
            }
        };
        report.restart = next.need_restart(&current);
        if self.write(File::Bootstrap, &next)? {
            report.written.push(File::Bootstrap);
        }
        if both != next {
            self.older.push((now + self.grace.unwrap_or_else(|| current.longest()), current));
        }
        self.current = Some(next);
        Ok(report)
    }

    /// When the next removal is due, if one is.
    pub fn next_removal(&self) -> Option<Instant> {
        self.older.iter().map(|(until, _)| *until).min()
    }

    /// Removes what is no longer needed by then, in reverse order: routes, clusters, secrets.
    pub async fn remove(&mut self, now: Instant) -> Result<Report, PublishError> {
        self.older.retain(|(until, _)| *until > now);
        let Some(current) = self.current.clone() else { return Ok(Report::default()) };
        let rest = self.older.iter().rev().fold(current, |both, (_, older)| both.with(older));
        let report = self.bring(&rest, &[File::Routes, File::Clusters]).await?;
        self.sweep(&rest)?;
        Ok(report)
    }

    /// Writes what differs, file by file, each after Envoy has taken the one before.
    async fn bring(&self, to: &Resources, order: &[File]) -> Result<Report, PublishError> {
        let before = match &self.admin {
            Some(admin) => admin.state(to.routes_name()).await,
            None => None,
        };
        let mut report = Report { confirmed: before.is_some(), ..Report::default() };
        for file in order {
            let replaces = self.folder.join(file.name()).is_file();
            if !self.write(*file, to)? {
                continue;
            }
            if replaces && self.admin.is_none() && self.first == First::BesideEnvoy {
                tokio::time::sleep(UNASKED).await;
            }
            report.written.push(*file);
            if let (Some(admin), Some(before)) = (&self.admin, &before) {
                report.confirmed &= taken(admin, before, *file, to, self.patience(*file)).await?;
            }
        }
        Ok(report)
    }

    /// Writes the edge of `last`, which says that it drains, and nothing else: whatever runs goes on. The last publication.
    pub fn drain(folder: &Path, last: &Resources) -> Result<(), PublishError> {
        let files = last.files_of(File::Edge);
        files.iter().try_for_each(|(name, text)| write(folder, name, text).map(drop))
    }

    fn write_all(&self, resources: &Resources) -> Result<Vec<File>, PublishError> {
        let mut written = Vec::new();
        for file in File::ALL {
            if self.write(file, resources)? {
                written.push(file);
            }
        }
        Ok(written)
    }

    /// Writes the files of one kind; `false` if all are the same.
    fn write(&self, file: File, resources: &Resources) -> Result<bool, PublishError> {
        let mut changed = false;
        for (name, text) in resources.files_of(file) {
            changed |= write(&self.folder, &name, &text)?;
        }
        Ok(changed)
    }

    /// Removes the secrets that nobody refers to any more.
    fn sweep(&self, resources: &Resources) -> Result<(), PublishError> {
        let kept = resources.files_of(File::Secrets);
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with(File::Secrets.name())) else { continue };
            if !kept.iter().any(|(kept, _)| kept == name) {
                let path = entry.path();
                std::fs::remove_file(&path).map_err(|source| PublishError::Folder { path, source })?;
            }
        }
        Ok(())
    }
}

/// Writes one file beside its place and renames it, which is what Envoy watches for; `false` if it is the same.
fn write(folder: &Path, name: &str, text: &str) -> Result<bool, PublishError> {
    let path = folder.join(name);
    if std::fs::read(&path).is_ok_and(|held| held == text.as_bytes()) {
        return Ok(false);
    }
    let beside = folder.join(format!(".{name}.new"));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, text))
        .and_then(|()| std::fs::rename(&beside, &path))
        .map(|()| true)
        .map_err(|source| PublishError::Folder { path, source })
}

/// Waits until Envoy has taken `file`, and until the clusters in it are ready; `false` if it does not say so in time.
async fn taken(
    admin: &Admin,
    before: &State,
    file: File,
    resources: &Resources,
    patience: Duration,
) -> Result<bool, PublishError> {
    let Some(version) = resources.version(file) else { return Ok(true) };
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let state = admin.state(resources.routes_name()).await.unwrap_or_default();
        if state.refused.get(&file) > before.refused.get(&file) {
            return Err(PublishError::Refused { file, reasons: admin.reasons().await });
        }
        if state.versions.get(&file) == Some(&version) {
            let ready = file != File::Clusters || {
                let ready = admin.clusters().await.unwrap_or_default();
                resources.clusters().all(|name| ready.contains(name))
            };
            if ready {
                return Ok(true);
            }
        }
        if tokio::time::Instant::now() >= deadline {
            tracing::warn!(file = file.name(), "Envoy has not said in time that it took the change; going on");
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a slow resolver took 2 s for were not there yet when the edge began to send requests to them.
    #[test]
    fn clusters_are_given_the_time_that_a_slow_resolver_takes() {
        let publisher = Publisher::new("/nowhere", None);
        assert!(publisher.patience(File::Clusters) > Duration::from_secs(5));
        for file in [File::Routes, File::Edge, File::Listeners] {
            assert!(publisher.patience(file) < Duration::from_secs(1), "a change is live in under a second");
        }
        let told = publisher.with_patience(Duration::from_secs(20));
        assert_eq!([File::Clusters, File::Edge].map(|file| told.patience(file).as_secs()), [20, 20]);
    }
}

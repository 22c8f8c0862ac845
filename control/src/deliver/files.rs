//! Resources as files in a folder that Envoy watches.
//!
//! Each file is written beside its place and then moved there, which is what Envoy watches for. Whether Envoy has taken it, its
//! admin interface says.

mod state;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Deliver;
use crate::AdminAddress;
use crate::admin::Admin;
use crate::render::{Kind, Resources};
use crate::rollout::{NotTaken, Taken};
use state::{State, Unanswered};

/// How long an Envoy is given to take a file, if nobody can ask it.
const UNASKED: Duration = Duration::from_secs(1);
/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long one question may take.
const LIMIT: Duration = Duration::from_millis(500);

/// One Envoy's folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    admin: Option<Admin>,
    /// How long to wait after a file has taken another's place, if nobody can be asked.
    unasked: Duration,
}

impl Files {
    /// Writes into `folder`, from where the Envoy with this admin interface reads. Without an admin interface nobody is asked
    /// whether a change was taken.
    pub fn new(folder: impl Into<PathBuf>, admin: Option<AdminAddress>) -> Self {
        let admin = admin.map(|address| Admin::at(address).within(LIMIT));
        Self { folder: folder.into(), admin, unasked: Duration::ZERO }
    }

    /// Writes for an Envoy that somebody else runs, and that may run now. Without an admin interface it waits for a second after
    /// each file that has taken another's place.
    #[must_use]
    pub fn beside_envoy(self) -> Self {
        Self { unasked: UNASKED, ..self }
    }

    /// Writes the edge of `last`, which answers that it drains, and nothing else: all that runs continues. This is the last
    /// change.
    pub fn drain(folder: &Path, last: &Resources) -> Result<(), NotTaken> {
        last.files_of(Kind::Edge).iter().try_for_each(|(name, text)| write(folder, name, text))
    }

    /// Waits until Envoy has taken the resources of `kind`, and until the clusters among them can be used. `before` is what it had
    /// taken and refused before; if it was too busy to say so, its first answer now counts as that.
    async fn confirmed(
        &self,
        admin: &Admin,
        mut before: Option<State>,
        kind: Kind,
        set: &Resources,
        wait: Duration,
    ) -> Result<Taken, NotTaken> {
        let Some(version) = set.version(kind) else { return Ok(Taken::Confirmed) };
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let state = State::of(admin, set.routes_name()).await.ok();
            if let (Some(state), Some(before)) = (&state, &before)
                && state.refused.get(&kind) > before.refused.get(&kind)
            {
                return Err(NotTaken::Refused { kind, reasons: state::reasons(admin).await });
            }
            before = before.or_else(|| state.clone());
            if state.is_some_and(|state| state.versions.get(&kind) == Some(&version)) {
                let usable = kind != Kind::Clusters || {
                    let usable = state::clusters(admin).await.unwrap_or_default();
                    set.clusters().all(|name| usable.contains(name))
                };
                if usable {
                    return Ok(Taken::Confirmed);
                }
            }
            if tokio::time::Instant::now() >= deadline {
                tracing::warn!(file = kind.file(), "Envoy has not confirmed the change in time; going on");
                return Ok(Taken::Unconfirmed);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

impl Deliver for Files {
    async fn put(&mut self, kind: Kind, set: &Resources, wait: Option<Duration>) -> Result<Taken, NotTaken> {
        let files = set.files_of(kind);
        let stale: Vec<_> = files.iter().filter(|(name, text)| !holds(&self.folder.join(name), text)).collect();
        if stale.is_empty() {
            return Ok(Taken::Same);
        }
        let before = match (&self.admin, wait) {
            (Some(admin), Some(_)) => State::of(admin, set.routes_name()).await,
            _ => Err(Unanswered::Down),
        };
        let replaces = self.folder.join(kind.file()).is_file();
        for (name, text) in stale {
            write(&self.folder, name, text)?;
        }
        match (&self.admin, wait) {
            (Some(admin), Some(wait)) => match before {
                Ok(before) => self.confirmed(admin, Some(before), kind, set, wait).await,
                Err(Unanswered::Busy) => self.confirmed(admin, None, kind, set, wait).await,
                // It will read the files when it starts.
                Err(Unanswered::Down) => Ok(Taken::Unconfirmed),
            },
            (None, Some(_)) if replaces && set.version(kind).is_some() => {
                tokio::time::sleep(self.unasked).await;
                Ok(Taken::Unconfirmed)
            }
            _ => Ok(Taken::Unconfirmed),
        }
    }

    async fn sweep(&mut self, set: &Resources) -> Result<Taken, NotTaken> {
        let kept = set.files_of(Kind::Secrets);
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Ok(Taken::Same) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with(Kind::Secrets.file())) else { continue };
            if !kept.iter().any(|(kept, _)| kept == name) {
                let path = entry.path();
                std::fs::remove_file(&path).map_err(|error| unwritable(path, &error))?;
            }
        }
        Ok(Taken::Same)
    }
}

fn holds(path: &Path, text: &str) -> bool {
    std::fs::read(path).is_ok_and(|held| held == text.as_bytes())
}

/// Writes one file beside its place and moves it there.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), NotTaken> {
    let path = folder.join(name);
    let beside = folder.join(format!(".{name}.new"));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, text))
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: PathBuf, error: &std::io::Error) -> NotTaken {
    NotTaken::Unwritable { path, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::publisher::tests::resources;

    /// An Envoy that leaves the first questions open, and then says that it has taken the edge of this version. With the questions.
    async fn busy_at_first(open: usize, version: String) -> (AdminAddress, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut left_open = Vec::new();
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                if count.fetch_add(1, Ordering::SeqCst) < open {
                    left_open.push(tcp);
                    continue;
                }
                let _ = tcp.read(&mut [0; 1024]).await.unwrap();
                let name = "extension_config_discovery.http_filter.weir-edge.version_text";
                let body = format!("{{\"stats\":[{{\"name\":\"{name}\",\"value\":\"{version}\"}}]}}");
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                tcp.write_all([head, body].concat().as_bytes()).await.unwrap();
            }
        });
        (AdminAddress::Tcp(address), asked)
    }

    /// It was taken for one that does not run, and what comes next was published before it had this.
    #[tokio::test]
    async fn an_envoy_that_is_busy_when_it_is_asked_is_waited_for() {
        let (folder, set) = (tempfile::tempdir().unwrap(), resources("a"));
        let (admin, asked) = busy_at_first(2, set.version(Kind::Edge).unwrap()).await;
        let mut files = Files::new(folder.path(), Some(admin));
        let taken = files.put(Kind::Edge, &set, Some(Duration::from_secs(60))).await;
        assert!(matches!(taken, Ok(Taken::Confirmed)), "{taken:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn an_envoy_that_does_not_run_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let nobody = AdminAddress::Socket(folder.path().join("admin.sock"));
        let mut files = Files::new(folder.path(), Some(nobody));
        let taken = files.put(Kind::Edge, &resources("a"), Some(Duration::from_secs(3600))).await;
        assert!(matches!(taken, Ok(Taken::Unconfirmed)), "{taken:?}");
    }
}

//! The file that says that a node is ready: the banner for programs.

use std::fs;
use std::path::PathBuf;

use crate::file;
use crate::plan::Plan;
use crate::problem::Outcome;
use crate::supervisor::Supervisor;

/// A file that is there while the node is ready.
pub(super) struct ReadyFile(PathBuf);

impl ReadyFile {
    /// The ready file at `path`. Nothing is written yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writes it: JSON with the addresses, the folders and the process ids.
    pub(super) fn write(&self, plan: &Plan, supervisor: &Supervisor) -> Outcome {
        let children: serde_json::Map<_, _> =
            supervisor.ids().map(|(program, id)| (program.name().to_owned(), id.into())).collect();
        let ready = serde_json::json!({
            "address": plan.listen.to_string(),
            "admin": plan.admin.to_string(),
            "pid": std::process::id(),
            "children": children,
            "node": plan.name,
            "control": plan.client().address.to_string(),
            "run": plan.folders.run,
            "logs": plan.folders.logs,
            "sidecar_admin": plan.sidecar.map(|address| address.to_string()),
        });
        file::replace(&self.0, format!("{ready}\n").as_bytes())
    }

    /// Removes it, if it is there.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

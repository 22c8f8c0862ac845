//! What a rollout is told, and what it asks for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::render::{Kind, Resources};

/// What a [`Rollout`](super::Rollout) is told.
#[derive(Debug)]
pub enum Input {
    /// Envoy is to run this from now on.
    Change(Arc<Resources>),
    /// The answer to the step that was asked for last.
    Answer(Result<Taken, NotTaken>),
    /// Time has passed.
    Tick,
}

/// What a rollout asks for. At most one step waits for an answer at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Deliver the resources of one kind, and answer.
    Put {
        /// Which of the resources.
        kind: Kind,
        /// All of them: resources of one kind refer to those of another.
        set: Arc<Resources>,
        /// How long Envoy may take to confirm. `None`: nobody reads the resources yet, or nobody is waited for.
        wait: Option<Duration>,
    },
    /// Remove the secrets that these resources do not have, and answer.
    Sweep(Arc<Resources>),
    /// Tell the operator. This needs no answer.
    Tell(Outcome),
}

/// Envoy has the resources of one kind, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Envoy had them before: there was nothing to deliver.
    Same,
    /// They were delivered. Envoy has not confirmed it in time, or nobody could ask it.
    Unconfirmed,
    /// They were delivered, and Envoy has confirmed it.
    Confirmed,
}

/// Why Envoy does not have the resources of one kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The folder cannot be written.
    #[error("{} cannot be written: {problem}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// Envoy refused them.
    #[error("Envoy refused {}: {}", .kind.file(), if .reasons.is_empty() { "see its log".to_owned() } else { .reasons.join("; ") })]
    Refused {
        /// Which resources.
        kind: Kind,
        /// What Envoy says about it.
        reasons: Vec<String>,
    },
}

/// What became of a change, or of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The change is live.
    Live(Report),
    /// What an earlier change no longer needed is removed.
    Removed(Report),
    /// The change was not taken, and what ran before still runs. Or a removal failed: then the next change brings it.
    NotTaken(NotTaken),
}

/// What was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The kinds that changed, in the order in which they were delivered.
    pub written: Vec<Kind>,
    /// Whether Envoy has confirmed each of them.
    pub confirmed: bool,
    /// Whether Envoy must be restarted, because part of the change is read only at its start.
    pub restart: bool,
}

//! Tells a running sidecar which of its models are new, changed or gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Code;
use weir_proto::sidecar::v1::LoadRequest;
use weir_sidecar::Settings;

use crate::backoff::Backoff;
use crate::models::{self, Refused};
use crate::say;

/// What a sidecar is being told. Dropping this ends it.
///
/// Each model has a task of its own, so that none waits for another. The task makes one call at a time, so that the sidecar
/// learns of the changes of a model in their order; of changes that wait only the last one is told.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    wishes: BTreeMap<String, watch::Sender<Wish>>,
    tasks: JoinSet<()>,
}

/// What is to become of a model.
#[derive(Clone, Debug)]
enum Wish {
    Load(LoadRequest),
    Unload,
}

impl Changes {
    /// Tells the sidecar what lies between two settings, and says what becomes of it. Of the models that are the same in both
    /// it loads only those whose last load failed: what they lack may be there now.
    pub(crate) async fn tell(&mut self, socket: &Path, before: &Settings, now: &Settings) {
        // A sidecar that does not answer loads all of them when it starts again.
        let listed = models::list(socket).await.unwrap_or_default();
        let failed =
            |name: &str| listed.iter().any(|listed| listed.name == name && !listed.error.is_empty() && !listed.loading);
        for model in &before.models {
            if !now.models.iter().any(|kept| kept.name == model.name) {
                self.wish(socket, &model.name, Wish::Unload);
            }
        }
        for model in &now.models {
            let same = before.queue == now.queue && before.models.contains(model);
            if !same || failed(&model.name) {
                self.wish(socket, &model.name, Wish::Load(models::request(model, &now.queue)));
            }
        }
    }

    fn wish(&mut self, socket: &Path, name: &str, wish: Wish) {
        if let Some(wishes) = self.wishes.get(name) {
            drop(wishes.send_replace(wish));
        } else {
            let (wishes, told) = watch::channel(wish);
            self.wishes.insert(name.to_owned(), wishes);
            self.tasks.spawn(tell(socket.to_owned(), name.to_owned(), told));
        }
    }
}

/// Tells the sidecar what is to become of a model, again and again until it answers. One that has started again meanwhile has
/// read the same in its settings, and answers that nothing is left to do.
async fn tell(socket: PathBuf, name: String, mut wishes: watch::Receiver<Wish>) {
    let mut unreached: Option<Backoff> = None;
    loop {
        let wish = wishes.borrow_and_update().clone();
        let (line, pause) = match wish.call(&socket, &name).await {
            Err(refused) if refused.passes() => {
                let line = format!("local model {name}: {}; trying until the sidecar answers", refused.told(&socket));
                let line = unreached.is_none().then_some(line);
                (line, Some(unreached.get_or_insert_default().pause(Duration::ZERO)))
            }
            answer => {
                unreached = None;
                let refused = |refused: Refused| Some(format!("local model {name}: {}", refused.told(&socket)));
                (answer.unwrap_or_else(refused), None)
            }
        };
        // What is said of a wish that another one has replaced would be out of date.
        if let Some(line) = line.filter(|_| !wishes.has_changed().unwrap_or(true)) {
            say::line(&line);
        }
        let goes_on = tokio::select! {
            changed = wishes.changed() => changed.is_ok(),
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => true,
        };
        if !goes_on {
            return;
        }
    }
}

impl Wish {
    /// Tells the sidecar, and returns what there is to say of its answer.
    async fn call(self, socket: &Path, name: &str) -> Result<Option<String>, Refused> {
        match self {
            Self::Load(request) => match models::load(socket, request).await {
                Ok(model) => Ok(Some(format!("local model {}", models::line(&model)))),
                // Somebody else has asked for something else, and knows what becomes of that.
                Err(refused) if refused.code() == Some(Code::Aborted) => Ok(None),
                Err(refused) => Err(refused),
            },
            Self::Unload => match models::unload(socket, name).await {
                Ok(()) => Ok(Some(format!("local model {name} is unloaded"))),
                Err(refused) if refused.code() == Some(Code::NotFound) => Ok(None),
                Err(refused) => Err(refused),
            },
        }
    }
}

#[cfg(test)]
mod tests;

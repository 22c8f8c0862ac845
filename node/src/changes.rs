//! Tells a running sidecar which of its models are new, changed or gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;
use tonic::Code;
use weir_proto::sidecar::v1::LoadRequest;
use weir_sidecar::Settings;

use crate::{models, say};

/// What a sidecar is being told. Each model has a task of its own, so that none waits for another.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    loads: BTreeMap<String, JoinHandle<()>>,
}

impl Changes {
    /// Tells the sidecar what lies between two settings, and says what becomes of it. Models that are the same in both are
    /// left alone.
    pub(crate) fn tell(&mut self, socket: &Path, before: &Settings, now: &Settings) {
        for model in &before.models {
            if !now.models.iter().any(|kept| kept.name == model.name) {
                self.forget(&model.name);
                tokio::spawn(unload(socket.to_owned(), model.name.clone()));
            }
        }
        for model in &now.models {
            if before.queue == now.queue && before.models.contains(model) {
                continue;
            }
            // What is said of an earlier change would be out of date. The sidecar itself drops a load for a later one.
            self.forget(&model.name);
            let load = tokio::spawn(load(socket.to_owned(), models::request(model, &now.queue)));
            self.loads.insert(model.name.clone(), load);
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(load) = self.loads.remove(name) {
            load.abort();
        }
    }
}

/// What happens where the sidecar cannot be told.
const READS: &str = "it reads the change when it starts again";

async fn load(socket: PathBuf, request: LoadRequest) {
    let name = request.name.clone();
    match models::load(&socket, request).await {
        Ok(model) => say::line(&format!("local model {}", models::line(&model))),
        // Somebody else has asked for something else, and knows what becomes of that.
        Err(refused) if refused.code() == Some(Code::Aborted) => {}
        Err(refused) if matches!(refused.code(), None | Some(Code::Unavailable)) => {
            say::line(&format!("local model {name}: {}; {READS}", refused.told(&socket)));
        }
        Err(refused) => say::line(&format!("local model {name}: {}", refused.told(&socket))),
    }
}

async fn unload(socket: PathBuf, name: String) {
    match models::unload(&socket, &name).await {
        Ok(()) => say::line(&format!("local model {name} is unloaded")),
        Err(refused) if refused.code() == Some(Code::NotFound) => {}
        Err(refused) => say::line(&format!("local model {name}: {}; {READS}", refused.told(&socket))),
    }
}

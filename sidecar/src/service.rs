//! Weir's own service beside `ext_proc`: what is loaded, what could not be, and what is to be.

use std::path::PathBuf;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_proto::sidecar::v1::models_server::{Models as Service, ModelsServer};
use weir_proto::sidecar::v1::{
    Engine, ListRequest, ListResponse, LoadRequest, LoadResponse, Model as Listed, State as Progress, UnloadRequest,
    UnloadResponse,
};

use crate::Sidecar;
use crate::models::{Entry, NotLoaded, Origin, State, Wanted};
use crate::settings::{EngineChoice, ModelSettings, QueueSettings};

/// The service, ready to be added to a server.
pub fn service(sidecar: Arc<Sidecar>) -> ModelsServer<Models> {
    ModelsServer::new(Models { sidecar })
}

/// Lists, loads and unloads models.
pub struct Models {
    sidecar: Arc<Sidecar>,
}

#[tonic::async_trait]
impl Service for Models {
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let models = self.sidecar.models.all();
        Ok(Response::new(ListResponse { models: models.iter().map(|entry| listed(entry)).collect() }))
    }

    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<LoadResponse>, Status> {
        if self.sidecar.draining() {
            return Err(stopping());
        }
        let wanted = wanted(request.into_inner(), &self.sidecar.queue).map_err(Status::invalid_argument)?;
        let name = wanted.model.name.clone();
        let started = self.sidecar.models.load(wanted, Origin::Call);
        let ended = tokio::select! {
            biased;
            ended = started.ended() => ended,
            // A model that is being read must not hold up the end: that waits for every call.
            () = self.sidecar.until_draining() => return Err(stopping()),
        };
        let found = self.sidecar.models.find(&name);
        match (ended, found) {
            (Ok(()), Some(entry)) => Ok(Response::new(LoadResponse { model: Some(listed(&entry)) })),
            (Ok(()), None) => Err(Status::aborted(NotLoaded::Superseded.to_string())),
            (Err(NotLoaded::Failed(failure)), found) => {
                let goes_on = found.is_some_and(|entry| matches!(entry.state, State::Ready(_)));
                let then = if goes_on { "; the model of before goes on" } else { "" };
                Err(Status::failed_precondition(format!("{}{then}", failure.error)))
            }
            (Err(superseded @ NotLoaded::Superseded), _) => Err(Status::aborted(superseded.to_string())),
        }
    }

    async fn unload(&self, request: Request<UnloadRequest>) -> Result<Response<UnloadResponse>, Status> {
        let name = request.into_inner().name;
        let freed = self.sidecar.models.unload(&name);
        let freed = freed.ok_or_else(|| Status::not_found(format!("no model is called \"{name}\"")))?;
        // Without a sender there was nothing to free.
        let _ = freed.await;
        Ok(Response::new(UnloadResponse {}))
    }
}

fn stopping() -> Status {
    Status::unavailable("the sidecar is stopping; it loads nothing any more")
}

/// What a call asks for, by `queue` where it does not say.
fn wanted(asked: LoadRequest, queue: &QueueSettings) -> Result<Wanted, String> {
    let path = PathBuf::from(&asked.path);
    let engine = match asked.engine() {
        Engine::Unspecified => EngineChoice::Auto,
        Engine::Onnx => EngineChoice::Onnx,
        Engine::Candle => EngineChoice::Candle,
    };
    if asked.name.is_empty() {
        return Err("name: empty; give the name callers shall write".to_owned());
    }
    if !path.is_absolute() {
        return Err(format!("path: \"{}\" is not absolute; the sidecar runs in another folder", asked.path));
    }
    let mut queue = queue.clone();
    if let Some(most) = positive("max_waiting", asked.max_waiting)? {
        queue.max_waiting = most;
    }
    if let Some(threads) = positive("threads", asked.threads)? {
        queue.threads = Some(threads);
    }
    Ok(Wanted::new(ModelSettings { name: asked.name, path, engine }, queue))
}

fn positive(field: &str, value: Option<u64>) -> Result<Option<usize>, String> {
    match value {
        Some(0) => Err(format!("{field}: 0 would refuse everything; leave it out for the default")),
        Some(value) => Ok(Some(usize::try_from(value).unwrap_or(usize::MAX))),
        None => Ok(None),
    }
}

fn listed(entry: &Entry) -> Listed {
    let mut listed = Listed { name: entry.name.clone(), loading: entry.loading, ..Listed::default() };
    if let Some(failure) = &entry.failure {
        listed.error.clone_from(&failure.error);
    }
    match &entry.state {
        State::Loading => listed.set_state(Progress::Loading),
        State::Failed(_) => listed.set_state(Progress::Failed),
        State::Ready(model) => {
            listed.set_state(Progress::Ready);
            model.description.engine.clone_into(&mut listed.engine);
            listed.device.clone_from(&model.description.device);
            listed.dimensions = u32::try_from(model.description.dimensions).unwrap_or(u32::MAX);
            listed.max_tokens = u32::try_from(model.tokens.max_tokens()).unwrap_or(u32::MAX);
        }
    }
    listed
}

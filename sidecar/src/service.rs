//! Weir's own service beside `ext_proc`: what is loaded, and what could not be.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_proto::sidecar::v1::models_server::{Models as Service, ModelsServer};
use weir_proto::sidecar::v1::{ListRequest, ListResponse, Model as Listed, State as Progress};

use crate::Sidecar;
use crate::models::{Entry, State};

/// The service, ready to be added to a server.
pub fn service(sidecar: Arc<Sidecar>) -> ModelsServer<Models> {
    ModelsServer::new(Models { sidecar })
}

/// Lists models.
pub struct Models {
    sidecar: Arc<Sidecar>,
}

#[tonic::async_trait]
impl Service for Models {
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        Ok(Response::new(ListResponse { models: self.sidecar.models.iter().map(listed).collect() }))
    }
}

fn listed(entry: &Entry) -> Listed {
    let mut listed = Listed { name: entry.name.clone(), ..Listed::default() };
    match entry.state() {
        State::Loading => listed.set_state(Progress::Loading),
        State::Failed(error) => {
            listed.set_state(Progress::Failed);
            listed.error = error.to_string();
        }
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

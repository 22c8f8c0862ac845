//! What a running sidecar has loaded, asked over its own gRPC service.

use std::path::Path;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::Endpoint;
use weir_proto::sidecar::v1::models_client::ModelsClient;
use weir_proto::sidecar::v1::{ListRequest, Model, State};

use crate::problem::{Outcome, Problem};

/// The same, asked from outside of a runtime: a model on each line.
pub fn listed(socket: &Path) -> Outcome<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("cannot start: {error}")))?;
    let models = runtime.block_on(list(socket)).map_err(|problem| {
        Problem::Failed(format!("{problem}; is `weir up` running, with local models in its configuration?"))
    })?;
    Ok(models.iter().map(line).collect())
}

/// Every model of the sidecar on `socket`.
pub async fn list(socket: &Path) -> Result<Vec<Model>, String> {
    let path = socket.to_owned();
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is not used: the connector knows the socket.
    let endpoint = Endpoint::from_static("http://sidecar").timeout(Duration::from_secs(5));
    let channel = endpoint
        .connect_with_connector(connect)
        .await
        .map_err(|error| format!("{}: no sidecar answers ({})", socket.display(), innermost(&error)))?;
    let answer = ModelsClient::new(channel).list(ListRequest {}).await;
    answer
        .map(|models| models.into_inner().models)
        .map_err(|status| format!("{}: {}", socket.display(), status.message()))
}

/// A model on one line, tabs between its columns.
pub fn line(model: &Model) -> String {
    let state = match model.state() {
        State::Unspecified | State::Loading => "loading".to_owned(),
        State::Ready => format!("ready\t{} on {}", model.engine, model.device),
        State::Failed => format!("failed\t{}", model.error),
    };
    format!("{}\t{state}", model.name)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

//! The models of a running sidecar: listed, loaded and unloaded over its own gRPC service.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use weir_proto::sidecar::v1::models_client::ModelsClient;
use weir_proto::sidecar::v1::{Engine, ListRequest, LoadRequest, Model, State, UnloadRequest};
use weir_sidecar::settings::{EngineChoice, ModelSettings, QueueSettings};

use crate::folders::Folders;
use crate::problem::{Outcome, Problem, at};
use crate::runtime;

/// How long a sidecar may take to answer what it knows already.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a sidecar is found.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The configuration that `weir up` runs.
    pub file: Option<PathBuf>,
    /// The folder that `weir up --run` was given.
    pub run: Option<PathBuf>,
    /// The sidecar's socket itself.
    pub socket: Option<PathBuf>,
}

impl Target {
    fn socket(&self) -> Outcome<PathBuf> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => Ok(Folders::find(self.file.as_deref(), self.run.as_deref())?.socket()),
        }
    }
}

/// A model to load by hand. What it does not say is as in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Name that callers write.
    pub name: String,
    /// Its folder.
    pub path: Option<PathBuf>,
    /// What runs it.
    pub engine: Option<EngineChoice>,
    /// Inputs that may wait for it.
    pub max_waiting: Option<u64>,
    /// Cores for it.
    pub threads: Option<u64>,
}

impl Wanted {
    fn request(self, target: &Target) -> Outcome<LoadRequest> {
        let mut request = match self.path {
            Some(path) => {
                let path = std::path::absolute(&path).map_err(at(&path))?;
                LoadRequest { name: self.name, path: path.display().to_string(), ..LoadRequest::default() }
            }
            None => configured(&self.name, target)?,
        };
        if let Some(engine) = self.engine {
            request.set_engine(named(engine));
        }
        request.max_waiting = self.max_waiting.or(request.max_waiting);
        request.threads = self.threads.or(request.threads);
        Ok(request)
    }
}

/// The model as the running `weir up` has it. One that the configuration does not name lies beside the others.
///
/// The sidecar's settings say it, so that no credential of the configuration is needed here.
fn configured(name: &str, target: &Target) -> Outcome<LoadRequest> {
    if target.socket.is_some() {
        return Err(Problem::Usage("name the model's folder with --path".to_owned()));
    }
    let folders = Folders::find(target.file.as_deref(), target.run.as_deref())?;
    let settings = weir_sidecar::Settings::read(&folders.sidecar_settings())
        .map_err(|error| Problem::Failed(format!("{error}; is `weir up` running, with local models?")))?;
    let known = settings.models.iter().find(|model| model.name == name).cloned();
    let beside = || settings.models.first().and_then(|model| model.path.parent()).map(|folder| folder.join(name));
    let model =
        known.or_else(|| Some(ModelSettings { name: name.to_owned(), path: beside()?, engine: EngineChoice::Auto }));
    let model = model.ok_or_else(|| Problem::Usage("name the model's folder with --path".to_owned()))?;
    Ok(request(&model, &settings.queue))
}

/// Every model of a sidecar, one on each line.
pub fn listed(target: &Target) -> Outcome<Vec<String>> {
    let socket = target.socket()?;
    let models = wait(list(&socket))?.map_err(|problem| {
        Problem::Failed(format!("{problem}; is `weir up` running, with local models in its configuration?"))
    })?;
    Ok(models.iter().map(line).collect())
}

/// Loads a model, waits until it serves, and describes it on a line.
pub fn load_by_hand(target: &Target, wanted: Wanted) -> Outcome<String> {
    let (socket, request) = (target.socket()?, wanted.request(target)?);
    let loaded = wait(load(&socket, request))?.map_err(|refused| Problem::Failed(refused.told(&socket)))?;
    Ok(line(&loaded))
}

/// Unloads a model, and waits until its memory is free.
pub fn unload_by_hand(target: &Target, name: &str) -> Outcome {
    let socket = target.socket()?;
    wait(unload(&socket, name))?.map_err(|refused| Problem::Failed(refused.told(&socket)))
}

/// Runs what is asked from outside of a runtime.
fn wait<T>(asking: impl Future<Output = T>) -> Outcome<T> {
    Ok(runtime::single()?.block_on(asking))
}

/// Why a sidecar did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nobody answers on its socket.
    Unreached(String),
    /// What it answered.
    Told(Status),
}

impl Refused {
    fn of(status: Status) -> Self {
        match status.source() {
            // Only a status that was made here, of a connection that broke, has a source.
            Some(source) => Self::Unreached(innermost(source)),
            None => Self::Told(status),
        }
    }

    /// Whether the same call may be answered later: by this sidecar, or by the one that takes its place.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.code(), None | Some(Code::Unavailable))
    }

    /// The code of its answer, where there was one.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Unreached(_) => None,
            Self::Told(status) => Some(status.code()),
        }
    }

    /// Why, for people.
    pub(crate) fn told(&self, socket: &Path) -> String {
        match self {
            Self::Unreached(error) => format!("{}: no sidecar answers ({error})", socket.display()),
            Self::Told(status) => status.message().to_owned(),
        }
    }
}

/// Every model of the sidecar on `socket`.
pub async fn list(socket: &Path) -> Result<Vec<Model>, String> {
    let asked = async {
        let mut client = connect(socket).await?;
        let mut request = tonic::Request::new(ListRequest {});
        request.set_timeout(PATIENCE);
        client.list(request).await.map_err(Refused::Told)
    };
    let models = asked.await.map_err(|refused: Refused| match refused {
        Refused::Unreached(_) => refused.told(socket),
        Refused::Told(_) => format!("{}: {}", socket.display(), refused.told(socket)),
    })?;
    Ok(models.into_inner().models)
}

/// Has the sidecar load a model, and returns when it serves.
pub(crate) async fn load(socket: &Path, request: LoadRequest) -> Result<Model, Refused> {
    let loaded = connect(socket).await?.load(request).await.map_err(Refused::of)?;
    Ok(loaded.into_inner().model.unwrap_or_default())
}

/// Has the sidecar unload a model, and returns when its memory is free.
pub(crate) async fn unload(socket: &Path, name: &str) -> Result<(), Refused> {
    let request = UnloadRequest { name: name.to_owned() };
    connect(socket).await?.unload(request).await.map(drop).map_err(Refused::of)
}

async fn connect(socket: &Path) -> Result<ModelsClient<Channel>, Refused> {
    let path = socket.to_owned();
    let connect = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is not used: the connector knows the socket.
    let endpoint = Endpoint::from_static("http://sidecar").connect_timeout(PATIENCE);
    let channel = endpoint.connect_with_connector(connect).await;
    Ok(ModelsClient::new(channel.map_err(|error| Refused::Unreached(innermost(&error)))?))
}

/// How a sidecar is asked for a model with these settings.
pub(crate) fn request(model: &ModelSettings, queue: &QueueSettings) -> LoadRequest {
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    LoadRequest {
        name: model.name.clone(),
        path: model.path.display().to_string(),
        engine: named(model.engine).into(),
        max_waiting: Some(number(queue.max_waiting)),
        // All of them are what a sidecar takes by itself, but it may have been started with another number.
        threads: Some(number(queue.cores())),
    }
}

fn named(engine: EngineChoice) -> Engine {
    match engine {
        EngineChoice::Auto => Engine::Unspecified,
        EngineChoice::Onnx => Engine::Onnx,
        EngineChoice::Candle => Engine::Candle,
    }
}

/// A model on one line, tabs between its columns.
pub fn line(model: &Model) -> String {
    let state = match model.state() {
        State::Unspecified | State::Loading => "loading".to_owned(),
        State::Failed => format!("failed\t{}", model.error),
        State::Ready => {
            let mut state = format!("ready\t{} on {}", model.engine, model.device);
            if model.loading {
                state += "\tother settings are being loaded";
            } else if !model.error.is_empty() {
                state.push_str("\tother settings could not be loaded: ");
                state.push_str(&model.error);
            }
            state
        }
    };
    format!("{}\t{state}", model.name)
}

fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_becomes_of_a_model() {
        let model = |state: State, error: &str, loading| Model {
            name: "m".into(),
            engine: "onnx".into(),
            device: "cpu".into(),
            state: state.into(),
            error: error.into(),
            loading,
            ..Model::default()
        };
        for (model, expect) in [
            (model(State::Loading, "", true), "m\tloading"),
            (model(State::Failed, "no such folder", false), "m\tfailed\tno such folder"),
            (model(State::Ready, "", false), "m\tready\tonnx on cpu"),
            (model(State::Ready, "", true), "m\tready\tonnx on cpu\tother settings are being loaded"),
            (
                model(State::Ready, "no such folder", false),
                "m\tready\tonnx on cpu\tother settings could not be loaded: no such folder",
            ),
        ] {
            assert_eq!(line(&model), expect);
        }
    }
}

//! A sidecar that is told, and one that writes down what it is told.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use weir_proto::sidecar::v1::models_server::{Models, ModelsServer};
use weir_proto::sidecar::v1::{ListRequest, ListResponse, LoadResponse, Model, UnloadRequest, UnloadResponse};

use super::*;

/// What the sidecar was told, in its order, and what it answers.
#[derive(Clone)]
struct Fake {
    told: UnboundedSender<String>,
    listed: Arc<Mutex<Vec<Model>>>,
    /// Why a load fails, where it does.
    error: Arc<Mutex<String>>,
    /// Each call waits for a permit before it ends.
    may_end: Arc<Semaphore>,
}

impl Fake {
    async fn end(&self, what: String) {
        self.may_end.acquire().await.unwrap().forget();
        self.told.send(what).unwrap();
    }
}

#[tonic::async_trait]
impl Models for Fake {
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        Ok(Response::new(ListResponse { models: self.listed.lock().unwrap().clone() }))
    }

    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<LoadResponse>, Status> {
        let name = request.into_inner().name;
        self.told.send(format!("load {name}")).unwrap();
        let error = self.error.lock().unwrap().clone();
        let model = Model { name: name.clone(), error: error.clone(), ..Model::default() };
        {
            let mut listed = self.listed.lock().unwrap();
            listed.retain(|listed| listed.name != name);
            listed.push(model.clone());
        }
        self.end(format!("loaded {name}")).await;
        if error.is_empty() {
            Ok(Response::new(LoadResponse { model: Some(model) }))
        } else {
            Err(Status::failed_precondition(error))
        }
    }

    async fn unload(&self, request: Request<UnloadRequest>) -> Result<Response<UnloadResponse>, Status> {
        let name = request.into_inner().name;
        self.told.send(format!("unload {name}")).unwrap();
        self.end(format!("unloaded {name}")).await;
        Ok(Response::new(UnloadResponse {}))
    }
}

/// A sidecar that runs. It has a runtime of its own, so that its connections can break.
struct Running {
    fake: Fake,
    told: UnboundedReceiver<String>,
    runtime: Option<Runtime>,
}

impl Running {
    /// One whose calls do not end before they are let go.
    fn start(socket: &Path) -> Self {
        let (tell, told) = unbounded_channel();
        let (listed, error, may_end) = (Arc::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        let fake = Fake { told: tell, listed, error, may_end };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _ = std::fs::remove_file(socket);
        let (service, socket) = (ModelsServer::new(fake.clone()), socket.to_owned());
        let guard = runtime.enter();
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        drop(guard);
        runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Self { fake, told, runtime: Some(runtime) }
    }

    fn let_go(&self, calls: usize) {
        self.fake.may_end.add_permits(calls);
    }

    async fn expect(&mut self, told: &str) {
        let next = tokio::time::timeout(Duration::from_secs(20), self.told.recv());
        assert_eq!(next.await.expect("it is told nothing").as_deref(), Some(told));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn settings(socket: &Path, models: &[&str]) -> Settings {
    let models: Vec<_> = models.iter().map(|name| json!({"name": name, "path": "/models/m"})).collect();
    serde_json::from_value(json!({"socket": socket, "models": models})).unwrap()
}

fn scene() -> (tempfile::TempDir, PathBuf, Settings, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sidecar.sock");
    let (without, with) = (settings(&socket, &["kept"]), settings(&socket, &["kept", "m"]));
    (folder, socket, without, with)
}

/// It was not tried again before its settings changed, because what was wanted was written down already.
#[tokio::test]
async fn a_model_that_failed_is_loaded_again_when_nothing_else_changes_until_it_serves() {
    let (_folder, socket, without, with) = scene();
    let mut sidecar = Running::start(&socket);
    let mut changes = Changes::default();
    sidecar.let_go(4);
    *sidecar.fake.error.lock().unwrap() = "no such folder".to_owned();
    changes.tell(&socket, &without, &with).await;
    sidecar.expect("load m").await;
    sidecar.expect("loaded m").await;
    sidecar.fake.error.lock().unwrap().clear();
    changes.tell(&socket, &with, &with).await;
    sidecar.expect("load m").await;
    sidecar.expect("loaded m").await;
    changes.tell(&socket, &with, &with).await;
    changes.tell(&socket, &with, &without).await;
    sidecar.expect("unload m").await;
}

/// Each of the two was a task of its own, and the load could come first.
#[tokio::test]
async fn a_model_that_is_taken_away_and_added_back_is_loaded_in_the_end() {
    let (_folder, socket, without, with) = scene();
    let mut sidecar = Running::start(&socket);
    let mut changes = Changes::default();
    changes.tell(&socket, &with, &without).await;
    sidecar.expect("unload m").await;
    changes.tell(&socket, &without, &with).await;
    changes.tell(&socket, &with, &without).await;
    changes.tell(&socket, &without, &with).await;
    sidecar.let_go(2);
    for told in ["unloaded m", "load m", "loaded m"] {
        sidecar.expect(told).await;
    }
}

/// The change was told once, and lost if the sidecar was not there or died.
#[tokio::test]
async fn a_sidecar_that_does_not_answer_is_told_again_until_one_does() {
    let (_folder, socket, without, with) = scene();
    let mut changes = Changes::default();
    changes.tell(&socket, &without, &with).await;
    let mut sidecar = Running::start(&socket);
    sidecar.expect("load m").await;
    drop(sidecar);
    let mut sidecar = Running::start(&socket);
    sidecar.expect("load m").await;
    sidecar.let_go(1);
    sidecar.expect("loaded m").await;
}

//! Answers whose pieces come one by one, from an operation that is there for these tests only.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use envoy_types::pb::envoy::service::ext_proc::v3::HttpBody;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Endpoint, Server};

use super::*;
use crate::api::{Body, Operation};
use crate::outputs::{Fault, Outputs};
use crate::settings::Settings;

/// The bodies to answer with, by what a request holds.
static BODIES: Mutex<BTreeMap<String, Body>> = Mutex::new(BTreeMap::new());

struct Scripted;

#[tonic::async_trait]
impl Operation for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn answer(&self, _: &Arc<Sidecar>, request: api::Request<'_>) -> Result<Reply, Reject> {
        let name = String::from_utf8(request.body).unwrap();
        let body = BODIES.lock().unwrap().remove(&name).unwrap();
        Ok(Reply { status: 200, headers: Vec::new(), body })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a router may refuse")]
fn scripted(_: &str, _: &str) -> Result<&'static dyn Operation, Reject> {
    Ok(&Scripted)
}

/// One request, and what comes back.
struct Caller {
    answers: Streaming<ProcessingResponse>,
    _asked: mpsc::Sender<ProcessingRequest>,
    _folder: tempfile::TempDir,
}

impl Caller {
    /// Asks for `body`, which `name` is to stand for, and reads the headers of the answer.
    async fn of(name: &str, body: Body) -> Self {
        BODIES.lock().unwrap().insert(name.to_owned(), body);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let settings: Settings = serde_json::from_value(json!({"socket": path, "models": []})).unwrap();
        let sidecar = Arc::new(Sidecar::new(&settings).unwrap());
        let listener = UnixListenerStream::new(UnixListener::bind(&path).unwrap());
        tokio::spawn(Server::builder().add_service(service(sidecar, scripted)).serve_with_incoming(listener));
        let connect = tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://sidecar").connect_with_connector(connect).await.unwrap();
        let (asked, requests) = mpsc::channel(2);
        let body = HttpBody { body: name.as_bytes().to_vec(), end_of_stream: true, ..HttpBody::default() };
        for request in [Asked::RequestHeaders(HttpHeaders::default()), Asked::RequestBody(body)] {
            let message = ProcessingRequest { request: Some(request), ..ProcessingRequest::default() };
            asked.send(message).await.unwrap();
        }
        let answers = ExternalProcessorClient::new(channel).process(ReceiverStream::new(requests)).await.unwrap();
        let mut caller = Self { answers: answers.into_inner(), _asked: asked, _folder: folder };
        assert!(matches!(caller.next().await, Ok(Some(Piece::HeadersResponse(_)))));
        caller
    }

    async fn next(&mut self) -> Result<Option<Piece>, Status> {
        let Some(message) = self.answers.message().await? else { return Ok(None) };
        let Some(Answer::StreamedImmediateResponse(streamed)) = message.response else { panic!("{message:?}") };
        Ok(streamed.response)
    }

    /// The next piece of the body, and whether it is the last.
    async fn piece(&mut self) -> (String, bool) {
        let Ok(Some(Piece::BodyResponse(part))) = self.next().await else { panic!("no piece of the body came") };
        (String::from_utf8(part.body).unwrap(), part.end_of_stream)
    }
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn a_piece_leaves_when_it_is_there() {
    let (pieces, outputs) = mpsc::channel(1);
    // The headers leave before there is any piece.
    let mut caller = Caller::of("one by one", Box::pin(Outputs::new(outputs, ()))).await;
    for text in ["a", "b"] {
        pieces.send(Ok(bytes(text))).await.unwrap();
        assert_eq!(caller.piece().await, (text.to_owned(), false));
    }
    drop(pieces);
    assert_eq!(caller.piece().await, (String::new(), true));
    assert!(matches!(caller.next().await, Ok(None)));
}

#[tokio::test]
async fn a_piece_that_is_known_to_be_the_last_says_so_itself() {
    let body = ["a", "b"].map(|text| Ok(bytes(text)));
    let mut caller = Caller::of("at once", Box::pin(tokio_stream::iter(body))).await;
    assert_eq!(caller.piece().await, ("a".to_owned(), false));
    assert_eq!(caller.piece().await, ("b".to_owned(), true));
    assert!(matches!(caller.next().await, Ok(None)));
}

#[tokio::test]
async fn an_answer_whose_model_fails_is_broken_off_and_not_ended() {
    let (pieces, outputs) = mpsc::channel(1);
    let mut caller = Caller::of("broken", Box::pin(Outputs::new(outputs, ()))).await;
    pieces.send(Ok(bytes("a"))).await.unwrap();
    assert_eq!(caller.piece().await, ("a".to_owned(), false));
    pieces.send(Err(Fault::Engine)).await.unwrap();
    assert_eq!(caller.next().await.unwrap_err().code(), tonic::Code::Aborted);
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_an_answer_ends_the_work_for_it() {
    let (pieces, outputs) = mpsc::channel(1);
    let (place, given_up) = oneshot::channel::<()>();
    let mut caller = Caller::of("left", Box::pin(Outputs::new(outputs, place))).await;
    pieces.send(Ok(bytes("a"))).await.unwrap();
    caller.piece().await;
    drop(caller);
    assert!(given_up.await.is_err(), "dropped, and not sent to");
    assert!(pieces.is_closed());
}

/// Lets every other task run until it waits.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_an_answer_that_nobody_reads_no_more_is_made_than_fits_on_the_way() {
    const AHEAD: usize = 2;
    let (pieces, outputs) = mpsc::channel(AHEAD);
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let model = tokio::spawn(async move {
        while pieces.send(Ok(bytes("a"))).await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (answers, mut unread) = channel(PIECES_AHEAD);
    let reply = Reply { status: 200, headers: Vec::new(), body: Box::pin(Outputs::new(outputs, ())) };
    let sending = tokio::spawn(async move { send(reply, &answers).await });
    settle().await;
    // What the model's channel holds and what the connection's does, less the headers; the piece that waits for room there, and
    // the one after it.
    let most = AHEAD + PIECES_AHEAD - 1 + 2;
    assert_eq!(made.load(Ordering::Relaxed), most);
    // The headers, and then a piece: each makes room for one.
    for read in 1..=2 {
        unread.recv().await.unwrap().unwrap();
        settle().await;
        assert_eq!(made.load(Ordering::Relaxed), most + read);
    }
    drop(unread);
    assert_eq!(sending.await.unwrap(), Sent::Unread);
    model.await.unwrap();
}

//! How Envoy reaches the sidecar: `ext_proc` with full-duplex bodies, answered by the sidecar itself. This is the only file
//! that names Envoy's protobufs.
//!
//! One stream is one HTTP request. It is over when its answer is sent, or when Envoy lets go of it because the caller has
//! left; then the work for it ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Asked;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::streamed_immediate_response::Response as Piece;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse, StreamedBodyResponse, StreamedImmediateResponse,
};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::Sidecar;
use crate::api::{self, Known, Reject, Reply, Router};
use crate::budget::Held;
use crate::telemetry::{count, request_span};

/// Messages of one stream that are made before its connection takes them. With pieces of about 48 KB this bounds the text that a
/// stream holds.
const PIECES_AHEAD: usize = 3;

/// Room beside the body in a message: headers, attributes, metadata.
const MESSAGE_ROOM: usize = 1 << 20;

/// How many times the longest body is read and dropped after a refusal.
const DISCARDED: usize = 8;

/// The service, ready to be added to a server. `router` says what is served.
pub fn service(sidecar: Arc<Sidecar>, router: Router) -> ExternalProcessorServer<Service> {
    // Envoy replays a buffered body in one message. A body that is too long must still arrive, so that it is answered 413.
    let longest = sidecar.limits.max_body_bytes.saturating_mul(2).saturating_add(MESSAGE_ROOM);
    ExternalProcessorServer::new(Service { sidecar, router }).max_decoding_message_size(longest)
}

/// Answers Envoy.
pub struct Service {
    sidecar: Arc<Sidecar>,
    router: Router,
}

type Message = Result<ProcessingResponse, Status>;

#[tonic::async_trait]
impl ExternalProcessor for Service {
    type ProcessStream = ReceiverStream<Message>;

    async fn process(
        &self,
        asked: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (answers, stream) = channel(PIECES_AHEAD);
        let (sidecar, router) = (Arc::clone(&self.sidecar), self.router);
        tokio::spawn(async move {
            let left = answers.clone();
            tokio::select! {
                () = converse(&sidecar, router, asked.into_inner(), answers) => {}
                // Envoy let go: dropping the conversation ends the work for its request.
                () = left.closed() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// One stream, from its first message to the last piece of its answer.
async fn converse(
    sidecar: &Arc<Sidecar>,
    router: Router,
    mut asked: Streaming<ProcessingRequest>,
    answers: Sender<Message>,
) {
    let began = Instant::now();
    let head = loop {
        match asked.message().await {
            Ok(Some(message)) => match message.request {
                Some(Asked::RequestHeaders(head)) => break head,
                Some(_) => {
                    let hint = "the first message must be request headers: set request_header_mode to SEND";
                    let _ = answers.send(Err(Status::failed_precondition(hint))).await;
                    return;
                }
                None => {}
            },
            Ok(None) | Err(_) => return,
        }
    };
    let headers = Headers(head.headers.unwrap_or_default());
    let operation = router(headers.get(":method").unwrap_or_default(), headers.get(":path").unwrap_or_default());
    let name = operation.as_ref().map_or("unknown", |operation| operation.name());
    let span = request_span(name, &headers);
    let (mut bytes, mut known) = (sidecar.budget.hold(), Known::default());
    let mut ended = head.end_of_stream;
    let request = async {
        let operation = operation?;
        if sidecar.draining() {
            return Err(Reject::Draining);
        }
        let body = if ended { Some(Vec::new()) } else { gather(sidecar, &mut asked, &mut ended, &mut bytes).await? };
        let Some(body) = body else { return Ok(None) };
        let request = api::Request { body, held: &mut bytes, known: &mut known, span: &span };
        tokio::select! {
            answer = operation.answer(sidecar, request) => answer.map(Some),
            () = let_go(&mut asked) => Ok(None),
        }
    };
    let reply = match request.instrument(span.clone()).await {
        Ok(None) => return,
        Ok(Some(reply)) => reply,
        Err(reject) => {
            if !ended {
                discard(&mut asked, sidecar.limits.max_body_bytes.saturating_mul(DISCARDED)).await;
            }
            Reply::from(&reject)
        }
    };
    let status = reply.status;
    let sent = tokio::select! {
        sent = send(reply, &answers) => sent,
        () = let_go(&mut asked) => Sent::Unread,
    };
    let model = known.model.as_deref().unwrap_or("unknown");
    record(&span, name, model, status, known.tokens);
    if sent == Sent::Broken {
        span.record("otel.status_code", "ERROR");
    }
    sidecar.metrics.answered(model, status, if status == 200 { known.tokens } else { 0 }, began.elapsed());
}

/// Collects the body. `None` when the stream ended first.
async fn gather(
    sidecar: &Sidecar,
    asked: &mut Streaming<ProcessingRequest>,
    ended: &mut bool,
    held: &mut Held,
) -> Result<Option<Vec<u8>>, Reject> {
    let limit = sidecar.limits.max_body_bytes;
    let mut body = Vec::new();
    loop {
        let Ok(Some(message)) = asked.message().await else { return Ok(None) };
        match message.request {
            Some(Asked::RequestBody(part)) => {
                *ended = part.end_of_stream;
                if body.len() + part.body.len() > limit {
                    return Err(Reject::BodyTooLarge { limit });
                }
                if !held.grow(part.body.len()) {
                    return Err(Reject::Overloaded);
                }
                // The usual body is one message: it is kept, not copied.
                if body.is_empty() {
                    body = part.body;
                } else {
                    body.extend_from_slice(&part.body);
                }
                if part.end_of_stream {
                    return Ok(Some(body));
                }
            }
            Some(Asked::RequestTrailers(_)) => {
                *ended = true;
                return Ok(Some(body));
            }
            _ => {}
        }
    }
}

/// Reads and drops the rest of a refused body, at most `limit` bytes. If the answer came earlier, Envoy would lose its body for
/// callers that are still sending.
async fn discard(asked: &mut Streaming<ProcessingRequest>, limit: usize) {
    let mut seen = 0;
    while let Ok(Some(message)) = asked.message().await {
        match message.request {
            Some(Asked::RequestBody(part)) => {
                seen += part.body.len();
                if part.end_of_stream || seen > limit {
                    return;
                }
            }
            Some(Asked::RequestTrailers(_)) => return,
            _ => {}
        }
    }
}

/// Completes when Envoy ends its side of the stream. After a whole request this means that the caller has left. Envoy 1.40 was seen
/// to reset the stream then, which ends the conversation anyway; but the protocol allows it to end only its own side.
async fn let_go(asked: &mut Streaming<ProcessingRequest>) {
    while let Ok(Some(_)) = asked.message().await {}
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All of it was sent.
    Whole,
    /// Its model failed before its end, and Envoy was told so.
    Broken,
    /// Envoy let go of it.
    Unread,
}

/// Sends an answer, each piece as soon as it is there. It takes pieces only as fast as Envoy reads them. If a send fails, Envoy has
/// let go, and nothing is left to do.
async fn send(reply: Reply, answers: &Sender<Message>) -> Sent {
    let mut headers = vec![header(":status", reply.status.to_string())];
    headers.extend(reply.headers.into_iter().map(|(key, value)| header(key, value)));
    let head = HttpHeaders { headers: Some(HeaderMap { headers }), ..HttpHeaders::default() };
    if answers.send(Ok(piece(Piece::HeadersResponse(head)))).await.is_err() {
        return Sent::Unread;
    }
    let mut body = reply.body;
    let mut next = body.next().await;
    loop {
        let (bytes, after) = match next {
            // If the body is known to have ended, this piece says so itself and saves a message.
            Some(Ok(bytes)) => (bytes, poll_fn(|context| Poll::Ready(body.as_mut().poll_next(context))).await),
            Some(Err(fault)) => {
                // The stream ends with an error, so that nobody takes the part that was sent for the whole answer.
                let _ = answers.send(Err(Status::aborted(fault.to_string()))).await;
                return Sent::Broken;
            }
            None => (Bytes::new(), Poll::Ready(None)),
        };
        let last = matches!(after, Poll::Ready(None));
        if answers.send(Ok(piece(body_piece(bytes, last)))).await.is_err() {
            return Sent::Unread;
        }
        next = match after {
            Poll::Ready(None) => return Sent::Whole,
            Poll::Ready(next) => next,
            Poll::Pending => body.next().await,
        };
    }
}

fn record(span: &Span, operation: &str, model: &str, status: u16, tokens: usize) {
    span.record("gen_ai.request.model", model);
    span.record("gen_ai.response.model", model);
    span.record("gen_ai.usage.input_tokens", count(tokens));
    span.record("http.response.status_code", i64::from(status));
    // `tracing` cannot rename a span that has begun.
    span.context().span().update_name(format!("{operation} {model}"));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

fn header(key: &str, value: String) -> HeaderValue {
    HeaderValue { key: key.to_owned(), raw_value: value.into_bytes(), ..HeaderValue::default() }
}

fn body_piece(body: Bytes, end_of_stream: bool) -> Piece {
    Piece::BodyResponse(StreamedBodyResponse { body: body.into(), end_of_stream, ..StreamedBodyResponse::default() })
}

fn piece(piece: Piece) -> ProcessingResponse {
    let response = Answer::StreamedImmediateResponse(StreamedImmediateResponse { response: Some(piece) });
    ProcessingResponse { response: Some(response), ..ProcessingResponse::default() }
}

/// Request headers, by name.
struct Headers(HeaderMap);

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        let header = self.0.headers.iter().find(|header| header.key.eq_ignore_ascii_case(key))?;
        // Envoy fills one of the two.
        if header.raw_value.is_empty() {
            return Some(&header.value);
        }
        std::str::from_utf8(&header.raw_value).ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.headers.iter().map(|header| header.key.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;

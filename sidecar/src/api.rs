//! What the sidecar answers, in `OpenAI`'s shape and independent of how a request came. Each operation is a module and one arm
//! in [`route`]; chat will be one. Start at [`Operation`].

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio_stream::Stream;
use tracing::Span;
use weir_hub::dialect::openai;

use crate::Sidecar;
use crate::budget::Held;
use crate::outputs::Fault;

pub mod embeddings;
pub mod reject;

pub use reject::Reject;

/// One kind of request, such as `POST /v1/embeddings`.
#[tonic::async_trait]
pub trait Operation: Send + Sync {
    /// Its name, as OpenTelemetry's GenAI conventions have it.
    fn name(&self) -> &'static str;

    /// Answers a request. The answer begins when it is known to be one; its body may still be in the making. Dropping the future,
    /// or later the body, ends the work.
    async fn answer(&self, sidecar: &Arc<Sidecar>, request: Request<'_>) -> Result<Reply, Reject>;
}

/// A request that has come whole.
pub struct Request<'r> {
    /// The body.
    pub body: Vec<u8>,
    /// The bytes that are held for the request; those of its answer are added.
    pub held: &'r mut Held,
    /// What becomes known of it.
    pub known: &'r mut Known,
    /// Its span.
    pub span: &'r Span,
}

/// What is known of a request for logs and meters, filled in as it becomes known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The model's configured name.
    pub model: Option<String>,
    /// Tokens of all inputs.
    pub tokens: usize,
}

/// Finds the operation that a request line asks for.
pub type Router = fn(method: &str, path: &str) -> Result<&'static dyn Operation, Reject>;

/// The operations that are served. The query is ignored, as `OpenAI` does.
pub fn route(method: &str, path: &str) -> Result<&'static dyn Operation, Reject> {
    let path = path.split('?').next().unwrap_or_default();
    match (method, path) {
        ("POST", "/v1/embeddings") => Ok(&embeddings::Embeddings),
        (_, "/v1/embeddings") => Err(Reject::Method { allowed: "POST" }),
        _ => Err(Reject::NoSuchPath),
    }
}

/// An answer: what comes first, and the body in pieces.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the status.
    pub headers: Vec<(&'static str, String)>,
    /// The body. A piece is made when it is asked for, so that a long answer is never held whole. After a fault nothing comes,
    /// and the caller must not take what it has for the whole.
    pub body: Body,
}

/// The pieces of a body.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

impl Reply {
    /// A JSON answer that needs only to be written down.
    pub fn json(status: u16, body: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: Box::pin(tokio_stream::iter(body.map(Ok))) }
    }
}

impl From<&Reject> for Reply {
    fn from(reject: &Reject) -> Self {
        let problem = reject.problem();
        let mut reply = Self::json(problem.status, std::iter::once(openai::error(&problem).into()));
        reply.headers.extend(problem.retry_after.map(|after| ("retry-after", reject::seconds(after).to_string())));
        if let Reject::Method { allowed } = reject {
            reply.headers.push(("allow", (*allowed).to_owned()));
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_finds_its_operation() {
        let name = |method, path| route(method, path).map(Operation::name);
        assert_eq!(name("POST", "/v1/embeddings?x=1"), Ok("embeddings"));
        assert_eq!(name("GET", "/v1/embeddings"), Err(Reject::Method { allowed: "POST" }));
        assert_eq!(name("POST", "/v1/embeddingsx"), Err(Reject::NoSuchPath));
    }
}

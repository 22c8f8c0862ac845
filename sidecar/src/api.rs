//! What the sidecar answers, in `OpenAI`'s shape and independent of how a request came. Each operation is a module and one
//! arm in [`Route::of`]; chat will be one. Start at [`Route`].

use bytes::Bytes;

pub mod embeddings;
pub mod reject;

pub use reject::Reject;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /v1/embeddings`.
    Embeddings,
}

impl Route {
    /// What a request line asks for. The query is ignored, as `OpenAI` does.
    pub fn of(method: &str, path: &str) -> Result<Self, Reject> {
        let path = path.split('?').next().unwrap_or_default();
        match (method, path) {
            ("POST", "/v1/embeddings") => Ok(Self::Embeddings),
            (_, "/v1/embeddings") => Err(Reject::Method { allowed: "POST" }),
            _ => Err(Reject::NoSuchPath),
        }
    }
}

/// An answer: what comes first, and the body in pieces.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the status.
    pub headers: Vec<(&'static str, String)>,
    /// The body. Pieces are made when they are asked for, so that a long answer is never held whole.
    pub body: Box<dyn Iterator<Item = Bytes> + Send>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: Box::new(body) }
    }
}

impl From<&Reject> for Reply {
    fn from(reject: &Reject) -> Self {
        let mut reply = Self::json(reject.status(), std::iter::once(reject.body().into()));
        reply.headers.extend(reject.headers());
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_finds_its_operation() {
        assert_eq!(Route::of("POST", "/v1/embeddings?x=1"), Ok(Route::Embeddings));
        assert_eq!(Route::of("GET", "/v1/embeddings"), Err(Reject::Method { allowed: "POST" }));
        assert_eq!(Route::of("POST", "/v1/embeddingsx"), Err(Reject::NoSuchPath));
    }
}

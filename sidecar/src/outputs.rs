//! What a model gives to one request, piece by piece. Every way to run a model ends here: [`embed`](crate::embed) gives all
//! embeddings of a request as one piece, and what generates text will give a piece for each token.

use std::pin::Pin;
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::sync::mpsc::Receiver;
use tokio_stream::{Stream, StreamExt};

/// Why a request does not get everything from its model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The engine failed on one of its batches. The reason was logged.
    #[error("inference failed")]
    Engine,
    /// The model went away before the request had ended.
    #[error("the model was unloaded")]
    Stopped,
}

/// The pieces of one request, each given when it is there. A model makes no more of them ahead than their channel holds.
/// Dropping this ends the request: what has not begun will not run.
pub struct Outputs<T> {
    pieces: Receiver<Result<T, Fault>>,
    _place: Box<dyn Send>,
}

impl<T> Outputs<T> {
    /// What comes out of `pieces`. `place` is the request's place at its model, which it gives up when it is dropped.
    pub fn new(pieces: Receiver<Result<T, Fault>>, place: impl Send + 'static) -> Self {
        Self { pieces, _place: Box::new(place) }
    }

    /// Waits for the one piece of a model that gives everything at once.
    pub async fn only(mut self) -> Result<T, Fault> {
        self.next().await.unwrap_or(Err(Fault::Stopped))
    }
}

impl<T> Stream for Outputs<T> {
    type Item = Result<T, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(context)
    }
}

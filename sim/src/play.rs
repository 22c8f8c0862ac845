//! The player that performs a script.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Sleep, sleep};

use crate::{script::Step, seen::Ticket, socket::Switch};

/// What a service or a body may fail with; only HTTP/2 ever sees one.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// How long a peer gets to read what precedes a reset: some systems throw unread bytes away when one arrives.
const BEFORE_RESET: Duration = Duration::from_millis(20);

/// Performs a script as the body of an answer.
pub(crate) struct Play {
    steps: vec::IntoIter<Step>,
    timer: Option<Pin<Box<Sleep>>>,
    flushed: bool,
    connection: Connection,
    ticket: Ticket,
}

/// What a reset resets.
#[derive(Clone)]
pub(crate) enum Connection {
    /// A connection of its own.
    Http1(Switch),
    /// One of many streams: the others go on.
    Http2,
}

impl Play {
    pub(crate) fn new(script: Vec<Step>, connection: Connection, ticket: Ticket) -> Self {
        Self { steps: script.into_iter(), timer: None, flushed: false, connection, ticket }
    }

    /// Waits for the timer, if one runs.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = &mut self.timer {
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
        Poll::Ready(())
    }
}

impl Body for Play {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
            // A step that does not end stays at the front.
            match self.steps.as_slice().first() {
                Some(Step::Send(_)) => {
                    if let Some(Step::Send(bytes)) = self.steps.next() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                Some(Step::Said(said)) => {
                    self.ticket.say(*said);
                    self.steps.next();
                }
                Some(Step::Trailers(_)) => {
                    if let Some(Step::Trailers(trailers)) = self.steps.next() {
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                }
                Some(Step::Flush) if !self.flushed => {
                    // hyper flushes when a body has nothing ready.
                    self.flushed = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Flush) => {
                    self.flushed = false;
                    self.steps.next();
                }
                Some(Step::Wait(time)) => {
                    self.timer = Some(Box::pin(sleep(*time)));
                    self.steps.next();
                }
                Some(Step::Silence) => return Poll::Pending,
                Some(Step::Break) if !self.flushed => {
                    self.flushed = true;
                    self.timer = Some(Box::pin(sleep(BEFORE_RESET)));
                }
                Some(Step::Break) => match &self.connection {
                    Connection::Http1(switch) => {
                        switch.reset();
                        return Poll::Pending;
                    }
                    Connection::Http2 => return Poll::Ready(Some(Err(internal_error()))),
                },
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.as_slice().is_empty()
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        // What is still to be said was not wanted, or was broken off by us.
        if self.steps.as_slice().is_empty() {
            self.ticket.finish();
        }
    }
}

/// Resets an HTTP/2 stream with `INTERNAL_ERROR`.
pub(crate) fn internal_error() -> Broken {
    Box::new(h2::Error::from(h2::Reason::INTERNAL_ERROR))
}

/// Resets an HTTP/2 stream with `REFUSED_STREAM`: nothing was done, it is safe to ask again.
pub(crate) fn refused_stream() -> Broken {
    Box::new(h2::Error::from(h2::Reason::REFUSED_STREAM))
}

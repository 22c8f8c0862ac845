//! An answer whose headers are there and whose body still comes, event by event.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Response};
use tokio::task::AbortHandle;

use crate::PATIENCE;
use crate::answer::{Answer, Ended, Event};

/// An answer whose headers are there.
#[derive(Debug)]
pub struct Stream {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    connection: AbortHandle,
    unread: String,
}

impl Stream {
    pub(crate) fn new(response: Response<Incoming>, connection: AbortHandle) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status.as_u16(), headers: head.headers, body, connection, unread: String::new() }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// `x-request-id`, by which the record is found.
    pub fn id(&self) -> String {
        self.headers.get("x-request-id").map_or("", |id| id.to_str().unwrap_or_default()).to_owned()
    }

    /// Waits for the next event; `None` at the end, clean or not.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let event = Event::read(&self.unread[..end]);
                self.unread.drain(..end + 2);
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let frame = self.frame().await?.ok()?;
            self.unread.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
    }

    async fn frame(&mut self) -> Option<hyper::Result<Frame<Bytes>>> {
        tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("waited in vain for the rest of the answer")
    }

    /// Closes the connection in the middle of the answer.
    pub fn hang_up(self) {
        self.connection.abort();
    }

    /// Reads to the end, clean or not.
    pub async fn rest(mut self) -> Answer {
        let mut body = std::mem::take(&mut self.unread).into_bytes();
        let (mut ended, mut trailers) = (Ended::Cleanly, HeaderMap::new());
        while let Some(frame) = self.frame().await {
            let Ok(frame) = frame else {
                ended = Ended::Broken;
                break;
            };
            match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        Answer { status: self.status, headers: self.headers, trailers, body: body.into(), ended }
    }
}

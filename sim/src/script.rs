//! The body of an answer as a list of steps.
//!
//! A script is data: a dialect writes one, pace and faults edit it, and only [`Play`](crate::play::Play) knows about sockets and
//! time.

use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;

use crate::bill::Said;

/// One thing that happens to a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// So much has been said once the bytes that follow are sent.
    Said(Said),
    /// These bytes are sent.
    Send(Bytes),
    /// These follow the body.
    Trailers(HeaderMap),
    /// What was sent so far is written out before anything else happens.
    Flush,
    /// Nothing happens for a while.
    Wait(Duration),
    /// Nothing happens any more.
    Silence,
    /// The connection (HTTP/2: the stream) is reset.
    Break,
}

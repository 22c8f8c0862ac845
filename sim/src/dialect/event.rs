//! The events of a stream, and where in it each stands.

use bytes::Bytes;

/// One event of a stream, framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) moment: Moment,
    pub(crate) bytes: Bytes,
}

/// Where in a stream an event stands; faults are aimed by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Not something said: a role, a start, a ping, the frame of a block.
    Frame,
    /// Something said.
    Token,
    /// Why it ended, and what it cost.
    Finish,
    /// The last event.
    Terminal,
}

/// The first half of an event.
pub(crate) fn half(event: &[u8]) -> &[u8] {
    event.get(..event.len() / 2).unwrap_or_default()
}

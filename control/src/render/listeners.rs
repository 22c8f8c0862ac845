//! Where connections come in: the door, and the way to the sidecar.

mod access_log;
mod claims;
mod edge;
mod local;
mod local_reply;
mod manager;
mod mark;
mod own;
mod router;
mod tracing;

pub(super) use edge::edge;
pub(super) use local::local;

//! The sidecar as Envoy meets it: a real server on a Unix socket, a real ext_proc client, a real model.

mod answers;
mod caller;
mod lifecycle;
mod models;
mod reference;

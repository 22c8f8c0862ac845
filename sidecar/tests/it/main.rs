//! The sidecar as Envoy meets it: a real server on a Unix socket, a real ext_proc client, a real model.

#![allow(unreachable_pub, reason = "modules of one test share what they have")]

mod answers;
mod caller;
mod lifecycle;
mod models;
mod reference;

//! The harness of the end-to-end tests: a real Envoy with the real filter, simulated providers, and a plain client.
//!
//! ```ignore
//! let upstream = Upstream::sim().await;
//! let gateway = Gateway::with(&upstream).model("gpt", ["sim/fault-503", "sim/gpt-4o"]).start().await;
//! assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
//! ```
//!
//! Start with [`Upstream`] and [`Gateway`], or with [`Up`] for all that `weir up` starts; [`Ask`] says what is sent, [`Answer`] and
//! [`Stream`] what came back. Ports are picked free, and what Envoy logs is shown only if the test fails.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod answer;
mod background;
mod black_hole;
mod canned;
mod certificate;
mod client;
mod collector;
mod connection;
mod control;
pub mod envoy;
mod folder;
mod gateway;
mod home;
mod ledger;
mod logs;
mod manner;
mod port;
mod process;
mod provider;
mod record;
mod server;
mod shell;
mod stream;
pub mod up;
mod upstream;

pub use answer::{Answer, Ended, Event};
pub use black_hole::BlackHole;
pub use canned::Canned;
pub use certificate::{Authority, self_signed};
pub use client::Ask;
pub use collector::{Collector, Span};
pub use connection::Connection;
pub use control::Control;
pub use gateway::{Builder, Gateway, KEY};
pub use home::{AUTHORITY, Home, SIM_TOKEN, Said};
pub use ledger::{book, booked};
pub use manner::Manner;
pub use port::Port;
pub use process::{Process, lives};
pub use provider::Provider;
pub use record::Record;
pub use server::{Postgres, Redis};
pub use shell::Shell;
pub use stream::Stream;
pub use up::{Ports, Up, has_strace, signal};
pub use upstream::Upstream;

use std::time::{Duration, Instant};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `found` finds something, and returns it; `what` stands in the message if it never does.
///
/// For what cannot be awaited because another process does it.
pub async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

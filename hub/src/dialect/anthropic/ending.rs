//! Ends a stream of a message at a limit of tokens.

use alloc::vec::Vec;

use super::stream::event;
use super::write::{stop, usage};
use crate::codec::json::Raw;
use crate::piece::Finish;
use crate::tail::Tail;
use crate::usage::Usage;

#[derive(Default)]
pub(super) struct Ending {
    /// The blocks that are open. One at a time, as far as anybody keeps to the API.
    open: Vec<u64>,
    phase: Phase,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Begun,
    /// The reason why the message ended was told.
    Over,
}

/// More open blocks than this are a mistake and must not take memory.
const MOST: usize = 128;

impl Tail for Ending {
    fn event(&mut self, data: Raw<'_>) {
        let [kind, index, delta] = ["type", "index", "delta"].map(|name| data.get(name));
        let kind = kind.and_then(Raw::string);
        let index = index.and_then(Raw::integer).unwrap_or_default();
        match kind.as_deref() {
            Some("message_start") => self.phase = Phase::Begun,
            Some("content_block_start") if self.open.len() < MOST => self.open.push(index),
            Some("content_block_stop") => self.open.retain(|open| *open != index),
            Some("message_delta") => {
                let reason = delta.and_then(|delta| delta.get("stop_reason"));
                if reason.is_some_and(|reason| !reason.is_null()) {
                    self.phase = Phase::Over;
                }
            }
            Some("message_stop" | "error") => self.phase = Phase::Over,
            _ => {}
        }
    }

    fn end(&mut self, used: &Usage, out: &mut Vec<u8>) -> bool {
        if self.phase != Phase::Begun {
            return false;
        }
        for index in &self.open {
            event("content_block_stop", out, |event| event.number("index", *index));
        }
        event("message_delta", out, |event| {
            event.object("delta", |delta| stop(delta, Some(Finish::Length), false, None));
            usage(event, used);
        });
        event("message_stop", out, |_| {});
        true
    }
}

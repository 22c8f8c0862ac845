//! Ends a stream of a response at a limit of tokens: with `response.incomplete`.
//!
//! The last event repeats the whole response, so its items are kept: those that are complete as their own events told
//! them, and the open ones with what has come of them.

mod item;

use alloc::vec::Vec;

use self::item::Item;
use super::write::{append, write_usage};
use crate::codec::json::write::{Object, object};
use crate::codec::json::{Edit, Raw, patch, scan};
use crate::tail::Tail;
use crate::usage::Usage;

#[derive(Default)]
pub(super) struct Ending {
    /// The response as its first event tells it; empty until then.
    response: Vec<u8>,
    /// Items that are complete, with commas between them.
    output: Vec<u8>,
    open: Vec<Item>,
    /// Writes what is missing.
    events: Events,
    is_over: bool,
}

/// Writes events, numbered as those before them are.
#[derive(Default)]
struct Events {
    /// The number of the next one, if they have numbers.
    next: Option<u64>,
}

impl Events {
    fn write(&mut self, kind: &str, out: &mut Vec<u8>, write: &dyn Fn(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        object(out, |event| {
            event.string("type", kind);
            if let Some(next) = &mut self.next {
                event.number("sequence_number", *next);
                *next += 1;
            }
            write(event);
        });
        out.extend_from_slice(b"\n\n");
    }
}

/// More open items than this are a mistake and must not take memory.
const MOST: usize = 1024;

/// More of the output than this is not kept, in bytes: an answer that is longer is not ended.
const MOST_KEPT: usize = 16 << 20;

impl Tail for Ending {
    fn event(&mut self, data: Raw<'_>) {
        let [kind, number, at, item] = ["type", "sequence_number", "output_index", "item"].map(|name| data.get(name));
        if let Some(number) = number.and_then(Raw::integer) {
            self.events.next = Some(number.saturating_add(1));
        }
        let at = at.and_then(Raw::integer).unwrap_or_default();
        let kind = kind.and_then(Raw::string);
        match (kind.as_deref().and_then(|kind| kind.strip_prefix("response.")), item) {
            (Some("created" | "in_progress"), _) if self.response.is_empty() => {
                let response = data.get("response").map(Raw::on_one_line);
                self.response = response.unwrap_or_default().as_bytes().to_vec();
            }
            (Some("completed" | "incomplete" | "failed"), _) => self.is_over = true,
            (Some("output_item.added"), Some(item)) if self.open.len() < MOST => self.open.push(Item::new(at, item)),
            (Some("output_item.done"), Some(item)) => {
                self.open.retain(|open| open.at != at);
                append(&mut self.output, |output| output.extend_from_slice(item.on_one_line().as_bytes()));
            }
            (Some(kind), _) => {
                if let Some(open) = self.open.iter_mut().find(|open| open.at == at) {
                    open.event(kind, data);
                }
            }
            (None, _) => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) -> bool {
        let kept = self.open.iter().fold(self.output.len(), |sum, open| sum + open.len());
        let Ok(found) = scan(&self.response) else { return false };
        if self.is_over || kept > MOST_KEPT {
            return false;
        }
        let Self { response, output, open, events, .. } = self;
        for open in open.drain(..) {
            let item = open.end(events, out);
            append(output, |output| output.extend_from_slice(&item));
        }
        let (mut whole, mut used) = (Vec::from(b"["), Vec::new());
        whole.append(output);
        whole.push(b']');
        object(&mut used, |to| write_usage(usage, to));
        let edits = [
            ("status", &b"\"incomplete\""[..]),
            ("incomplete_details", br#"{"reason":"max_output_tokens"}"#),
            ("output", &whole),
            ("usage", &used),
        ];
        let edits = edits.map(|(name, value)| (name, Edit::Set(value)));
        let response = patch(response, &found, &edits);
        events.write("response.incomplete", out, &|event| event.member("response").extend_from_slice(&response));
        self.is_over = true;
        true
    }
}

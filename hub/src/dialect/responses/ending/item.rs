//! An item of a response that is being written.

use alloc::vec::Vec;

use super::Events;
use crate::codec::json::write::{Object, array};
use crate::codec::json::{Collected, Edit, Raw, Str, patch, scan};

/// An item that is being written: as it was when it began, and what has come of it.
pub(super) struct Item {
    /// Its place in the output.
    pub(super) at: u64,
    begun: Vec<u8>,
    /// Parts of a message, or of a reasoning item's text.
    content: Vec<Part>,
    /// Parts of a reasoning item's summary.
    summary: Vec<Part>,
    /// What a call passes to its tool, and whether all of it has come.
    arguments: (Collected, bool),
}

/// A part of an item.
struct Part {
    /// As it was told last.
    told: Vec<u8>,
    /// What has come of its text since.
    text: Collected,
    phase: Phase,
}

/// How far a part has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// All of its text was told.
    Told,
    Over,
}

/// What a kind of part is called in the events: its text's event, the member with its text, and the part's own event.
#[derive(Clone, Copy)]
struct Names {
    text: &'static str,
    member: &'static str,
    part: &'static str,
    index: &'static str,
}

const SUMMARY: Names = Names {
    text: "response.reasoning_summary_text.done",
    member: "text",
    part: "response.reasoning_summary_part.done",
    index: "summary_index",
};

/// More parts than this are a mistake and must not take memory.
const MOST: usize = 1024;

impl Part {
    fn names(&self) -> Names {
        let part = core::str::from_utf8(&self.told).ok().and_then(Raw::parse);
        let kind = part.and_then(|part| part.get("type")).and_then(Raw::string);
        let (text, member) = match kind.as_deref() {
            Some("refusal") => ("response.refusal.done", "refusal"),
            Some("reasoning_text") => ("response.reasoning_text.done", "text"),
            _ => ("response.output_text.done", "text"),
        };
        Names { text, member, part: "response.content_part.done", index: "content_index" }
    }

    /// The part with its text.
    fn whole(&self, names: Names) -> Vec<u8> {
        if self.phase == Phase::Over {
            self.told.clone()
        } else {
            with(&self.told, names.member, &quoted(self.text.get()))
        }
    }
}

/// `object` with one member set.
fn with(object: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    scan(object).map_or_else(|_| object.to_vec(), |found| patch(object, &found, &[(name, Edit::Set(value))]))
}

fn quoted(text: Str<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    text.write(&mut out);
    out
}

fn list(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    array(&mut out, parts, |out, part| out.extend_from_slice(part));
    out
}

impl Item {
    /// An item that begins like this.
    pub(super) fn new(at: u64, item: Raw<'_>) -> Self {
        let begun = item.on_one_line().as_bytes().to_vec();
        Self { at, begun, content: Vec::new(), summary: Vec::new(), arguments: (Collected::default(), false) }
    }

    /// How much of it is kept, in bytes.
    pub(super) fn len(&self) -> usize {
        let parts = self.content.iter().chain(&self.summary);
        let parts = parts.fold(0, |sum, part| sum + part.told.len() + part.text.get().written().len());
        self.begun.len() + parts + self.arguments.0.get().written().len()
    }

    /// Reads an event about it; `kind` is the event's name after `response.`.
    pub(super) fn event(&mut self, kind: &str, data: Raw<'_>) {
        let parts = if kind.starts_with("reasoning_summary") { &mut self.summary } else { &mut self.content };
        let number = |name| data.get(name).and_then(Raw::integer).and_then(|number| usize::try_from(number).ok());
        let index = number("summary_index").or_else(|| number("content_index")).unwrap_or_default();
        let delta = data.get("delta").and_then(Raw::str);
        match kind {
            "content_part.added"
            | "reasoning_summary_part.added"
            | "content_part.done"
            | "reasoning_summary_part.done" => {
                let told = data.get("part").map(Raw::on_one_line).unwrap_or_default().as_bytes().to_vec();
                let is_over = matches!(kind, "content_part.done" | "reasoning_summary_part.done");
                let phase = if is_over { Phase::Over } else { Phase::Open };
                let part = Part { told, text: Collected::default(), phase };
                if let Some(known) = parts.get_mut(index) {
                    *known = part;
                } else if parts.len() < MOST {
                    parts.push(part);
                }
            }
            "output_text.delta" | "refusal.delta" | "reasoning_text.delta" | "reasoning_summary_text.delta" => {
                if let (Some(part), Some(delta)) = (parts.get_mut(index), delta) {
                    part.text.push(delta);
                }
            }
            "output_text.done" | "refusal.done" | "reasoning_text.done" | "reasoning_summary_text.done" => {
                if let Some(part) = parts.get_mut(index) {
                    part.phase = part.phase.max(Phase::Told);
                }
            }
            "function_call_arguments.delta" | "custom_tool_call_input.delta" | "mcp_call_arguments.delta" => {
                if let Some(delta) = delta {
                    self.arguments.0.push(delta);
                }
            }
            "function_call_arguments.done" | "custom_tool_call_input.done" | "mcp_call_arguments.done" => {
                self.arguments.1 = true;
            }
            _ => {}
        }
    }

    /// Writes the events that it lacks. The item as the last of them tells it.
    pub(super) fn end(&self, events: &mut Events, out: &mut Vec<u8>) -> Vec<u8> {
        let found = core::str::from_utf8(&self.begun).ok().and_then(Raw::parse).unwrap_or(Raw::NULL);
        let [id, kind] = ["id", "type"].map(|name| found.get(name));
        let id = id.and_then(Raw::str).unwrap_or(Str::EMPTY);
        let place = |event: &mut Object<'_>| {
            event.str("item_id", id);
            event.number("output_index", self.at);
        };
        let mut item = with(&self.begun, "status", b"\"incomplete\"");
        for (member, parts) in [("summary", &self.summary), ("content", &self.content)] {
            let mut whole = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                let names = if member == "summary" { SUMMARY } else { part.names() };
                let told = part.whole(names);
                if part.phase == Phase::Open {
                    events.write(names.text, out, &|event| {
                        place(event);
                        event.number(names.index, index as u64);
                        event.str(names.member, part.text.get());
                        if names.text == "response.output_text.done" {
                            event.raw("logprobs", "[]");
                        }
                    });
                }
                if part.phase != Phase::Over {
                    events.write(names.part, out, &|event| {
                        place(event);
                        event.number(names.index, index as u64);
                        event.member("part").extend_from_slice(&told);
                    });
                }
                whole.push(told);
            }
            if !whole.is_empty() {
                item = with(&item, member, &list(&whole));
            }
        }
        let called = match kind.and_then(Raw::string).as_deref() {
            Some("function_call") => Some(("response.function_call_arguments.done", "arguments")),
            Some("mcp_call") => Some(("response.mcp_call_arguments.done", "arguments")),
            Some("custom_tool_call") => Some(("response.custom_tool_call_input.done", "input")),
            _ => None,
        };
        if let Some((event, member)) = called {
            let (arguments, is_over) = &self.arguments;
            if !is_over {
                events.write(event, out, &|event| {
                    place(event);
                    event.str(member, arguments.get());
                });
            }
            item = with(&item, member, &quoted(arguments.get()));
        }
        events.write("response.output_item.done", out, &|event| {
            event.number("output_index", self.at);
            event.member("item").extend_from_slice(&item);
        });
        item
    }
}

//! Ends a stream of chat completions, or of text completions, at a limit of tokens.

use alloc::vec::Vec;

use super::write_usage;
use crate::call::ReplyStart;
use crate::codec::json::Raw;
use crate::codec::json::write::{Object, object};
use crate::endpoint::UsageChunk;
use crate::tail::{Alternatives, Tail};
use crate::usage::Usage;

/// Which of the two APIs the stream belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Of {
    Chat,
    Completions,
}

/// The members that every event repeats.
const HEAD: [&str; 6] = ["id", "object", "created", "model", "system_fingerprint", "service_tier"];

pub(in crate::dialect) struct Ending {
    of: Of,
    usage: UsageChunk,
    /// The members of every event up to its choices, as the first event has them; an object.
    head: Vec<u8>,
    choices: Alternatives,
}

impl Ending {
    pub(in crate::dialect) fn new(start: &ReplyStart<'_>, of: Of) -> Self {
        Self { of, usage: start.asked.usage, head: Vec::new(), choices: Alternatives::default() }
    }

    fn write(&self, out: &mut Vec<u8>, write: &dyn Fn(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        object(out, |event| {
            event.members(core::str::from_utf8(&self.head).unwrap_or_default());
            write(event);
        });
        out.extend_from_slice(b"\n\n");
    }
}

impl Tail for Ending {
    fn event(&mut self, data: Raw<'_>) {
        let Some(choices) = data.get("choices") else { return };
        if self.head.is_empty() {
            for (name, value) in data.members().filter(|(name, _)| HEAD.contains(&&**name)) {
                if !self.head.is_empty() {
                    self.head.push(b',');
                }
                let mut member = Vec::new();
                object(&mut member, |member| member.raw(&name, &value.on_one_line()));
                self.head.extend_from_slice(member.get(1..member.len().saturating_sub(1)).unwrap_or_default());
            }
        }
        for choice in choices.items() {
            let number = choice.get("index").and_then(Raw::integer).unwrap_or_default();
            let finish = choice.get("finish_reason");
            self.choices.note(number, finish.is_some_and(|finish| !finish.is_null()));
        }
    }

    fn alternatives(&self) -> usize {
        self.choices.count()
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) -> bool {
        let open = self.choices.open();
        for number in &open {
            self.write(out, &|event| {
                event.array("choices", [*number], |out, number| {
                    object(out, |choice| {
                        choice.number("index", number);
                        match self.of {
                            Of::Chat => choice.raw("delta", "{}"),
                            Of::Completions => choice.string("text", ""),
                        }
                        choice.raw("logprobs", "null");
                        choice.string("finish_reason", "length");
                    });
                });
            });
        }
        if !open.is_empty() {
            if self.usage == UsageChunk::Wanted {
                self.write(out, &|event| {
                    event.raw("choices", "[]");
                    write_usage(usage, event.member("usage"));
                });
            }
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        !open.is_empty()
    }
}

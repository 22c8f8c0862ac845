//! Ends a stream of generated content at a limit of tokens.

use alloc::string::String;
use alloc::vec::Vec;

use super::write::{content, usage};
use crate::codec::json::Raw;
use crate::codec::json::write::object;
use crate::tail::{Alternatives, Tail};
use crate::usage::Usage;

#[derive(Default)]
pub(super) struct Ending {
    candidates: Alternatives,
    /// `modelVersion` and `responseId`, as JSON.
    model: String,
    id: String,
}

impl Tail for Ending {
    fn event(&mut self, data: Raw<'_>) {
        let [candidates, model, id] = ["candidates", "modelVersion", "responseId"].map(|name| data.get(name));
        for (known, told) in [(&mut self.model, model), (&mut self.id, id)] {
            if let Some(told) = told.filter(|_| known.is_empty()) {
                *known = told.on_one_line().into_owned();
            }
        }
        for candidate in candidates.into_iter().flat_map(Raw::items) {
            let [index, finish] = ["index", "finishReason"].map(|name| candidate.get(name));
            let number = index.and_then(Raw::integer).unwrap_or_default();
            self.candidates.note(number, finish.is_some_and(|finish| !finish.is_null()));
        }
    }

    fn alternatives(&self) -> usize {
        self.candidates.count()
    }

    fn end(&mut self, used: &Usage, out: &mut Vec<u8>) -> bool {
        let open = self.candidates.open();
        if open.is_empty() {
            return false;
        }
        out.extend_from_slice(b"data: ");
        object(out, |event| {
            event.array("candidates", open, |out, number| {
                object(out, |candidate| {
                    content(candidate, br#"{"text":""}"#);
                    candidate.number("index", number);
                    candidate.string("finishReason", "MAX_TOKENS");
                });
            });
            usage(event, used);
            for (name, value) in [("modelVersion", &self.model), ("responseId", &self.id)] {
                if !value.is_empty() {
                    event.raw(name, value);
                }
            }
        });
        out.extend_from_slice(b"\n\n");
        true
    }
}

//! Moderations: Mistral judges texts by its own categories. Weir adds whether any category was found (`flagged`), which
//! OpenAI's callers look at first.
//!
//! <https://docs.mistral.ai/api/endpoint/classifiers>

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use weir_hub::buffer::{Buffer, parse};
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::write::{Object, object};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::progress::Progress;
use weir_hub::reply::{Passage, Reply};

use crate::provider::{To, openai};

/// Refuses any input that is not text.
pub(super) fn check(call: &Call<'_>, to: &To<'_>) -> Result<(), Reject> {
    let Some(input) = call.scan.raw(call.body, "input").filter(|input| input.kind() == Kind::Array) else {
        return Ok(());
    };
    match input.items().position(|item| item.kind() != Kind::String) {
        None => Ok(()),
        Some(at) => Err(to.invalid(&format!("input[{at}]"), "it must be a string for this provider")),
    }
}

/// Starts reading an answer.
pub(super) fn reply(start: &ReplyStart<'_>) -> Box<dyn Reply> {
    Box::new(Judged { buffer: Buffer::default(), watched: openai::relayed(start) })
}

struct Judged {
    buffer: Buffer,
    watched: Box<dyn Reply>,
}

impl Reply for Judged {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        self.buffer.add(chunk)?;
        Ok(Passage::Rewritten)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        let body = self.buffer.take();
        self.watched.read(&body, out)?;
        self.watched.end(out)?;
        let answer = parse(&body)?;
        object(out, |to| {
            for (name, value) in answer.members() {
                if name == "results" {
                    to.array(&name, value.items(), |out, result| object(out, |to| judged(result, to)));
                } else {
                    to.raw(&name, value.text());
                }
            }
        });
        Ok(Passage::Rewritten)
    }

    fn progress(&self) -> &Progress {
        self.watched.progress()
    }
}

/// One result, with `flagged`.
fn judged(result: Raw<'_>, to: &mut Object<'_>) {
    if result.get("flagged").is_none() {
        let categories = result.get("categories").unwrap_or(Raw::NULL);
        let found = categories.members().any(|(_, found)| found.boolean() == Some(true));
        to.raw("flagged", if found { "true" } else { "false" });
    }
    for (name, value) in result.members() {
        to.raw(&name, value.text());
    }
}

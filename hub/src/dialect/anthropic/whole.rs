//! Writes a whole answer: `message`.

use alloc::vec::Vec;

use super::ids::Ids;
use super::write::{citation, head, image, stop, usage};
use crate::codec::json::write::{Object, object};
use crate::codec::json::{Collected, Kind, Raw, Str};
use crate::piece::{Answer, Block};
use crate::usage::Usage;

pub(super) fn write(answer: &Answer, used: &Usage, out: &mut Vec<u8>) {
    let choice = answer.choices.first();
    let all = choice.map_or(&[][..], |choice| choice.blocks.as_slice());
    // As in a stream: clients take the last block for the answer's content.
    let said = all.iter().rposition(|block| !is_bare_proof(block)).map_or(0, |last| last + 1);
    let blocks = || all.iter().take(said);
    let mut ids = Ids::default();
    object(out, |message| {
        head(message, Str::Plain(&answer.id), Str::Plain(&answer.model));
        message.array("content", blocks().filter(|block| says_something(block)), |out, block| {
            object(out, |to| content(to, block, &mut ids));
        });
        let refused = blocks().any(|block| matches!(block, Block::Refusal(_)));
        let sequence = choice.and_then(|choice| choice.stop_sequence.as_ref());
        stop(message, choice.and_then(|choice| choice.finish), refused, sequence.map(Collected::get));
        usage(message, used);
    });
}

/// Whether this is a proof of reasoning without its words.
fn is_bare_proof(block: &Block) -> bool {
    matches!(block, Block::Reasoning { text, .. } if text.is_empty())
}

/// This API has no empty text blocks.
fn says_something(block: &Block) -> bool {
    match block {
        Block::Text { text, citations } => !text.is_empty() || !citations.is_empty(),
        Block::Refusal(text) => !text.is_empty(),
        _ => true,
    }
}

fn content(to: &mut Object<'_>, block: &Block, ids: &mut Ids) {
    match block {
        Block::Text { text, citations } => {
            to.string("type", "text");
            to.str("text", text.get());
            if !citations.is_empty() {
                to.array("citations", citations, |out, cited| citation(out, &cited.get()));
            }
        }
        Block::Refusal(text) => {
            to.string("type", "text");
            to.str("text", text.get());
        }
        Block::Reasoning { text, signature, .. } => {
            to.string("type", "thinking");
            to.str("thinking", text.get());
            to.str("signature", signature.as_ref().map_or(Str::EMPTY, Collected::get));
        }
        Block::Redacted { data, .. } => {
            to.string("type", "redacted_thinking");
            to.str("data", data.get());
        }
        Block::Call { id, name, arguments } => {
            to.string("type", "tool_use");
            to.string("id", &ids.tell(id.get()));
            to.str("name", name.get());
            input(to, arguments);
        }
        Block::Image { media_type, .. } => {
            to.string("type", "text");
            to.string("text", &image(media_type.get()));
        }
    }
}

/// Arguments are an object in this API, not text. If a model wrote anything else, it is wrapped in an object, in the
/// way in which this API's own guide tells callers to send it back.
///
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming>
fn input(to: &mut Object<'_>, arguments: &Collected) {
    let text = arguments.get().text();
    match Raw::parse(&text).filter(|value| value.kind() == Kind::Object) {
        Some(value) => to.raw("input", value.text()),
        None if text.trim().is_empty() => to.raw("input", "{}"),
        None => to.object("input", |input| input.string("INVALID_JSON", &text)),
    }
}

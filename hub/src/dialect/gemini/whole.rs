//! Writes a whole answer: `GenerateContentResponse`.

use alloc::format;
use alloc::vec::Vec;

use super::write::{Candidate, Thoughts, content, logprobs, usage};
use crate::codec::json::write::object;
use crate::codec::json::{Collected, Raw};
use crate::piece::{Answer, Block, Choice, Piece};
use crate::usage::Usage;

pub(super) fn write(answer: &Answer, used: &Usage, thoughts: Thoughts, out: &mut Vec<u8>) {
    let none = [Choice::default()];
    let choices = if answer.choices.is_empty() { &none } else { &*answer.choices };
    object(out, |to| {
        to.array("candidates", choices.iter().zip(0..), |out, (choice, index)| {
            let mut candidate = Candidate::new(thoughts);
            let mut parts = Vec::new();
            let mut calls = 0;
            for block in &choice.blocks {
                said(block, &mut calls, |piece| candidate.piece(piece, &mut parts));
            }
            candidate.finish = choice.finish;
            candidate.end(&mut parts);
            object(out, |to| {
                content(to, &parts);
                to.number("index", index);
                if !choice.logprobs.is_empty() {
                    let items = format!("[{}]", core::str::from_utf8(&choice.logprobs).unwrap_or_default());
                    let items: Vec<_> = Raw::parse(&items).unwrap_or(Raw::NULL).items().collect();
                    logprobs(to, items.into_iter());
                }
                candidate.write_end(to);
            });
        });
        usage(to, used);
        to.string("modelVersion", &answer.model);
        to.string("responseId", &answer.id);
    });
}

/// The pieces that a block was made of.
fn said(block: &Block, calls: &mut u32, mut say: impl FnMut(Piece<'_>)) {
    match block {
        Block::Text { text, citations } => {
            say(Piece::Text(text.get()));
            for cited in citations {
                say(Piece::Citation(cited.get()));
            }
        }
        Block::Refusal(text) => say(Piece::Refusal(text.get())),
        Block::Reasoning { text, signature, block } => {
            say(Piece::Reasoning { block: *block, text: text.get() });
            if let Some(signature) = signature.as_ref().map(Collected::get) {
                say(Piece::Signature { block: *block, signature });
            }
        }
        Block::Redacted { data, block } => say(Piece::Redacted { block: *block, data: data.get() }),
        Block::Call { id, name, arguments } => {
            let index = *calls;
            *calls += 1;
            say(Piece::Call { index, id: id.get(), name: name.get() });
            say(Piece::Arguments { index, json: arguments.get() });
        }
        Block::Image { media_type, data } => say(Piece::Image { media_type: media_type.get(), data: data.get() }),
    }
}

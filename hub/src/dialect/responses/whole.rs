//! Writes a whole answer: `response`.

use alloc::vec::Vec;

use super::write::{Response, Status, append, is_part};
use crate::call::ReplyStart;
use crate::piece::{Answer, Block};
use crate::usage::Usage;

pub(super) fn write(answer: &Answer, usage: &Usage, start: &ReplyStart<'_>, out: &mut Vec<u8>) {
    let mut response = Response::new(start);
    response.named(&answer.id, &answer.model);
    // This API has only one alternative.
    let choice = answer.choices.first();
    let finish = choice.and_then(|choice| choice.finish);
    let status = Status::after(finish);
    let blocks: &[Block] = choice.map_or(&[], |choice| &choice.blocks);
    let mut output = Vec::new();
    let mut logprobs: &[u8] = choice.map_or(&[], |choice| &choice.logprobs);
    let mut items = blocks.chunk_by(|a, b| is_part(a) && is_part(b)).zip(0..).peekable();
    while let Some((blocks, at)) = items.next() {
        // Only the last item can have been cut short.
        let cut = items.peek().is_none() && !matches!(blocks, [Block::Image { .. }]);
        let status = if cut { status } else { Status::Completed };
        let message = blocks.iter().any(|block| matches!(block, Block::Text { .. }));
        let logprobs = if message { core::mem::take(&mut logprobs) } else { &[] };
        append(&mut output, |out| response.item(at, blocks, status, logprobs, out));
    }
    response.write(status, finish, &output, Some(usage), out);
}

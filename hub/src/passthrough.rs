//! Passes a stream's blocks on. A chunk that passes as a whole is not copied; otherwise its passing blocks are.

use alloc::vec::Vec;

use crate::reply::Passage;

/// The part of one chunk that passes.
pub struct Passthrough<'c> {
    chunk: &'c [u8],
    /// This many bytes from the chunk's start pass, and are not copied yet.
    passed: usize,
    copies: bool,
}

impl<'c> Passthrough<'c> {
    /// Begins a chunk. If bytes of earlier chunks are `held`, its first block begins in them and not in this chunk.
    pub fn new(chunk: &'c [u8], held: bool) -> Self {
        Self { chunk, passed: 0, copies: held }
    }

    /// The next block passes on to the caller.
    pub fn pass(&mut self, block: &[u8], out: &mut Vec<u8>) {
        if self.copies {
            out.extend_from_slice(block);
        } else {
            self.passed += block.len();
        }
    }

    /// The next block does not pass: what has passed before it is copied.
    pub fn stop(&mut self, out: &mut Vec<u8>) {
        if !self.copies {
            self.copies = true;
            out.extend_from_slice(self.chunk.get(..self.passed).unwrap_or_default());
        }
    }

    /// The chunk has no more blocks.
    pub fn end(mut self, out: &mut Vec<u8>) -> Passage {
        if !self.copies && self.passed == self.chunk.len() {
            return Passage::AsIs;
        }
        self.stop(out);
        Passage::Rewritten
    }
}

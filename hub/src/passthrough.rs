//! Passing a stream's blocks on: as the chunk that they came in where all of it passes, else copied out of it.

use alloc::vec::Vec;

use crate::reply::Passage;

/// What of one chunk passes.
pub struct Passing<'c> {
    chunk: &'c [u8],
    /// So many bytes from the chunk's start pass, and are not copied yet.
    passed: usize,
    copies: bool,
}

impl<'c> Passing<'c> {
    /// Begins with `chunk`. Where bytes are `held` of earlier ones, its first block is not where it begins.
    pub fn new(chunk: &'c [u8], held: bool) -> Self {
        Self { chunk, passed: 0, copies: held }
    }

    /// The next block passes.
    pub fn pass(&mut self, block: &[u8], out: &mut Vec<u8>) {
        if self.copies {
            out.extend_from_slice(block);
        } else {
            self.passed += block.len();
        }
    }

    /// The next block does not pass, or nothing more does.
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

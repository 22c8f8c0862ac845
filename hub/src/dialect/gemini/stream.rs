//! Writes an answer as the events of a stream. Each event is an answer with the next parts. Calls are always whole, so
//! their fragments are collected. The last event has the finish reason and the usage.
//!
//! <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>

use alloc::vec::Vec;

use super::write::{Candidate, Thoughts, content, logprobs, usage};
use crate::codec::json::Raw;
use crate::codec::json::write::{Object, object};
use crate::dialect::Writer;
use crate::piece::Piece;
use crate::usage::Usage;

pub(super) struct Stream {
    thoughts: Thoughts,
    candidates: Vec<Candidate>,
    at: usize,
    /// The end of every event; known once the answer has a name.
    tail: Vec<u8>,
    /// Parts of the event being written.
    parts: Vec<u8>,
}

impl Stream {
    pub(super) fn new(thoughts: Thoughts) -> Self {
        Self { thoughts, candidates: Vec::new(), at: 0, tail: Vec::new(), parts: Vec::new() }
    }

    fn event(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        object(out, write);
        // The tail replaces the closing brace.
        out.pop();
        out.extend_from_slice(&self.tail);
    }

    /// One more event, with the next parts of one candidate.
    fn chunk(&self, out: &mut Vec<u8>, parts: &[u8], items: Option<Raw<'_>>) {
        self.event(out, |event| {
            event.array("candidates", [self.at as u64], |out, index| {
                object(out, |candidate| {
                    content(candidate, parts);
                    candidate.number("index", index);
                    if let Some(items) = items {
                        logprobs(candidate, items.items().collect::<Vec<_>>().into_iter());
                    }
                });
            });
        });
    }
}

impl Writer for Stream {
    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { id, model } => {
                let tail = &mut self.tail;
                tail.extend_from_slice(b",\"modelVersion\":");
                model.write(tail);
                tail.extend_from_slice(b",\"responseId\":");
                id.write(tail);
                tail.extend_from_slice(b"}\n\n");
                return;
            }
            Piece::Usage(_) | Piece::StopSequence(_) => return,
            // No provider gives this many alternatives; a larger number is a mistake and must not take memory.
            Piece::Choice(index) => self.at = (index as usize).min(127),
            _ => {}
        }
        while self.candidates.len() <= self.at {
            self.candidates.push(Candidate::new(self.thoughts));
        }
        let mut parts = core::mem::take(&mut self.parts);
        if let Some(candidate) = self.candidates.get_mut(self.at) {
            candidate.piece(piece, &mut parts);
        }
        match piece {
            Piece::Logprobs(items) => self.chunk(out, b"{\"text\":\"\"}", Some(items)),
            _ if parts.is_empty() => {}
            _ => self.chunk(out, &parts, None),
        }
        parts.clear();
        self.parts = parts;
    }

    fn end(&mut self, used: &Usage, out: &mut Vec<u8>) {
        let mut candidates = core::mem::take(&mut self.candidates);
        if candidates.is_empty() {
            candidates.push(Candidate::new(self.thoughts));
        }
        self.event(out, |event| {
            event.array("candidates", candidates.iter_mut().zip(0..), |out, (candidate, index)| {
                let mut parts = Vec::new();
                candidate.end(&mut parts);
                object(out, |to| {
                    content(to, &parts);
                    to.number("index", index);
                    candidate.write_end(to);
                });
            });
            usage(event, used);
        });
    }

    /// Whatever has no event of its own: a call is written when it is complete, a proof with what it proves.
    fn keeps(&self, piece: &Piece<'_>) -> bool {
        match piece {
            Piece::Call { .. } | Piece::Arguments { .. } | Piece::Signature { .. } | Piece::Citation(_) => true,
            Piece::Reasoning { .. } => self.thoughts == Thoughts::Hidden,
            _ => false,
        }
    }
}

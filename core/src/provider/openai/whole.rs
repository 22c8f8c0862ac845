//! Relays a whole answer byte for byte, once it is known to be complete and not an error.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use weir_hub::buffer::{Buffer, cut_whole, malformed, parse_by};
use weir_hub::codec::json::{Kind, Raw};
use weir_hub::embed::one_for_each;
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::progress::Progress;
use weir_hub::reply::{Passage, Reply};

use super::event::{Members, is_cut};
use super::fault::{failed, in_answer};

pub(super) struct Whole {
    endpoint: Endpoint,
    /// How many texts were to be embedded, if that is known.
    texts: Option<usize>,
    /// The bytes so far, unless the answer was complete at once.
    buffer: Buffer,
    progress: Progress,
}

impl Whole {
    pub(super) fn new(endpoint: Endpoint, texts: Option<usize>) -> Self {
        Self { endpoint, texts, buffer: Buffer::default(), progress: Progress::default() }
    }

    fn inspect(&mut self, (answer, members): (Raw<'_>, Members<'_>)) -> Result<(), UpstreamFault> {
        if members.is_error() {
            return Err(in_answer(answer));
        }
        let (due, missing) = match self.endpoint {
            Endpoint::Embeddings | Endpoint::Images | Endpoint::ImageEdits => {
                (members.data, "The provider's answer has no data.")
            }
            Endpoint::Moderations | Endpoint::Rerank => (members.results, "The provider's answer has no results."),
            _ => (members.choices, "The provider's answer has no choices."),
        };
        let Some(due) = due.filter(|due| due.kind() == Kind::Array) else { return Err(malformed(missing)) };
        let deltas = members.deltas;
        if deltas.failed {
            return Err(failed());
        }
        // The requested content must be there at least once. But a ranking may have left out all documents, and a
        // request may embed nothing.
        let some = match self.endpoint {
            Endpoint::Embeddings | Endpoint::Moderations | Endpoint::Rerank => true,
            Endpoint::Images | Endpoint::ImageEdits => due.items().next().is_some(),
            _ => deltas.tokens > 0 || deltas.finishes(),
        };
        if !some {
            return Err(malformed(missing));
        }
        if self.endpoint.embeds() {
            one_for_each(self.texts, due.items().count())?;
        }
        if self.endpoint.is_chat() && !deltas.all_finished() && is_cut(due) {
            return Err(cut_whole());
        }
        self.progress.model = members.model().map(Cow::into_owned).unwrap_or_default();
        match members.usage() {
            Some(usage) => self.progress.usage = usage,
            None if self.endpoint.is_chat() => self.progress.usage.output = deltas.tokens,
            None => {}
        }
        self.progress.finish();
        Ok(())
    }
}

impl Reply for Whole {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        if self.done() {
            if chunk.iter().all(u8::is_ascii_whitespace) {
                return Ok(Passage::AsIs);
            }
            return Err(malformed("The provider's answer goes on after its end."));
        }
        // Most answers come in one piece, and then nothing is copied.
        if self.buffer.is_empty() && chunk.trim_ascii_end().ends_with(b"}") {
            match parse_by(chunk, Members::check) {
                Ok(answer) => {
                    self.inspect(answer)?;
                    return Ok(Passage::AsIs);
                }
                Err(fault) if fault.kind != FaultKind::Cut => return Err(fault),
                Err(_) => {}
            }
        }
        self.buffer.add(chunk)?;
        Ok(Passage::AsIs)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        if !self.done() {
            let body = self.buffer.take();
            self.inspect(parse_by(&body, Members::check)?)?;
        }
        Ok(Passage::AsIs)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

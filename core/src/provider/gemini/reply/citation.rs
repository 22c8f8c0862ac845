//! The sources of an answer's text.
//!
//! <https://ai.google.dev/gemini-api/docs/google-search#understanding-the-grounding-response>,
//! <https://ai.google.dev/api/generate-content#CitationMetadata>

use alloc::vec::Vec;

use weir_hub::codec::json::{Raw, Str};
use weir_hub::piece::{Citation, Piece};
use weir_hub::reply::Pieces;

/// The citations so far; streams repeat them.
pub(super) struct Cited {
    supports: usize,
    sources: usize,
    /// Positions are in bytes. They are the same in characters as long as every character was one byte.
    counts: Counts,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Alike,
    Apart,
}

impl Default for Cited {
    fn default() -> Self {
        Self { supports: 0, sources: 0, counts: Counts::Alike }
    }
}

impl Cited {
    pub(super) fn said(&mut self, text: Str<'_>) {
        if self.counts == Counts::Alike && !text.is_ascii() {
            self.counts = Counts::Apart;
        }
    }

    pub(super) fn read(&mut self, grounding: Option<Raw<'_>>, citations: Option<Raw<'_>>, pieces: &mut Pieces<'_>) {
        if let Some(metadata) = grounding {
            self.grounding(metadata, pieces);
        }
        if let Some(metadata) = citations {
            // Vertex has another name for this member.
            let sources = metadata.get("citationSources").or_else(|| metadata.get("citations"));
            let sources = sources.unwrap_or(Raw::NULL).items().skip(self.sources);
            self.sources += sources
                .map(|source| {
                    let (start, end) = self.place(source);
                    let given = |name| source.get(name).and_then(Raw::str);
                    cite(
                        Citation { url: given("uri"), title: given("title"), start, end, ..Citation::default() },
                        pieces,
                    );
                })
                .count();
        }
    }

    /// The model's finds, each with the text that it supports. If no text is named, all finds.
    fn grounding(&mut self, metadata: Raw<'_>, pieces: &mut Pieces<'_>) {
        let chunks: Vec<_> = metadata.get("groundingChunks").unwrap_or(Raw::NULL).items().collect();
        let supports = || metadata.get("groundingSupports").unwrap_or(Raw::NULL).items();
        let mut told = 0;
        for support in supports() {
            told += 1;
            if told <= self.supports {
                continue;
            }
            let (start, end) = self.place(support.get("segment").unwrap_or(Raw::NULL));
            for index in support.get("groundingChunkIndices").unwrap_or(Raw::NULL).items() {
                let index = index.integer().and_then(|index| usize::try_from(index).ok());
                if let Some(chunk) = index.and_then(|index| chunks.get(index)) {
                    cite(Citation { start, end, ..found(*chunk) }, pieces);
                }
            }
        }
        if told == 0 && self.supports == 0 {
            for chunk in chunks {
                told += 1;
                cite(found(chunk), pieces);
            }
        }
        self.supports = self.supports.max(told);
    }

    /// The range of the answer's characters that `segment` means.
    fn place(&self, segment: Raw<'_>) -> (Option<u64>, Option<u64>) {
        let number = |name| segment.get(name).and_then(Raw::integer);
        // In a later part, positions start again from zero.
        let is_first = number("partIndex").unwrap_or(0) == 0;
        match number("endIndex") {
            Some(end) if is_first && self.counts == Counts::Alike => {
                (Some(number("startIndex").unwrap_or(0)), Some(end))
            }
            _ => (None, None),
        }
    }
}

/// A web page, a place on a map, or a document of the operator's own.
fn found(chunk: Raw<'_>) -> Citation<'_> {
    let of = |kind: &str| chunk.get(kind);
    let source = of("web").or_else(|| of("retrievedContext")).or_else(|| of("maps")).unwrap_or(Raw::NULL);
    let given = |name| source.get(name).and_then(Raw::str);
    Citation { url: given("uri"), title: given("title"), cited: given("text"), ..Citation::default() }
}

fn cite(citation: Citation<'_>, pieces: &mut Pieces<'_>) {
    if citation != Citation::default() {
        pieces(Piece::Citation(citation));
    }
}

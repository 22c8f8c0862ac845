//! What Gemini's streams and whole answers have in common: makes parts from an answer's pieces.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::SHOWS_THOUGHTS;
use super::proof::Proof;
use crate::call::ReplyStart;
use crate::codec::json::write::{Object, array, object};
use crate::codec::json::{Collected, Kind, Raw, Str};
use crate::dialect::arguments::Nesting;
use crate::piece::{Citation, Cited, Finish, Piece};
use crate::usage::Usage;

/// Whether the caller wants to see what the model thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    Shown,
    Hidden,
}

impl Thoughts {
    pub(super) fn of(start: &ReplyStart<'_>) -> Self {
        if start.echo == SHOWS_THOUGHTS { Self::Shown } else { Self::Hidden }
    }
}

/// One of the alternatives, as far as it has come.
pub(super) struct Candidate {
    thoughts: Thoughts,
    /// The number of the latest block of reasoning, and its text if it is not shown.
    thought: (u32, Collected),
    /// The proof of a block, which may come in fragments.
    proof: Option<(u32, Collected)>,
    /// A signature of Gemini's own, which belongs to the next part.
    signature: Option<String>,
    /// Calls that are incomplete, or wait for an incomplete call before them.
    calls: VecDeque<Call>,
    /// How many calls were written.
    told: usize,
    citations: Vec<Cited>,
    counts: Counts,
    broken: Option<String>,
    pub(super) finish: Option<Finish>,
}

struct Call {
    id: Collected,
    name: Collected,
    arguments: Collected,
    nesting: Nesting,
    signature: Option<String>,
}

/// Whether this API and other APIs count positions in the text alike: this one counts bytes, others characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Alike,
    Apart,
}

impl Candidate {
    pub(super) fn new(thoughts: Thoughts) -> Self {
        Self {
            thoughts,
            thought: (0, Collected::default()),
            proof: None,
            signature: None,
            calls: VecDeque::new(),
            told: 0,
            citations: Vec::new(),
            counts: Counts::Alike,
            broken: None,
            finish: None,
        }
    }

    /// Appends the parts made from `piece`, with commas between them.
    pub(super) fn piece(&mut self, piece: Piece<'_>, parts: &mut Vec<u8>) {
        if let Piece::Signature { block, signature } = piece {
            match &mut self.proof {
                Some((open, proof)) if *open == block => proof.push(signature),
                _ => {
                    self.prove(parts);
                    self.proof = Some((block, signature.into()));
                }
            }
            return;
        }
        self.prove(parts);
        match piece {
            Piece::Text(text) | Piece::Refusal(text) if !text.is_empty() => {
                if !text.is_ascii() {
                    self.counts = Counts::Apart;
                }
                let signature = self.signature.take();
                part(parts, signature.as_deref(), |part| part.str("text", text));
            }
            Piece::Reasoning { block, text } if !text.is_empty() => {
                if self.thought.0 != block {
                    self.thought = (block, Collected::default());
                }
                match self.thoughts {
                    Thoughts::Shown => thought(parts, None, text),
                    Thoughts::Hidden => self.thought.1.push(text),
                }
            }
            Piece::Redacted { data, .. } => {
                thought(parts, Some(&Proof::Redacted(data.text()).write()), Str::EMPTY);
            }
            Piece::Call { id, name, .. } => {
                let (arguments, nesting) = (Collected::default(), Nesting::default());
                let signature = self.signature.take();
                self.calls.push_back(Call { id: id.into(), name: name.into(), arguments, nesting, signature });
            }
            Piece::Arguments { index, json } => {
                let waiting = (index as usize).checked_sub(self.told);
                let call = waiting.and_then(|at| self.calls.get_mut(at));
                if let Some(call) = call {
                    call.nesting.read(json);
                    call.arguments.push(json);
                }
                while self.calls.front().is_some_and(|call| call.nesting.is_closed())
                    && let Some(call) = self.calls.pop_front()
                {
                    self.call(&call, parts);
                }
            }
            Piece::Image { media_type, data } => {
                let signature = self.signature.take();
                part(parts, signature.as_deref(), |part| {
                    part.object("inlineData", |inline| {
                        inline.str("mimeType", media_type);
                        inline.str("data", data);
                    });
                });
            }
            Piece::Citation(citation) => self.citations.push(citation.into()),
            Piece::Finish(finish) => self.finish = Some(finish),
            _ => {}
        }
    }

    /// Appends everything that still waits. There is always at least one part, for clients that look for text.
    pub(super) fn end(&mut self, parts: &mut Vec<u8>) {
        self.prove(parts);
        while let Some(call) = self.calls.pop_front() {
            self.call(&call, parts);
        }
        let signature = self.signature.take();
        if signature.is_some() || parts.is_empty() {
            part(parts, signature.as_deref(), |part| part.string("text", ""));
        }
    }

    /// The proof of a block is complete.
    fn prove(&mut self, parts: &mut Vec<u8>) {
        let Some((block, signature)) = self.proof.take() else { return };
        let words = if self.thought.0 == block { core::mem::take(&mut self.thought.1) } else { Collected::default() };
        let proof = Proof::Words { signature: signature.text().into(), words: words.text().into() };
        if proof.belongs_to_next() {
            self.signature = Some(proof.write());
        } else {
            thought(parts, Some(&proof.write()), Str::EMPTY);
        }
    }

    /// Arguments are an object in this API. A call with other arguments is not written; the answer's end says that it
    /// is malformed.
    fn call(&mut self, call: &Call, parts: &mut Vec<u8>) {
        self.told += 1;
        let text = call.arguments.text();
        let arguments = if text.trim().is_empty() { "{}" } else { &text };
        let Some(arguments) = Raw::parse(arguments).filter(|value| value.kind() == Kind::Object) else {
            self.broken = Some(format!("Malformed function call: {}({text})", call.name.text()));
            return;
        };
        part(parts, call.signature.as_deref(), |part| {
            part.object("functionCall", |to| {
                to.str("id", call.id.get());
                to.str("name", call.name.get());
                to.raw("args", &arguments.on_one_line());
            });
        });
    }

    /// Appends the members with which an answer ends.
    pub(super) fn write_end(&self, to: &mut Object<'_>) {
        // A call that was cut off at the token limit is incomplete, not malformed.
        let broken =
            self.broken.as_ref().filter(|_| !matches!(self.finish, Some(Finish::Length | Finish::ContextWindow)));
        to.string(
            "finishReason",
            match self.finish {
                _ if broken.is_some() => "MALFORMED_FUNCTION_CALL",
                Some(Finish::Length | Finish::ContextWindow) => "MAX_TOKENS",
                Some(Finish::ContentFilter) => "SAFETY",
                Some(Finish::Stop | Finish::ToolCalls) | None => "STOP",
            },
        );
        if let Some(message) = broken {
            to.string("finishMessage", message);
        }
        if !self.citations.is_empty() {
            to.object("groundingMetadata", |metadata| self.grounding(metadata));
        }
    }

    /// <https://ai.google.dev/gemini-api/docs/google-search>
    fn grounding(&self, metadata: &mut Object<'_>) {
        metadata.array("groundingChunks", &self.citations, |out, cited| {
            let Citation { url, title, cited, .. } = cited.get();
            object(out, |chunk| {
                chunk.object(if url.is_some() { "web" } else { "retrievedContext" }, |source| {
                    let text = cited.filter(|_| url.is_none());
                    for (name, value) in [("uri", url), ("title", title), ("text", text)] {
                        if let Some(value) = value {
                            source.str(name, value);
                        }
                    }
                });
            });
        });
        let places = self.citations.iter().enumerate().filter_map(|(chunk, cited)| {
            let (start, end) = (cited.start.unwrap_or(0), cited.end?);
            (self.counts == Counts::Alike).then_some((chunk, start, end))
        });
        metadata.array("groundingSupports", places, |out, (chunk, start, end)| {
            object(out, |support| {
                support.object("segment", |segment| {
                    segment.number("startIndex", start);
                    segment.number("endIndex", end);
                });
                support.array("groundingChunkIndices", [chunk as u64], |out, index| {
                    crate::codec::json::write::number(out, index);
                });
            });
        });
    }
}

fn thought(parts: &mut Vec<u8>, signature: Option<&str>, text: Str<'_>) {
    part(parts, signature, |part| {
        part.str("text", text);
        part.raw("thought", "true");
    });
}

fn part(parts: &mut Vec<u8>, signature: Option<&str>, write: impl FnOnce(&mut Object<'_>)) {
    if !parts.is_empty() {
        parts.push(b',');
    }
    object(parts, |part| {
        write(part);
        if let Some(signature) = signature {
            part.string("thoughtSignature", signature);
        }
    });
}

/// The content of a candidate; its parts are already written.
pub(super) fn content(candidate: &mut Object<'_>, parts: &[u8]) {
    candidate.object("content", |content| {
        let out = content.member("parts");
        out.push(b'[');
        out.extend_from_slice(parts);
        out.push(b']');
        content.string("role", "model");
    });
}

/// `usageMetadata`. This API counts thoughts apart from the other output tokens, and cached tokens as part of the
/// prompt.
///
/// <https://ai.google.dev/api/generate-content#UsageMetadata>
pub(super) fn usage(to: &mut Object<'_>, usage: &Usage) {
    to.object("usageMetadata", |to| {
        to.number("promptTokenCount", usage.input);
        to.number("candidatesTokenCount", usage.output.saturating_sub(usage.reasoning));
        to.number("totalTokenCount", usage.input.saturating_add(usage.output));
        for (name, count) in [("cachedContentTokenCount", usage.cached_read), ("thoughtsTokenCount", usage.reasoning)] {
            if count > 0 {
                to.number(name, count);
            }
        }
    });
}

/// `logprobsResult`, from OpenAI's items.
///
/// <https://ai.google.dev/api/generate-content#LogprobsResult>
pub(super) fn logprobs<'a>(candidate: &mut Object<'_>, items: impl Iterator<Item = Raw<'a>> + Clone) {
    let token = |out: &mut Vec<u8>, item: Raw<'_>| {
        object(out, |to| {
            to.str("token", item.get("token").and_then(Raw::str).unwrap_or(Str::EMPTY));
            to.raw("logProbability", item.get("logprob").map_or("0", Raw::text));
        });
    };
    candidate.object("logprobsResult", |result| {
        let others = |item: Raw<'a>| item.get("top_logprobs").unwrap_or(Raw::NULL).items();
        if items.clone().any(|item| others(item).next().is_some()) {
            result.array("topCandidates", items.clone(), |out, item| {
                object(out, |top| array(top.member("candidates"), others(item), token));
            });
        }
        result.array("chosenCandidates", items, token);
    });
}

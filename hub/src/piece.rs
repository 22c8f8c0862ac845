//! An answer of a chat model on its way from one dialect to another: a row of [`Piece`]s, or all of them collected.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::{Collected, Raw, Str};
use crate::usage::Usage;

/// The next bit of an answer. A row of them, from [`Start`](Self::Start) to [`Finish`](Self::Finish), is an answer,
/// and whether it came whole or streamed makes no difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Comes first; only [`Usage`](Self::Usage) may stand before it.
    Start {
        /// The provider's name for the answer; empty if it has none.
        id: Str<'a>,
        /// The provider's name for the model; empty if it does not say.
        model: Str<'a>,
    },
    /// What follows belongs to this one of several answers; without it, to the first (0).
    Choice(u32),
    /// More text.
    Text(Str<'a>),
    /// More of the words with which the model declines.
    Refusal(Str<'a>),
    /// More reasoning.
    Reasoning {
        /// Which block of reasoning, from 0; blocks are numbered in the order in which they begin.
        block: u32,
        /// Its words.
        text: Str<'a>,
    },
    /// The proof that a block of reasoning is the model's own; see [`signature`](crate::signature).
    Signature {
        /// Which block. One that has had no words is a proof alone.
        block: u32,
        /// The proof.
        signature: Str<'a>,
    },
    /// A block of reasoning that only the provider can read.
    Redacted {
        /// Which block.
        block: u32,
        /// Encrypted.
        data: Str<'a>,
    },
    /// A tool call begins.
    Call {
        /// Which call of its choice, from 0, in the order in which they begin.
        index: u32,
        /// Names the call in its result.
        id: Str<'a>,
        /// The tool.
        name: Str<'a>,
    },
    /// More of a tool call's arguments. The fragments of one call are one JSON object; a call without arguments has `{}`.
    Arguments {
        /// Which call.
        index: u32,
        /// A fragment of JSON.
        json: Str<'a>,
    },
    /// Where something that was just said comes from.
    Citation(Citation<'a>),
    /// An image that the model made.
    Image {
        /// `image/png` and the like.
        media_type: Str<'a>,
        /// In base64.
        data: Str<'a>,
    },
    /// Log probabilities of tokens that were just said: items of OpenAI's `logprobs.content`, an array.
    Logprobs(Raw<'a>),
    /// Tokens so far, all of them: a later one replaces an earlier.
    Usage(Usage),
    /// The stop sequence that was met, empty where the provider does not say which; comes before the finish.
    StopSequence(Str<'a>),
    /// Comes last in its choice.
    Finish(Finish),
}

impl Piece<'_> {
    /// How much of an answer it is, in bytes as they are written.
    pub fn bytes(&self) -> usize {
        let of = |text: &Str<'_>| text.written().len();
        match self {
            Self::Text(text)
            | Self::Refusal(text)
            | Self::Reasoning { text, .. }
            | Self::Signature { signature: text, .. }
            | Self::Redacted { data: text, .. }
            | Self::Arguments { json: text, .. }
            | Self::StopSequence(text) => of(text),
            Self::Call { id, name, .. } => of(id) + of(name),
            Self::Image { media_type, data } => of(media_type) + of(data),
            Self::Citation(citation) => citation.bytes(),
            Self::Logprobs(items) => items.text().len(),
            Self::Start { .. } | Self::Choice(_) | Self::Usage(_) | Self::Finish(_) => 0,
        }
    }
}

impl Citation<'_> {
    /// How much its texts are, in bytes as they are written.
    pub fn bytes(&self) -> usize {
        let Self { url, title, cited, .. } = self;
        [url, title, cited].into_iter().flatten().map(|text| text.written().len()).sum()
    }
}

/// Which of the tools that an answer calls its caller is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// All.
    #[default]
    All,
    /// The first: the caller wants one at a time, and the provider cannot be told so.
    First,
}

impl Calls {
    /// Whether `piece` is of a call that the caller is not told of.
    pub fn leave_out(self, piece: &Piece<'_>) -> bool {
        self == Self::First && matches!(piece, Piece::Call { index, .. } | Piece::Arguments { index, .. } if *index > 0)
    }
}

/// Where something comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Citation<'a> {
    /// The address, if it is on the web.
    pub url: Option<Str<'a>>,
    /// The title of the page or the name of the document.
    pub title: Option<Str<'a>>,
    /// What is said there.
    pub cited: Option<Str<'a>>,
    /// Which of the request's documents, from 0.
    pub document: Option<u64>,
    /// First character of the answer's text that it supports, from 0, where the provider says.
    pub start: Option<u64>,
    /// The character after the last.
    pub end: Option<u64>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or came to a stop sequence.
    Stop,
    /// No tokens were left, of those that the caller allowed or the model gives.
    Length,
    /// The model's context is full.
    ContextWindow,
    /// The caller is to run tools.
    ToolCalls,
    /// The provider's policy ended it.
    ContentFilter,
}

/// A whole answer, collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's name for it.
    pub id: String,
    /// The provider's name for the model.
    pub model: String,
    /// What was answered, in as many ways as asked for.
    pub choices: Vec<Choice>,
    at: usize,
}

/// One of the ways in which was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What it consists of, in the order in which it came.
    pub blocks: Vec<Block>,
    /// Items of OpenAI's `logprobs.content`, with commas between.
    pub logprobs: Vec<u8>,
    /// The stop sequence that was met.
    pub stop_sequence: Option<Collected>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// Where in `blocks` each call is, in order: an answer may have very many.
    calls: Vec<usize>,
    /// Where the latest block of reasoning of each number is.
    thoughts: BTreeMap<u32, usize>,
}

/// A stretch of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Text, with where it comes from.
    Text {
        /// What is said.
        text: Collected,
        /// Where it comes from.
        citations: Vec<Cited>,
    },
    /// The words with which the model declines.
    Refusal(Collected),
    /// Reasoning.
    Reasoning {
        /// Its words.
        text: Collected,
        /// The proof that they are the model's own.
        signature: Option<Collected>,
        /// Which block of reasoning.
        block: u32,
    },
    /// Reasoning that only the provider can read.
    Redacted {
        /// Encrypted.
        data: Collected,
        /// Which block of reasoning.
        block: u32,
    },
    /// A tool call.
    Call {
        /// Names the call in its result.
        id: Collected,
        /// The tool.
        name: Collected,
        /// A JSON object.
        arguments: Collected,
    },
    /// An image that the model made.
    Image {
        /// `image/png` and the like.
        media_type: Collected,
        /// In base64.
        data: Collected,
    },
}

/// A [`Citation`], kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "see Citation")]
pub struct Cited {
    pub url: Option<Collected>,
    pub title: Option<Collected>,
    pub cited: Option<Collected>,
    pub document: Option<u64>,
    pub start: Option<u64>,
    pub end: Option<u64>,
}

impl Answer {
    /// Adds the next piece.
    pub fn add(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Start { id, model } => {
                self.id = id.text().into_owned();
                self.model = model.text().into_owned();
            }
            // More than any provider gives; a larger number is a mistake that must not take memory.
            Piece::Choice(index) => self.at = (index as usize).min(127),
            Piece::Usage(_) => {}
            piece => {
                while self.choices.len() <= self.at {
                    self.choices.push(Choice::default());
                }
                if let Some(choice) = self.choices.get_mut(self.at) {
                    choice.add(piece);
                }
            }
        }
    }
}

impl Choice {
    /// Adds the next piece.
    pub fn add(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(more) => match self.blocks.last_mut() {
                Some(Block::Text { text, .. }) => text.push(more),
                _ => self.blocks.push(Block::Text { text: more.into(), citations: Vec::new() }),
            },
            Piece::Refusal(more) => match self.blocks.last_mut() {
                Some(Block::Refusal(text)) => text.push(more),
                _ => self.blocks.push(Block::Refusal(more.into())),
            },
            Piece::Reasoning { block, text: more } => match self.reasoning(block) {
                Some((text, _)) => text.push(more),
                None => self.think(Block::Reasoning { text: more.into(), signature: None, block }, block),
            },
            Piece::Signature { block, signature: more } => {
                if let Some((_, signature)) = self.reasoning(block) {
                    signature.get_or_insert_default().push(more);
                } else {
                    let signature = Some(more.into());
                    self.think(Block::Reasoning { text: Collected::default(), signature, block }, block);
                }
            }
            Piece::Redacted { block, data } => self.blocks.push(Block::Redacted { data: data.into(), block }),
            Piece::Call { id, name, .. } => {
                self.calls.push(self.blocks.len());
                self.blocks.push(Block::Call { id: id.into(), name: name.into(), arguments: Collected::default() });
            }
            Piece::Arguments { index, json } => {
                let at = self.calls.get(index as usize).copied();
                if let Some(Block::Call { arguments, .. }) = at.and_then(|at| self.blocks.get_mut(at)) {
                    arguments.push(json);
                }
            }
            Piece::Citation(citation) => {
                if !matches!(self.blocks.last(), Some(Block::Text { .. })) {
                    self.blocks.push(Block::Text { text: Collected::default(), citations: Vec::new() });
                }
                if let Some(Block::Text { citations, .. }) = self.blocks.last_mut() {
                    citations.push(citation.into());
                }
            }
            Piece::Image { media_type, data } => {
                self.blocks.push(Block::Image { media_type: media_type.into(), data: data.into() });
            }
            Piece::Logprobs(items) => {
                for item in items.items() {
                    if !self.logprobs.is_empty() {
                        self.logprobs.push(b',');
                    }
                    self.logprobs.extend_from_slice(item.text().as_bytes());
                }
            }
            Piece::StopSequence(sequence) => self.stop_sequence = Some(sequence.into()),
            Piece::Finish(finish) => self.finish = Some(finish),
            Piece::Start { .. } | Piece::Choice(_) | Piece::Usage(_) => {}
        }
    }

    /// Takes out the block at this place, which leaves an empty one there: what comes later is none of its.
    pub fn take(&mut self, at: usize) -> Option<Block> {
        let block = core::mem::replace(self.blocks.get_mut(at)?, Block::Refusal(Collected::default()));
        if let Block::Reasoning { block: number, .. } = block
            && self.thoughts.get(&number) == Some(&at)
        {
            self.thoughts.remove(&number);
        }
        Some(block)
    }

    /// Begins a block of reasoning.
    fn think(&mut self, thought: Block, number: u32) {
        self.thoughts.insert(number, self.blocks.len());
        self.blocks.push(thought);
    }

    /// The block of reasoning called `wanted`, if it is being written.
    fn reasoning(&mut self, wanted: u32) -> Option<(&mut Collected, &mut Option<Collected>)> {
        let at = *self.thoughts.get(&wanted)?;
        match self.blocks.get_mut(at) {
            Some(Block::Reasoning { text, signature, .. }) => Some((text, signature)),
            _ => None,
        }
    }
}

impl From<Citation<'_>> for Cited {
    fn from(citation: Citation<'_>) -> Self {
        let Citation { url, title, cited, document, start, end } = citation;
        let kept = |text: Option<Str<'_>>| text.map(Collected::from);
        Self { url: kept(url), title: kept(title), cited: kept(cited), document, start, end }
    }
}

impl Cited {
    /// As it came.
    pub fn get(&self) -> Citation<'_> {
        Citation {
            url: self.url.as_ref().map(Collected::get),
            title: self.title.as_ref().map(Collected::get),
            cited: self.cited.as_ref().map(Collected::get),
            document: self.document,
            start: self.start,
            end: self.end,
        }
    }
}

//! An answer of a chat model on its way from a provider to a dialect: a sequence of [`Piece`]s, or all of them
//! collected.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::json::{Collected, Raw, Str};
use crate::usage::Usage;

/// The next bit of an answer. A sequence from [`Start`](Self::Start) to [`Finish`](Self::Finish) is an answer, whether
/// it was sent whole or streamed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Comes first; only [`Usage`](Self::Usage) may come before it.
    Start {
        /// The provider's name for the answer; empty if it has none.
        id: Str<'a>,
        /// The provider's name for the model; empty if it does not say.
        model: Str<'a>,
    },
    /// The pieces that follow belong to this alternative, one of `n`. Until one is named, they belong to the first (0).
    Choice(u32),
    /// More text.
    Text(Str<'a>),
    /// More text of a refusal.
    Refusal(Str<'a>),
    /// More reasoning.
    Reasoning {
        /// Which block of reasoning, from 0; blocks are numbered in the order in which they begin.
        block: u32,
        /// The text.
        text: Str<'a>,
    },
    /// The proof that a block of reasoning is the model's own; see [`signature`](crate::signature).
    Signature {
        /// Which block. A block without text is only a proof.
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
        /// The call's id, which its result repeats.
        id: Str<'a>,
        /// The tool's name.
        name: Str<'a>,
    },
    /// More of a tool call's arguments. The fragments of one call make one JSON object; a call without arguments has
    /// `{}`.
    Arguments {
        /// Which call.
        index: u32,
        /// A fragment of JSON.
        json: Str<'a>,
    },
    /// The source of something that was just said.
    Citation(Citation<'a>),
    /// An image that the model made.
    Image {
        /// For example `image/png`.
        media_type: Str<'a>,
        /// In base64.
        data: Str<'a>,
    },
    /// Log probabilities of the tokens just said: an array of items as in OpenAI's `logprobs.content`.
    Logprobs(Raw<'a>),
    /// Total tokens so far: a later count replaces an earlier one.
    Usage(Usage),
    /// The stop sequence that ended the answer; empty if the provider does not say which. Comes before the finish.
    StopSequence(Str<'a>),
    /// Comes last in each alternative.
    Finish(Finish),
}

impl Piece<'_> {
    /// How much of an answer this is, in bytes as written.
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
    /// The size of its texts, in bytes as written.
    pub fn bytes(&self) -> usize {
        let Self { url, title, cited, .. } = self;
        [url, title, cited].into_iter().flatten().map(|text| text.written().len()).sum()
    }
}

/// Which of an answer's tool calls the caller receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// All.
    #[default]
    All,
    /// Only the first: the caller wants one call at a time, and the provider has no setting for that.
    First,
}

impl Calls {
    /// Whether `piece` belongs to a call that the caller does not receive.
    pub fn leave_out(self, piece: &Piece<'_>) -> bool {
        self == Self::First && matches!(piece, Piece::Call { index, .. } | Piece::Arguments { index, .. } if *index > 0)
    }
}

/// A source that the answer cites.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Citation<'a> {
    /// The URL, if it is on the web.
    pub url: Option<Str<'a>>,
    /// The title of the page or the name of the document.
    pub title: Option<Str<'a>>,
    /// The cited text.
    pub cited: Option<Str<'a>>,
    /// The index of the document in the request, from 0.
    pub document: Option<u64>,
    /// The first character of the answer's text that the source supports, from 0, if the provider says.
    pub start: Option<u64>,
    /// The character after the last one.
    pub end: Option<u64>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or reached a stop sequence.
    Stop,
    /// The caller's or the model's limit of tokens is reached.
    Length,
    /// The model's context is full.
    ContextWindow,
    /// The caller must now run tools.
    ToolCalls,
    /// The provider's policy ended the answer.
    ContentFilter,
}

/// A whole answer, collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's name for it.
    pub id: String,
    /// The provider's name for the model.
    pub model: String,
    /// The alternatives (`n` of them).
    pub choices: Vec<Choice>,
    at: usize,
}

/// One of the alternatives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Its blocks, in the order in which they came.
    pub blocks: Vec<Block>,
    /// Items of OpenAI's `logprobs.content`, with commas between.
    pub logprobs: Vec<u8>,
    /// The stop sequence that ended it.
    pub stop_sequence: Option<Collected>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// The index in `blocks` of each call, in order, for a quick search: an answer may have very many calls.
    calls: Vec<usize>,
    /// The index in `blocks` of the latest block of reasoning, by its number.
    thoughts: BTreeMap<u32, usize>,
}

/// A block of one kind of content.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Text and its sources.
    Text {
        /// The text.
        text: Collected,
        /// Its sources.
        citations: Vec<Cited>,
    },
    /// The text of a refusal.
    Refusal(Collected),
    /// Reasoning.
    Reasoning {
        /// Its text.
        text: Collected,
        /// The proof that the model wrote it.
        signature: Option<Collected>,
        /// The number of the block.
        block: u32,
    },
    /// Reasoning that only the provider can read.
    Redacted {
        /// The encrypted text.
        data: Collected,
        /// The number of the block.
        block: u32,
    },
    /// A tool call.
    Call {
        /// The call's id, which its result repeats.
        id: Collected,
        /// The tool's name.
        name: Collected,
        /// The arguments, a JSON object.
        arguments: Collected,
    },
    /// An image that the model made.
    Image {
        /// For example `image/png`.
        media_type: Collected,
        /// In base64.
        data: Collected,
    },
}

/// An owned [`Citation`].
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
            // No provider gives this many alternatives; a larger number is a mistake and must not take memory.
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

    /// Takes the block at this index out, and leaves an empty one there. Pieces that come later are not added to what
    /// was taken.
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

    /// The block of reasoning with the number `wanted`, if it is being written.
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
    /// As the citation that it was made from.
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

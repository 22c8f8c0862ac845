//! The content of one delta or of one whole message: text, reasoning, sources, images.

use alloc::borrow::Cow;

use weir_hub::codec::json::{Kind, Raw, Str};
use weir_hub::piece::{Citation, Piece};
use weir_hub::reply::Pieces;
use weir_hub::signature;

use crate::provider::openai::ask::FORMATS;

/// The members that matter in a delta or a message.
#[derive(Default)]
pub(super) struct Delta<'a> {
    content: Option<Raw<'a>>,
    refusal: Option<Str<'a>>,
    /// `reasoning_content` or `reasoning`: two names for the same member.
    reasoning: Option<Str<'a>>,
    details: Option<Raw<'a>>,
    annotations: Option<Raw<'a>>,
    images: Option<Raw<'a>>,
    audio: Option<Raw<'a>>,
    pub(super) tool_calls: Option<Raw<'a>>,
    pub(super) function_call: Option<Raw<'a>>,
}

impl<'a> Delta<'a> {
    pub(super) fn read(delta: Raw<'a>) -> Self {
        let mut read = Self::default();
        for (name, value) in delta.members() {
            if value.is_null() {
                continue;
            }
            match &*name {
                "content" => read.content = Some(value),
                "refusal" => read.refusal = value.str(),
                "reasoning_content" | "reasoning" => read.reasoning = words(value).or(read.reasoning),
                "reasoning_details" => read.details = Some(value),
                "annotations" => read.annotations = Some(value),
                "images" => read.images = Some(value),
                "audio" => read.audio = Some(value),
                "tool_calls" => read.tool_calls = Some(value),
                "function_call" => read.function_call = Some(value),
                _ => {}
            }
        }
        read
    }

    /// The model's reasoning. The items say more than the plain text beside them, so they win.
    pub(super) fn thoughts(&self, thoughts: &mut Thoughts, pieces: &mut Pieces<'_>) {
        let items = self.details.unwrap_or(Raw::NULL);
        let mut told = false;
        for item in items.items() {
            told |= thoughts.item(item, pieces);
        }
        if let Some(text) = self.reasoning.filter(|_| !told) {
            thoughts.think(None, text, pieces);
        }
    }

    /// The model's text. Returns whether there is any.
    pub(super) fn say(&self, thoughts: &mut Thoughts, pieces: &mut Pieces<'_>) -> bool {
        let mut said = false;
        let mut text = |text: Option<Str<'_>>, pieces: &mut Pieces<'_>| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                said = true;
                pieces(Piece::Text(text));
            }
        };
        match self.content {
            Some(content) if content.kind() == Kind::Array => {
                for part in content.items() {
                    match part.get("type").and_then(Raw::string).as_deref() {
                        // Mistral's models put reasoning in the content.
                        Some("thinking") => thoughts.part(part, pieces),
                        _ => text(part.get("text").and_then(Raw::str), pieces),
                    }
                }
            }
            content => text(content.and_then(Raw::str), pieces),
        }
        thoughts.written |= said;
        // Only a caller of this dialect can ask for audio; other callers get its transcript. Some hosts also write the
        // transcript in the content.
        let transcript = self.audio.filter(|_| !thoughts.written).and_then(|audio| audio.get("transcript"));
        let spoken = transcript.and_then(Raw::str).filter(|text| !text.is_empty());
        if let Some(spoken) = spoken {
            said = true;
            pieces(Piece::Text(spoken));
        }
        if let Some(words) = self.refusal.filter(|words| !words.is_empty()) {
            said = true;
            pieces(Piece::Refusal(words));
        }
        said
    }

    /// The sources. Returns whether there are any.
    pub(super) fn cite(&self, pieces: &mut Pieces<'_>) -> bool {
        let mut cited = false;
        for note in self.annotations.unwrap_or(Raw::NULL).items() {
            let Some(page) = note.get("url_citation") else { continue };
            let given = |name| page.get(name).and_then(Raw::str);
            let at = |name| page.get(name).and_then(Raw::integer);
            cited = true;
            pieces(Piece::Citation(Citation {
                url: given("url"),
                title: given("title"),
                cited: given("content"),
                document: None,
                start: at("start_index"),
                end: at("end_index"),
            }));
        }
        cited
    }

    /// The images that the model made.
    pub(super) fn show(&self, pieces: &mut Pieces<'_>) {
        for image in self.images.unwrap_or(Raw::NULL).items() {
            let url = image.get("image_url").and_then(|image| image.get("url")).and_then(Raw::string);
            let Some(url) = url else { continue };
            if let Some((media_type, data)) = url.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
                pieces(Piece::Image { media_type: media_type.into(), data: data.into() });
            }
        }
    }
}

/// A text, or the text in an object, under one of these names.
fn words(value: Raw<'_>) -> Option<Str<'_>> {
    let within = || ["text", "content", "reasoning", "thinking"].into_iter().find_map(|name| value.get(name)?.str());
    value.str().or_else(within).filter(|text| !text.is_empty())
}

/// The pages that an answer is based on: addresses, or objects with a `url` and a `title`.
pub(super) fn sources(sources: Raw<'_>, pieces: &mut Pieces<'_>) {
    for source in sources.items() {
        let given = |name| source.get(name).and_then(Raw::str);
        let url = source.str().or_else(|| given("url"));
        if url.is_some() {
            pieces(Piece::Citation(Citation { url, title: given("title"), ..Citation::default() }));
        }
    }
}

/// The blocks of reasoning of one choice.
#[derive(Default)]
pub(super) struct Thoughts {
    begun: u32,
    /// The host's number of the last block, if it gives one.
    index: Option<u64>,
    /// Whether something else was said since.
    interrupted: bool,
    /// Whether the content has had text.
    written: bool,
}

impl Thoughts {
    /// Something else was said: the next reasoning is a new block, unless the host numbers its blocks.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    fn block(&mut self, index: Option<u64>) -> u32 {
        let same = match index {
            Some(_) => self.index == index,
            None => self.index.is_none() && !self.interrupted,
        };
        if self.begun == 0 || !same {
            self.begun += 1;
        }
        self.index = index;
        self.interrupted = false;
        self.begun - 1
    }

    fn think(&mut self, index: Option<u64>, text: Str<'_>, pieces: &mut Pieces<'_>) {
        if !text.is_empty() {
            let block = self.block(index);
            pieces(Piece::Reasoning { block, text });
        }
    }

    /// An item in the content of Mistral's models: `{"type":"thinking","thinking":[{"type":"text","text":…}]}`.
    fn part(&mut self, part: Raw<'_>, pieces: &mut Pieces<'_>) {
        let thinking = part.get("thinking").unwrap_or(Raw::NULL);
        let texts = thinking.items().filter_map(|item| item.get("text").and_then(Raw::str));
        for text in thinking.str().into_iter().chain(texts) {
            self.think(None, text, pieces);
        }
    }

    /// An item of `reasoning_details`. Returns whether it has text.
    fn item(&mut self, item: Raw<'_>, pieces: &mut Pieces<'_>) -> bool {
        let given = |name| item.get(name).and_then(Raw::str).filter(|text| !text.is_empty());
        let index = item.get("index").and_then(Raw::integer);
        match item.get("type").and_then(Raw::string).as_deref() {
            Some("reasoning.encrypted") => {
                if let Some(data) = given("data") {
                    self.begun += 1;
                    (self.index, self.interrupted) = (index, false);
                    let data = travelling(item, data);
                    pieces(Piece::Redacted { block: self.begun - 1, data: Str::Plain(&data) });
                }
                false
            }
            Some("reasoning.text" | "reasoning.summary") => {
                let text = given("text").or_else(|| given("summary"));
                if let Some(text) = text {
                    self.think(index, text, pieces);
                }
                if let Some(signature) = given("signature") {
                    let block = self.block(index);
                    let signature = travelling(item, signature);
                    pieces(Piece::Signature { block, signature: Str::Plain(&signature) });
                }
                text.is_some()
            }
            _ => false,
        }
    }
}

/// A proof with its maker's name, as its item gives it.
fn travelling<'a>(item: Raw<'_>, proof: Str<'a>) -> Cow<'a, str> {
    let format = item.get("format").and_then(Raw::string).unwrap_or_default();
    let maker = FORMATS.into_iter().find(|(name, _)| *name == format).map(|(_, maker)| maker);
    match (maker, proof.text()) {
        (None, proof) => proof,
        (Some(maker), proof) => Cow::Owned(signature::named(maker, &proof).into_owned()),
    }
}

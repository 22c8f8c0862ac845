//! Estimates what a request uses whose input or output is no text: images that are made, speech, and audio that is written down.
//!
//! Nobody can say in advance how much that is, so the estimate errs high: it is what a request reserves. The numbers are those of
//! OpenAI's models, which others of these APIs follow.

use weir_hub::call::Call;
use weir_hub::codec::json::Raw;
use weir_hub::codec::multipart::Part;
use weir_hub::endpoint::Endpoint;

/// What such a request uses at most, as far as can be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Input tokens besides those of its text.
    pub input: u64,
    /// Those of them that are audio.
    pub audio_input: u64,
    /// Output tokens.
    pub output: u64,
    /// Those of them that are audio.
    pub audio_output: u64,
    /// The length of its audio, in milliseconds, if that is what may be billed.
    pub audio_ms: Option<u64>,
}

/// The files of a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// How many there are.
    count: u64,
    /// How long they last if they are audio, in milliseconds.
    audio_ms: u64,
}

/// Tokens of an image that a model reads, in the best quality.
const READ: u64 = 6500;

/// Tokens of an image that a model makes, of the largest size, by its quality; the last is that of any other.
const MADE: [(&str, u64); 3] = [("low", 408), ("medium", 1584), ("", 6240)];

/// Tokens of the images that are shown before one is complete.
const SHOWN: u64 = 300;

/// No text has more tokens of speech for a byte: speech has about 20 in a second, in which at least 12 bytes are said.
const SPOKEN: u64 = 2;

/// How much longer the slowest speech is.
const SLOWEST: u64 = 4;

/// Tokens of a second of audio that is read, and of what is said in it.
const HEARD: u64 = 20;
const WRITTEN: u64 = 6;

/// The longest audio, in milliseconds. No model takes more.
const LONGEST: u64 = 2 * 60 * 60 * 1000;

/// The fewest bytes of a millisecond of audio: what is packed tightly, without loss, and not at all.
const PACKED: u64 = 4;
const LOSSLESS: u64 = 8;
const PLAIN: u64 = 16;

impl Files {
    /// The files among a form's parts.
    pub fn of(parts: &[Part]) -> Self {
        let files = parts.iter().filter(|part| part.filename.is_some());
        files.fold(Self::default(), |sum, part| {
            let bytes = part.value.end.saturating_sub(part.value.start);
            let audio_ms = sum.audio_ms.saturating_add(bytes / bytes_of_a_milli(part)).min(LONGEST);
            Self { count: sum.count + 1, audio_ms }
        })
    }
}

fn bytes_of_a_milli(part: &Part) -> u64 {
    let name = part.filename.as_deref().unwrap_or_default().to_ascii_lowercase();
    let kind = part.content_type.as_deref().unwrap_or_default();
    let is = |ending: &str| name.ends_with(ending) || kind.ends_with(ending.trim_start_matches('.'));
    if is(".wav") {
        PLAIN
    } else if is(".flac") {
        LOSSLESS
    } else {
        PACKED
    }
}

impl Media {
    /// What a call uses that makes `images`; `None` if its output is text, or nothing. A form has `files`.
    pub fn of(call: &Call<'_>, images: u64, files: Files) -> Option<Self> {
        let text = |name: &str| call.scan.raw(call.body, name).and_then(Raw::string).unwrap_or_default();
        Some(match call.asked.endpoint {
            Endpoint::Images | Endpoint::ImageEdits => {
                let quality = text("quality");
                let each =
                    MADE.iter().find(|(name, _)| name.is_empty() || quality == *name).map_or(0, |(_, each)| *each);
                let output = images.saturating_mul(each + SHOWN);
                Self { input: files.count.saturating_mul(READ), output, ..Self::default() }
            }
            Endpoint::Speech => {
                let bytes = text("input").len() as u64;
                let speed = call.scan.raw(call.body, "speed").and_then(Raw::number);
                let slower = if speed.is_some_and(|speed| speed < 1.0) { SLOWEST } else { 1 };
                let output = bytes.saturating_mul(SPOKEN).saturating_mul(slower);
                Self { output, audio_output: output, ..Self::default() }
            }
            Endpoint::Transcriptions | Endpoint::Translations => {
                let seconds = files.audio_ms.div_ceil(1000);
                let (input, output) = (seconds * HEARD, seconds * WRITTEN);
                Self { input, audio_input: input, output, audio_ms: Some(files.audio_ms), ..Self::default() }
            }
            Endpoint::Chat
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::GenerateContent
            | Endpoint::CountTokens
            | Endpoint::CountContent
            | Endpoint::Embeddings
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::Moderations
            | Endpoint::Rerank => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use weir_hub::codec::json::scan;
    use weir_hub::endpoint::{Asked, Delivery, UsageChunk};

    use super::*;

    fn media(endpoint: Endpoint, body: &str, images: u64, files: &[Part]) -> Option<Media> {
        let scan = scan(body.as_bytes()).unwrap();
        let asked = Asked { endpoint, delivery: Delivery::Whole, usage: UsageChunk::Unwanted };
        let call = Call { asked, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
        Media::of(&call, images, Files::of(files))
    }

    fn file(name: &str, bytes: u64) -> Part {
        let (filename, value) = (Some(name.into()), 100..100 + bytes);
        Part { name: "file".into(), filename, content_type: None, value, text: None }
    }

    #[test]
    fn images_are_estimated_by_their_number_and_quality() {
        let output = |body, images| media(Endpoint::Images, body, images, &[]).map(|media| media.output);
        assert_eq!(output("{}", 1), Some(6540));
        assert_eq!(output(r#"{"quality":"low"}"#, 3), Some(2124));
        assert_eq!(output(r#"{"quality":"hd"}"#, 2), Some(13_080));
        let two: Vec<Part> = vec![file("a.png", 9), file("b.png", 9)];
        assert_eq!(media(Endpoint::ImageEdits, "{}", 1, &two).map(|media| media.input), Some(2 * READ));
    }

    #[test]
    fn audio_is_estimated_by_its_bytes_and_is_never_endless() {
        let ms = |name, bytes| media(Endpoint::Transcriptions, "{}", 0, &[file(name, bytes)]).unwrap().audio_ms;
        assert_eq!(ms("a.mp3", 240_000), Some(60_000));
        assert_eq!(ms("a.WAV", 240_000), Some(15_000));
        assert_eq!(ms("a.mp3", u64::MAX / 2), Some(LONGEST));
        let minute = media(Endpoint::Translations, "{}", 0, &[file("a.mp3", 240_000)]).unwrap();
        assert_eq!((minute.input, minute.audio_input, minute.output), (1200, 1200, 360));
    }

    #[test]
    fn speech_is_estimated_by_its_text() {
        let output = |body| media(Endpoint::Speech, body, 0, &[]).map(|media| (media.output, media.audio_output));
        assert_eq!(output(r#"{"input":"0123456789"}"#), Some((20, 20)));
        assert_eq!(output(r#"{"input":"0123456789","speed":0.25}"#), Some((80, 80)));
        assert_eq!(media(Endpoint::Chat, "{}", 0, &[]), None);
    }
}

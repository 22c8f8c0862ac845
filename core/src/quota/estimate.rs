//! Estimates how many input tokens a request has, before any provider has counted them.
//!
//! The text of a request is estimated by its bytes, with a factor for each model that follows what its providers count.
//! Images, audio and documents inside a request, which are base64, have rules of their own. The estimate errs high: it is
//! what a request reserves.

use alloc::vec::Vec;

use memchr::{memchr, memmem};

use super::pack::{Packed, Unpacked};
use crate::shared::{Cell, Hint, Key, Shared, Store};

/// Tokens of what every request has besides its text: what a provider adds around messages.
const AROUND: u64 = 16;

/// The shortest base64 text that is taken for data, in bytes. No word is that long.
const DATA: usize = 1024;

/// The most tokens of an image at most providers.
const IMAGE: u64 = 1600;

/// One second of audio has about 32 kB when it is compressed little, and at most about 32 tokens: bytes of a token.
const AUDIO: u64 = 1000;

/// A page of a document has about 50 kB, and about 3000 tokens as text and image: bytes of a token.
const DOCUMENT: u64 = 16;

/// What the estimate goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of text: the body without data.
    pub text: u64,
    /// Tokens of images, audio and documents.
    pub data: u64,
}

impl Size {
    /// Measures a request's body. Reads it once, and stops only at the texts in it.
    pub fn of(body: &[u8]) -> Self {
        let (mut data, mut tokens, mut at) = (0, 0, 0);
        // JSON's texts end at a quote, and base64 has neither quotes nor escapes.
        while let Some(len) = memchr(b'"', body.get(at..).unwrap_or_default()) {
            if len >= DATA
                && let Some(found) = body.get(at..at + len).and_then(encoded)
            {
                data += len as u64;
                tokens += found;
            }
            at += len + 1;
        }
        // Images by address.
        let linked = memmem::find_iter(body, br#""image_url""#).count() as u64;
        Self { text: (body.len() as u64).saturating_sub(data), data: tokens.max(linked.saturating_mul(IMAGE)) }
    }
}

/// The tokens of a text that is data: `data:image/png;base64,…`, or base64 alone.
fn encoded(text: &[u8]) -> Option<u64> {
    let (kind, base64) = match memmem::find(text.get(..DATA.min(text.len()))?, b";base64,") {
        Some(end) if text.starts_with(b"data:") => (text.get(5..end)?, text.get(end + 8..)?),
        _ => (&b""[..], text),
    };
    let is_base64 =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\');
    if !base64.iter().all(is_base64) {
        return None;
    }
    let bytes = base64.len() as u64 / 4 * 3;
    let begins = |with: &[&[u8]]| with.iter().any(|with| base64.starts_with(with));
    Some(if kind.starts_with(b"audio") || begins(&[b"UklGR", b"SUQz", b"T2dnUw", b"ZkxhQw", b"//s", b"//v"]) {
        // A WebP image begins as a WAV file does.
        if begins(&[b"UklGR"]) && !kind.starts_with(b"audio") {
            (bytes / AUDIO).max(IMAGE)
        } else {
            (bytes / AUDIO).max(1)
        }
    } else if kind.starts_with(b"application/pdf") || begins(&[b"JVBERi0"]) {
        bytes / DOCUMENT
    } else if kind.starts_with(b"image") || begins(&[b"iVBORw0KGgo", b"/9j/", b"R0lGOD"]) {
        IMAGE
    } else {
        // Whatever it is, a model may read it as text.
        return None;
    })
}

/// How many tokens a model's providers count for a byte of text, in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The mean of late.
    mean: u64,
    /// How far counts are from the mean, in the mean.
    deviation: u64,
    /// How many counts there were; more than these do not matter.
    counts: u64,
}

/// Most texts have three to four bytes a token; what is between the texts of a request has more.
impl Default for Factor {
    fn default() -> Self {
        Self { mean: 280_000, deviation: 70_000, counts: 0 }
    }
}

/// Up to so many counts, each counts as much as the others; a later one replaces a part of them.
const COUNTS: u64 = 32;

/// The least and the most that any factor can be: a model with a token for each byte, and a text of white space.
const FACTORS: (u64, u64) = (20_000, 1_500_000);

impl Factor {
    /// The cell of a model that callers ask for.
    pub fn key(model: &str) -> Key<Self> {
        Key::of(["weir.input/", model].concat())
    }

    /// The factor of a model.
    pub fn of(shared: &dyn Shared, model: &str) -> Self {
        shared.read(&Self::key(model)).unwrap_or_default()
    }

    /// Follows a count of a model's provider. It may be lost, if another worker is quicker: the next one makes up for it.
    pub fn learn(store: &dyn Store, model: &str, size: Size, tokens: u64) {
        let key = Self::key(model);
        let found = store.get(key.as_str());
        let known = found.as_ref().and_then(|(bytes, _)| Self::read(bytes)).unwrap_or_default();
        let Some(after) = known.after(size, tokens).filter(|after| *after != known) else { return };
        let _ = match found {
            Some((_, number)) => store.replace(key.as_str(), &after.write(), number),
            None => store.create(key.as_str(), &after.write()),
        };
    }

    /// The tokens of a request, erring high.
    pub fn tokens(&self, size: Size) -> u64 {
        let factor = self.mean.saturating_add(self.deviation.saturating_mul(2)).clamp(FACTORS.0, FACTORS.1);
        let text = u128::from(size.text) * u128::from(factor) / 1_000_000;
        u64::try_from(text).unwrap_or(u64::MAX).saturating_add(size.data).saturating_add(AROUND)
    }

    /// The factor after a provider has counted `tokens` for a text of so many bytes. `None` if that says too little.
    #[must_use]
    pub fn after(&self, size: Size, tokens: u64) -> Option<Self> {
        // What is around a short text is most of it, and data has rules of its own.
        if size.data > 0 || size.text < 64 || tokens == 0 {
            return None;
        }
        let seen = u128::from(tokens.saturating_sub(AROUND / 2).max(1)) * 1_000_000 / u128::from(size.text);
        let seen = u64::try_from(seen).unwrap_or(u64::MAX).clamp(FACTORS.0, FACTORS.1);
        // The prior counts as a few.
        let weight = (self.counts + 4).min(COUNTS);
        let blend = |old: u64, new: u64| (old.saturating_mul(weight - 1).saturating_add(new)) / weight;
        let mean = blend(self.mean, seen);
        let deviation = blend(self.deviation, seen.abs_diff(mean));
        Some(Self { mean, deviation, counts: (self.counts + 1).min(COUNTS) })
    }
}

const LAYOUT: u8 = 1;

impl Cell for Factor {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (layout, rest) = bytes.split_first()?;
        let mut from = (*layout == LAYOUT).then_some(Unpacked::of(rest))?;
        Some(Self { mean: from.small()?, deviation: from.small()?, counts: from.small()? })
    }

    fn write(&self) -> Vec<u8> {
        let mut to = Packed::default();
        to.rest(&[LAYOUT]);
        for number in [self.mean, self.deviation, self.counts] {
            to.number(number.into());
        }
        to.end()
    }
}

impl Hint for Factor {}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn data_is_no_text() {
        let text = "word ".repeat(1000);
        let only = Size::of(format!(r#"{{"messages":[{{"content":"{text}"}}]}}"#).as_bytes());
        assert_eq!(only, Size { text: 5029, data: 0 });
        let image = "iVBORw0KGgo".repeat(2000);
        let with = format!(r#"{{"image_url":{{"url":"data:image/png;base64,{image}"}},"text":"{text}"}}"#);
        assert_eq!(Size::of(with.as_bytes()), Size { text: 5034, data: IMAGE });
        let words = "words_without_spaces/".repeat(100);
        assert_eq!(Size::of(format!(r#"{{"content":"{words}"}}"#).as_bytes()).data, 0, "it may be read as text");
        let audio = ["SUQz", &"A".repeat(100_000)].concat();
        assert_eq!(Size::of(format!(r#"{{"data":"{audio}"}}"#).as_bytes()).data, 75);
        let linked = br#"{"type":"image_url","image_url":{"url":"https://a/b.png"}}"#;
        assert_eq!(Size::of(linked).data, 2 * IMAGE, "rather two than none");
        assert_eq!(Size::of(b"no JSON \" at all").data, 0);
    }

    #[test]
    fn the_factor_follows_what_is_counted_and_errs_high() {
        let mut factor = Factor::default();
        let size = |text| Size { text, data: 0 };
        assert!(factor.tokens(size(4000)) >= 1500);
        for n in 0..200 {
            // A language with a token for every two bytes, more or less.
            factor = factor.after(size(4000), 2000 + n % 7 * 10).unwrap();
        }
        let tokens = factor.tokens(size(4000));
        assert!((2030..2300).contains(&tokens), "{tokens}");
        for _ in 0..300 {
            factor = factor.after(size(4000), 900).unwrap();
        }
        let tokens = factor.tokens(size(4000));
        assert!((900..1100).contains(&tokens), "what is counted of late matters: {tokens}");
        assert_eq!(factor.after(size(10), 9), None);
        assert_eq!(Factor::read(&factor.write()), Some(factor));
    }

    #[test]
    fn a_provider_that_counts_nonsense_does_not_make_the_estimate_useless() {
        let mut factor = Factor::default();
        for _ in 0..100 {
            factor = factor.after(Size { text: 100, data: 0 }, u64::MAX).unwrap();
        }
        assert!(factor.tokens(Size { text: 1000, data: 0 }) <= 1600);
        assert_eq!(factor.tokens(Size { text: u64::MAX, data: u64::MAX }), u64::MAX);
    }
}

//! Joins the two halves of a character that a stream's events have cut.
//!
//! JSON writes a character beyond the first 65,536 as two escapes (`\ud83d\ude00`), and some upstreams send them in two
//! events. Many clients unescape each event by itself, and get two halves that are not characters.

use alloc::string::String;

use weir_hub::codec::json::{Collected, Str};
use weir_hub::piece::Piece;

/// Holds the first half of a character until the second comes.
#[derive(Default)]
pub(super) struct Surrogates {
    /// Where the half was said, and its escape.
    held: Option<(Place, String)>,
    choice: u32,
}

/// The part of the answer that a text belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Refusal,
    Reasoning(u32),
    Arguments(u32),
}

impl Place {
    fn of<'a>(piece: &Piece<'a>) -> Option<(Self, Str<'a>)> {
        match *piece {
            Piece::Text(text) => Some((Self::Text, text)),
            Piece::Refusal(text) => Some((Self::Refusal, text)),
            Piece::Reasoning { block, text } => Some((Self::Reasoning(block), text)),
            Piece::Arguments { index, json } => Some((Self::Arguments(index), json)),
            _ => None,
        }
    }

    fn piece(self, text: Str<'_>) -> Piece<'_> {
        match self {
            Self::Text => Piece::Text(text),
            Self::Refusal => Piece::Refusal(text),
            Self::Reasoning(block) => Piece::Reasoning { block, text },
            Self::Arguments(index) => Piece::Arguments { index, json: text },
        }
    }
}

impl Surrogates {
    /// Passes `piece` on: adds the half that it completes, and removes the half that it begins.
    pub(super) fn put(&mut self, piece: Piece<'_>, mut on: impl FnMut(Piece<'_>)) {
        let Some((place, text)) = Place::of(&piece) else {
            let goes_on = match piece {
                Piece::Choice(choice) => core::mem::replace(&mut self.choice, choice) == choice,
                Piece::Usage(_) | Piece::Logprobs(_) => true,
                _ => false,
            };
            if !goes_on {
                self.end(&mut on);
            }
            return on(piece);
        };
        if text.is_empty() {
            return on(piece);
        }
        let joined;
        let text = match self.held.take() {
            Some((before, half)) if before == place => {
                let mut both = Collected::from(Str::Escaped(&half));
                both.push(text);
                joined = both;
                joined.get()
            }
            Some((before, half)) => {
                on(before.piece(Str::Escaped(&half)));
                text
            }
            None => text,
        };
        let Some((whole, half)) = halved(text) else { return on(place.piece(text)) };
        if !whole.is_empty() {
            on(place.piece(Str::Escaped(whole)));
        }
        self.held = Some((place, half.into()));
    }

    /// Passes on the held half unchanged, because its other half has not come.
    pub(super) fn end(&mut self, on: impl FnOnce(Piece<'_>)) {
        if let Some((place, half)) = self.held.take() {
            on(place.piece(Str::Escaped(&half)));
        }
    }
}

/// If `text` ends with the first half of a character: the text without it, and the half.
fn halved(text: Str<'_>) -> Option<(&str, &str)> {
    let Str::Escaped(text) = text else { return None };
    let [.., b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', _, _] = text.as_bytes() else {
        return None;
    };
    let (whole, half) = text.split_at_checked(text.len() - 6)?;
    // After an odd number of backslashes, the last one is itself escaped.
    let before = whole.bytes().rev().take_while(|byte| *byte == b'\\').count();
    (before % 2 == 0).then_some((whole, half))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    /// What comes out for these texts, each given as one piece, and what is left at the end.
    fn texts(pieces: &[Piece<'_>]) -> Vec<String> {
        let (mut surrogates, mut out) = (Surrogates::default(), Vec::new());
        let mut on = |piece: Piece<'_>| out.extend(Place::of(&piece).map(|(_, text)| text.written().into()));
        for piece in pieces {
            surrogates.put(*piece, &mut on);
        }
        surrogates.end(on);
        out
    }

    fn text(text: &str) -> Piece<'_> {
        Piece::Text(Str::Escaped(text))
    }

    #[test]
    fn halves_are_joined() {
        assert_eq!(texts(&[text(r"a\ud83d"), text(r"\ude00b")]), ["a", r"\ud83d\ude00b"]);
        assert_eq!(texts(&[text(r"\uD83D"), Piece::Choice(0), text(r"\uDE00")]), [r"\uD83D\uDE00"]);
        assert_eq!(texts(&[text(r"\ud83d"), text(""), text(r"\ude00\ud83d"), text(r"\ude01")]).concat(), {
            format!("{0}{1}", r"\ud83d\ude00", r"\ud83d\ude01")
        });
    }

    #[test]
    fn what_is_no_half_passes_as_it_is() {
        for whole in [r"\\ud83d", r"\ud83d\ude00", r"\u00e9", "ud83d", "", r"\\\\ud83d"] {
            assert_eq!(texts(&[text(whole), text("b")]), [whole, "b"], "{whole}");
        }
        assert_eq!(texts(&[text(r"\\\ud83d"), text(r"\ude00")]), [r"\\", r"\ud83d\ude00"]);
    }

    #[test]
    fn a_half_that_stays_alone_comes_as_it_came() {
        assert_eq!(texts(&[text(r"a\ud83d")]), ["a", r"\ud83d"]);
        let elsewhere = Piece::Reasoning { block: 0, text: Str::Plain("b") };
        assert_eq!(texts(&[text(r"\ud83d"), elsewhere]), [r"\ud83d", "b"]);
        assert_eq!(texts(&[text(r"\ud83d"), Piece::Choice(1), text(r"\ude00")]), [r"\ud83d", r"\ude00"]);
    }
}

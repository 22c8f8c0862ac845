//! Proofs of reasoning on their way through callers.
//!
//! A provider signs what its model thought, and takes it back only with that signature; another provider refuses the
//! whole request for it. A conversation may go on elsewhere at any time (that is what failover is), so every proof that
//! is not Anthropic's travels under its maker's name, and each provider takes back only its own. (Anthropic's are bare: they
//! are the same at all clouds that serve Claude, and callers get them bare from Anthropic itself.)

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

/// Stands between the maker and the proof; no proof is made of anything but base64's characters.
const MARK: char = '~';

/// Names Anthropic's where bare ones are another's.
const ANTHROPIC: &str = "anthropic";

/// Who made a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Claude's, wherever it is served.
    Anthropic,
    /// Gemini's thought signatures.
    Gemini,
    /// OpenAI's encrypted reasoning.
    OpenAi,
}

impl Maker {
    const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "",
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
        }
    }
}

/// `proof` as it travels.
pub fn named(maker: Maker, proof: &str) -> Cow<'_, str> {
    match maker {
        Maker::Anthropic => Cow::Borrowed(proof),
        maker => Cow::Owned(format!("{}{MARK}{proof}", maker.name())) as Cow<'_, str>,
    }
}

/// The proof, if `maker` made it.
pub fn of(maker: Maker, travelling: &str) -> Option<&str> {
    let (name, proof) = travelling.split_once(MARK).unwrap_or(("", travelling));
    (name == maker.name() && !proof.is_empty()).then_some(proof)
}

/// A proof that was read from a dialect whose own proofs are bare, as it travels: it is `maker`'s unless it says otherwise.
pub fn adopted(maker: Maker, found: &str) -> String {
    match found.split_once(MARK) {
        Some((ANTHROPIC, proof)) => proof.into(),
        Some(_) => found.into(),
        None => named(maker, found).into_owned(),
    }
}

/// What stands before a travelling proof in a dialect whose own proofs are bare and are not Anthropic's;
/// [`adopted`] takes it off again.
pub fn spelled_out(travelling: &str) -> &'static str {
    if travelling.contains(MARK) { "" } else { "anthropic~" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_takes_back_only_its_own() {
        let gemini = named(Maker::Gemini, "abc+/=");
        assert_eq!(of(Maker::Gemini, &gemini), Some("abc+/="));
        assert_eq!(of(Maker::Anthropic, &gemini), None);
        assert_eq!(of(Maker::OpenAi, &gemini), None);
        assert_eq!(of(Maker::Anthropic, &named(Maker::Anthropic, "xyz")), Some("xyz"));
        assert_eq!(of(Maker::Gemini, "xyz"), None);
        assert_eq!(adopted(Maker::Gemini, "abc"), "gemini~abc");
        assert_eq!(adopted(Maker::Gemini, "openai~abc"), "openai~abc");
        for bare_or_not in ["abc", "openai~abc"] {
            let written = alloc::format!("{}{bare_or_not}", spelled_out(bare_or_not));
            assert_eq!(adopted(Maker::OpenAi, &written), bare_or_not);
        }
    }
}

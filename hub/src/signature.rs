//! Proofs of reasoning, and how they travel through callers.
//!
//! A provider signs its model's reasoning and accepts it back only with that signature. Another provider refuses the
//! whole request because of it. A conversation may move to another provider at any time (failover does that). So a
//! proof travels with its maker's name, and each provider takes back only its own. Anthropic's proofs have no name:
//! they are the same at every cloud that serves Claude, and callers get them like that from Anthropic itself.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

/// Stands between the maker and the proof. A proof has only characters of base64, so this is none of them.
const MARK: char = '~';

/// The name of Anthropic's proofs, used where proofs without a name are another maker's.
const ANTHROPIC: &str = "anthropic";

/// Who made a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Claude, wherever it is served.
    Anthropic,
    /// Gemini: its thought signatures.
    Gemini,
    /// OpenAI: its encrypted reasoning.
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

/// `proof` in the form in which it travels.
pub fn named(maker: Maker, proof: &str) -> Cow<'_, str> {
    match maker {
        Maker::Anthropic => Cow::Borrowed(proof),
        maker => Cow::Owned(format!("{}{MARK}{proof}", maker.name())) as Cow<'_, str>,
    }
}

/// The proof in `travelling`, if `maker` made it.
pub fn of(maker: Maker, travelling: &str) -> Option<&str> {
    let (name, proof) = travelling.split_once(MARK).unwrap_or(("", travelling));
    (name == maker.name() && !proof.is_empty()).then_some(proof)
}

/// The travelling form of a proof from a dialect that writes its own maker's proofs without a name. It is `maker`'s
/// unless it has another name.
pub fn adopted(maker: Maker, found: &str) -> String {
    match found.split_once(MARK) {
        Some((ANTHROPIC, proof)) => proof.into(),
        Some(_) => found.into(),
        None => named(maker, found).into_owned(),
    }
}

/// The prefix of a travelling proof in a dialect whose proofs without a name are not Anthropic's. [`adopted`] removes
/// it.
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

//! Proofs of reasoning, and how they travel through callers who speak Gemini's dialect.
//!
//! Gemini's own proofs have no wrapping; all others are wrapped. SDKs read `thoughtSignature` as bytes in base64, so
//! the inside may be anything. If the caller does not want to see thoughts, a proof also carries the text that it
//! proves, because some makers accept only both together.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};

use crate::signature::{self, Maker};

/// The beginning of a wrapping: four characters of base64's alphabet, so that the whole stays valid base64.
pub const WRAPPED: &str = "weir";

/// Accepts base64 with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a signature is wrapped, so another maker's than Gemini's.
pub fn is_wrapped(signature: &str) -> bool {
    match Proof::read(signature) {
        Proof::Words { signature, .. } => signature::of(Maker::Gemini, &signature).is_none(),
        Proof::Redacted(_) => true,
    }
}

/// A proof and the reasoning that it proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// Reasoning with text.
    Words {
        /// The proof itself.
        signature: Cow<'a, str>,
        /// The text, if the caller has not seen it.
        words: Cow<'a, str>,
    },
    /// Reasoning that only the provider can read.
    Redacted(Cow<'a, str>),
}

impl<'a> Proof<'a> {
    /// The form in which a caller receives it.
    pub fn write(&self) -> String {
        let inside = match self {
            Self::Words { signature, words } => match signature::of(Maker::Gemini, signature) {
                Some(own) => return bare(own).to_string(),
                None => format!("s{signature}\n{words}"),
            },
            Self::Redacted(data) => format!("r{data}"),
        };
        format!("{WRAPPED}{}", STANDARD.encode(inside))
    }

    /// Whether it belongs to the part after it, as Gemini's own proofs do.
    pub(super) fn belongs_to_next(&self) -> bool {
        matches!(self, Self::Words { signature, .. } if signature::of(Maker::Gemini, signature).is_some())
    }

    /// Reads a proof that [`write`](Self::write) or Gemini wrote.
    pub(super) fn read(written: &'a str) -> Self {
        // SDKs decode both alphabets of base64, and some write the other one back.
        let inside = written.strip_prefix(WRAPPED).map(|inside| inside.replace('-', "+").replace('_', "/"));
        let inside = inside.and_then(|inside| LENIENT.decode(inside).ok());
        let inside = inside.and_then(|inside| String::from_utf8(inside).ok());
        let unwrapped = inside.and_then(|inside| match (inside.strip_prefix('r'), inside.strip_prefix('s')) {
            (Some(data), _) => Some(Self::Redacted(data.to_string().into())),
            (_, Some(words)) => {
                let (signature, words) = words.split_once('\n')?;
                Some(Self::Words { signature: signature.to_string().into(), words: words.to_string().into() })
            }
            _ => None,
        });
        unwrapped.unwrap_or_else(|| Self::Words {
            signature: signature::named(Maker::Gemini, written),
            words: Cow::Borrowed(""),
        })
    }
}

/// A signature without the number of its call. In this API its position tells the call.
fn bare(own: &str) -> &str {
    match own.split_once('.') {
        Some((call, proof)) if !call.is_empty() && call.bytes().all(|digit| digit.is_ascii_digit()) => proof,
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_comes_back_as_it_went() {
        for (signature, words) in
            [("EqoBCkYIBxgC+/==", "They want\na greeting."), ("openai~rs_1:gAAA-_=", ""), ("EqoB", "ÿþ?>~¿ÿ")]
        {
            let proof = Proof::Words { signature: signature.into(), words: words.into() };
            let written = proof.write();
            assert!(STANDARD.decode(&written).is_ok(), "{written}");
            assert_eq!(Proof::read(&written), proof);
            assert_eq!(Proof::read(written.replace('+', "-").replace('/', "_").trim_end_matches('=')), proof);
            assert!(!proof.belongs_to_next());
        }
        let redacted = Proof::Redacted("EmwKAhgB".into());
        assert_eq!(Proof::read(&redacted.write()), redacted);
    }

    #[test]
    fn geminis_own_is_bare() {
        let own = |signature: &'static str| Proof::Words { signature: signature.into(), words: "".into() };
        assert_eq!(own("gemini~CiQB0e2Kb7+/=").write(), "CiQB0e2Kb7+/=");
        assert_eq!(own("gemini~0.CiQB0e2Kb7+/=").write(), "CiQB0e2Kb7+/=");
        assert!(own("gemini~0.CiQB").belongs_to_next());
        for bare in ["CiQB0e2Kb7+/=", "weir", "weirdo==", "skip_thought_signature_validator"] {
            assert_eq!(Proof::read(bare), own(format!("gemini~{bare}").leak()));
        }
    }
}

//! `GET /v1/usage`: what a caller has used. Control answers it from the ledger. The edge says in a header who asks, because control
//! knows no keys; no header of a caller goes there.

use alloc::string::String;
use core::fmt::Write;

use weir_hub::endpoint::Family;
use weir_hub::fault::Problem;

use crate::percent::percent_decoded;

/// The path, at the gateway and at control.
pub const PATH: &str = "/v1/usage";

/// Its name among the endpoints that a key or a team may be limited to.
pub const NAME: &str = "usage";

/// The header in which the edge tells control who asks.
pub const ASKER: &str = "x-weir-asker";

/// The filter state that marks a request for control: Envoy goes by it when it chooses the route, and when control is away.
pub const MARK: &str = "wasm.weir.control";

/// The mark's value.
pub const MARKED: &str = "usage";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The name of the caller's key, or of what it is known by in place of one.
    pub name: String,
    /// The team; empty for none.
    pub team: String,
    /// By what it is known.
    pub known: Known,
    /// The API in whose format it reads errors.
    pub family: Family,
}

/// By what a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// By a key. What is asked for belongs to the key, whichever team it was in.
    Key,
    /// By a token or a certificate. The same name in another team is somebody else.
    Identity,
}

impl Asker {
    /// The header's value: `key=ada&team=search&api=chat`, or `identity=jwt%3Aada&team=…`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let api = match self.family {
            Family::OpenAi => "chat",
            Family::Anthropic => "messages",
            Family::Gemini => "generate_content",
        };
        let name = match self.known {
            Known::Key => "key=",
            Known::Identity => "identity=",
        };
        for (field, value) in [(name, &*self.name), ("&team=", &*self.team), ("&api=", api)] {
            text.push_str(field);
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    text.push(char::from(byte));
                } else {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "%{byte:02X}");
                }
            }
        }
        text
    }

    /// Reads the header's value. `None` if it names nobody. Fields of a newer version are passed over.
    pub fn from_text(text: &str) -> Option<Self> {
        let field = |wanted: &str| query(text).find(|(name, _)| name == wanted).map(|(_, value)| value);
        let (name, known) = match (field("key"), field("identity")) {
            (Some(name), None) => (name, Known::Key),
            (None, Some(name)) => (name, Known::Identity),
            _ => return None,
        };
        let family = match field("api").as_deref() {
            Some("messages") => Family::Anthropic,
            Some("generate_content") => Family::Gemini,
            _ => Family::OpenAi,
        };
        (!name.is_empty()).then(|| Self { name, team: field("team").unwrap_or_default(), known, family })
    }
}

/// The names and values of a query, in order.
pub fn query(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decoded(name), percent_decoded(value))
    })
}

/// The answer of a gateway without control.
pub fn without_control() -> Problem {
    let message = "This gateway keeps no account of usage, because it runs without `weir control`.";
    Problem::new(501, "server_error", "usage_unavailable", message)
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn the_asker_reads_as_it_is_written() {
        for (name, team, known, family) in [
            ("ada", "search", Known::Key, Family::OpenAi),
            ("jwt:ada@example.org", "a&b=c%20", Known::Identity, Family::Anthropic),
            ("&key=bob", "", Known::Key, Family::Gemini),
            ("é\r\nx: y", "\0", Known::Identity, Family::OpenAi),
        ] {
            let asker = Asker { name: name.into(), team: team.into(), known, family };
            let text = asker.to_text();
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(Asker::from_text(&text), Some(asker), "{text}");
        }
        let newer = Asker::from_text("key=ada&new=1&team=search").unwrap();
        assert_eq!((newer.name.as_str(), newer.team.as_str()), ("ada", "search"));
        for nobody in ["", "key=", "team=search", "key=a&identity=b"] {
            assert_eq!(Asker::from_text(nobody), None, "{nobody}");
        }
    }
}

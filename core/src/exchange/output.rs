//! The cap on an answer's output, as each API of callers writes it.

use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::codec::json::{self, Edit, Raw, Scan};
use weir_hub::endpoint::Endpoint;

/// The default of OpenAI's legacy text completions, in tokens.
const COMPLETION: u64 = 16;

/// What a caller says about its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The most tokens of each alternative, if the caller says so.
    pub cap: Option<u64>,
    /// How many alternatives the caller asks for; at least one.
    pub alternatives: u64,
    /// How many tokens the caller gives the model for thinking. A provider refuses a cap that is not above that.
    pub thinking: u64,
}

/// The names of the cap in chat completions.
const CHAT: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The names of the cap in Gemini's API, in its `generationConfig`.
const GEMINI: [&str; 2] = ["maxOutputTokens", "max_output_tokens"];

/// An API whose output is counted in tokens of text.
#[derive(Clone, Copy)]
enum Api {
    Chat,
    Completions,
    Responses,
    Messages,
    Gemini,
}

impl Api {
    fn of(endpoint: Endpoint) -> Option<Self> {
        Some(match endpoint {
            Endpoint::Chat => Self::Chat,
            Endpoint::Completions => Self::Completions,
            Endpoint::Responses => Self::Responses,
            Endpoint::Messages => Self::Messages,
            Endpoint::GenerateContent => Self::Gemini,
            Endpoint::CountTokens
            | Endpoint::CountContent
            | Endpoint::Embeddings
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::Images
            | Endpoint::ImageEdits
            | Endpoint::Transcriptions
            | Endpoint::Translations
            | Endpoint::Speech
            | Endpoint::Moderations
            | Endpoint::Rerank => return None,
        })
    }
}

/// What the caller says about its output; `None` if the output is not counted in tokens of text.
pub fn output(call: &Call<'_>) -> Option<Output> {
    let Call { asked, body, scan, .. } = call;
    let number = |name: &str| scan.integer(body, name).ok().flatten();
    let inside = |outer: &str, name: &str| scan.raw(body, outer)?.get(name)?.integer();
    let mut thinking = None;
    let (cap, alternatives) = match Api::of(asked.endpoint)? {
        Api::Chat => (number("max_completion_tokens").or_else(|| number("max_tokens")), number("n")),
        Api::Completions => {
            let each = number("best_of").max(number("n")).unwrap_or(1).max(1);
            let cap = number("max_tokens").or(Some(COMPLETION));
            (cap, Some(each.saturating_mul(prompts(scan.raw(body, "prompt")))))
        }
        Api::Messages => {
            thinking = inside("thinking", "budget_tokens");
            (number("max_tokens"), None)
        }
        Api::Responses => (number("max_output_tokens"), None),
        Api::Gemini => {
            let config = config(body, scan).and_then(|name| scan.raw(body, name));
            let of_thinking = ["thinkingConfig", "thinking_config"];
            let found = config.and_then(|config| config.pick(of_thinking).into_iter().flatten().next());
            let mut budgets =
                found.into_iter().flat_map(|found| found.pick(["thinkingBudget", "thinking_budget"])).flatten();
            thinking = budgets.find_map(Raw::integer);
            let number = |names: [&str; 2]| config?.pick(names).into_iter().flatten().find_map(Raw::integer);
            (number(GEMINI), number(["candidateCount", "candidate_count"]))
        }
    };
    Some(Output { cap, alternatives: alternatives.unwrap_or(1).max(1), thinking: thinking.unwrap_or_default() })
}

/// The caller's body with `cap` as its cap, in tokens; `None` if its API has none.
pub fn capped(endpoint: Endpoint, body: &[u8], scan: &Scan, cap: u64) -> Option<Vec<u8>> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(cap).as_bytes();
    let has = |name: &&str| scan.get(body, name).is_some();
    let api = Api::of(endpoint)?;
    let name = match api {
        // The one that the caller wrote. OpenAI's newer models know only the first.
        Api::Chat => CHAT.into_iter().find(has).unwrap_or(CHAT[0]),
        Api::Completions | Api::Messages => "max_tokens",
        Api::Responses => "max_output_tokens",
        Api::Gemini => {
            let name = config(body, scan);
            let inner = name.and_then(|name| scan.get(body, name)).filter(|inner| inner.starts_with(b"{"));
            let inner = inner.unwrap_or(b"{}");
            let inside = json::scan(inner).ok()?;
            let own = GEMINI.into_iter().find(|name| inside.get(inner, name).is_some()).unwrap_or("maxOutputTokens");
            let inner = json::patch(inner, &inside, &[(own, Edit::Set(digits))]);
            return Some(json::patch(body, scan, &[(name.unwrap_or("generationConfig"), Edit::Set(&inner))]));
        }
    };
    // A caller may have written both, and a provider may know only the other one.
    let other = CHAT.into_iter().filter(has).filter(|other| matches!(api, Api::Chat) && *other != name);
    let edits: Vec<(&str, Edit<'_>)> = [name].into_iter().chain(other).map(|name| (name, Edit::Set(digits))).collect();
    Some(json::patch(body, scan, &edits))
}

/// How many prompts there are: a list of texts or of lists of tokens has several, a list of tokens is one.
fn prompts(prompt: Option<Raw<'_>>) -> u64 {
    let of_several = |item: &Raw<'_>| item.integer().is_none();
    prompt.map_or(1, |prompt| prompt.items().filter(of_several).count() as u64).max(1)
}

/// The name that a body of Gemini's API has for its settings.
fn config(body: &[u8], scan: &Scan) -> Option<&'static str> {
    ["generationConfig", "generation_config"].into_iter().find(|name| scan.get(body, name).is_some())
}

#[cfg(test)]
mod tests {
    use weir_hub::endpoint::{Asked, Delivery, UsageChunk};

    use super::*;

    fn both(endpoint: Endpoint, body: &str) -> (Option<Output>, Option<std::string::String>) {
        let scan = json::scan(body.as_bytes()).unwrap();
        let asked = Asked { endpoint, delivery: Delivery::Whole, usage: UsageChunk::Unwanted };
        let call = Call { asked, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
        let capped = capped(endpoint, body.as_bytes(), &scan, 9);
        (output(&call), capped.map(|capped| std::string::String::from_utf8(capped).unwrap()))
    }

    #[test]
    fn a_cap_is_read_and_written_as_its_api_has_it() {
        let check = |endpoint, body, cap, alternatives, with: &str| {
            let (read, written) = both(endpoint, body);
            assert_eq!(read, Some(Output { cap, alternatives, thinking: 0 }), "{body}");
            assert_eq!(written.as_deref(), Some(with), "{body}");
        };
        check(Endpoint::Chat, r#"{"model":"m"}"#, None, 1, r#"{"model":"m","max_completion_tokens":9}"#);
        check(Endpoint::Chat, r#"{"max_tokens":70,"n":3}"#, Some(70), 3, r#"{"max_tokens":9,"n":3}"#);
        check(Endpoint::Chat, r#"{"max_completion_tokens":70}"#, Some(70), 1, r#"{"max_completion_tokens":9}"#);
        let named_twice = r#"{"max_tokens":80,"max_completion_tokens":70}"#;
        check(Endpoint::Chat, named_twice, Some(70), 1, r#"{"max_tokens":9,"max_completion_tokens":9}"#);
        let several = r#"{"prompt":["a","b"],"n":3}"#;
        check(Endpoint::Completions, several, Some(16), 6, r#"{"prompt":["a","b"],"n":3,"max_tokens":9}"#);
        let tokens = r#"{"prompt":[1,2,3]}"#;
        check(Endpoint::Completions, tokens, Some(16), 1, r#"{"prompt":[1,2,3],"max_tokens":9}"#);
        check(Endpoint::Chat, r#"{"n":null}"#, None, 1, r#"{"n":null,"max_completion_tokens":9}"#);
        check(Endpoint::Completions, r#"{"best_of":4,"n":2}"#, Some(16), 4, r#"{"best_of":4,"n":2,"max_tokens":9}"#);
        check(Endpoint::Messages, r#"{"max_tokens":5}"#, Some(5), 1, r#"{"max_tokens":9}"#);
        check(Endpoint::Responses, "{}", None, 1, r#"{"max_output_tokens":9}"#);
        check(
            Endpoint::GenerateContent,
            r#"{"generationConfig":{"maxOutputTokens":7,"candidateCount":2}}"#,
            Some(7),
            2,
            r#"{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}"#,
        );
        check(
            Endpoint::GenerateContent,
            r#"{"generation_config":{"top_k":1}}"#,
            None,
            1,
            r#"{"generation_config":{"top_k":1,"maxOutputTokens":9}}"#,
        );
        check(Endpoint::GenerateContent, "{}", None, 1, r#"{"generationConfig":{"maxOutputTokens":9}}"#);
        assert_eq!(both(Endpoint::Embeddings, "{}"), (None, None));
        let thinking = |endpoint, body| both(endpoint, body).0.map(|output| output.thinking);
        let claude = r#"{"thinking":{"type":"enabled","budget_tokens":5000}}"#;
        assert_eq!(thinking(Endpoint::Messages, claude), Some(5000));
        let gemini = r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":600}}}"#;
        assert_eq!(thinking(Endpoint::GenerateContent, gemini), Some(600));
        let dynamic = r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}"#;
        assert_eq!(thinking(Endpoint::GenerateContent, dynamic), Some(0));
    }
}

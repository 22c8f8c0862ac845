//! Any body, as a request of a caller to every provider: it is asked or refused, and what goes up is JSON.

use weir_core::exchange;
use weir_core::provider::{ALL, Body};
use weir_core::upstream::Upstream;
use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

use super::seeds::Case;

/// Whose requests are tried, by target.
pub const CALLERS: [(&str, &[Endpoint]); 6] = [
    ("ask_chat", &[Endpoint::Chat]),
    ("ask_completions", &[Endpoint::Completions]),
    ("ask_responses", &[Endpoint::Responses]),
    ("ask_messages", &[Endpoint::Messages, Endpoint::CountTokens]),
    ("ask_generate_content", &[Endpoint::GenerateContent, Endpoint::CountContent]),
    // Without a conversation, but in JSON.
    (
        "ask_others",
        &[
            Endpoint::Embeddings,
            Endpoint::EmbedContent,
            Endpoint::BatchEmbedContents,
            Endpoint::Images,
            Endpoint::Speech,
            Endpoint::Moderations,
            Endpoint::Rerank,
        ],
    ),
];

/// What a model is called decides what some providers write for it.
const MODELS: [&str; 4] = ["m", "claude-opus-4-6", "gemini-3-flash-preview", "gpt-5"];

// The bits of an input's second byte.
const WHOLE: u8 = 1;
const DROPS: u8 = 2;
const CHAT_ONLY: u8 = 4;

/// Asks every provider for what `input` says, as the callers of this target do.
pub fn check(callers: &str, input: &[u8]) {
    let (_, endpoints) = CALLERS.into_iter().find(|(name, _)| *name == callers).unwrap();
    let [model, flags, body @ ..] = input else { return };
    let Ok(found) = scan(body) else { return };
    let model = MODELS[usize::from(*model) % MODELS.len()];
    let delivery = if flags & WHOLE == 0 { Delivery::Streamed } else { Delivery::Whole };
    let usage = UsageChunk::Unwanted;
    for (provider, endpoint) in ALL.into_iter().flat_map(|provider| endpoints.iter().map(move |at| (provider, *at))) {
        let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &found };
        let mut upstream = Upstream { dialect: provider.name().into(), ..Upstream::default() };
        upstream.drop_unsupported = flags & DROPS != 0;
        if flags & CHAT_ONLY != 0 {
            upstream.quirks.endpoints = vec![Endpoint::Chat];
        }
        let accepted = exchange::accepts(&call, &upstream, model);
        match exchange::ask(&call, &upstream, model) {
            Ok(ask) => {
                assert!(accepted.is_ok(), "{accepted:?}, but it is asked");
                assert!(ask.path.starts_with('/'), "{}", ask.path);
                if let Body::Replaced(written) = ask.body {
                    assert!(scan(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
                    assert!(written.len() <= 16 * (body.len() + 1024), "{} bytes", written.len());
                }
            }
            // Every refusal that is not about the whole body names its field.
            Err(reject) => assert!(reject.problem().param.is_some() || !endpoint.is_chat(), "{reject:?}"),
        }
        let echo = exchange::echo(&call, &upstream, model);
        assert!(echo.len() <= 16 * (body.len() + 1024));
    }
}

/// The case as an input.
pub fn seed(case: &Case) -> Vec<u8> {
    let model = MODELS.iter().position(|model| case.model.split('-').next() == model.split('-').next());
    let head = [u8::try_from(model.unwrap_or_default()).unwrap(), if case.streamed { 0 } else { WHOLE }];
    [&head, &case.caller[..]].concat()
}

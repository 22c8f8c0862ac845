//! A caller's fault, in words that the caller knows.

use alloc::borrow::Cow;
use alloc::string::String;

use weir_hub::dialect;
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{FaultKind, Problem, UpstreamFault};

use crate::provider::Provider;
use crate::upstream::Upstream;

/// The names of fields in OpenAI's chat completions, and the providers' names for them. Paths into a conversation are
/// not listed, because positions differ between the two sides.
const NAMES: [(&str, &[&str]); 11] = [
    ("frequency_penalty", &["frequencyPenalty"]),
    ("max_completion_tokens", &["max_tokens", "max_output_tokens", "maxOutputTokens"]),
    ("messages", &["contents"]),
    ("n", &["candidate_count", "candidateCount"]),
    ("presence_penalty", &["presencePenalty"]),
    ("reasoning_effort", &["thinking_config", "thinkingConfig"]),
    ("seed", &["random_seed"]),
    ("stop", &["stop_sequences", "stopSequences"]),
    ("temperature", &[]),
    ("top_k", &["topK"]),
    ("top_p", &["topP"]),
];

/// A caller's fault as the caller is told: in the provider's words. If those are another API's, the phrase of the
/// caller's own API is added.
pub fn fault_for_caller(
    fault: &UpstreamFault,
    provider: &dyn Provider,
    upstream: &Upstream,
    model: &str,
    endpoint: Endpoint,
) -> Problem {
    let mut problem = fault.problem();
    if !provider.relays(model, endpoint, upstream) {
        problem.details = None;
        if fault.kind == FaultKind::ContextLength {
            dialect::say_too_long(endpoint.family(), &mut problem.message);
        }
        problem.param = problem.param.map(|param| named(&param, endpoint).unwrap_or(param));
    }
    problem
}

/// The name that callers of `endpoint` use for the provider's field `param`, if it is known.
fn named(param: &str, endpoint: Endpoint) -> Option<String> {
    let within = ["generation_config.", "generationConfig."].iter().find_map(|outer| param.strip_prefix(outer));
    let name = within.unwrap_or(param);
    let (field, _) = NAMES.iter().find(|(field, others)| *field == name || others.contains(&name))?;
    match endpoint {
        // An older name, which chats still accept.
        Endpoint::Chat if name == "max_tokens" => None,
        _ => dialect::written_in(endpoint).map(|dialect| dialect.field(field)).map(Cow::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cloud with models of several makers told callers a fault in the other maker's words, which agents did not
    /// recognize.
    #[test]
    fn what_the_models_own_api_says_is_told_in_the_callers() {
        use crate::exchange::trial::upstream;
        use crate::provider::by_name;
        let provider = by_name("vertex").unwrap();
        let fault = UpstreamFault::new(FaultKind::ContextLength, "Too long.");
        let check = |model, endpoint, expect: &str| {
            let message = fault_for_caller(&fault, provider, &upstream("vertex"), model, endpoint).message;
            assert_eq!(message, expect, "{model} {endpoint:?}");
        };
        check("claude-sonnet-4-5", Endpoint::Messages, "Too long.");
        check("gemini-2.5-flash", Endpoint::GenerateContent, "Too long.");
        check("gemini-2.5-flash", Endpoint::Messages, "prompt is too long: Too long.");
        let google = "The input token count exceeds the maximum number of tokens allowed: Too long.";
        check("claude-sonnet-4-5", Endpoint::GenerateContent, google);
        check("claude-sonnet-4-5", Endpoint::Chat, "This model's maximum context length is exceeded: Too long.");
    }

    #[test]
    fn a_field_has_the_callers_name() {
        let check = |param: &str, endpoint, expect: &str| {
            assert_eq!(named(param, endpoint).as_deref().unwrap_or(param), expect, "{param} to {endpoint:?}");
        };
        check("generation_config.max_output_tokens", Endpoint::Chat, "max_completion_tokens");
        check("generationConfig.topP", Endpoint::Messages, "top_p");
        check("max_tokens", Endpoint::Chat, "max_tokens");
        check("max_tokens", Endpoint::Responses, "max_output_tokens");
        check("max_completion_tokens", Endpoint::Messages, "max_tokens");
        check("max_completion_tokens", Endpoint::GenerateContent, "generationConfig.maxOutputTokens");
        check("max_completion_tokens", Endpoint::CountTokens, "max_tokens");
        check("random_seed", Endpoint::Chat, "seed");
        check("stop", Endpoint::Messages, "stop_sequences");
        check("messages", Endpoint::GenerateContent, "contents");
        check("messages[0].content", Endpoint::Messages, "messages[0].content");
        check("generation_config", Endpoint::Chat, "generation_config");
        check("dimensions", Endpoint::Embeddings, "dimensions");
    }
}

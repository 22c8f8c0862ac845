//! Names that differ from a known one only in upper and lower case.
//!
//! Weir reads `model` and not `Model`. Some readers (Go's, for example) accept either, and take the last of several. So
//! a body could name one model here and another one there. Therefore no such name is sent on, at any endpoint.

use alloc::format;
use alloc::string::ToString;

use weir_hub::fault::Reject;

/// Names at the top level of a request, in all APIs that callers or providers speak.
const KNOWN: [&str; 146] = [
    "anthropic_beta",
    "anthropic_version",
    "audio",
    "background",
    "best_of",
    "betas",
    "cache_control",
    "cached_content",
    "chat_template_kwargs",
    "chunking_strategy",
    "citation_options",
    "client_metadata",
    "compound_custom",
    "container",
    "content",
    "contents",
    "context_management",
    "conversation",
    "dimensions",
    "documents",
    "echo",
    "embedding_types",
    "enable_thinking",
    "encoding_format",
    "endpoint_id",
    "extra_body",
    "fallbacks",
    "file",
    "frequency_penalty",
    "function_call",
    "functions",
    "generation_config",
    "grammar",
    "guided_json",
    "image",
    "images",
    "include",
    "inference_geo",
    "input",
    "input_fidelity",
    "input_type",
    "inputs",
    "instances",
    "instructions",
    "k",
    "known_speaker_names",
    "known_speaker_references",
    "labels",
    "language",
    "logit_bias",
    "logprobs",
    "mask",
    "max_chunks_per_doc",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tokens_per_doc",
    "max_tool_calls",
    "mcp_servers",
    "messages",
    "metadata",
    "min_p",
    "modalities",
    "model",
    "models",
    "moderation",
    "n",
    "normalize",
    "output_compression",
    "output_config",
    "output_dimension",
    "output_dtype",
    "output_format",
    "p",
    "parallel_tool_calls",
    "parameters",
    "partial_images",
    "plugins",
    "prediction",
    "presence_penalty",
    "preset",
    "previous_response_id",
    "priority",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_mode",
    "provider",
    "provider_options",
    "quality",
    "query",
    "random_seed",
    "rank_fields",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "repetition_penalty",
    "requests",
    "response_format",
    "return_documents",
    "route",
    "safe_prompt",
    "safety_identifier",
    "safety_mode",
    "safety_settings",
    "search_parameters",
    "seed",
    "service_tier",
    "size",
    "speed",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_format",
    "stream_options",
    "strict_tools",
    "style",
    "suffix",
    "system",
    "system_instruction",
    "temperature",
    "text",
    "texts",
    "thinking",
    "thinking_budget",
    "thread",
    "timestamp_granularities",
    "title",
    "tool_choice",
    "tool_config",
    "tools",
    "top_a",
    "top_k",
    "top_logprobs",
    "top_n",
    "top_p",
    "transforms",
    "truncate",
    "truncation",
    "usage",
    "user",
    "verbosity",
    "voice",
    "web_search",
    "web_search_options",
];

/// The known names that have capital letters themselves.
const WITH_CAPITALS: [&str; 20] = [
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "cachedContent",
    "embedContentConfig",
    "generateContentRequest",
    "generationConfig",
    "guardrailConfig",
    "inferenceConfig",
    "inputText",
    "outputConfig",
    "outputDimensionality",
    "performanceConfig",
    "promptVariables",
    "providerOptions",
    "requestMetadata",
    "safetySettings",
    "serviceTier",
    "systemInstruction",
    "taskType",
    "toolConfig",
];

/// Whether one of the APIs has this name at the top level of a request.
pub(super) fn is_known(name: &str) -> bool {
    [&KNOWN[..], &WITH_CAPITALS].iter().any(|names| names.binary_search(&name).is_ok())
}

/// Refuses a name at the top level of a request that equals a known one except for case.
pub(super) fn check(name: &str) -> Result<(), Reject> {
    let plain = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let known = if plain { &[][..] } else { &KNOWN[..] };
    if WITH_CAPITALS.contains(&name) {
        return Ok(());
    }
    match WITH_CAPITALS.iter().chain(known).find(|known| is_in_another_case(name, known)) {
        None => Ok(()),
        Some(known) => Err(Reject::Invalid {
            field: name.to_string(),
            problem: format!("it differs from '{known}' by case only, and not every reader tells them apart"),
        }),
    }
}

/// Whether a name equals the `known` one, which is ASCII, if case is ignored. Two letters beyond ASCII have an ASCII
/// letter as their other case.
fn is_in_another_case(name: &str, known: &str) -> bool {
    let lower = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    // One of those two letters has three bytes, the other two.
    (known.len()..=3 * known.len()).contains(&name.len())
        && name.chars().map(lower).eq(known.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::prelude::v1::*;

    #[test]
    fn every_known_name_passes_and_in_no_other_case() {
        assert!(KNOWN.is_sorted() && WITH_CAPITALS.is_sorted());
        for known in KNOWN.into_iter().chain(WITH_CAPITALS) {
            assert_eq!(check(known), Ok(()), "{known}");
            let mut title = known.to_string();
            title[..1].make_ascii_uppercase();
            for other in [known.to_uppercase(), title] {
                assert!(check(&other).is_err(), "{other}");
            }
        }
        for other in ["generationconfig", "\u{17f}tream", "to\u{212a}en", "mas\u{212a}", "tool\u{17f}"] {
            assert_eq!(check(other).is_err(), other != "to\u{212a}en", "{other}");
        }
        for unknown in ["", "X-Mine", "vendorOption", "mode", "modell", "m\u{f6}del", "Modell"] {
            assert_eq!(check(unknown), Ok(()), "{unknown}");
        }
    }
}

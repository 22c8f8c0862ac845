//! Which endpoint a body is for.

use serde_json::Value;
use weir_hub::endpoint::Endpoint;

/// The endpoint that a body is most likely for, by its fields. If several fit, it is the most common one: messages with a `system`
/// beside them are for Anthropic's endpoint, messages without it could be for either and are taken for OpenAI's.
pub fn endpoint(body: &[u8]) -> Endpoint {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let has = |names: &[&str]| names.iter().any(|name| body.get(name).is_some());
    if has(&["contents"]) {
        Endpoint::GenerateContent
    } else if has(&["generateContentRequest"]) {
        Endpoint::CountContent
    } else if has(&["requests"]) {
        Endpoint::BatchEmbedContents
    } else if has(&["content"]) {
        Endpoint::EmbedContent
    } else if has(&["documents"]) && has(&["query"]) {
        Endpoint::Rerank
    } else if has(&["messages"]) && has(&["system", "stop_sequences", "thinking"]) {
        Endpoint::Messages
    } else if has(&["messages"]) {
        Endpoint::Chat
    } else if has(&["prompt"]) {
        Endpoint::Completions
    } else if has(&["input"]) && has(&["instructions", "max_output_tokens", "tools", "reasoning", "text"]) {
        Endpoint::Responses
    } else if has(&["input"]) {
        Endpoint::Embeddings
    } else {
        Endpoint::Chat
    }
}

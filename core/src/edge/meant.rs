//! Guesses which path a caller means by one that does not exist. Most often a base URL lacks its version, or has it
//! twice.

use alloc::format;
use alloc::string::String;

use weir_hub::endpoint::{Endpoint, Family};

use crate::listing;

/// The existing path that ends like this one, and whose API it is: `/chat/completions` and `/v1/v1/chat/completions`
/// mean `/v1/chat/completions`.
pub(super) fn at(path: &str) -> Option<(Family, String)> {
    if let Some(asked) = Endpoint::at(path) {
        return Some((asked.endpoint.family(), path.into()));
    }
    if listing::is_at(path) && !path.contains(':') {
        return Some((Family::at(path), path.into()));
    }
    if let Some(at) = path.rfind("/models") {
        let list = path.get(at..)?;
        let google = format!("/v1beta{list}");
        if let Some(asked) = Endpoint::at(&google) {
            return Some((asked.endpoint.family(), google));
        }
        let list = format!("/v1{list}");
        let is_a_model = !list.contains(':') && listing::is_at(&list);
        return is_a_model.then_some((Family::OpenAi, list));
    }
    let ends_with = |endpoint: &Endpoint| endpoint.path().strip_prefix("/v1").is_some_and(|tail| path.ends_with(tail));
    let nearest = Endpoint::ALL.into_iter().filter(ends_with).max_by_key(|endpoint| endpoint.path().len())?;
    Some((nearest.family(), nearest.path().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_was_meant_ends_alike() {
        let check = |path, expect: Option<(Family, &str)>| {
            assert_eq!(at(path), expect.map(|(family, path)| (family, path.into())), "{path}");
        };
        check("/chat/completions", Some((Family::OpenAi, "/v1/chat/completions")));
        check("/v1/v1/chat/completions", Some((Family::OpenAi, "/v1/chat/completions")));
        check("/openai/deployments/gpt/chat/completions", Some((Family::OpenAi, "/v1/chat/completions")));
        check("/completions", Some((Family::OpenAi, "/v1/completions")));
        check("/responses", Some((Family::OpenAi, "/v1/responses")));
        check("/embeddings", Some((Family::OpenAi, "/v1/embeddings")));
        check("/messages", Some((Family::Anthropic, "/v1/messages")));
        check("/v1/v1/messages/count_tokens", Some((Family::Anthropic, "/v1/messages/count_tokens")));
        check("/models", Some((Family::OpenAi, "/v1/models")));
        check("/v1/v1/models/org/m", Some((Family::OpenAi, "/v1/models/org/m")));
        let google = "/v1beta/models/m:generateContent";
        check("/models/m:generateContent", Some((Family::Gemini, google)));
        check("/v1/v1beta/models/m:generateContent", Some((Family::Gemini, google)));
        for path in ["/", "", "/v1", "/v1/chat", "/v1/files", "/v1beta/models/m:predict", "/v2/v1"] {
            check(path, None);
        }
    }
}

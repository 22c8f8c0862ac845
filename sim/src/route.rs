//! Which path is whose: the table of every request that the simulator answers.

use bytes::Bytes;
use hyper::http::request::Parts;

use crate::{
    answer::Delivery,
    anthropic::{self, Anthropic},
    azure::Azure,
    bedrock::{self, Bedrock},
    chat,
    cohere::{self, Cohere},
    dialect::{self, Call, Dialect, Failure},
    gemini::{self, Api, Framing, Gemini},
    jina::{self, Jina},
    mistral::{self, Mistral},
    oneinfer::{self, OneInfer},
    openai::{self, Completions, OpenAi, Responses},
    percent::decoded,
    reply::Decision,
    seen::Ticket,
    state::State,
    vertex::{self, Claude, Vertex},
};

/// What answers a request.
pub(crate) type Verb = fn(&Call<'_>) -> Decision;

/// Every request there is. The first line that fits counts.
///
/// `{model}` stands for a model's name and `{}` for anything, both within one segment; a `{model}` in the last one takes
/// all that is left, for names have slashes.
static ROUTES: &[Route] = &[
    post("/v1/chat/completions", &OpenAi, chat::chat),
    post("/v1/responses", RESPONSES, chat::chat),
    post("/v1/responses/input_tokens", RESPONSES, openai::input_tokens),
    post("/v1/completions", COMPLETIONS, chat::chat),
    post("/v1/images/generations", &OpenAi, openai::generations),
    post("/v1/images/edits", &OpenAi, openai::edits),
    post("/v1/moderations", &OpenAi, openai::moderations),
    post("/v1/audio/transcriptions", &OpenAi, openai::transcriptions),
    post("/v1/audio/translations", &OpenAi, openai::translations),
    post("/v1/audio/speech", &OpenAi, openai::speech),
    post("/v1/embeddings", &OpenAi, openai::embeddings),
    post("/v1/messages", &Anthropic, chat::chat),
    post("/v1/messages/count_tokens", &Anthropic, anthropic::count_tokens),
    get("/v1/models", &Anthropic, anthropic::models).for_headers(&["x-api-key", "anthropic-version"]),
    get("/v1/models/{model}", &Anthropic, anthropic::models).for_headers(&["x-api-key", "anthropic-version"]),
    get("/v1/models", GEMINI, gemini::models).for_headers(&["x-goog-api-key"]),
    get("/v1/models/{model}", GEMINI, gemini::models).for_headers(&["x-goog-api-key"]),
    get("/v1/models", &OpenAi, openai::models),
    get("/v1/models/{model}", &OpenAi, openai::models),
    post("/{}/models/{model}:generateContent", GEMINI, chat::chat),
    post("/{}/models/{model}:streamGenerateContent", GEMINI, chat::chat).for_query("alt=sse").streamed(),
    post("/{}/models/{model}:streamGenerateContent", GEMINI_ARRAY, chat::chat).streamed(),
    post("/{}/models/{model}:countTokens", GEMINI, gemini::count_tokens),
    post("/{}/models/{model}:embedContent", GEMINI, gemini::embed),
    post("/{}/models/{model}:batchEmbedContents", GEMINI, gemini::batch),
    get("/v1beta/models", GEMINI, gemini::models),
    get("/v1beta/models/{model}", GEMINI, gemini::models),
    post("/model/{model}/converse", &Bedrock, chat::chat),
    post("/model/{model}/converse-stream", &Bedrock, chat::chat).streamed(),
    post("/model/{model}/invoke", &Bedrock, bedrock::invoke),
    post("/model/{model}/count-tokens", &Bedrock, bedrock::count_tokens),
    post("/openai/deployments/{model}/chat/completions", &Azure, chat::chat),
    post("/openai/deployments/{model}/embeddings", &Azure, openai::embeddings),
    post("/openai/v1/chat/completions", &Azure, chat::chat),
    post("/openai/v1/embeddings", &Azure, openai::embeddings),
    post("/openai/deployments/{model}/completions", AZURE_COMPLETIONS, chat::chat),
    post("/openai/deployments/{model}/audio/transcriptions", &Azure, openai::transcriptions),
    post("/openai/deployments/{model}/audio/translations", &Azure, openai::translations),
    post("/openai/deployments/{model}/audio/speech", &Azure, openai::speech),
    post("/openai/deployments/{model}/images/generations", &Azure, openai::generations),
    post("/openai/deployments/{model}/images/edits", &Azure, openai::edits),
    post("/openai/v1/completions", AZURE_COMPLETIONS, chat::chat),
    post("/openai/v1/audio/transcriptions", &Azure, openai::transcriptions),
    post("/openai/v1/audio/translations", &Azure, openai::translations),
    post("/openai/v1/audio/speech", &Azure, openai::speech),
    post("/openai/v1/images/generations", &Azure, openai::generations),
    post("/openai/v1/images/edits", &Azure, openai::edits),
    post("/openai/responses", AZURE_RESPONSES, chat::chat),
    post("/openai/responses/input_tokens", AZURE_RESPONSES, openai::input_tokens),
    post("/openai/v1/responses", AZURE_RESPONSES, chat::chat),
    post("/openai/v1/responses/input_tokens", AZURE_RESPONSES, openai::input_tokens),
    post("/mistral/v1/chat/completions", &Mistral, chat::chat),
    post("/mistral/v1/embeddings", &Mistral, mistral::embed),
    post("/mistral/v1/moderations", &Mistral, mistral::judge),
    post("/mistral/v1/audio/transcriptions", &Mistral, mistral::hear),
    get("/mistral/v1/models", &Mistral, openai::models),
    get("/mistral/v1/models/{model}", &Mistral, openai::models),
    post("/v1/ula/chat/completions", &OneInfer, chat::chat),
    post("/v1/ula/oauth-authentication", &OneInfer, oneinfer::authenticate),
    post("/v2/chat", &Cohere, chat::chat),
    post("/v2/embed", &Cohere, cohere::embed),
    post("/v2/rerank", &Cohere, cohere::rerank),
    post("/v1/rerank", &Jina, jina::rerank),
    post("/{}/projects/{}/locations/{}/publishers/google/models/{model}:generateContent", VERTEX, chat::chat),
    post("/{}/projects/{}/locations/{}/publishers/google/models/{model}:streamGenerateContent", VERTEX, chat::chat)
        .for_query("alt=sse")
        .streamed(),
    post(
        "/{}/projects/{}/locations/{}/publishers/google/models/{model}:streamGenerateContent",
        VERTEX_ARRAY,
        chat::chat,
    )
    .streamed(),
    post("/{}/projects/{}/locations/{}/publishers/google/models/{model}:countTokens", VERTEX, gemini::count_tokens),
    post("/{}/projects/{}/locations/{}/publishers/google/models/{model}:predict", VERTEX, vertex::predict),
    post(
        "/{}/projects/{}/locations/{}/publishers/anthropic/models/count-tokens:rawPredict",
        &Claude,
        anthropic::count_tokens,
    ),
    post("/{}/projects/{}/locations/{}/publishers/anthropic/models/{model}:rawPredict", &Claude, chat::chat),
    post("/{}/projects/{}/locations/{}/publishers/anthropic/models/{model}:streamRawPredict", &Claude, chat::chat),
];

const RESPONSES: &dyn Dialect = &Responses(&OpenAi);
const COMPLETIONS: &dyn Dialect = &Completions(&OpenAi);
const AZURE_RESPONSES: &dyn Dialect = &Responses(&Azure);
const AZURE_COMPLETIONS: &dyn Dialect = &Completions(&Azure);
const GEMINI: &dyn Dialect = &Gemini { framing: Framing::Sse, api: Api::Developer };
const GEMINI_ARRAY: &dyn Dialect = &Gemini { framing: Framing::Array, api: Api::Developer };
const VERTEX: &dyn Dialect = &Vertex(Framing::Sse);
const VERTEX_ARRAY: &dyn Dialect = &Vertex(Framing::Array);

/// Who says that nothing is at a path, by how the path begins.
static ROOTS: &[(&str, &dyn Dialect)] = &[
    ("/v1/messages", &Anthropic),
    ("/v1beta/", GEMINI),
    ("/model/", &Bedrock),
    ("/v2/", &Cohere),
    ("/openai/", &Azure),
    ("/mistral/", &Mistral),
    ("/v1/ula/", &OneInfer),
    ("/v1/projects/", VERTEX),
    ("/v1beta1/", VERTEX),
    ("", &OpenAi),
];

/// One line of the table.
pub(crate) struct Route {
    method: &'static str,
    path: &'static str,
    /// The request must have one of these; any will do where none is named.
    headers: &'static [&'static str],
    /// The query must have this among its pairs, where there is one.
    query: Option<&'static str>,
    dialect: &'static dyn Dialect,
    delivery: Delivery,
    verb: Verb,
}

const fn post(path: &'static str, dialect: &'static dyn Dialect, verb: Verb) -> Route {
    Route { method: "POST", path, headers: &[], query: None, dialect, delivery: Delivery::Whole, verb }
}

const fn get(path: &'static str, dialect: &'static dyn Dialect, verb: Verb) -> Route {
    Route { method: "GET", path, headers: &[], query: None, dialect, delivery: Delivery::Whole, verb }
}

impl Route {
    /// Only for a request with one of these headers: where two providers have the same path.
    const fn for_headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    /// Only for a request with this in its query.
    const fn for_query(self, pair: &'static str) -> Self {
        Self { query: Some(pair), ..self }
    }

    /// Answered with a stream, whatever the body says.
    const fn streamed(self) -> Self {
        Self { delivery: Delivery::Streamed, ..self }
    }

    /// The model named in the path, empty where none is; nothing where the path or the headers are not this route's.
    fn fits(&self, head: &Parts) -> Option<String> {
        let sent = |name: &&str| head.headers.contains_key(*name);
        let asked = |pair| head.uri.query().unwrap_or_default().split('&').any(|other| other == pair);
        let meant = (self.headers.is_empty() || self.headers.iter().any(sent)) && self.query.is_none_or(asked);
        meant.then(|| model(self.path, head.uri.path())).flatten()
    }
}

/// The dialect to fail in.
pub(crate) fn dialect(head: &Parts) -> &'static dyn Dialect {
    if let Some(route) = ROUTES.iter().find(|route| route.fits(head).is_some()) {
        return route.dialect;
    }
    let path = head.uri.path();
    ROOTS.iter().find(|(root, _)| path.starts_with(root)).map_or(&OpenAi as &dyn Dialect, |(_, dialect)| *dialect)
}

/// The dialect of each line of the table.
pub(crate) fn dialects() -> impl Iterator<Item = &'static dyn Dialect> {
    ROUTES.iter().map(|route| route.dialect)
}

/// Answers a request by its line of the table.
pub(crate) fn answer(state: &State, head: &Parts, body: &Bytes, ticket: &Ticket) -> Decision {
    let id = state.id();
    let fits = |(line, route): (usize, &'static Route)| Some((line, route, route.fits(head)?));
    let of_method = |(_, route): &(usize, &Route)| head.method.as_str() == route.method;
    let Some((line, route, model)) = ROUTES.iter().enumerate().filter(of_method).find_map(fits) else {
        let missing = Failure::NoPath { method: head.method.to_string(), path: head.uri.path().to_owned() };
        return Decision::now(dialect::failure(dialect(head), &missing, &id));
    };
    let model = Some(model).filter(|model| !model.is_empty());
    (route.verb)(&Call { state, head, body, ticket, line, dialect: route.dialect, delivery: route.delivery, model, id })
}

/// Compares a path with a pattern: the model it names, decoded; empty where the pattern names none.
fn model(pattern: &str, path: &str) -> Option<String> {
    let (mut pattern, mut path) = (pattern, path);
    let mut found = String::new();
    loop {
        let (want, more) = pattern.split_once('/').map_or((pattern, None), |(want, more)| (want, Some(more)));
        let (part, rest) = match path.split_once('/') {
            Some((part, rest)) if more.is_some() || !want.starts_with("{model}") => (part, Some(rest)),
            _ => (path, None),
        };
        match (want.strip_prefix("{model}"), want) {
            (Some(end), _) => {
                let name = part.strip_suffix(end).filter(|name| !name.is_empty())?;
                found = decoded(name);
            }
            (None, "{}") if !part.is_empty() => {}
            (None, _) if want == part => {}
            _ => return None,
        }
        match (more, rest) {
            (None, None) => return Some(found),
            (Some(more), Some(rest)) => (pattern, path) = (more, rest),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_paths_and_finds_the_model() {
        let check = |pattern: &str, path: &str, expect: Option<&str>| {
            assert_eq!(model(pattern, path).as_deref(), expect, "{pattern} {path}");
        };
        check("/v1/messages", "/v1/messages", Some(""));
        check("/v1/messages", "/v1/messages/", None);
        check("/v1/models/{model}", "/v1/models/org/name", Some("org/name"));
        check("/v1/models/{model}", "/v1/models/", None);
        check("/model/{model}/converse", "/model/a.b%3A0/converse", Some("a.b:0"));
        check("/model/{model}/converse", "/model/a/b/converse", None);
        check("/models/{model}:go", "/models/m+gap-5ms:go", Some("m+gap-5ms"));
        check("/models/{model}:go", "/models/m:stop", None);
        check("/p/{}/models/{model}:go", "/p/x/models/m:go", Some("m"));
        check("/p/{}/models/{model}:go", "/p//models/m:go", None);
    }
}

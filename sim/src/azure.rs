//! Azure OpenAI: OpenAI's chats and embeddings under a deployment's path or under `/openai/v1`, with Azure's keys, versions
//! and content filters.
//!
//! Shapes: <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference>,
//! <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter-annotations>.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::{
    Keyless,
    answer::{Answer, Ask},
    dialect::{Call, Dialect, Event, Failure, Moment, accepts, quote, set, uuid},
    model::Model,
    openai::OpenAi,
};

/// The dialect of `/openai/…`.
pub(crate) struct Azure;

/// The versions of the API under a deployment's path; there are no later ones.
/// <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle>
const VERSIONS: [&str; 20] = [
    "2022-12-01",
    "2023-05-15",
    "2023-06-01-preview",
    "2023-10-01-preview",
    "2024-02-01",
    "2024-02-15-preview",
    "2024-03-01-preview",
    "2024-04-01-preview",
    "2024-05-01-preview",
    "2024-06-01",
    "2024-07-01-preview",
    "2024-08-01-preview",
    "2024-09-01-preview",
    "2024-10-01-preview",
    "2024-10-21",
    "2024-12-01-preview",
    "2025-01-01-preview",
    "2025-02-01-preview",
    "2025-03-01-preview",
    "2025-04-01-preview",
];

/// The versions under `/openai/v1`, where one is given.
const NEW_VERSIONS: [&str; 3] = ["v1", "preview", "latest"];

/// What the filters found in what is harmless.
const SAFE: &str = r#"{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;

/// What they found in what they cut short.
const FILTERED: &str = r#"{"hate":{"filtered":true,"severity":"high"},"self_harm":{"filtered":false,"severity":"safe"},"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}"#;

impl Dialect for Azure {
    fn folder(&self) -> &'static str {
        "azure"
    }

    fn admit(&self, call: &Call<'_>) -> Result<(), Failure> {
        let bearer = || call.header("authorization")?.strip_prefix("Bearer ");
        let known = |key: &str| accepts(call.options(), key);
        // Tokens of Entra are JWTs, and so begin with an encoded brace.
        let token = |key: &str| key.starts_with("eyJ") && call.options().keys.is_empty();
        match (call.header("api-key"), bearer()) {
            (None, None) if call.options().keyless == Keyless::Refuse => return Err(Failure::NoKey),
            (Some(key), _) if !known(key) => return Err(Failure::WrongKey(String::new())),
            (None, Some(key)) if !known(key) && !token(key) => return Err(Failure::WrongKey(String::new())),
            _ => {}
        }
        let path = call.head.uri.path();
        let query = call.head.uri.query().unwrap_or_default();
        let version = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
        let fits = match version {
            None => path.starts_with("/openai/v1/"),
            Some(version) if path.starts_with("/openai/v1/") => NEW_VERSIONS.contains(&version),
            Some(version) => VERSIONS.contains(&version),
        };
        if fits {
            return Ok(());
        }
        Err(Failure::NoPath { method: call.head.method.to_string(), path: path.to_owned() })
    }

    fn ask(&self, call: &Call<'_>, body: &Value, model: &Model) -> Result<Ask, Failure> {
        OpenAi.ask(call, body, model)
    }

    fn whole(&self, answer: &Answer) -> Bytes {
        let annotated = annotated(&OpenAi.whole(answer), SAFE);
        let body = annotated.strip_suffix('}').unwrap_or(&annotated);
        Bytes::from(format!(r#"{body},"prompt_filter_results":{}}}"#, prompt()))
    }

    fn events(&self, answer: &Answer) -> Vec<Event> {
        let first = format!(
            "data: {{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":{}}}\n\n",
            prompt()
        );
        let mut events = vec![Event { moment: Moment::Frame, bytes: Bytes::from(first) }];
        events.extend(OpenAi.events(answer).into_iter().map(|event| {
            let results = if event.moment == Moment::Token { SAFE } else { "{}" };
            Event { moment: event.moment, bytes: Bytes::from(annotated(&event.bytes, results)) }
        }));
        events
    }

    fn failure(&self, failure: &Failure, request: &str) -> (u16, String) {
        match error(failure) {
            Some((status, code, message)) => {
                (status, format!(r#"{{"error":{{"code":"{code}","message":{}}}}}"#, quote(&message)))
            }
            None if *failure == Failure::ContentFilter => (400, blocked()),
            None => OpenAi.failure(failure, request),
        }
    }

    fn failure_event(&self, failure: &Failure, request: &str) -> Bytes {
        OpenAi.failure_event(failure, request)
    }

    fn headers(&self, headers: &mut HeaderMap, request: &str) {
        let id = uuid(request);
        for (name, value) in [
            ("apim-request-id", id.as_str()),
            ("x-request-id", &id),
            ("x-ms-region", "East US"),
            ("x-ms-rai-invoked", "true"),
            ("azureml-model-session", "simulated-20260102"),
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-limit-tokens", "1000000"),
            ("x-ratelimit-remaining-requests", "999"),
            ("x-ratelimit-remaining-tokens", "999000"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("x-content-type-options", "nosniff"),
        ] {
            set(headers, name, value);
        }
    }

    fn failure_headers(&self, headers: &mut HeaderMap, failure: &Failure, _: u16) {
        if let Failure::RateLimited(Some(seconds)) = failure {
            set(headers, "retry-after", &seconds.to_string());
            set(headers, "retry-after-ms", &(u64::from(*seconds) * 1000).to_string());
            set(headers, "x-ratelimit-reset-requests", &seconds.to_string());
        }
    }
}

/// What OpenAI wrote, with what the filters found in each choice. What a message says cannot be mistaken for a field:
/// within a string, quotes are escaped.
fn annotated(bytes: &[u8], results: &str) -> String {
    const PLACE: &str = r#""logprobs":null,"finish_reason":"#;
    let text = String::from_utf8_lossy(bytes).replace(r#""service_tier":"default","#, "");
    let mut parts = text.split(PLACE);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let results = if part.starts_with(r#""content_filter""#) { FILTERED } else { results };
        written.extend([r#""content_filter_results":"#, results, ",", PLACE, part]);
    }
    written
}

fn prompt() -> String {
    format!(r#"[{{"prompt_index":0,"content_filter_results":{SAFE}}}]"#)
}

/// A failure where Azure has other words than OpenAI: status, code and message.
fn error(failure: &Failure) -> Option<(u16, &'static str, String)> {
    let say = |status, code, message: &str| Some((status, code, message.to_owned()));
    match failure {
        Failure::NoKey | Failure::WrongKey(_) | Failure::Status(401) => say(
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        ),
        Failure::Status(403) => say(403, "403", "Access denied due to Virtual Network/Firewall rules."),
        Failure::NoPath { .. } => say(404, "404", "Resource not found"),
        Failure::NoModel(_) | Failure::Status(404) => say(
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
        ),
        Failure::Status(408) => say(408, "Timeout", "The operation was timeout."),
        Failure::RateLimited(seconds) => {
            let again = seconds.map_or(String::new(), |seconds| format!(" Please retry after {seconds} seconds."));
            Some((
                429,
                "429",
                format!(
                    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate limit of your current OpenAI S0 pricing tier.{again} Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
                ),
            ))
        }
        Failure::InsufficientQuota => say(
            403,
            "403",
            "Out of call volume quota. Please upgrade your subscription or wait for the quota to be replenished.",
        ),
        Failure::Status(500) => {
            say(500, "InternalServerError", "Backend returned unexpected response. Please contact Microsoft for help.")
        }
        Failure::Status(503 | 529) => say(
            503,
            "ServiceUnavailable",
            "The service is temporarily unable to process your request. Please try again later.",
        ),
        _ => None,
    }
}

/// A prompt that the filters stopped.
fn blocked() -> String {
    let results: Value = serde_json::from_str(FILTERED).unwrap_or_default();
    json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        "type": null,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": results},
    }})
    .to_string()
}

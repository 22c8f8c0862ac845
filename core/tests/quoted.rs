//! What a provider's error quotes of a request does not decide whose fault it is: a caller who writes a provider's own words for an
//! account without money, or a key that is wrong, must not have the target rest for all others.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use weir_core::provider::{ALL, Reach, by_name};
use weir_hub::fault::{FaultKind, Whose};

/// How one provider says that something is the operator's fault: its status, its code or type, its words, and what that is.
type Own = (u16, &'static str, &'static str, FaultKind);

/// How it quotes what stands in a request, in place of `%`.
type Quotes = (u16, &'static str, &'static str);

struct Provider {
    names: &'static [&'static str],
    body: fn(u16, &str, &str) -> String,
    own: &'static [Own],
    quotes: &'static [Quotes],
}

fn anthropic(_: u16, kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
}

fn google(status: u16, name: &str, message: &str) -> String {
    json!({"error": {"code": status, "message": message, "status": name}}).to_string()
}

fn aws(_: u16, kind: &str, message: &str) -> String {
    json!({"__type": kind, "message": message}).to_string()
}

fn openai(_: u16, code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string()
}

fn plain(_: u16, _: &str, message: &str) -> String {
    json!({"message": message}).to_string()
}

/// A field, or the tag of a union, that is not known is told as pydantic tells it: its place, and what is wrong there.
const PROVIDERS: [Provider; 6] = [
    // <https://platform.claude.com/docs/en/api/errors>
    Provider {
        names: &["anthropic", "vertex"],
        body: anthropic,
        own: &[
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
                FaultKind::Billing,
            ),
            // <https://github.com/anthropics/claude-code/issues/91322>
            (400, "invalid_request_error", "Your credit balance is too low.", FaultKind::Billing),
            (402, "billing_error", "There is an issue with your billing or payment information.", FaultKind::Billing),
            (401, "authentication_error", "invalid x-api-key", FaultKind::Auth),
            (
                403,
                "permission_error",
                "Your API key does not have permission to use the specified resource.",
                FaultKind::Auth,
            ),
            (404, "not_found_error", "model: claude-9", FaultKind::NotFound),
        ],
        quotes: &[
            (
                400,
                "invalid_request_error",
                "messages.0.content.0: Input tag '%' found using 'type' does not match any of the expected tags: 'text', 'image'",
            ),
            (400, "invalid_request_error", "%: Extra inputs are not permitted"),
            (400, "invalid_request_error", "metadata.%: Extra inputs are not permitted"),
            (
                400,
                "invalid_request_error",
                "messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: %. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
            ),
            (404, "not_found_error", "File not found: %"),
        ],
    },
    // <https://ai.google.dev/gemini-api/docs/troubleshooting>
    Provider {
        names: &["gemini", "vertex"],
        body: google,
        own: &[
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", FaultKind::Auth),
            (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", FaultKind::Auth),
            (400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key.", FaultKind::Auth),
            (
                400,
                "FAILED_PRECONDITION",
                "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
                FaultKind::Billing,
            ),
            (
                400,
                "FAILED_PRECONDITION",
                "User location is not supported for the API use without a billing account linked.",
                FaultKind::Billing,
            ),
            (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", FaultKind::Auth),
            (
                429,
                "RESOURCE_EXHAUSTED",
                "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.",
                FaultKind::Billing,
            ),
            (
                403,
                "PERMISSION_DENIED",
                "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p' (or it may not exist).",
                FaultKind::Auth,
            ),
            (
                404,
                "NOT_FOUND",
                "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
                FaultKind::NotFound,
            ),
        ],
        quotes: &[
            (400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name \"%\": Cannot find field."),
            (
                400,
                "INVALID_ARGUMENT",
                "Invalid value at 'contents[0].role' (type.googleapis.com/google.ai.generativelanguage.v1beta.Role), \"%\"",
            ),
            (400, "INVALID_ARGUMENT", "Unable to process input: Unsupported MIME type: %"),
            (400, "FAILED_PRECONDITION", "The File % is not in an ACTIVE state and usage is not allowed."),
            (403, "PERMISSION_DENIED", "You do not have permission to access the File % or it may not exist."),
            (
                403,
                "PERMISSION_DENIED",
                "Permission 'aiplatform.cachedContents.get' denied on resource '//aiplatform.googleapis.com/%' (or it may not exist).",
            ),
        ],
    },
    // <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
    // <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>
    Provider {
        names: &["bedrock"],
        body: aws,
        own: &[
            (400, "ValidationException", "Operation not allowed", FaultKind::Auth),
            // <https://github.com/aws-samples/amazon-bedrock-audio-summarizer/issues/3>
            (
                400,
                "ValidationException",
                "Your account is not authorized to invoke this API operation.",
                FaultKind::Auth,
            ),
            (403, "ExpiredTokenException", "The security token included in the request is expired", FaultKind::Auth),
            (400, "ValidationException", "The provided model identifier is invalid.", FaultKind::NotFound),
            (
                400,
                "ValidationException",
                "Invocation of model ID anthropic.claude-sonnet-4-5-20250929-v1:0 with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
                FaultKind::NotFound,
            ),
            (
                403,
                "AccessDeniedException",
                "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided.",
                FaultKind::Billing,
            ),
            (
                403,
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/a is not authorized to perform: bedrock:InvokeModelWithResponseStream on resource: arn:aws:bedrock:us-east-1::foundation-model/m",
                FaultKind::Auth,
            ),
        ],
        quotes: &[
            (
                400,
                "ValidationException",
                "The model returned the following errors: thinking: Input tag '%' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'",
            ),
            (400, "ValidationException", "The model returned the following errors: %: Extra inputs are not permitted"),
            (
                400,
                "ValidationException",
                "Malformed input request: #: extraneous key [%] is not permitted, please reformat your input and try again.",
            ),
            (
                400,
                "ValidationException",
                "1 validation error detected: Value '%' at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]",
            ),
            (
                403,
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/a is not authorized to perform: bedrock:ApplyGuardrail on resource: arn:aws:bedrock:us-east-1:2:guardrail/%",
            ),
        ],
    },
    // <https://platform.openai.com/docs/guides/error-codes>
    Provider {
        names: &["openai", "azure", "mistral"],
        body: openai,
        own: &[
            (429, "insufficient_quota", "You exceeded your current quota, please check your plan.", FaultKind::Billing),
            (400, "billing_hard_limit_reached", "Billing hard limit has been reached", FaultKind::Billing),
            (401, "invalid_api_key", "Incorrect API key provided: sk-a***b.", FaultKind::Auth),
            (404, "model_not_found", "The model `gpt-9` does not exist", FaultKind::NotFound),
        ],
        quotes: &[
            (400, "unknown_parameter", "Unknown parameter: '%'."),
            (400, "invalid_value", "Invalid value: '%'. Supported values are: 'system', 'assistant' and 'user'."),
            (404, "not_found", "No such File object: %"),
            (404, "", "Item with id '%' not found."),
        ],
    },
    // <https://docs.cohere.com/reference/errors>
    Provider {
        names: &["cohere"],
        body: plain,
        own: &[
            (
                429,
                "",
                "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade to a Production key at 'https://dashboard.cohere.com/api-keys'.",
                FaultKind::Billing,
            ),
            (401, "", "invalid api token", FaultKind::Auth),
            (404, "", "model 'x' not found, make sure the correct model ID was used", FaultKind::NotFound),
        ],
        quotes: &[
            (400, "", "invalid request: unknown field '%'"),
            (422, "", "invalid request: cannot find tool %"),
            (404, "", "document '%' not found"),
        ],
    },
    // <https://oneinfer.ai/docs/api/audio-generation>, Error Status Codes
    Provider {
        names: &["oneinfer"],
        body: plain,
        own: &[
            (403, "", "Insufficient credit balance", FaultKind::Billing),
            (404, "", "Model not found", FaultKind::NotFound),
        ],
        quotes: &[(400, "", "Unknown field: %"), (403, "", "You may not read the file '%'.")],
    },
];

/// What callers write to make it look otherwise, besides each provider's own words.
const WORDS: [&str; 9] = [
    "credit balance is too low",
    "Operation not allowed",
    "API key not valid",
    "billing",
    "model",
    "bedrock:InvokeModel",
    "aiplatform.endpoints.predict",
    "insufficient credit",
    "the security token included in the request, 1000 API calls / month, on-demand throughput isn't",
];

#[test]
fn what_is_the_operators_is_told_in_the_providers_own_words() {
    for Provider { names, body, own, .. } in PROVIDERS {
        for (status, code, message, expect) in own {
            for name in names {
                let fault = by_name(name).unwrap().fault(*status, body(*status, code, message).as_bytes());
                assert_eq!((fault.kind, fault.rests), (*expect, true), "{name} {status} {message}");
            }
        }
    }
}

#[test]
fn what_is_quoted_of_a_request_does_not_make_it_the_operators() {
    let own = PROVIDERS.iter().flat_map(|provider| provider.own).map(|(_, _, message, _)| *message);
    let words: Vec<&str> = own.chain(WORDS).collect();
    for Provider { names, body, quotes, .. } in PROVIDERS {
        for (status, code, message) in quotes {
            for words in &words {
                let message = message.replace('%', words);
                let body = body(*status, code, &message);
                for name in names {
                    let fault = by_name(name).unwrap().fault(*status, body.as_bytes());
                    assert_eq!(fault.kind.whose(), Whose::Caller, "{name} {status} {message}: {:?}", fault.kind);
                }
            }
        }
    }
}

/// <https://platform.openai.com/docs/api-reference/responses/create>: a tool may name a model too.
#[test]
fn a_field_that_is_not_the_model_is_the_callers_whatever_the_code_says() {
    let body = |param: &str| {
        json!({"error": {"message": "The model 'x' does not exist.", "type": "invalid_request_error", "param": param,
                         "code": "model_not_found"}})
        .to_string()
    };
    for name in ["openai", "azure", "mistral"] {
        let whose = |param| by_name(name).unwrap().fault(404, body(param).as_bytes()).kind.whose();
        assert_eq!(whose("tools[0].model"), Whose::Caller, "{name}");
        assert_eq!(whose("model"), Whose::Ours, "{name}");
        // Relays of many makers name no field so.
        assert_eq!(whose(""), Whose::Ours, "{name}");
    }
}

#[test]
fn every_provider_is_here() {
    for provider in ALL.into_iter().filter(|provider| provider.reach() == Reach::Url) {
        assert!(PROVIDERS.iter().any(|here| here.names.contains(&provider.name())), "{}", provider.name());
    }
}

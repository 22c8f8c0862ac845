//! What a failure is about: the operator's key, account or model, or something that the request names.
//!
//! One status stands for both. A missing file is a 404, as a missing model is. A file of somebody else is a 403, as a
//! key without a permission is. A prompt that exceeds the limit of a whole minute is a 429, as too many prompts are. If
//! the request's own faults rested the target, one caller could take it away from all others.

use alloc::borrow::ToOwned;

use weir_hub::fault::{FaultKind, UpstreamFault};

/// Whether `message` is a provider's own and has nothing from the request in it. It must have one of these
/// `beginnings`, nothing quoted, and nothing before or after a colon, where an unknown field would be. Only then may
/// words decide that a failure is the operator's. Otherwise a caller could write those words, and the target would rest
/// for everybody.
pub(super) fn is_own(message: &str, beginnings: &[&str]) -> bool {
    // An address is not a name.
    let names_nothing = message.split("://").all(|part| name(part) == part.len());
    names_nothing && beginnings.iter().any(|beginning| message.starts_with(beginning))
}

/// The part of a message before the first name, which a caller may have chosen.
pub(super) fn own_words(message: &str) -> &str {
    message.get(..name(message)).unwrap_or_default()
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// The key, the account, the model or the address: the operator must correct it.
    Ours,
    /// A file, the URL of an image, an earlier answer: the caller must correct it.
    Request,
    Nothing,
}

/// `fault`, which an answer with this status told, corrected by what it names.
pub(super) fn judged(status: u16, mut fault: UpstreamFault) -> UpstreamFault {
    if fault.kind == FaultKind::RateLimited && is_beyond_any_minute(&fault.message) {
        fault.kind = FaultKind::TooLarge;
        return fault;
    }
    let unsure = fault.kind == FaultKind::NotFound && status != 405 && !(300..400).contains(&status)
        || fault.kind == FaultKind::Auth && status != 401;
    if !unsure {
        return fault;
    }
    match named(&fault) {
        Named::Ours => {}
        Named::Request => {
            fault.kind = FaultKind::InvalidRequest;
            if fault.code.is_none() && status == 404 {
                fault.code = Some("not_found".to_owned());
            }
        }
        // It may be anybody's fault, also that of a firewall that has read the prompt. Another target may answer, and
        // so may this one for the next request.
        Named::Nothing => fault.rests = false,
    }
    fault
}

/// Error codes, and ends of codes, for faults of the operator's.
const OURS: [&str; 20] = [
    "model_not_found",
    "invalid_model",
    "deploymentnotfound",
    "operationnotsupported",
    "modelnotfound",
    "model_not_available",
    "engine_not_found",
    "project_not_found",
    "organization_not_found",
    "invalid_api_key",
    "api_key_invalid",
    "incorrect_api_key",
    "access_token_expired",
    "account_deactivated",
    "unsupported_country_region_territory",
    "unknown_url",
    "invalid_url",
    "service_disabled",
    "api_key_service_blocked",
    "consumer_suspended",
];

/// Words that mean a fault of the operator's, whatever else is named with them.
const MODEL: [&str; 5] = ["model", "models", "deployment", "engine", "engines"];

/// Words that mean a fault of the operator's if nothing of the request is named.
const ACCOUNT: [&str; 29] = [
    "account",
    "accounts",
    "api",
    "authenticated",
    "authentication",
    "authorization",
    "billing",
    "bedrock",
    "consumer",
    "country",
    "credential",
    "credentials",
    "endpoint",
    "key",
    "keys",
    "licence",
    "license",
    "location",
    "organization",
    "plan",
    "project",
    "region",
    "route",
    "subscription",
    "tenant",
    "token",
    "user",
    "workspace",
    "ip",
];

/// Words for things that a request names.
const REQUEST: [&str; 38] = [
    "attachment",
    "audio",
    "batch",
    "blob",
    "bucket",
    "cache",
    "cached",
    "cachedcontent",
    "cachedcontents",
    "collection",
    "connector",
    "container",
    "conversation",
    "corpus",
    "document",
    "documents",
    "file",
    "files",
    "guardrail",
    "image",
    "images",
    "item",
    "items",
    "mcp",
    "object",
    "previous",
    "prompt",
    "response",
    "session",
    "skill",
    "store",
    "storage",
    "thread",
    "upload",
    "uri",
    "url",
    "video",
    "voice",
];

/// The beginnings of permissions to call a model, which the operator's account needs.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html>,
/// <https://cloud.google.com/vertex-ai/docs/general/iam-permissions>
const CALLING: [&str; 6] = [
    "bedrock:InvokeModel",
    "bedrock:CallWithBearerToken",
    "bedrock:CountTokens",
    "aws-marketplace:",
    "aiplatform.endpoints.",
    "serviceusage.services.use",
];

/// The beginnings of permissions to read what a request names.
const READING: [&str; 8] = [
    "s3:",
    "bedrock:ApplyGuardrail",
    "bedrock:GetGuardrail",
    "bedrock:GetPrompt",
    "bedrock:RenderPrompt",
    "storage.",
    "aiplatform.cachedContents.",
    "aiplatform.rag",
];

/// The missing permission, as AWS and Google name it.
fn permission(message: &str) -> Option<&str> {
    let aws = || message.strip_prefix("User: ")?.split_once(" is not authorized to perform: ");
    let rest = aws().map(|(_, rest)| rest).or_else(|| message.strip_prefix("Permission '"))?;
    rest.split(|c: char| c.is_whitespace() || c == '\'').next()
}

fn named(fault: &UpstreamFault) -> Named {
    // A tool may name a model, too, so the field says more than the code.
    match fault.param.as_deref() {
        Some("model") => return Named::Ours,
        Some(_) => return Named::Request,
        None => {}
    }
    let code = fault.code.as_deref().unwrap_or_default().to_ascii_lowercase();
    if OURS.contains(&&*code) {
        return Named::Ours;
    }
    // `previous_response_not_found`, `vector_store_not_found`
    if code.ends_with("_not_found") {
        return Named::Request;
    }
    let message = &*fault.message;
    if ["Invalid URL (", "Unknown request URL", "Unrecognized request URL"]
        .iter()
        .any(|start| message.starts_with(start))
    {
        return Named::Ours;
    }
    if is_own(message, &["Operation not allowed"]) {
        return Named::Ours;
    }
    if let Some(permission) = permission(message) {
        let is = |known: &[&str]| known.iter().any(|known| permission.starts_with(known));
        return match () {
            () if is(&CALLING) => Named::Ours,
            () if is(&READING) => Named::Request,
            () => Named::Nothing,
        };
    }
    // Whatever is quoted or follows a colon is a name, which a caller may have chosen.
    let words = own_words(message);
    if words.contains("storage.objects.") {
        return Named::Request;
    }
    let words = || words.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    let is = |word: &str, of: &[&str]| of.iter().any(|known| word.eq_ignore_ascii_case(known));
    // The first known word counts: later words may be a caller's name without quotes. `models/x` also begins with a
    // known word.
    for word in words() {
        let kind = word.split('/').next().unwrap_or_default();
        if is(kind, &MODEL) {
            return Named::Ours;
        }
        if is(kind, &REQUEST) {
            return Named::Request;
        }
    }
    if words().any(|word| is(word, &ACCOUNT)) { Named::Ours } else { Named::Nothing }
}

/// Where the first name begins (quoted, in brackets, or after a colon); the message's length if there is none.
fn name(message: &str) -> usize {
    let mut before = ' ';
    let begins = |(_, c): &(usize, char)| {
        let quotes = matches!(c, '\'' | '"' | '`' | '\u{2018}' | '\u{201c}') && !before.is_alphanumeric();
        before = *c;
        quotes || matches!(c, '[' | '(' | '{' | '<' | ':')
    };
    message.char_indices().find(begins).map_or(message.len(), |(at, _)| at)
}

/// Whether this request alone exceeds the rate limit, so that waiting does not help: `Request too large for gpt-4o … on
/// tokens per min (TPM): Limit 30000, Requested 45000.`
fn is_beyond_any_minute(message: &str) -> bool {
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = message.split_once(name)?;
        let digits = rest.trim_start_matches([' ', ':']);
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(digits.len());
        digits.get(..end)?.trim_end_matches(',').replace(',', "").parse().ok()
    };
    let beyond = || number("Requested")?.checked_sub(number("Limit")?).map(|by| by > 0);
    message.starts_with("Request too large")
        || message.contains("must be reduced in order to run")
        || message.contains("required for long context")
        || beyond() == Some(true)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use core::time::Duration;
    use std::vec::Vec;

    use weir_hub::fault::Whose;

    use super::*;
    use crate::health::cooldown::{Cooldown, asked_for};
    use crate::plan::Candidate;
    use crate::provider::by_name;
    use crate::time::Instant;

    /// Whose fault a failure is, and whether the target rests.
    fn read(provider: &str, status: u16, body: &str) -> (Whose, bool) {
        let fault = by_name(provider).unwrap().fault(status, body.as_bytes());
        let target = Candidate { provider: "a".to_string(), model: "m".to_string() };
        let asked = asked_for(fault.kind, fault.retry_after, Duration::from_secs(60));
        let cooldown = Cooldown::after(&target, 0, fault.kind, asked, Instant::default());
        (fault.kind.whose(), fault.rests && cooldown.is_some())
    }

    fn check(provider: &str, status: u16, body: &str, expect: (Whose, bool)) {
        assert_eq!(read(provider, status, body), expect, "{provider} {status} {body}");
    }

    const CALLER: (Whose, bool) = (Whose::Caller, false);
    const OPERATOR: (Whose, bool) = (Whose::Ours, true);
    const ANYBODY: (Whose, bool) = (Whose::Ours, false);

    fn openai(message: &str, kind: &str, param: &str, code: &str) -> String {
        let quoted = |text: &str| if text.is_empty() { "null".to_string() } else { format!("\"{text}\"") };
        let message = message.replace('"', "\\\"");
        format!(
            r#"{{"error":{{"message":"{message}","type":{},"param":{},"code":{}}}}}"#,
            quoted(kind),
            quoted(param),
            quoted(code)
        )
    }

    /// <https://platform.openai.com/docs/guides/error-codes>,
    /// <https://platform.openai.com/docs/api-reference/responses/create> (`previous_response_id`, `file_id`, `prompt`, `conversation`)
    #[test]
    fn openai_and_those_who_speak_like_it() {
        let invalid = "invalid_request_error";
        for provider in ["openai", "azure", "mistral"] {
            let check = |status, body: String, expect| check(provider, status, &body, expect);
            for (message, param, code) in [
                (
                    "Previous response with id 'resp_1' not found.",
                    "previous_response_id",
                    "previous_response_not_found",
                ),
                ("Vector store with id ['vs_1'] not found.", "", "vector_store_not_found"),
                ("Prompt with id 'pmpt_1' not found.", "", ""),
                ("Conversation with id 'conv_1' not found.", "", ""),
                ("No such File object: file-1", "id", ""),
                ("No such File object: model", "", ""),
                ("Files ['the model key of the account'] were not found.", "", ""),
                ("Item with id 'rs_1' not found.", "", ""),
                ("Container with id 'cntr_1' not found.", "", ""),
                ("Unable to access the URL 'https://a/model.png'", "", ""),
            ] {
                check(404, openai(message, invalid, param, code), CALLER);
                check(403, openai(message, invalid, param, code), CALLER);
            }
            check(
                404,
                openai(
                    "The model `gpt-9` does not exist or you do not have access to it.",
                    invalid,
                    "",
                    "model_not_found",
                ),
                OPERATOR,
            );
            check(404, openai("The model `file` does not exist.", "NotFoundError", "", "404"), OPERATOR);
            check(404, openai("The model gpt does not exist", invalid, "model", ""), OPERATOR);
            check(404, openai("Invalid URL (POST /v1/chat/files)", invalid, "", ""), OPERATOR);
            check(
                403,
                openai("Project `proj_1` does not have access to model `gpt-9`", invalid, "", "model_not_found"),
                OPERATOR,
            );
            check(403, openai("You are not allowed to sample from this model", invalid, "", ""), OPERATOR);
            check(
                403,
                openai(
                    "Country, region, or territory not supported",
                    "request_forbidden",
                    "",
                    "unsupported_country_region_territory",
                ),
                OPERATOR,
            );
            check(401, openai("Incorrect API key provided: file", invalid, "", "invalid_api_key"), OPERATOR);
            check(401, openai("You do not have access to the file", invalid, "", ""), OPERATOR);
            // Nothing is named: a firewall may have read the prompt.
            check(403, "<html>Attention required!</html>".to_string(), ANYBODY);
            check(403, openai("Forbidden", "", "", ""), ANYBODY);
            check(404, r#"{"detail":"Not Found"}"#.to_string(), ANYBODY);
        }
        check(
            "azure",
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            OPERATOR,
        );
        check("azure", 404, r#"{"error":{"code":"404","message":"Resource not found"}}"#, ANYBODY);
    }

    /// <https://platform.openai.com/docs/guides/rate-limits>, <https://console.groq.com/docs/rate-limits>,
    /// <https://platform.claude.com/docs/en/api/rate-limits>
    #[test]
    fn a_request_that_no_minute_has_room_for_is_its_callers() {
        let large = "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.";
        let often = "Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 4500. Please try again in 7s.";
        let requests = "Rate limit reached for gpt-4o on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.";
        let limited = (Whose::Provider, true);
        for provider in ["openai", "azure", "mistral"] {
            check(provider, 429, &openai(large, "tokens", "", "rate_limit_exceeded"), CALLER);
            // Groq uses this status.
            check(provider, 413, &openai(large, "tokens", "", "rate_limit_exceeded"), CALLER);
            check(provider, 429, &openai("Tokens per minute: Limit 1,000, Requested 2,000", "tokens", "", ""), CALLER);
            check(provider, 429, &openai(often, "tokens", "", "rate_limit_exceeded"), limited);
            check(provider, 429, &openai(requests, "requests", "", "rate_limit_exceeded"), limited);
        }
        let anthropic = |message: &str| {
            format!(r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"{message}"}}}}"#)
        };
        check("anthropic", 429, &anthropic("Extra usage is required for long context requests."), CALLER);
        check(
            "anthropic",
            429,
            &anthropic("This request would exceed your organization's rate limit of 30,000 input tokens per minute"),
            limited,
        );
        check("anthropic", 429, &anthropic(large), CALLER);
        check("cohere", 429, &format!(r#"{{"message":"{large}"}}"#), CALLER);
        check("oneinfer", 429, &format!(r#"{{"message":"{large}"}}"#), CALLER);
        check("bedrock", 429, &format!(r#"{{"message":"{large}"}}"#), CALLER);
        check("bedrock", 429, r#"{"message":"Too many tokens, please wait before trying again."}"#, limited);
        check(
            "gemini",
            429,
            &format!(r#"{{"error":{{"code":429,"message":"{large}","status":"RESOURCE_EXHAUSTED"}}}}"#),
            CALLER,
        );
    }

    /// <https://platform.claude.com/docs/en/api/errors>
    #[test]
    fn anthropic() {
        for provider in ["anthropic", "vertex"] {
            let said = |kind: &str, message: &str| {
                format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#)
            };
            check(provider, 404, &said("not_found_error", "File not found: file_1"), CALLER);
            check(provider, 404, &said("not_found_error", "Skill not found: model"), CALLER);
            check(provider, 404, &said("not_found_error", "Container not found"), CALLER);
            check(provider, 404, &said("not_found_error", "model: claude-9"), OPERATOR);
            check(
                provider,
                403,
                &said("permission_error", "Your API key does not have permission to use the specified resource."),
                OPERATOR,
            );
            check(provider, 403, &said("permission_error", "You do not have access to this file"), CALLER);
            check(provider, 403, &said("forbidden", "Request not allowed"), ANYBODY);
            check(provider, 401, &said("authentication_error", "invalid x-api-key"), OPERATOR);
        }
    }

    /// <https://ai.google.dev/gemini-api/docs/troubleshooting>, <https://ai.google.dev/api/files>, <https://ai.google.dev/api/caching>,
    /// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors>
    #[test]
    fn google() {
        for provider in ["gemini", "vertex"] {
            let said = |code: u16, status: &str, message: &str| {
                let message = message.replace('"', "\\\"");
                format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}"}}}}"#)
            };
            let check =
                |code, status: &str, message: &str, expect| check(provider, code, &said(code, status, message), expect);
            let (denied, missing) = ("PERMISSION_DENIED", "NOT_FOUND");
            check(403, denied, "You do not have permission to access the File abc or it may not exist.", CALLER);
            check(403, denied, "You do not have permission to access the File model or it may not exist.", CALLER);
            check(403, denied, "CachedContent not found (or permission denied)", CALLER);
            check(404, missing, "Not found: cached content metadata for 12345.", ANYBODY);
            check(404, missing, "Cached content 12345 is not found.", CALLER);
            check(
                403,
                denied,
                "service-1@gcp-sa-aiplatform.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.",
                CALLER,
            );
            check(
                404,
                missing,
                "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
                OPERATOR,
            );
            check(
                404,
                missing,
                "Publisher Model `projects/p/locations/l/publishers/google/models/m` was not found or your project does not have access to it.",
                OPERATOR,
            );
            check(
                403,
                denied,
                "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/x' (or it may not exist).",
                OPERATOR,
            );
            check(403, denied, "Your API key was reported as leaked. Please use another API key.", OPERATOR);
            check(403, denied, "The caller does not have permission", ANYBODY);
            check(404, missing, "Requested entity was not found.", ANYBODY);
            check(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", OPERATOR);
            let disabled = r#"{"error":{"code":403,"message":"It is disabled.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}}"#;
            super::tests::check(provider, 403, disabled, OPERATOR);
        }
    }

    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors>,
    /// <https://docs.cohere.com/reference/errors>
    #[test]
    fn others() {
        let aws = |kind: &str, message: &str| format!(r#"{{"__type":"{kind}","message":"{message}"}}"#);
        let denied = "AccessDeniedException";
        check(
            "bedrock",
            403,
            &aws(denied, "You don't have access to the model with the specified model ID."),
            OPERATOR,
        );
        check(
            "bedrock",
            403,
            &aws(
                denied,
                "User: arn:aws:iam::1:user/a is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:x",
            ),
            OPERATOR,
        );
        check(
            "bedrock",
            403,
            &aws(
                denied,
                "User: arn:aws:iam::1:user/a is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bedrock",
            ),
            CALLER,
        );
        check(
            "bedrock",
            404,
            &aws(
                "ResourceNotFoundException",
                "Could not resolve the foundation model from the provided model identifier.",
            ),
            OPERATOR,
        );
        check(
            "bedrock",
            404,
            &aws("ResourceNotFoundException", "The guardrail identifier or version does not exist."),
            CALLER,
        );
        check(
            "bedrock",
            403,
            &aws("UnrecognizedClientException", "The security token included in the request is invalid."),
            OPERATOR,
        );
        check(
            "cohere",
            404,
            r#"{"message":"model 'x' not found, make sure the correct model ID was used and that you have access to the model."}"#,
            OPERATOR,
        );
        check("cohere", 404, r#"{"message":"document not found"}"#, CALLER);
        check("cohere", 401, r#"{"message":"invalid api token"}"#, OPERATOR);
        check("oneinfer", 404, r#"{"message":"Model not found"}"#, OPERATOR);
        check("oneinfer", 404, r#"{"message":"File not found"}"#, CALLER);
        check("oneinfer", 403, r#"{"message":"Forbidden"}"#, ANYBODY);
    }

    #[test]
    fn no_name_that_a_caller_chose_rests_a_target() {
        let names: Vec<&str> = MODEL.iter().chain(&ACCOUNT).copied().collect();
        for name in names {
            check("openai", 404, &openai(&format!("No such File object: {name}"), "", "", ""), CALLER);
            check(
                "gemini",
                403,
                &format!(
                    r#"{{"error":{{"code":403,"status":"PERMISSION_DENIED","message":"You do not have permission to access the File {name} or it may not exist."}}}}"#
                ),
                CALLER,
            );
            check(
                "anthropic",
                404,
                &format!(
                    r#"{{"type":"error","error":{{"type":"not_found_error","message":"File not found: {name}"}}}}"#
                ),
                CALLER,
            );
        }
    }
}

//! Failures as Google's APIs tell them: `google.rpc.Status` as JSON.
//!
//! <https://cloud.google.com/apis/design/errors>, <https://ai.google.dev/gemini-api/docs/rate-limits>.

use serde_json::{Value, json};

use crate::dialect::{Failure, quote};

/// A failure in Google's words.
pub(crate) struct Status {
    code: u16,
    message: String,
    name: &'static str,
    details: Vec<Value>,
}

impl Status {
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), name: name(code), details: Vec::new() }
    }

    pub(crate) fn with(mut self, kind: &str, mut detail: Value) -> Self {
        if let Some(fields) = detail.as_object_mut() {
            fields.insert("@type".to_owned(), format!("type.googleapis.com/google.rpc.{kind}").into());
        }
        self.details.push(detail);
        self
    }

    /// The HTTP status and the body: over several lines, as the real one.
    pub(crate) fn body(&self) -> (u16, String) {
        let details: Vec<String> = self.details.iter().map(|detail| format!("\n      {detail}")).collect();
        let details = if details.is_empty() {
            String::new()
        } else {
            format!(",\n    \"details\": [{}\n    ]", details.join(","))
        };
        let (code, message, name) = (self.code, quote(&self.message), self.name);
        let body = format!(
            "{{\n  \"error\": {{\n    \"code\": {code},\n    \"message\": {message},\n    \"status\": \"{name}\"{details}\n  }}\n}}\n"
        );
        (code, body)
    }
}

pub(crate) fn status(failure: &Failure) -> Status {
    match failure {
        Failure::NoKey => Status::new(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        ),
        Failure::WrongKey(_) => Status::new(400, "API key not valid. Please pass a valid API key.").with(
            "ErrorInfo",
            json!({
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }),
        ),
        Failure::NoModel(model) => Status::new(
            404,
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
            ),
        ),
        Failure::NoPath { method, path } => Status::new(404, format!("Nothing is at {method} {path}.")),
        Failure::Invalid { message, param: None, .. } => Status::new(400, message),
        Failure::Invalid { message, param: Some(field), .. } => Status::new(400, message)
            .with("BadRequest", json!({"fieldViolations": [{"field": field, "description": message}]})),
        Failure::TooLarge => Status::new(400, "Request payload size exceeds the limit: 20971520 bytes."),
        Failure::ContextLength => {
            Status::new(400, "The input token count (1200001) exceeds the maximum number of tokens allowed (1048576).")
        }
        // Only where nothing else can be said: a chat is answered, without candidates.
        Failure::ContentFilter => Status::new(400, "The request was blocked: PROHIBITED_CONTENT."),
        Failure::RateLimited(None) => Status::new(429, "Resource has been exhausted (e.g. check quota)."),
        Failure::RateLimited(Some(seconds)) => limited(*seconds),
        Failure::InsufficientQuota => Status::new(
            429,
            "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.",
        ),
        Failure::Status(code) => Status::new(*code, words(*code)),
    }
}

/// A rate limit that says when to come again: only in its details, and in its words.
fn limited(seconds: u32) -> Status {
    Status::new(
        429,
        format!(
            "You exceeded your current quota, please check your plan and billing details. Please retry in {seconds}.0s."
        ),
    )
    .with(
        "QuotaFailure",
        json!({"violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
            "quotaDimensions": {"location": "global", "model": "simulated"},
            "quotaValue": "1000",
        }]}),
    )
    .with(
        "Help",
        json!({"links": [{
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }]}),
    )
    .with("RetryInfo", json!({"retryDelay": format!("{seconds}s")}))
}

fn words(code: u16) -> &'static str {
    match code {
        401 => {
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."
        }
        402 => "Billing is not enabled for this project.",
        403 => "Permission denied: the caller does not have permission.",
        404 => "The model is not found.",
        408 => "Deadline expired before operation could complete.",
        429 => "Resource has been exhausted (e.g. check quota).",
        503 | 529 => "The model is overloaded. Please try again later.",
        _ => {
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
        }
    }
}

/// The name of a code. <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>
fn name(code: u16) -> &'static str {
    match code {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        500 => "INTERNAL",
        _ => "UNKNOWN",
    }
}

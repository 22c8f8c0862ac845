//! The caller's faults.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Details, Problem, Retry};
use crate::codec::BadBody;

/// At most this many characters of a name are shown.
const LONGEST_SHOWN: usize = 512;

/// A name that the caller gave, as it is shown and logged. Only its beginning, because it may be as long as a body.
pub fn shown(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(LONGEST_SHOWN).and_then(|(end, _)| name.get(..end)) {
        Some(beginning) => Cow::Owned([beginning, "..."].concat()),
        None => Cow::Borrowed(name),
    }
}

/// A fault of the caller: safe to show, and never tried at another target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The body is not JSON; byte offset, line and column (from 1) of the first error.
    InvalidJson {
        /// Byte offset.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What was expected.
        problem: &'static str,
    },
    /// A required field is missing.
    Missing {
        /// The field's path.
        field: String,
    },
    /// A field has a value that it cannot have.
    Invalid {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No target of the model can express these fields.
    Unsupported {
        /// Their paths; at least one.
        fields: Vec<String>,
        /// The provider that cannot express them.
        provider: &'static str,
    },
    /// The conversation is meant to be stored at a provider. This is never left out silently, because the caller's next
    /// request would only have what is new.
    Unthreaded,
    /// There is no such model.
    UnknownModel {
        /// As the caller wrote it.
        model: String,
    },
    /// The key may not use this model.
    ModelNotAllowed {
        /// As the caller wrote it.
        model: String,
    },
    /// The key may use only some models, and this field could choose another one.
    OtherModel {
        /// The field's path.
        field: String,
    },
    /// The model does not serve this endpoint.
    WrongEndpoint {
        /// The model.
        model: String,
        /// The endpoint's path.
        path: &'static str,
    },
    /// No key was sent.
    NoKey,
    /// The key that was sent is unknown.
    BadKey,
    /// The key has expired.
    ExpiredKey,
    /// The key is not valid for now.
    DisabledKey,
    /// The caller is known without a key, and belongs to no team.
    NoTeam,
    /// The caller may not use this endpoint.
    EndpointNotAllowed {
        /// The endpoint's path.
        path: &'static str,
    },
    /// The caller may not call from where it is.
    NetworkNotAllowed,
    /// The worker's room for bodies is full. There is room again when another request has been answered.
    Busy,
    /// The key has reached its limit of requests under way.
    KeyBusy {
        /// The limit in one worker.
        limit: u32,
    },
    /// The worker has reached its limit of requests under way.
    WorkerBusy,
    /// The body is longer than the endpoint allows.
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body grew beyond what Envoy can hold when it was written for the provider.
    Grown {
        /// The limit in bytes.
        limit: usize,
        /// The provider that it was written for.
        provider: String,
    },
    /// The body has more messages, parts, tools or texts than one request may have.
    TooManyParts {
        /// How many it has of each: `3 messages, 70000 parts and calls, and 0 tools`.
        counted: String,
        /// The limit for all of them together.
        most: u64,
    },
    /// No such path.
    UnknownPath {
        /// The path, without its query.
        path: String,
        /// The path that the caller probably meant: one that ends like this one.
        meant: Option<String>,
    },
    /// The path exists, but not for this method.
    WrongMethod {
        /// The method that it accepts.
        allowed: &'static str,
    },
}

impl From<BadBody> for Reject {
    fn from(body: BadBody) -> Self {
        match body {
            BadBody::Json { offset, line, column, problem } => Self::InvalidJson { offset, line, column, problem },
            BadBody::Field { field, problem } => Self::Invalid { field, problem },
        }
    }
}

impl Reject {
    /// This error as the caller sees it.
    pub fn problem(&self) -> Problem {
        let invalid = |status, code: &str, message: String, param: Option<&str>| Problem {
            param: param.map(|param| shown(param).into_owned()),
            ..Problem::new(status, "invalid_request_error", code, message)
        };
        let forbidden = |message, param| Problem {
            kind: "permission_error",
            ..invalid(403, "model_not_allowed", message, Some(param))
        };
        match self {
            Self::InvalidJson { offset, line, column, problem } => invalid(
                400,
                "invalid_json",
                format!("The body is not valid JSON: {problem} at line {line}, column {column} (byte {offset})."),
                None,
            ),
            Self::Missing { field } => invalid(
                400,
                "missing_required_parameter",
                format!("Missing required parameter: '{}'.", shown(field)),
                Some(field),
            ),
            Self::Invalid { field, problem } => {
                invalid(400, "invalid_value", format!("Invalid value for '{}': {problem}.", shown(field)), Some(field))
            }
            Self::Unsupported { fields, provider } => invalid(
                400,
                "unsupported_parameter",
                format!(
                    "{} cannot be expressed for the provider \"{provider}\"; remove {} or choose another model.",
                    listed(fields),
                    if fields.len() == 1 { "it" } else { "them" }
                ),
                fields.first().map(String::as_str),
            ),
            Self::Unthreaded => Problem {
                details: Some(Box::new(Details(
                    r#"{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#.to_string(),
                ))),
                ..invalid(
                    400,
                    "unsupported_parameter",
                    "Conversations are not kept here; send all messages, without 'thread'.".to_string(),
                    Some("thread"),
                )
            },
            Self::UnknownModel { model } => invalid(
                404,
                "model_not_found",
                format!("The model '{}' does not exist here. GET /v1/models lists those that do.", shown(model)),
                Some("model"),
            ),
            Self::ModelNotAllowed { model } => forbidden(format!("This key may not use the model '{model}'."), "model"),
            Self::OtherModel { field } => forbidden(other_model(field), field),
            Self::WrongEndpoint { model, path } => invalid(
                400,
                "endpoint_not_supported",
                format!("The model '{model}' does not serve {path}."),
                Some("model"),
            ),
            Self::NoKey | Self::BadKey | Self::ExpiredKey | Self::DisabledKey => self.key(),
            Self::NoTeam | Self::EndpointNotAllowed { .. } | Self::NetworkNotAllowed => self.rights(),
            Self::Busy | Self::KeyBusy { .. } | Self::WorkerBusy => self.busy(),
            Self::BodyTooLarge { limit } => invalid(
                413,
                "request_too_large",
                format!("The body is longer than the {limit} bytes that this endpoint allows."),
                None,
            ),
            Self::Grown { limit, provider } => invalid(
                413,
                "request_too_large",
                format!(
                    "The body grew beyond the {limit} bytes that Weir holds when it was written in the API of the provider \
                     \"{provider}\"; send less, or choose a model whose provider speaks the API of your request."
                ),
                None,
            ),
            Self::TooManyParts { counted, most } => invalid(413, "too_many_parts", too_many(counted, *most), None),
            Self::UnknownPath { path, meant } => invalid(404, "unknown_path", nothing_at(path, meant.as_deref()), None),
            Self::WrongMethod { allowed } => {
                invalid(405, "method_not_allowed", format!("Use {allowed} for this path."), None)
            }
        }
    }

    /// There is no key, or it is not valid.
    fn key(&self) -> Problem {
        let (code, message) = match self {
            Self::NoKey => ("missing_api_key", "No API key was sent: use the header 'Authorization: Bearer weir-…'."),
            Self::ExpiredKey => {
                ("expired_api_key", "The API key has expired: ask whoever runs this gateway for another.")
            }
            Self::DisabledKey => (
                "disabled_api_key",
                "The API key is disabled: ask whoever runs this gateway whether it will be valid again.",
            ),
            _ => ("invalid_api_key", "The API key is not known here."),
        };
        Problem::new(401, "authentication_error", code, message)
    }

    /// The caller is known, and may not do this.
    fn rights(&self) -> Problem {
        let (code, message) = match self {
            Self::EndpointNotAllowed { path } => {
                ("endpoint_not_allowed", format!("This key or its team may not use {path}."))
            }
            Self::NetworkNotAllowed => {
                ("network_not_allowed", "This key or its team may not be used from this network.".to_string())
            }
            _ => ("no_team", "It is known who you are, but you belong to no team here.".to_string()),
        };
        Problem::new(403, "permission_error", code, message)
    }

    /// A limit on what is under way is reached, for the moment.
    fn busy(&self) -> Problem {
        let (status, kind, code, message) = match self {
            Self::KeyBusy { limit } => (
                429,
                "rate_limit_error",
                "too_many_in_flight",
                format!("This key has {limit} requests under way, and may have no more; try again when one has ended."),
            ),
            Self::WorkerBusy => (
                503,
                "server_error",
                "gateway_busy",
                "As many requests are under way as the gateway takes; try again shortly.".to_string(),
            ),
            _ => (
                429,
                "rate_limit_error",
                "too_many_large_bodies",
                "As many large requests are under way as fit; try again shortly.".to_string(),
            ),
        };
        let retry_after = Some(Duration::from_secs(1));
        Problem { retry_after, retry: Retry::Yes, ..Problem::new(status, kind, code, message) }
    }
}

/// `'a', 'b' and 'c'`; if there are very many, only the first ones.
fn listed(fields: &[String]) -> String {
    let mut list = String::new();
    for (at, field) in fields.iter().enumerate() {
        let left = fields.len() - at;
        if at > 0 {
            list.push_str(if left == 1 { " and " } else { ", " });
        }
        if list.len() > LONGEST_SHOWN {
            list = format!("{list}and {left} more");
            break;
        }
        list = [&list, "'", &shown(field), "'"].concat();
    }
    list
}

fn other_model(field: &str) -> String {
    format!("This key may use some models only, and '{}' could have another one answer; leave it out.", shown(field))
}

fn nothing_at(path: &str, meant: Option<&str>) -> String {
    let path = if path.is_empty() { "/".into() } else { shown(path) };
    match meant {
        None => format!("There is nothing at {path}."),
        Some(meant) => format!("There is nothing at {path}. Did you mean {}? Check the base URL.", shown(meant)),
    }
}

fn too_many(counted: &str, most: u64) -> String {
    format!(
        "The request has {counted}; one may have {most} of all together. Send less of them: join short parts, or leave out the oldest."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_named_is_shown_at_no_length() {
        let name = "\u{e9}".repeat(1000);
        let cut = "\u{e9}".repeat(512) + "...";
        let field = || name.clone();
        for reject in [
            Reject::Missing { field: field() },
            Reject::Invalid { field: field(), problem: String::new() },
            Reject::Unsupported { fields: Vec::from([field(), field()]), provider: "p" },
            Reject::UnknownModel { model: field() },
            Reject::OtherModel { field: field() },
            Reject::UnknownPath { path: field(), meant: None },
        ] {
            let Problem { message, param, .. } = reject.problem();
            assert!(message.contains(&cut) && message.len() < 1200, "{message}");
            assert!(param.is_none_or(|param| param == cut || param == "model"));
        }
        assert_eq!(shown("messages[0].content"), "messages[0].content");
    }
}

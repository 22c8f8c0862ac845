//! Azure OpenAI: OpenAI's API with Azure's addresses, keys and errors.
//!
//! Without an `api_version`, the address is that of the v1 API, whose body names the model. With a dated version, it is
//! that of a deployment. <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle>,
//! <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference>,
//! <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter>

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::Chat;
use weir_hub::codec::json::Raw;
use weir_hub::endpoint::{Endpoint, Family};
use weir_hub::fault::{FaultKind, Reject, UpstreamFault};
use weir_hub::reply::{Reader, Reply};

use super::{Ask, ChatApi, CountApi, CredentialHeader, Provider, To, openai};
use crate::upstream::{Upstream, Url};

/// The provider; see the module.
pub(super) struct Azure;

/// A deployment's name does not tell its model, so the limit on stop sequences always applies.
const ACCENT: openai::Accent = openai::Accent { most_stops: |_| openai::MOST_STOPS, ..openai::PLAIN };

impl Provider for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn misplaced(&self, url: &Url, upstream: &Upstream) -> Option<(String, Url)> {
        let dated = upstream.api_version.as_deref().is_some_and(is_dated);
        let ends = |part: &str| url.prefix.ends_with(part).then(|| url.prefix.len() - part.len());
        let at = url.prefix.find("/openai/deployments").or_else(|| ends("/openai"));
        let at = at.or_else(|| if dated { ends("/openai/v1") } else { None })?;
        let (base, added) = url.prefix.split_at_checked(at)?;
        Some((format!("it ends in {added}, which Weir adds by itself"), url.at(base)))
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "api-key", prefix: "" })
    }

    fn relays(&self, _: &str, endpoint: Endpoint, upstream: &Upstream) -> bool {
        let there = !matches!(endpoint, Endpoint::Moderations | Endpoint::Rerank);
        there && endpoint.family() == Family::OpenAi && upstream.quirks.serves(endpoint)
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::new(path(call.asked.endpoint, to.upstream, to.model), openai::body(call, to)?))
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        openai::relayed(start)
    }

    /// <https://learn.microsoft.com/azure/ai-foundry/openai/reference#embeddings>, `input`
    fn most_texts(&self, _: &str) -> usize {
        2048
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        let mut fault = openai::fault(status, body);
        match fault.code.as_deref() {
            // The code of the safety system for images.
            Some("contentFilter") => fault.kind = FaultKind::ContentPolicy,
            // The deployment's model or the version does not have this operation; the operator must correct that.
            Some("OperationNotSupported") => fault.kind = FaultKind::NotFound,
            Some("BadRequest") if fault.message.starts_with("API version") => fault.kind = FaultKind::NotFound,
            _ => {}
        }
        fault
    }

    fn fault_in_answer(&self, answer: Raw<'_>) -> Option<UpstreamFault> {
        openai::fault_in_answer(answer)
    }

    fn chat_api(&self) -> Option<&dyn ChatApi> {
        Some(self)
    }

    fn count_api(&self) -> Option<&dyn CountApi> {
        Some(self)
    }
}

impl ChatApi for Azure {
    fn write(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        let body = openai::write(chat, &ACCENT, to)?;
        Ok(Ask::json(path(Endpoint::Chat, to.upstream, to.model), body))
    }

    fn reader(&self, start: &ReplyStart<'_>) -> Box<dyn Reader> {
        openai::reader(start)
    }
}

impl CountApi for Azure {
    fn count(&self, chat: &Chat<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::json(path(Endpoint::CountTokens, to.upstream, to.model), openai::count(chat, to)?))
    }

    fn counted(&self, answer: Raw<'_>) -> Option<u64> {
        openai::counted(answer)
    }
}

/// The path of an endpoint at the configured version.
fn path(endpoint: Endpoint, upstream: &Upstream, model: &str) -> String {
    let verb = openai::path_at(endpoint, upstream);
    // The configuration may also have the whole base address, as Azure shows it.
    let v1 = |query: &str| {
        let base = if upstream.prefix.ends_with("/openai/v1") { "" } else { "/openai/v1" };
        format!("{base}{verb}{query}")
    };
    match upstream.api_version.as_deref() {
        None => v1(""),
        // `preview`, `latest`, `v1`
        Some(version) if !is_dated(version) => v1(&format!("?api-version={version}")),
        // This endpoint has no deployment in its path; the body names the model.
        Some(version) if matches!(endpoint, Endpoint::Responses | Endpoint::CountTokens) => {
            format!("/openai{verb}?api-version={version}")
        }
        Some(version) => format!("/openai/deployments/{}{verb}?api-version={version}", encoded(model)),
    }
}

/// Whether a version is a date: `2024-10-21`.
fn is_dated(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
}

/// A deployment's name as a segment of a path. Azure allows no name that would need encoding.
fn encoded(deployment: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(deployment.len());
    for byte in deployment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15]
                    .iter()
                    .filter_map(|digit| HEX.get(usize::from(*digit)))
                    .map(|digit| char::from(*digit)),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn the_address_depends_on_the_version() {
        let check = |prefix: &str, version: Option<&str>, endpoint, expect: &str| {
            let api_version = version.map(ToOwned::to_owned);
            let upstream = Upstream { prefix: prefix.into(), api_version, ..Upstream::default() };
            assert_eq!(format!("{prefix}{}", path(endpoint, &upstream, "my gpt")), expect);
        };
        check("", None, Endpoint::Chat, "/openai/v1/chat/completions");
        check("/openai/v1", None, Endpoint::Embeddings, "/openai/v1/embeddings");
        check("", Some("preview"), Endpoint::Responses, "/openai/v1/responses?api-version=preview");
        let dated = Some("2024-10-21");
        check("", dated, Endpoint::Chat, "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21");
        check(
            "/apim",
            dated,
            Endpoint::Speech,
            "/apim/openai/deployments/my%20gpt/audio/speech?api-version=2024-10-21",
        );
        check("", dated, Endpoint::Responses, "/openai/responses?api-version=2024-10-21");
    }

    #[test]
    fn faults_are_told_apart() {
        let check = |status, body: &str, expect| {
            assert_eq!(Azure.fault(status, body.as_bytes()).kind, expect, "{status} {body}");
        };
        let coded = |code: &str, message: &str| format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        check(404, &coded("DeploymentNotFound", "The API deployment does not exist."), FaultKind::NotFound);
        check(400, &coded("OperationNotSupported", "The operation does not work."), FaultKind::NotFound);
        check(400, &coded("BadRequest", "API version not supported"), FaultKind::NotFound);
        check(400, &coded("BadRequest", "Invalid content type"), FaultKind::InvalidRequest);
        check(400, &coded("contentFilter", "Your task failed."), FaultKind::ContentPolicy);
        check(429, &coded("429", "Requests have exceeded the token rate limit."), FaultKind::RateLimited);
        check(401, r#"{"statusCode":401,"message":"Unauthorized. Access token is missing."}"#, FaultKind::Auth);
        check(408, &coded("Timeout", "The operation was timeout."), FaultKind::Timeout);
    }
}

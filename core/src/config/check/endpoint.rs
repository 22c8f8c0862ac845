//! Checks that an endpoint is where a provider's API begins: it ends with the API's version and without the path of an
//! operation.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

use crate::config::preset::Preset;
use crate::exchange;
use crate::provider::Provider;
use crate::upstream::Upstream;
use crate::upstream::url::{Scheme, Url};

/// A model name that no path contains.
const MODEL: &str = "weir-model";

/// The smallest requests for these endpoints; they show which path a provider would ask.
const CALLS: [(Endpoint, &str); 2] = [
    (Endpoint::Chat, r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#),
    (Endpoint::Embeddings, r#"{"model":"m","input":"Hi"}"#),
];

/// What is wrong with the endpoint `url`, and what to write instead.
pub(super) fn amiss(
    url: &Url,
    speaks: &'static dyn Provider,
    upstream: &Upstream,
    presets: &BTreeMap<String, Preset>,
) -> Option<(String, String)> {
    if let Some((base, operation)) = operation(&url.prefix, speaks, upstream) {
        let problem = format!("it ends in {operation}, which Weir adds by itself");
        return Some((problem, written(&url.at(base))));
    }
    if let Some((base, version)) = twice(&url.prefix) {
        return Some((format!("it says /{version} twice"), written(&url.at(base))));
    }
    if let Some((problem, meant)) = speaks.misplaced(url, upstream) {
        return Some((problem, written(&meant)));
    }
    let own = Some(speaks.endpoint());
    let presets = presets.values().filter(|preset| preset.dialect == speaks.name());
    let others = speaks.elsewhere().iter().copied();
    let known = own.into_iter().chain(others).chain(presets.map(|preset| preset.endpoint.as_str()));
    let known = known.filter_map(|known| Url::parse(known).ok()).find(|known| lacks(url, known))?;
    let problem = format!("{} serves this API below {}", url.host, known.prefix);
    Some((problem, written(&url.at(&known.prefix))))
}

/// The advice to write `url`.
fn written(url: &Url) -> String {
    format!("write {}://{}{}", url.scheme.name(), url.authority(), url.prefix)
}

/// If `prefix` ends in two equal versions, the part before the second one, and the version: `/v1` of `/v1/v1`.
fn twice(prefix: &str) -> Option<(&str, &str)> {
    let (base, version) = prefix.rsplit_once('/')?;
    let is_version = version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (is_version && base.rsplit('/').next() == Some(version)).then_some((base, version))
}

/// Whether `url` is at the host of `known`, and stops before its path ends.
fn lacks(url: &Url, known: &Url) -> bool {
    let below = url.host.strip_suffix(known.host.as_str());
    let same = below.is_some_and(|below| below.is_empty() || below.ends_with('.')) && url.scheme == Scheme::Https;
    let rest = known.prefix.strip_prefix(url.prefix.as_str());
    same && known.scheme == Scheme::Https && rest.is_some_and(|rest| rest.starts_with('/'))
}

/// If `prefix` ends in an operation's path, the part before it, and that path.
fn operation<'a>(prefix: &'a str, speaks: &dyn Provider, upstream: &Upstream) -> Option<(&'a str, &'a str)> {
    if prefix.is_empty() {
        return None;
    }
    let asked = CALLS.iter().filter_map(|(endpoint, body)| path(*endpoint, body, upstream));
    // A relayed call keeps the caller's path, after the version.
    let relayed = Endpoint::ALL
        .into_iter()
        .filter(|endpoint| speaks.relays(MODEL, *endpoint, upstream) && !upstream.quirks.paths.contains_key(endpoint))
        .filter_map(|endpoint| endpoint.path().strip_prefix("/v1/").map(|path| format!("/{path}")));
    asked.chain(relayed).find_map(|path| {
        let at = match path.split_once(MODEL) {
            None => prefix.strip_suffix(path.as_str())?.len(),
            Some((before, after)) => prefix.strip_suffix(after)?.rfind(before)?,
        };
        prefix.split_at_checked(at)
    })
}

/// The path that a provider would ask for this call, without a query.
fn path(endpoint: Endpoint, body: &str, upstream: &Upstream) -> Option<String> {
    let scan = scan(body.as_bytes()).ok()?;
    let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    let path = exchange::ask(&call, upstream, MODEL).ok()?.path;
    path.split('?').next().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;

    fn check(dialect: &str, endpoint: &str, expect: Option<&str>) {
        let url = Url::parse(endpoint).unwrap();
        let upstream = Upstream { dialect: dialect.to_owned(), prefix: url.prefix.clone(), ..Upstream::default() };
        let speaks = provider::by_name(dialect).unwrap();
        let found = amiss(&url, speaks, &upstream, &Preset::all());
        assert_eq!(found.map(|(_, hint)| hint), expect.map(|expect| format!("write {expect}")), "{dialect} {endpoint}");
    }

    #[test]
    fn an_operations_path_is_no_part_of_an_endpoint() {
        for (dialect, endpoint, base) in [
            ("openai", "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
            ("openai", "http://10.0.0.7:8000/v1/chat/completions/", "http://10.0.0.7:8000/v1"),
            ("openai", "https://h/v1/completions", "https://h/v1"),
            ("openai", "https://h/v1/responses", "https://h/v1"),
            ("openai", "https://h/v1/embeddings", "https://h/v1"),
            ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
            ("mistral", "https://api.mistral.ai/v1/chat/completions", "https://api.mistral.ai/v1"),
            ("cohere", "https://api.cohere.com/v2/chat", "https://api.cohere.com/v2"),
            ("cohere", "https://api.cohere.com/v2/embed", "https://api.cohere.com/v2"),
            ("cohere", "https://api.cohere.com/v2/rerank", "https://api.cohere.com/v2"),
            ("gemini", "https://g/v1beta/models/gemini-2.5-flash:generateContent", "https://g/v1beta"),
            ("bedrock", "https://b/model/amazon.nova-lite-v1:0/converse", "https://b"),
            ("azure", "https://a.openai.azure.com/openai/v1/chat/completions", "https://a.openai.azure.com"),
        ] {
            check(dialect, endpoint, Some(base));
        }
    }

    #[test]
    fn the_makers_own_host_needs_the_version() {
        for (dialect, endpoint, base) in [
            ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
            ("openai", "https://eu.api.openai.com/", "https://eu.api.openai.com/v1"),
            ("openai", "https://api.groq.com/openai", "https://api.groq.com/openai/v1"),
            ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1"),
            ("mistral", "https://api.mistral.ai", "https://api.mistral.ai/v1"),
            ("cohere", "https://api.cohere.com", "https://api.cohere.com/v2"),
            ("gemini", "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta"),
            ("oneinfer", "https://api.oneinfer.ai/v1", "https://api.oneinfer.ai/v1/ula"),
        ] {
            check(dialect, endpoint, Some(base));
        }
    }

    /// <https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations>,
    /// <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>,
    /// <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle>,
    /// <https://ai.google.dev/gemini-api/docs/openai>, <https://docs.cohere.com/reference/chat>
    #[test]
    fn an_endpoint_beside_the_api_is_told_what_is_meant() {
        let vertex = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1";
        let unnamed = "https://us-central1-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-central1";
        let bedrock = "https://bedrock-runtime.us-east-1.amazonaws.com";
        for (dialect, endpoint, base) in [
            ("vertex", "https://us-central1-aiplatform.googleapis.com", unnamed),
            ("vertex", "https://us-central1-aiplatform.googleapis.com/v1", unnamed),
            ("vertex", "https://us-central1-aiplatform.googleapis.com/projects/p/locations/us-central1", vertex),
            ("vertex", &format!("{vertex}/publishers/google/models"), vertex),
            ("vertex", &format!("{vertex}/publishers/anthropic"), vertex),
            (
                "vertex",
                "https://proxy/v1/projects/p/locations/l/publishers/google",
                "https://proxy/v1/projects/p/locations/l",
            ),
            (
                "vertex",
                "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1",
                "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1",
            ),
            (
                "vertex",
                "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/global",
                "https://aiplatform.googleapis.com/v1/projects/p/locations/global",
            ),
            (
                "vertex",
                "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/eu",
                "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu",
            ),
            (
                "vertex",
                "https://aiplatform.googleapis.com/v1",
                "https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/global",
            ),
            ("bedrock", "https://bedrock.us-east-1.amazonaws.com", bedrock),
            ("bedrock", "https://bedrock-agent-runtime.us-east-1.amazonaws.com", bedrock),
            (
                "bedrock",
                "https://bedrock-fips.us-east-1.amazonaws.com",
                "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
            ),
            ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/model", bedrock),
            ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1", bedrock),
            ("bedrock", "https://proxy/aws/model", "https://proxy/aws"),
            ("azure", "https://a.openai.azure.com/openai", "https://a.openai.azure.com"),
            ("azure", "https://a.openai.azure.com/openai/deployments", "https://a.openai.azure.com"),
            ("azure", "https://a.openai.azure.com/openai/deployments/foo", "https://a.openai.azure.com"),
            ("azure", "https://proxy/apim/openai/deployments/foo", "https://proxy/apim"),
            ("openai", "https://a.openai.azure.com", "https://a.openai.azure.com/openai/v1"),
            ("openai", "https://a.services.ai.azure.com/openai", "https://a.services.ai.azure.com/openai/v1"),
            ("openai", "https://api.openai.com/v1/v1", "https://api.openai.com/v1"),
            ("mistral", "https://proxy/v1/v1", "https://proxy/v1"),
            (
                "openai",
                "https://generativelanguage.googleapis.com/v1beta",
                "https://generativelanguage.googleapis.com/v1beta/openai",
            ),
            ("cohere", "https://api.cohere.com/v1", "https://api.cohere.com/v2"),
            ("cohere", "https://api.cohere.ai/compatibility/v1", "https://api.cohere.ai/v2"),
            ("gemini", "https://g/v1beta/openai", "https://g/v1beta"),
            ("gemini", "https://g/v1beta/models", "https://g/v1beta"),
            ("gemini", "https://g/v1beta/models/gemini-2.5-flash", "https://g/v1beta"),
        ] {
            check(dialect, endpoint, Some(base));
        }
    }

    #[test]
    fn a_dated_version_of_azure_has_another_base() {
        let url = Url::parse("https://a.openai.azure.com/openai/v1").unwrap();
        let api_version = Some("2024-10-21".to_owned());
        let upstream = Upstream { prefix: url.prefix.clone(), api_version, ..Upstream::default() };
        let found = amiss(&url, provider::by_name("azure").unwrap(), &upstream, &Preset::all());
        assert_eq!(found.map(|(_, hint)| hint).as_deref(), Some("write https://a.openai.azure.com"));
    }

    #[test]
    fn what_may_be_meant_is_left_alone() {
        for (dialect, endpoint) in [
            ("openai", "https://api.openai.com/v1"),
            ("openai", "http://127.0.0.1:10002"),
            ("openai", "https://notapi.openai.com"),
            ("openai", "https://api.deepseek.com/beta"),
            ("openai", "https://h/chat"),
            ("openai", "https://h/messages"),
            ("anthropic", "https://h/responses"),
            ("azure", "https://a.openai.azure.com"),
            ("azure", "https://a.openai.azure.com/openai/v1"),
            ("gemini", "https://generativelanguage.googleapis.com/v1"),
            ("vertex", "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1"),
            ("vertex", "https://aiplatform.googleapis.com/v1/projects/p/locations/global"),
            ("vertex", "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"),
            ("vertex", "http://127.0.0.1:10002"),
            ("vertex", "https://proxy/google"),
            ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
            ("bedrock", "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"),
            ("bedrock", "https://a.execute-api.us-east-1.amazonaws.com/prod"),
            ("openai", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
            ("openai", "https://a.openai.azure.com/openai/v1"),
            ("openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
            ("cohere", "https://proxy/v1"),
            ("gemini", "https://g/openai"),
        ] {
            check(dialect, endpoint, None);
        }
    }

    #[test]
    fn a_known_endpoint_is_one_that_is_taken() {
        let presets = Preset::all();
        let preset = presets.values().map(|preset| (preset.dialect.as_str(), preset.endpoint.as_str()));
        let own = provider::ALL.into_iter().map(|provider| (provider.name(), provider.endpoint()));
        for (dialect, endpoint) in preset.chain(own).filter(|(_, endpoint)| !endpoint.is_empty()) {
            check(dialect, endpoint, None);
        }
    }
}

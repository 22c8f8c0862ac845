//! What would become of one request: which targets in which order, those passed over, and what each would receive.
//!
//! The edge and attempt roles themselves decide here, on the same code as in Envoy; nothing is sent. Every credential is
//! shown as its reference.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use weir_core::allow;
use weir_core::attempt::{Attempt, Begun};
use weir_core::config::{Gateway, Key, ProviderEntry, Signing};
use weir_core::edge::Edge;
use weir_core::key::KeyHash;
use weir_core::plan::Plan;
use weir_core::provider::{self, Body, Provider};
use weir_core::time::Instant;
use weir_core::upstream::Credential;
use weir_hub::endpoint::{BodyKind, Delivery, Endpoint, Family};

/// What would become of one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The model that the caller named.
    pub model: String,
    /// The endpoint's path.
    pub endpoint: &'static str,
    /// `whole` or `streamed`.
    pub delivery: &'static str,
    /// The delivery class, which names the route and its limits.
    pub class: String,
    /// The tries, in order; each happens only if the one before has failed.
    pub tries: Vec<Try>,
    /// Targets that would not be tried.
    pub passed_over: Vec<PassedOver>,
    /// What the configuration leaves out for want of a credential.
    pub left_out: Vec<String>,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// The provider, which is also the cluster.
    pub provider: String,
    /// What it speaks.
    pub dialect: String,
    /// The model's name there.
    pub model: String,
    /// What it would receive, or why it would not.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What comes of a try.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// This request goes up.
    Request(Request),
    /// The provider cannot express the request; this is what the caller sees.
    Refused(Refusal),
}

/// A request as it would go up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The whole URL; the sidecar's is `weir-sidecar:` and the path.
    pub url: String,
    /// The headers that Weir writes; a credential is shown as its reference.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

/// A target that would not be tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassedOver {
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Why: an error's code, or what it rests from.
    pub why: String,
}

/// Weir's own answer to a request that goes nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: String,
    /// The body, as the caller sees it.
    pub body: Value,
}

/// The endpoint that a body is most likely for, by its looks. (Of what looks alike it is the more common one: a message with
/// a `system` beside it is Anthropic's, one without could be either, and is taken for OpenAI's.)
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

/// Follows `body`, a request to `path` of a caller who may use every model, at a time when no target rests.
pub fn explain(gateway: &Gateway, body: &[u8], path: &str) -> Result<Explanation, Refusal> {
    const KEY: &str = "explain";
    let mut routing = gateway.routing().clone();
    routing.forgives_paths = true;
    routing.keys.insert(KeyHash::of(KEY.as_bytes()), Key { name: KEY.to_owned(), models: None, expires: None });
    let key = format!("Bearer {KEY}");
    let length = body.len().to_string();
    let headers = [
        (":method", "POST"),
        (":path", path),
        ("authorization", key.as_str()),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    let now = Instant::default();
    let mut edge = Edge::default();
    edge.headers(&routing, &headers, body.is_empty()).map_err(Refusal::from)?;
    let forward = edge.body(&routing, &BTreeMap::new(), now, body).map_err(Refusal::from)?;
    let plan = Plan::from_text(&forward.plan).ok_or_else(Refusal::unreadable)?;
    let mut tries = Vec::new();
    for target in &plan.targets {
        let entry = gateway.providers().find(|entry| entry.name == target.provider).ok_or_else(Refusal::unreadable)?;
        // As if it were the only one.
        let alone = Plan { targets: vec![target.clone()], ..plan.clone() };
        let mut begun =
            Attempt::begin_next(&Arc::new(entry.upstream()), alone, now).map_err(|_| Refusal::unreadable())?;
        tries.push(Try {
            provider: entry.name.clone(),
            dialect: entry.dialect.to_owned(),
            model: target.model.clone(),
            outcome: outcome(entry, &mut begun, plan.endpoint, body),
        });
    }
    let passed_over = plan.passed_over.into_iter();
    Ok(Explanation {
        model: plan.model,
        endpoint: plan.endpoint.path(),
        delivery: if plan.delivery == Delivery::Streamed { "streamed" } else { "whole" },
        class: plan.class,
        tries,
        passed_over: passed_over.map(|(at, why)| PassedOver { provider: at.provider, model: at.model, why }).collect(),
        left_out: gateway.left_out().to_vec(),
    })
}

fn outcome(entry: &ProviderEntry, begun: &mut Begun, endpoint: Endpoint, body: &[u8]) -> Outcome {
    let request = match begun.attempt.request("", body) {
        Ok(request) => request,
        Err(answer) => return Outcome::Refused(answer.into()),
    };
    let origin = match &entry.url {
        Some(url) => format!("{}://{}", url.scheme.name(), url.authority()),
        None => "weir-sidecar:".to_owned(),
    };
    let body = match &request.body {
        Body::AsIs => json(body),
        Body::Replaced(body) => json(body),
    };
    let speaks = provider::by_name(entry.dialect);
    let mut headers = entry.own_headers();
    headers.extend(allow::WRITTEN.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let (Some(header), Some(credential)) = (speaks.and_then(Provider::credential), &entry.credential) {
        let reference = match credential {
            Credential::Env(name) => format!("{}«env:{name}»", header.prefix),
            Credential::File(file) => format!("{}«file:{file}»", header.prefix),
        };
        headers.push((header.name.to_owned(), reference));
    }
    headers.extend(request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    headers.extend(entry.signing.as_ref().map(|signing| {
        let Signing { service, region, .. } = signing;
        ("authorization".to_owned(), format!("AWS4-HMAC-SHA256 «signed for {service} in {region}»"))
    }));
    if endpoint.body() == BodyKind::Json {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    headers.sort();
    let path = request.path.as_deref().unwrap_or(endpoint.path());
    Outcome::Request(Request { method: "POST", url: format!("{origin}{path}"), headers, body })
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}

impl Refusal {
    fn unreadable() -> Self {
        weir_core::answer::Answer::problem(&weir_hub::fault::HostFault::NoPlan.problem(), Family::OpenAi).into()
    }
}

impl From<weir_core::answer::Answer> for Refusal {
    fn from(answer: weir_core::answer::Answer) -> Self {
        Self { status: answer.status, code: answer.outcome, body: json(&answer.body) }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} for {}, {} ({})", self.endpoint, self.model, self.delivery, self.class)?;
        for (i, one) in self.tries.iter().enumerate() {
            writeln!(f, "\n{}. {} as {} ({})", i + 1, one.provider, one.model, one.dialect)?;
            match &one.outcome {
                Outcome::Request(request) => {
                    writeln!(f, "   {} {}", request.method, request.url)?;
                    for (name, value) in &request.headers {
                        writeln!(f, "   {name}: {value}")?;
                    }
                    writeln!(f, "   {}", request.body)?;
                }
                Outcome::Refused(refusal) => writeln!(f, "   cannot express it: {refusal}")?,
            }
        }
        for one in &self.passed_over {
            writeln!(f, "\npassed over: {} as {}: {}", one.provider, one.model, one.why)?;
        }
        self.left_out.iter().try_for_each(|left_out| writeln!(f, "\nleft out: {left_out}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        write!(f, "{} {}: {message}", self.status, self.code)
    }
}

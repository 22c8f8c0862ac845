//! What would become of one request: which targets would be tried in which order, which would be passed over, and what each
//! would receive.
//!
//! The edge and attempt roles decide, with the code that runs in Envoy. Nothing is sent. Every credential is shown as its
//! reference.

mod endpoint;
mod explanation;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use weir_core::allow;
use weir_core::attempt::{self, Attempt};
use weir_core::config::{Gateway, Key, ProviderEntry, Signing};
use weir_core::edge::{self, Edge};
use weir_core::key::KeyHash;
use weir_core::load::Load;
use weir_core::plan::Plan;
use weir_core::provider::{self, Provider};
use weir_core::quota::Worker;
use weir_core::role::Effect;
use weir_core::time::Instant;
use weir_core::upstream::Credential;
use weir_hub::endpoint::{BodyKind, Delivery, Endpoint, Family};

pub use endpoint::endpoint;
pub use explanation::{Explanation, Outcome, PassedOver, Refusal, Request, Try};

/// Follows `body`, a request to `path` from a caller who may use every model, while no target rests.
pub fn explain(gateway: &Gateway, body: &[u8], path: &str) -> Result<Explanation, Refusal> {
    const KEY: &str = "explain";
    let mut routing = gateway.routing().clone();
    routing.forgives_paths = true;
    routing.keys.insert(KeyHash::of(KEY.as_bytes()), Key { name: KEY.to_owned(), ..Key::default() });
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
    let (mut load, shared, mut effects) = (Load::new(), BTreeMap::new(), Vec::new());
    let mut around =
        edge::Around { routing: &routing, shared: &shared, load: &mut load, worker: &mut Worker::default() };
    let mut edge = Edge::default();
    edge.request_headers(&headers, body.is_empty(), &mut around, &mut effects);
    if !is_answered(&effects) {
        edge.on(now, edge::Input::Body { size: body.len(), end: true }, &mut around, &mut effects);
        edge.on(now, edge::Input::Bytes(body), &mut around, &mut effects);
    }
    let plan = planned(effects)?;
    let mut tries = Vec::new();
    for target in &plan.targets {
        let entry = gateway.providers().find(|entry| entry.name == target.provider).ok_or_else(Refusal::unreadable)?;
        // As if it were the only target.
        let alone = Plan { targets: vec![target.clone()], ..plan.clone() };
        let mut effects = Vec::new();
        let attempt = Attempt::start(&Arc::new(entry.upstream()), Some(alone), now, &mut effects);
        let mut attempt = attempt.ok_or_else(Refusal::unreadable)?;
        attempt.on(now, attempt::Input::RequestBytes { content_type: "", body }, &mut effects);
        tries.push(Try {
            provider: entry.name.clone(),
            dialect: entry.dialect.to_owned(),
            model: target.model.clone(),
            outcome: outcome(entry, effects, plan.asked.endpoint, body),
        });
    }
    let passed_over = plan.passed_over.into_iter();
    Ok(Explanation {
        model: plan.model,
        endpoint: plan.asked.endpoint.path(),
        delivery: if plan.asked.delivery == Delivery::Streamed { "streamed" } else { "whole" },
        class: plan.class,
        tries,
        passed_over: passed_over.map(|(at, why)| PassedOver { provider: at.provider, model: at.model, why }).collect(),
        left_out: gateway.left_out().to_vec(),
    })
}

/// Whether the caller is answered at once.
fn is_answered(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Answer(_)))
}

/// The plan that the edge has made, or what it answers.
fn planned(effects: Vec<Effect>) -> Result<Plan, Refusal> {
    let mut planned = None;
    for effect in effects {
        match effect {
            Effect::Answer(answer) => return Err(answer.into()),
            Effect::Planned(plan) => planned = Some(*plan),
            _ => {}
        }
    }
    planned.ok_or_else(Refusal::unreadable)
}

fn outcome(entry: &ProviderEntry, effects: Vec<Effect>, endpoint: Endpoint, body: &[u8]) -> Outcome {
    let (mut path, mut own, mut written) = (None, Vec::new(), None);
    for effect in effects {
        match effect {
            Effect::Answer(answer) => return Outcome::Refused(answer.into()),
            Effect::RequestHeader(":path", value) => path = Some(value),
            Effect::RequestHeader("content-length", _) => {}
            Effect::RequestHeader(name, value) => own.push((name.to_owned(), value)),
            Effect::RequestBody(with) => written = Some(with),
            _ => {}
        }
    }
    let origin = match &entry.url {
        Some(url) => format!("{}://{}", url.scheme.name(), url.authority()),
        None => "weir-sidecar:".to_owned(),
    };
    let body = json(written.as_deref().unwrap_or(body));
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
    headers.extend(own);
    headers.extend(entry.signing.as_ref().map(|signing| {
        let Signing { service, region, .. } = signing;
        ("authorization".to_owned(), format!("AWS4-HMAC-SHA256 «signed for {service} in {region}»"))
    }));
    if endpoint.body() == BodyKind::Json {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    headers.sort();
    let path = path.as_deref().unwrap_or(endpoint.path());
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

//! Every code that a caller can be told is in `docs/troubleshoot.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use weir_control::render::render;
use weir_core::plan::{Candidate, Failed, Limits, Origin, Outcome, Plan, exhausted};
use weir_core::time::Instant;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::{FaultKind, HostFault, Problem, Reject, UpstreamFault, Whose};

use crate::common::{copy, environment, node, repository};

#[test]
fn every_code_that_a_caller_can_be_told_is_on_the_page() {
    let page = std::fs::read_to_string(repository().join("docs/troubleshoot.md")).unwrap();
    let told: BTreeSet<String> = replies().into_iter().chain(problems().map(|problem| problem.code)).collect();
    let missing: Vec<&String> = told.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/troubleshoot.md does not say what these mean: {missing:?}");
    assert!(told.len() > 25 && told.contains("no_plan") && told.contains("request_timeout"), "{told:?}");
}

/// Those of the replies that Envoy makes itself.
fn replies() -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path());
    let file = copy(&repository().join("config/examples/minimal.yaml"), folder.path());
    let loaded = weir_control::load(&file, &environment).unwrap();
    let resources = render(&loaded.gateway, &node(folder.path(), &environment)).unwrap();
    let mut codes = BTreeSet::new();
    collect(&resources.in_one(), &mut codes);
    codes
}

/// The codes in the bodies of OpenAI's shape; the other shapes are made from the same.
fn collect(value: &Value, codes: &mut BTreeSet<String>) {
    let code = value.pointer("/body_format_override/json_format/error/code").and_then(Value::as_str);
    codes.extend(code.map(str::to_owned));
    match value {
        Value::Object(fields) => fields.values().for_each(|value| collect(value, codes)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, codes)),
        _ => {}
    }
}

/// What the core can answer.
fn problems() -> impl Iterator<Item = Problem> {
    let host = [HostFault::NoConfig, HostFault::NoPlan, HostFault::Host].map(HostFault::problem);
    let upstream = FaultKind::ALL.into_iter().flat_map(|kind| {
        let fault = UpstreamFault::new(kind, "");
        let told = if kind.whose() == Whose::Caller {
            fault.problem()
        } else {
            exhausted(&failed_with(kind), Instant::default())
        };
        [told, fault.broken_off()]
    });
    host.into_iter().chain(upstream).chain(rejects().iter().map(Reject::problem).collect::<Vec<_>>())
}

/// A plan whose one target has failed so.
fn failed_with(kind: FaultKind) -> Plan {
    let failed = Failed {
        target: 0,
        outcome: Outcome::Fault(kind),
        status: 500,
        took: Duration::ZERO,
        ended: Instant::default(),
        until: None,
        kept: false,
    };
    Plan {
        origin: Origin::default(),
        asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Whole, usage: UsageChunk::Unwanted },
        class: String::new(),
        limits: Limits::default(),
        tenant: String::new(),
        model: String::new(),
        betas: String::new(),
        targets: vec![Candidate { provider: "p".to_owned(), model: "m".to_owned() }],
        passed_over: Vec::new(),
        trials: 0,
        made: Instant::default(),
        begun: 1,
        at: 0,
        since: Instant::default(),
        failed: vec![failed],
        too_long: None,
        cap: None,
        reserved: None,
        others: String::new(),
    }
}

fn rejects() -> Vec<Reject> {
    let text = String::new;
    let all = vec![
        Reject::InvalidJson { offset: 0, line: 1, column: 1, problem: "" },
        Reject::Missing { field: text() },
        Reject::Invalid { field: text(), problem: text() },
        Reject::Unsupported { fields: vec![text()], provider: "" },
        Reject::Unthreaded,
        Reject::UnknownModel { model: text() },
        Reject::ModelNotAllowed { model: text() },
        Reject::OtherModel { field: text() },
        Reject::WrongEndpoint { model: text(), path: "" },
        Reject::NoKey,
        Reject::BadKey,
        Reject::ExpiredKey,
        Reject::DisabledKey,
        Reject::NoTeam,
        Reject::EndpointNotAllowed { path: "" },
        Reject::NetworkNotAllowed,
        Reject::Busy,
        Reject::KeyBusy { limit: 0 },
        Reject::WorkerBusy,
        Reject::BodyTooLarge { limit: 0 },
        Reject::Grown { limit: 0, provider: text() },
        Reject::TooManyParts { counted: String::new(), most: 0 },
        Reject::UnknownPath { path: text(), meant: None },
        Reject::WrongMethod { allowed: "" },
    ];
    for reject in &all {
        // A new one must be added here, and so be noticed above.
        match reject {
            Reject::InvalidJson { .. }
            | Reject::Missing { .. }
            | Reject::Invalid { .. }
            | Reject::Unsupported { .. }
            | Reject::Unthreaded
            | Reject::UnknownModel { .. }
            | Reject::ModelNotAllowed { .. }
            | Reject::OtherModel { .. }
            | Reject::WrongEndpoint { .. }
            | Reject::NoKey
            | Reject::BadKey
            | Reject::ExpiredKey
            | Reject::DisabledKey
            | Reject::NoTeam
            | Reject::EndpointNotAllowed { .. }
            | Reject::NetworkNotAllowed
            | Reject::Busy
            | Reject::KeyBusy { .. }
            | Reject::WorkerBusy
            | Reject::BodyTooLarge { .. }
            | Reject::Grown { .. }
            | Reject::TooManyParts { .. }
            | Reject::UnknownPath { .. }
            | Reject::WrongMethod { .. } => {}
        }
    }
    all
}

//! A plan is made without writing what any target would be sent: many targets take little more than one.

use std::collections::BTreeMap;

use allocation_counter::measure;
use serde_json::json;
use weir_core::config::{Class, Key, Model, Routing, Target};
use weir_core::edge::{Around, Edge, Input};
use weir_core::key::KeyHash;
use weir_core::load::Load;
use weir_core::plan::Plan;
use weir_core::quota::Worker;
use weir_core::role::Effect;
use weir_core::time::Instant;
use weir_core::upstream::Upstream;

const HEADERS: [(&str, &str); 3] =
    [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer weir-1")];

/// One that translates is asked each time, by another name.
fn routing(targets: usize) -> Routing {
    let dialects = ["anthropic", "gemini", "bedrock", "cohere", "mistral", "oneinfer", "vertex"];
    let upstream = |dialect: &str| Upstream { dialect: dialect.into(), drop_unsupported: true, ..Upstream::default() };
    let target = |at: usize| Target { provider: dialects[at % dialects.len()].into(), model: format!("m{at}") };
    let model = Model {
        reserve_output: None,
        max_output: None,
        targets: (0..targets).map(target).collect(),
        whole: Class { name: "whole-1".into(), ..Class::default() },
        streamed: Class { name: "stream-1-1".into(), ..Class::default() },
        owned_by: "w".into(),
    };
    Routing {
        models: BTreeMap::from([("m".into(), model)]),
        upstreams: dialects.map(|dialect| (dialect.into(), upstream(dialect))).into(),
        keys: BTreeMap::from([(KeyHash::of(b"weir-1"), Key { name: "team".into(), ..Key::default() })]),
        ..Routing::default()
    }
}

#[test]
fn a_plan_for_many_targets_takes_less_memory_than_the_body() {
    let words = "Once upon a time there was a café by the river. ".repeat(300);
    let roles = ["user", "assistant"];
    let said = |at: usize| json!({"role": roles[at % 2], "content": words});
    let body = json!({"model": "m", "messages": (0..401).map(said).collect::<Vec<_>>()}).to_string();
    let taken = |targets: usize| {
        let routing = routing(targets);
        let (mut load, shared, mut effects) = (Load::new(), BTreeMap::new(), Vec::new());
        let mut around = Around { routing: &routing, shared: &shared, load: &mut load, worker: &mut Worker::default() };
        let mut edge = Edge::default();
        edge.request_headers(&HEADERS, false, &mut around, &mut effects);
        let (size, now) = (body.len(), Instant::default());
        edge.on(now, Input::Body { size, end: true }, &mut around, &mut effects);
        let taken = measure(|| {
            edge.on(now, Input::Bytes(body.as_bytes()), &mut around, &mut effects);
        });
        let planned =
            effects.into_iter().find_map(|effect| if let Effect::Planned(plan) = effect { Some(*plan) } else { None });
        let plan: Plan = planned.unwrap();
        assert_eq!(plan.targets.len(), targets, "{:?}", plan.passed_over);
        taken.bytes_total
    };
    let (one, many) = (taken(1), taken(16));
    assert!(one < body.len() as u64 / 4 && many < body.len() as u64, "{one} and {many} of {}", body.len());
}

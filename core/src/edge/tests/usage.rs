//! What a caller has used: who may ask, and what goes to control.

use super::*;
use crate::config::LedgerPlace;
use crate::quota::Worker;
use crate::role::{Effect, Flow};
use crate::usage::{ASKER, MARK};

const USAGE: [(&str, &str); 8] = [
    (":method", "GET"),
    (":path", "/v1/usage?since=7d&by=day"),
    (":authority", "weir"),
    ("authorization", "Bearer weir-1"),
    (ASKER, "key=bob"),
    ("cookie", "c=1"),
    (SCHEME, "http"),
    ("x-request-id", "r-1"),
];

fn with_control() -> Routing {
    let mut routing = Routing { ledger: LedgerPlace::AtControl, ..routing() };
    routing.keys.values_mut().for_each(|key| key.team = "search".into());
    routing
}

fn asked(routing: &Routing, name: &str, value: &'static str) -> Result<Vec<(String, String)>, (u16, String)> {
    let headers = USAGE.map(|pair| if pair.0 == name { (pair.0, value) } else { pair });
    let passed = Edge::default().headers(routing, &headers, true);
    let passed = passed.map_err(|answer| (answer.status, answer.outcome))?;
    Ok(passed.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

#[test]
fn control_is_told_who_asks_and_nothing_that_the_caller_says_of_it() {
    let passed = asked(&with_control(), "", "").unwrap();
    let expect = [
        (":method", "GET"),
        (":path", "/v1/usage?since=7d&by=day"),
        (":authority", "weir"),
        (SCHEME, "http"),
        (ASKER, "key=team&team=search&api=chat"),
        ("x-request-id", "r-1"),
    ];
    assert_eq!(passed, expect.map(|(name, value)| (name.to_string(), value.to_string())));
}

#[test]
fn it_is_for_those_who_may_call() {
    let of = |routing: &Routing, name, value| asked(routing, name, value).map(drop);
    let refused = |status: u16, code: &str| Err((status, code.to_string()));
    let routing = with_control();
    assert_eq!(of(&routing, "authorization", "Bearer weir-2"), refused(401, "invalid_api_key"));
    assert_eq!(of(&routing, ":method", "POST"), refused(405, "method_not_allowed"));
    assert_eq!(of(&routing, ":method", "HEAD"), Ok(()));
    assert_eq!(of(&super::routing(), "", ""), refused(501, "usage_unavailable"));
    let mut limited = routing.clone();
    limited.keys.values_mut().for_each(|key| key.access.no_usage = true);
    assert_eq!(of(&limited, "", ""), refused(403, "endpoint_not_allowed"));
    limited.keys.values_mut().for_each(|key| key.access = Access::default());
    limited.keys.values_mut().for_each(|key| key.disabled = true);
    assert_eq!(of(&limited, "", ""), refused(401, "disabled_api_key"));
}

#[test]
fn it_takes_the_route_to_control_at_once_and_leaves_its_outcome() {
    let routing = Routing { in_flight_per_key: 1, ..with_control() };
    let (cells, mut load) = (Cells::new(), Load::new());
    let mut begin = |edge: &mut Edge| {
        let mut effects = Vec::new();
        let mut around = Around { routing: &routing, shared: &cells, load: &mut load, worker: &mut Worker::default() };
        edge.request_headers(&USAGE, false, &mut around, &mut effects);
        let flow = edge.on(Instant::default(), Input::Body { size: 9, end: true }, &mut around, &mut effects);
        (effects, flow)
    };
    let mut edge = Edge::default();
    let (effects, flow) = begin(&mut edge);
    assert_eq!(effects, [Effect::Mark(MARK, "usage".into()), Effect::ChooseRoute]);
    assert!(
        edge.asks_control() && flow == Flow::Continue && edge.limit_headers(&routing, Instant::default()).is_empty()
    );
    let (effects, _) = begin(&mut Edge::default());
    let busy = matches!(effects.as_slice(), [Effect::Answer(answer)] if answer.status == 429);
    assert!(busy, "it counts among what its key has under way: {effects:?}");
    for (status, outcome) in [(200, "ok"), (400, "invalid_value"), (503, "usage_unavailable")] {
        edge.control_answered(status);
        assert_eq!(edge.subject.answered.as_deref(), Some(outcome));
    }
}

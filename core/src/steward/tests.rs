use alloc::collections::BTreeMap;
use alloc::vec;

use super::*;
use crate::health::cooldown::Cooldown;
use crate::health::cooldown::tests::{Cells, cool};
use weir_hub::fault::FaultKind;

fn at(secs: u64) -> Instant {
    Instant::default().after(Duration::from_secs(secs))
}

fn call() -> Call {
    Call { cluster: "control".into(), path: "/exchange".into(), timeout: Duration::from_millis(700) }
}

fn calling() -> Steward {
    Steward::new(&Settings { call: Some(call()), ..Settings::default() })
}

fn on(steward: &mut Steward, secs: u64, input: Input<'_>, cells: &Cells) -> Vec<Effect> {
    let mut effects = Vec::new();
    steward.on(at(secs), input, cells, &mut effects);
    effects
}

fn response(status: u16) -> Input<'static> {
    Input::Answer(Answer::Response { status, body: b"" })
}

fn tick(begun: u64, cooldowns: u64) -> Vec<Effect> {
    let begun = (begun > 0).then_some(Effect::Add(Counter::Begun, begun));
    [Effect::Add(Counter::Ticks, 1), Effect::Cooldowns(cooldowns)].into_iter().chain(begun).collect()
}

#[test]
fn it_creates_what_is_counted_and_tells_what_was() {
    let mut steward = Steward::default();
    let mut cells = Cells::new();
    let created = on(&mut steward, 0, Input::Start, &cells);
    assert_eq!(created, [Effect::Create("weir.cooldowns.begun".into(), Begun::default().write())]);
    let mut begun = Begun::default();
    for (count, told) in [(0, 0), (3, 3), (3, 0), (5, 2)] {
        begun.count = count;
        cells.insert(Begun::KEY.as_str().into(), begun.write());
        assert_eq!(on(&mut steward, 1, Input::Tick, &cells), tick(told, 0));
    }
    let mut next = Steward::default();
    on(&mut next, 2, Input::Start, &cells);
    assert_eq!(on(&mut next, 3, Input::Tick, &cells), tick(0, 0), "the next steward tells nothing twice");
}

#[test]
fn it_clears_away_what_has_ended() {
    let mut cells = Cells::new();
    let cooldown = |model: &str, secs| Cooldown {
        provider: "a".into(),
        version: 1,
        model: model.into(),
        kind: FaultKind::RateLimited,
        until: at(secs),
        times: 0,
        on_trial: false,
    };
    cool(&mut cells, &cooldown("x", 4), at(0));
    cool(&mut cells, &cooldown("y", 8), at(0));
    let mut steward = Steward::default();
    assert_eq!(on(&mut steward, 3, Input::Tick, &cells), tick(0, 2));
    let effects = on(&mut steward, 4, Input::Tick, &cells);
    assert_eq!(effects[1..], [Effect::Sweep(vec![("a".into(), "x".into())]), Effect::Cooldowns(1)]);
}

#[test]
fn it_makes_one_call_at_a_time() {
    let cells = BTreeMap::new();
    let mut steward = calling();
    let called = |effects: Vec<Effect>| effects.contains(&Effect::Call(call()));
    assert!(called(on(&mut steward, 1, Input::Tick, &cells)));
    assert!(!called(on(&mut steward, 2, Input::Tick, &cells)), "it has not been answered");
    on(&mut steward, 2, response(200), &cells);
    assert!(called(on(&mut steward, 3, Input::Tick, &cells)));
    assert!(!called(on(&mut Steward::default(), 1, Input::Tick, &cells)), "nobody is to be called");
}

#[test]
fn a_call_that_fails_is_told_as_what_it_is_and_once() {
    let cells = BTreeMap::new();
    let mut steward = calling();
    let mut check = |input: Input<'static>, told: &[&str]| {
        let warns = |told: &&str| Effect::Warn(format!("weir: the steward calls cluster \"control\": {told}"));
        let told: Vec<_> = told.iter().map(warns).collect();
        assert_eq!(on(&mut steward, 1, input, &cells), told);
    };
    check(response(200), &[]);
    check(Input::Answer(Answer::NoCluster), &["Envoy has no such cluster"]);
    check(Input::Answer(Answer::NoCluster), &[]);
    check(response(503), &["503: it is not there, or has no room"]);
    check(response(504), &["504: it did not answer in time"]);
    check(response(404), &["it answered with 404"]);
    check(Input::Answer(Answer::Broken), &["the call ended without an answer"]);
    check(Input::Answer(Answer::NotMade), &["Envoy did not make the call"]);
    check(response(204), &["it answers"]);
}

#[test]
fn it_stops_after_a_last_call_that_is_short() {
    let cells = BTreeMap::new();
    assert_eq!(on(&mut Steward::default(), 1, Input::Stop, &cells), [Effect::Stopped]);

    let last = Effect::Call(Call { timeout: LAST_CALL, ..call() });
    let mut steward = calling();
    assert_eq!(on(&mut steward, 1, Input::Stop, &cells), vec![last.clone()]);
    assert_eq!(on(&mut steward, 1, response(200), &cells), [Effect::Stopped]);

    let mut steward = calling();
    on(&mut steward, 1, Input::Tick, &cells);
    assert_eq!(on(&mut steward, 1, Input::Stop, &cells), [], "a call is under way");
    assert_eq!(on(&mut steward, 2, Input::Tick, &cells).len(), 2, "and no other is begun");
    assert_eq!(on(&mut steward, 2, response(200), &cells), [last]);
    let effects = on(&mut steward, 2, Input::Answer(Answer::NoCluster), &cells);
    assert_eq!(effects.last(), Some(&Effect::Stopped), "{effects:?}");
}

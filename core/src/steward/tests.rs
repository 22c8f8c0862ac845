use alloc::vec;

use super::*;
use crate::health::cooldown::Cooldown;
use crate::health::cooldown::tests::{Cells, cool};
use crate::lease::{Grants, Report};
use crate::quota::limit::{Alone, Kind, Limit, Meter, VALUES};
use crate::quota::testing::Memory;
use crate::quota::window::Windows;
use crate::quota::workers;
use crate::shared::Store;
use weir_hub::fault::FaultKind;

fn at(secs: u64) -> Instant {
    Instant::default().after(Duration::from_secs(secs))
}

fn calling() -> Steward {
    let control = Some(Control { cluster: "control".into(), node: "here".into() });
    Steward::new(&Settings { control, ..Settings::default() })
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
    [Effect::Add(Counter::Ticks, 1), Effect::Set(Gauge::Cooldowns, cooldowns)].into_iter().chain(begun).collect()
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
    assert_eq!(effects[1..], [Effect::Sweep(vec![("a".into(), "x".into())]), Effect::Set(Gauge::Cooldowns, 1)]);
}

/// A steward that has started, its cells, and what it posts by its effects.
fn sharing() -> (Steward, Memory) {
    let (mut steward, memory) = (calling(), Memory::default());
    for effect in told(&mut steward, 0, Input::Start, &memory) {
        let Effect::Create(key, bytes) = effect else { continue };
        memory.create(&key, &bytes);
    }
    let posted = Posted([limit()].into());
    memory.create(Posted::KEY.as_str(), &posted.write());
    (steward, memory)
}

fn limit() -> Limit {
    Limit {
        name: "l".into(),
        was: None,
        subjects: vec![],
        meter: Meter::Tokens,
        kind: Kind::Budget { amount: 100, windows: Windows::Ever },
        soft: false,
        alone: Alone::Open,
        values: VALUES,
    }
}

fn told(steward: &mut Steward, ms: u64, input: Input<'_>, memory: &Memory) -> Vec<Effect> {
    let mut effects = Vec::new();
    let now = Instant::default().after(Duration::from_secs(1000) + Duration::from_millis(ms));
    steward.on(now, input, memory, &mut effects);
    effects
}

/// The report that was posted, if one was, and its time limit.
fn posted(effects: &[Effect]) -> Option<(Report, Duration)> {
    let calls = effects.iter().filter_map(|effect| match effect {
        Effect::Call(Call { cluster, path, body, timeout }) => {
            assert_eq!((cluster.as_str(), *path), ("control", lease::PATH));
            Some((Report::decode(body).unwrap(), *timeout))
        }
        _ => None,
    });
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() < 2);
    calls.into_iter().next()
}

fn grants(sequence: u64) -> Vec<u8> {
    Grants { sequence, epoch: 1, grants: vec![] }.encode()
}

#[test]
fn it_tells_control_one_thing_at_a_time() {
    let (mut steward, memory) = sharing();
    let (report, limit) = posted(&told(&mut steward, 200, Input::Tick, &memory)).unwrap();
    assert_eq!((report.node.as_str(), report.sequence, report.ending, limit), ("here", 1, false, lease::ANSWERED));
    assert!(posted(&told(&mut steward, 400, Input::Tick, &memory)).is_none(), "it has not been answered");
    let answer = grants(1);
    let answer = Input::Answer(Answer::Response { status: 200, body: &answer });
    assert_eq!(told(&mut steward, 410, answer, &memory), []);
    assert!(posted(&told(&mut steward, 600, Input::Tick, &memory)).is_none(), "there is nothing to tell");
    let mut sent = 0;
    for tick in 4..14 {
        if let Some((report, _)) = posted(&told(&mut steward, tick * 200, Input::Tick, &memory)) {
            sent += 1;
            let answer = grants(report.sequence);
            told(&mut steward, tick * 200, Input::Answer(Answer::Response { status: 200, body: &answer }), &memory);
        }
    }
    assert_eq!(sent, 2, "once a second it asks whether control is there");
    assert!(posted(&told(&mut Steward::default(), 0, Input::Tick, &memory)).is_none(), "nobody is to be told");
}

#[test]
fn a_call_that_fails_is_told_as_what_it_is_and_once() {
    let (mut steward, memory) = sharing();
    let mut ms = 0;
    let mut check = |answer: Option<Answer<'_>>, line: &[&str]| {
        let report = loop {
            ms += 200;
            if let Some((report, _)) = posted(&told(&mut steward, ms, Input::Tick, &memory)) {
                break report;
            }
        };
        let right = grants(report.sequence);
        let answer = answer.unwrap_or(Answer::Response { status: 200, body: &right });
        let warns = |told: &&str| Effect::Warn(format!("weir: the steward calls cluster \"control\": {told}"));
        let line: Vec<_> = line.iter().map(warns).collect();
        assert_eq!(told(&mut steward, ms, Input::Answer(answer), &memory), line);
    };
    let response = |status| Some(Answer::Response { status, body: b"<html>" });
    check(None, &[]);
    check(Some(Answer::NoCluster), &["Envoy has no such cluster"]);
    check(Some(Answer::NoCluster), &[]);
    check(response(503), &["503: it is not there, or has no room"]);
    check(response(504), &["504: it did not answer in time"]);
    check(response(404), &["it answered with 404"]);
    check(response(200), &["what it answers is not of Weir's control"]);
    check(Some(Answer::Broken), &["the call ended without an answer"]);
    check(Some(Answer::NotMade), &["Envoy did not make the call"]);
    check(None, &["it answers"]);
}

#[test]
fn it_shows_whether_control_is_away() {
    let (mut steward, memory) = sharing();
    let away = |effects: &[Effect]| effects.contains(&Effect::Set(Gauge::ControlAway, 1));
    assert!(!away(&told(&mut steward, 0, Input::Tick, &memory)));
    told(&mut steward, 10, response(503), &memory);
    let mut shown = false;
    for tick in 1..8 {
        shown |= away(&told(&mut steward, tick * 200, Input::Tick, &memory));
    }
    assert!(shown);
}

#[test]
fn it_stops_after_a_last_report_that_is_short() {
    assert_eq!(on(&mut Steward::default(), 1, Input::Stop, &Cells::new()), [Effect::Stopped]);
    let (mut steward, memory) = sharing();
    let (report, limit) = posted(&told(&mut steward, 1, Input::Stop, &memory)).unwrap();
    assert_eq!((report.ending, limit), (true, LAST_CALL));
    assert_eq!(told(&mut steward, 2, response(200), &memory).last(), Some(&Effect::Stopped));

    let (mut steward, memory) = sharing();
    assert!(posted(&told(&mut steward, 0, Input::Tick, &memory)).is_some());
    assert_eq!(told(&mut steward, 1, Input::Stop, &memory), [], "a call is under way");
    assert!(posted(&told(&mut steward, 200, Input::Tick, &memory)).is_none(), "and no other is begun");
    let last = told(&mut steward, 210, response(503), &memory);
    assert!(posted(&last).is_some_and(|(report, _)| report.ending));
    let effects = told(&mut steward, 220, Input::Answer(Answer::NoCluster), &memory);
    assert_eq!(effects.last(), Some(&Effect::Stopped), "{effects:?}");
}

/// Its clock stepped by an hour, and what live workers held was given back; what a dead one had of a limit that was not there then was
/// not.
#[test]
fn dead_workers_are_found_by_its_own_ticks_and_again_when_there_are_other_limits() {
    let (mut steward, memory) = (Steward::default(), Memory::default());
    let forgets = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| if let Effect::Forget(dead) = effect { Some(dead) } else { None })
    };
    workers::beat(&memory, 1, workers::Life::Own, at(1000));
    assert_eq!(forgets(told(&mut steward, 0, Input::Tick, &memory)), None);
    for tick in 1..30 {
        assert_eq!(forgets(told(&mut steward, tick * 3_600_000, Input::Tick, &memory)), None, "{tick}");
    }
    assert_eq!(forgets(told(&mut steward, 0, Input::Tick, &memory)), Some(vec![1]));
    workers::bury(&memory, &[1]);
    assert_eq!(forgets(told(&mut steward, 0, Input::Tick, &memory)), None);
    memory.create(Posted::KEY.as_str(), &Posted([limit()].into()).write());
    assert_eq!(forgets(told(&mut steward, 0, Input::Tick, &memory)), Some(vec![]));
    assert_eq!(forgets(told(&mut steward, 0, Input::Tick, &memory)), None);
}

//! Every rule of the order, without an Envoy.

mod bench;

use std::path::Path;

use super::*;
use crate::render::Node;
use bench::{Answer, Bench, GRACE, Put, listening_at, node, rendered, taken, with};

fn refused(kind: Kind) -> NotTaken {
    NotTaken::Refused { kind, reasons: vec!["cannot bind".to_owned()] }
}

const CHANGE: [Kind; 6] = [Kind::Secrets, Kind::Clusters, Kind::Routes, Kind::Edge, Kind::Listeners, Kind::Bootstrap];

fn kinds(puts: &[Put]) -> Vec<Kind> {
    puts.iter().map(|put| put.kind).collect()
}

#[test]
fn what_is_new_comes_before_what_uses_it_and_what_is_old_stays() {
    let mut bench = Bench::running(&["anna", "berta"]);
    let (puts, told) = bench.change(with(&["berta", "clara"]), taken);
    assert_eq!(kinds(&puts), CHANGE);
    let names = |kind| puts.iter().find(|put| put.kind == kind).unwrap().names.clone();
    for kind in [Kind::Secrets, Kind::Clusters, Kind::Routes] {
        assert_eq!(names(kind), ["anna", "berta", "clara"], "{kind:?}");
    }
    assert_eq!(names(Kind::Edge), ["berta", "clara"], "no new plan names what goes");
    let report = Report { written: CHANGE.to_vec(), confirmed: true, restart: false };
    assert_eq!(told, [Outcome::Live(report)]);
}

#[test]
fn a_step_begins_only_after_the_one_before_it_was_answered() {
    let mut bench = Bench::running(&["anna"]);
    let first = bench.on(Input::Change(Arc::new(with(&["berta"]))));
    assert!(matches!(first.as_slice(), [Step::Put { kind: Kind::Secrets, .. }]), "{first:?}");
    bench.now += Duration::from_secs(3600);
    assert_eq!(bench.on(Input::Tick), []);
    let second = bench.on(Input::Answer(Ok(Taken::Same)));
    assert!(matches!(second.as_slice(), [Step::Put { kind: Kind::Clusters, .. }]), "{second:?}");
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut bench = Bench::running(&["anna"]);
    assert_eq!(bench.on(Input::Answer(Err(refused(Kind::Edge)))), []);
    assert_eq!(bench.on(Input::Tick), []);
}

#[test]
fn an_envoy_that_is_not_running_yet_is_not_waited_for() {
    for (reader, waits) in [(Reader::Later, false), (Reader::Now, true)] {
        let mut bench = Bench::new(reader);
        let (puts, _) = bench.change(with(&["anna"]), taken);
        assert_eq!(kinds(&puts), CHANGE);
        assert!(puts.iter().all(|put| put.wait.is_some() == waits), "{reader:?}: {puts:?}");
        let (puts, _) = bench.change(with(&["berta"]), taken);
        assert!(puts.iter().all(|put| put.wait.is_some()), "{puts:?}");
    }
}

/// Names that a slow resolver took 2 s for were not there yet when the edge began to send requests to them.
#[test]
fn clusters_are_given_the_time_that_a_slow_resolver_takes() {
    let mut bench = Bench::running(&["anna"]);
    let (puts, _) = bench.change(with(&["berta"]), taken);
    for Put { kind, wait, .. } in puts {
        let wait = wait.unwrap();
        let is_short = wait < Duration::from_secs(1);
        assert!(if kind == Kind::Clusters { wait > Duration::from_secs(5) } else { is_short }, "{kind:?}: {wait:?}");
    }
    bench.rollout = bench.rollout.with_patience(Duration::from_secs(20));
    let (puts, _) = bench.change(with(&["clara"]), taken);
    assert!(puts.iter().all(|put| put.wait == Some(Duration::from_secs(20))), "{puts:?}");
}

#[test]
fn a_step_that_envoy_does_not_confirm_is_told_and_holds_nothing_up() {
    let mut bench = Bench::running(&["anna"]);
    let slow = |kind| Ok(if kind == Kind::Clusters { Taken::Unconfirmed } else { Taken::Confirmed });
    let (puts, told) = bench.change(with(&["berta"]), slow);
    assert_eq!(puts.len(), CHANGE.len());
    assert!(matches!(told.as_slice(), [Outcome::Live(Report { confirmed: false, .. })]), "{told:?}");
}

#[test]
fn what_is_the_same_is_not_told_as_written() {
    let mut bench = Bench::running(&["anna"]);
    let (_, told) = bench.change(with(&["anna"]), |_| Ok(Taken::Same));
    assert_eq!(told, [Outcome::Live(Report { written: Vec::new(), confirmed: true, restart: false })]);
    assert_eq!(bench.rollout.next_removal(), None, "nothing is left over");
}

#[test]
fn an_old_cluster_is_kept_until_the_last_plan_that_names_it_has_ended() {
    let mut bench = Bench::running(&["anna"]);
    let longest = with(&["anna"]).longest();
    bench.change(with(&["berta"]), taken);
    // The edge made plans of before until it was replaced. The last answer came with the last step.
    let due = bench.rollout.next_removal().unwrap();
    assert_eq!(due + Duration::from_secs(1), bench.now + longest);

    bench.now = due.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(bench.on(Input::Tick), [], "a plan may still be under way");
    bench.now = due;
    let (puts, told) = bench.tick();
    let wait = |kind| if kind == Kind::Clusters { PATIENCE_WITH_CLUSTERS } else { PATIENCE };
    let expect = [Kind::Routes, Kind::Clusters].map(|kind| Put { kind, wait: Some(wait(kind)), names: vec!["berta"] });
    assert_eq!(puts, expect, "routes go before the clusters that they name");
    assert_eq!(bench.secrets, ["berta"].into(), "secrets go last");
    assert!(matches!(told.as_slice(), [Outcome::Removed(_)]), "{told:?}");
    assert_eq!(bench.rollout.next_removal(), None);
}

#[test]
fn each_of_several_changes_keeps_what_it_replaces() {
    let mut bench = Bench::running(&["anna"]);
    bench.rollout = std::mem::take(&mut bench.rollout).with_grace(GRACE);
    bench.change(with(&["berta"]), taken);
    bench.now += GRACE / 2;
    let (puts, _) = bench.change(with(&["clara"]), taken);
    assert_eq!(puts[1].names, ["anna", "berta", "clara"]);
    bench.now = bench.rollout.next_removal().unwrap();
    assert_eq!(bench.tick().0[0].names, ["berta", "clara"]);
    bench.now = bench.rollout.next_removal().unwrap();
    assert_eq!(bench.tick().0[0].names, ["clara"]);
}

/// A change at that moment would otherwise take clusters away before the routes that name them.
#[test]
fn what_is_due_goes_by_a_removal_and_not_with_a_change() {
    let mut bench = Bench::running(&["anna"]);
    bench.change(with(&["berta"]), taken);
    bench.now = bench.rollout.next_removal().unwrap() + GRACE;
    let (puts, _) = bench.change(with(&["berta"]), taken);
    assert_eq!(puts[1].names, ["anna", "berta"]);
    assert_eq!(bench.tick().0[0].names, ["berta"]);
}

#[test]
fn a_refused_change_is_taken_back_at_once_newest_part_first() {
    let mut bench = Bench::running(&["anna"]);
    let refuse = |kind| if kind == Kind::Listeners { Err(refused(kind)) } else { taken(kind) };
    let next = listening_at(10_001, &["berta"]);
    let (puts, told) = bench.change(next, refuse_once(refuse));
    let (change, back) = puts.split_at(5);
    assert_eq!(change.last().unwrap().kind, Kind::Listeners, "nothing comes after what was refused");
    assert!(CHANGE.into_iter().rev().eq(back.iter().map(|put| put.kind)), "{back:?}");
    assert!(back.iter().all(|put| put.wait.is_none()), "{back:?}");
    assert_eq!(told, [Outcome::NotTaken(refused(Kind::Listeners))]);
    for kind in [Kind::Clusters, Kind::Routes, Kind::Edge] {
        assert_eq!(bench.read[&kind], ["anna"], "{kind:?}");
    }
    // What follows starts from what runs.
    let (puts, told) = bench.change(with(&["clara"]), taken);
    assert_eq!(puts[1].names, ["anna", "clara"]);
    assert!(matches!(told.as_slice(), [Outcome::Live(_)]), "{told:?}");
}

/// Lets what is answered with an error pass when it comes again.
fn refuse_once(answer: impl Fn(Kind) -> Answer) -> impl Fn(Kind) -> Answer {
    let refused = std::cell::Cell::new(false);
    move |kind| {
        answer(kind).or_else(|problem| if refused.replace(true) { Ok(Taken::Unconfirmed) } else { Err(problem) })
    }
}

#[test]
fn what_cannot_be_taken_back_is_told() {
    let mut bench = Bench::running(&["anna"]);
    let full = |path: &str| NotTaken::Unwritable { path: path.into(), problem: "no space left".to_owned() };
    let answer = |kind| match kind {
        Kind::Routes => Err(full("rds.json")),
        Kind::Edge => Err(full("edge.json")),
        kind => taken(kind),
    };
    let (puts, told) = bench.change(with(&["berta"]), answer);
    assert_eq!(puts.last().unwrap().kind, Kind::Edge);
    assert_eq!(told, [Outcome::NotTaken(full("edge.json"))]);
    assert!(matches!(bench.change(with(&["clara"]), taken).1.as_slice(), [Outcome::Live(_)]));
}

#[test]
fn before_the_first_configuration_there_is_nothing_to_take_back() {
    let mut bench = Bench::new(Reader::Now);
    let refuse = |kind| if kind == Kind::Edge { Err(refused(kind)) } else { taken(kind) };
    let (puts, told) = bench.change(with(&["anna"]), refuse);
    assert_eq!(puts.len(), 4, "{puts:?}");
    assert_eq!(told, [Outcome::NotTaken(refused(Kind::Edge))]);
    let (puts, told) = bench.change(with(&["berta"]), taken);
    assert_eq!(puts[1].names, ["berta"], "what was refused never ran");
    assert!(matches!(told.as_slice(), [Outcome::Live(_)]), "{told:?}");
}

#[test]
fn a_removal_that_fails_is_told_and_the_next_change_brings_it() {
    let mut bench = Bench::running(&["anna"]);
    bench.change(with(&["berta"]), taken);
    bench.now = bench.rollout.next_removal().unwrap();
    let (_, told) = bench.bring(Input::Tick, |kind| Err(refused(kind)));
    assert_eq!(told, [Outcome::NotTaken(refused(Kind::Routes))]);
    assert_eq!(bench.rollout.next_removal(), None, "it is not tried over and over");
    assert_eq!(bench.change(with(&["berta"]), taken).0[1].names, ["berta"]);
}

#[test]
fn a_change_that_comes_meanwhile_waits_and_only_the_latest_is_brought() {
    let mut bench = Bench::running(&["anna"]);
    let steps = bench.on(Input::Change(Arc::new(with(&["berta"]))));
    assert_eq!(bench.on(Input::Change(Arc::new(with(&["clara"])))), []);
    assert_eq!(bench.on(Input::Change(Arc::new(with(&["dora"])))), []);
    let (puts, told) = bench.perform(steps, taken);
    let edges: Vec<_> = puts.into_iter().filter(|put| put.kind == Kind::Edge).map(|put| put.names).collect();
    assert_eq!(edges, [["berta"], ["dora"]]);
    assert!(matches!(told.as_slice(), [Outcome::Live(_), Outcome::Live(_)]), "{told:?}");
}

#[test]
fn a_change_that_waited_comes_after_a_refused_one_was_taken_back() {
    let mut bench = Bench::running(&["anna"]);
    let steps = bench.on(Input::Change(Arc::new(with(&["berta"]))));
    bench.on(Input::Change(Arc::new(with(&["clara"]))));
    let refuse = |kind| if kind == Kind::Clusters { Err(refused(kind)) } else { taken(kind) };
    let (puts, told) = bench.perform(steps, refuse_once(refuse));
    let clusters: Vec<_> = puts.into_iter().filter(|put| put.kind == Kind::Clusters).map(|put| put.names).collect();
    assert_eq!(clusters, [vec!["anna", "berta"], vec!["anna"], vec!["anna", "clara"]]);
    assert!(matches!(told.as_slice(), [Outcome::NotTaken(_), Outcome::Live(_)]), "{told:?}");
}

/// [`Bench::bring`] checks after each step whether an Envoy that restarts then could start with what it reads. Here every kind of
/// round follows on another.
#[test]
fn an_envoy_that_restarts_at_any_step_reads_a_whole_configuration() {
    let sets: [&[&str]; 5] = [&["anna", "berta"], &["clara"], &["berta", "dora"], &[], &["anna"]];
    let sets = sets.map(|set| Arc::new(with(set)));
    for refused_kind in Kind::ALL {
        let mut bench = Bench::running(&["anna"]);
        bench.rollout = std::mem::take(&mut bench.rollout).with_grace(GRACE);
        for set in &sets {
            let refuse = |kind| if kind == refused_kind { Err(refused(kind)) } else { taken(kind) };
            bench.bring(Input::Change(set.clone()), refuse_once(refuse));
            bench.bring(Input::Change(set.clone()), taken);
            bench.now += GRACE / 2;
            bench.tick();
        }
        bench.now += GRACE;
        bench.tick();
        assert_eq!(bench.read[&Kind::Clusters], ["anna"]);
    }
}

#[test]
fn only_what_is_read_at_the_start_needs_a_restart() {
    let mut bench = Bench::running(&["anna"]);
    let restart = |told: (_, Vec<Outcome>)| match told.1.as_slice() {
        [Outcome::Live(report)] => report.restart,
        other => panic!("{other:?}"),
    };
    assert!(!restart(bench.change(listening_at(10_001, &["berta"]), taken)));
    let other = Node { connections: 2, ..node(Path::new("/run/weir")) };
    let other = rendered(10_001, &["berta"], &other);
    assert!(restart(bench.change(other, taken)));
}

mod network;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::shared::Cell;
use crate::time::Instant;

const MONTH: Rule = Rule::Budget { amount: 1000, window: Window { start: Instant::from_nanos(0), end: None } };

fn at(ms: u64) -> Instant {
    Instant::from_nanos((1_000_000 + ms) * 1_000_000)
}

/// One Envoy that is asked and answered at once.
struct Envoy {
    report: Report,
    held: Held,
}

impl Envoy {
    fn new(node: &str, start: u64) -> Self {
        let report = Report { node: node.to_string(), start, ..Report::default() };
        Self { report, held: Held::new(1) }
    }

    fn state(&self, wanted: u128) -> State {
        self.held.state(Account::default(), wanted, wanted)
    }

    fn ask(&mut self, pool: &mut Pool, rule: &Rule, wanted: u128, now: Instant) -> Grant {
        self.held.give_back(wanted);
        self.report.sequence += 1;
        let state = self.state(wanted);
        let exchange = Exchange { rule, report: &self.report, state: &state, refilling: false };
        let grant = pool.exchange(exchange, now);
        self.held.take(&grant, pool.epoch(), self.report.sequence, now, now);
        grant
    }
}

fn budget() -> Pool {
    Pool::new(&MONTH, 1, true, at(0))
}

#[test]
fn a_lease_is_asked_for_used_and_flows_back() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    assert_eq!(envoy.held.reserve(10, at(0)), Err(Lacks::Lease));
    envoy.ask(&mut pool, &MONTH, 10, at(0));
    assert_eq!(envoy.held.granted, 80, "eight times what waits");
    assert_eq!(envoy.held.reserve(10, at(1)), Ok(()));
    assert_eq!(envoy.held.reserve(71, at(1)), Err(Lacks::Amount(1)));
    envoy.held.settle(10, 7);
    for tick in 1..20 {
        envoy.ask(&mut pool, &MONTH, 0, at(tick * 1000));
    }
    let standing = pool.standing(&MONTH);
    assert_eq!((standing.spent, standing.reserved, standing.leased), (7, 0, 0), "{standing:?}");
    assert_eq!(envoy.held.granted, 7);
}

#[test]
fn a_repeated_or_late_report_changes_nothing() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 10, at(0));
    let (report, state) = (envoy.report.clone(), envoy.state(0));
    let first = pool.clone();
    let again = Exchange { rule: &MONTH, report: &report, state: &state, refilling: false };
    let grant = pool.exchange(again, at(0));
    assert_eq!((grant.granted, grant.version), (envoy.held.granted, envoy.held.version));
    assert_eq!(pool, first);
    envoy.held.reserve(5, at(1)).unwrap();
    envoy.ask(&mut pool, &MONTH, 0, at(1));
    let grant = pool.exchange(again, at(2));
    assert_eq!(pool.standing(&MONTH).reserved, 5, "the older report says that nothing is reserved");
    let before = envoy.held.granted;
    envoy.held.take(&Grant { granted: 7, version: 0, ..grant }, 1, 1, at(0), at(2));
    assert_eq!(envoy.held.granted, before, "an older version");
}

#[test]
fn what_was_given_back_stays_so_whatever_is_on_its_way() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    let old = envoy.ask(&mut pool, &MONTH, 10, at(0));
    envoy.held.keep = 0;
    assert_eq!(envoy.held.give_back(0), 80);
    envoy.held.take(&old, 1, 1, at(0), at(1));
    assert_eq!(envoy.held.granted, 0);
    envoy.ask(&mut pool, &MONTH, 0, at(2));
    assert_eq!(pool.standing(&MONTH).leased, 0);
}

#[test]
fn near_the_end_only_what_waits_is_granted() {
    let (mut pool, mut a, mut b) = (budget(), Envoy::new("a", 1), Envoy::new("b", 1));
    a.ask(&mut pool, &MONTH, 900, at(0));
    a.held.reserve(900, at(0)).unwrap();
    b.ask(&mut pool, &MONTH, 60, at(0));
    assert_eq!(b.held.free(), 60);
    assert_eq!(b.held.keep, 60, "no more than what waits");
    a.ask(&mut pool, &MONTH, 60, at(1));
    assert_eq!(a.held.free(), 0, "40 would help nobody");
    a.ask(&mut pool, &MONTH, 40, at(2));
    assert_eq!(a.held.free(), 40);
}

#[test]
fn a_debt_is_taken_first() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 500, at(0));
    envoy.held.reserve(500, at(0)).unwrap();
    envoy.held.settle(500, 900);
    let grant = envoy.ask(&mut pool, &MONTH, 200, at(1));
    assert_eq!((envoy.held.free(), envoy.held.debt()), (0, 0));
    assert_eq!((grant.left, pool.standing(&MONTH).debts), (100, 400));
    envoy.ask(&mut pool, &MONTH, 100, at(2));
    assert_eq!(envoy.held.free(), 100);
}

/// What flows back pays it, a smaller amount makes none, and the next window takes it over as often as it is told.
#[test]
fn a_debt_is_what_was_over_when_it_was_used() {
    let month = |amount| Rule::Budget { amount, window: Window { start: at(0), end: None } };
    let (mut pool, mut envoy) = (Pool::new(&month(1000), 1, true, at(0)), Envoy::new("a", 1));
    envoy.ask(&mut pool, &month(1000), 1000, at(0));
    envoy.held.reserve(1000, at(0)).unwrap();
    envoy.held.settle(500, 530);
    envoy.ask(&mut pool, &month(1000), 0, at(1));
    assert_eq!(pool.owed(&month(1000)), 0, "only what is used up is owed");
    envoy.held.settle(480, 480);
    envoy.ask(&mut pool, &month(1000), 0, at(2));
    assert_eq!(pool.owed(&month(1000)), 10);
    assert_eq!((pool.owed(&month(500)), pool.owed(&month(2000))), (30, 0));
    envoy.held.settle(20, 15);
    envoy.ask(&mut pool, &month(1000), 0, at(3));
    assert_eq!(pool.owed(&month(500)), 25, "five came back");
    let bytes = pool.write();
    assert_eq!(Pool::read(&bytes), Some(pool.clone()));
    let older = Pool::read(&bytes[..bytes.len() - 32]).unwrap();
    assert_eq!((older.owed(&month(500)), older.standing(&month(1000)).spent), (0, 1025));

    let mut next = Pool::new(&month(1000), 1, true, at(0));
    for owed in [25, 25, 1030, 25] {
        next.carry(&month(1000), owed);
        assert_eq!((next.standing(&month(1000)).spent, next.owed(&month(1000))), (owed, owed.saturating_sub(1000)));
    }
    Envoy::new("a", 1).ask(&mut next, &month(1000), 980, at(4));
    assert_eq!(next.standing(&month(1000)).leased, 0, "975 are left");
}

#[test]
fn a_start_that_ends_gives_back_what_is_free_and_loses_what_is_reserved() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 100, at(0));
    envoy.held.reserve(30, at(0)).unwrap();
    envoy.held.settle(20, 20);
    envoy.held.end();
    envoy.report.ending = true;
    envoy.ask(&mut pool, &MONTH, 0, at(1));
    let standing = pool.standing(&MONTH);
    assert_eq!((standing.spent, standing.lost, standing.leased), (30, 10, 0));
    let mut next = Envoy::new("a", 2);
    next.ask(&mut pool, &MONTH, 970, at(2));
    assert_eq!(next.held.free(), 970);
}

#[test]
fn a_silent_start_keeps_what_it_held_until_the_ledger_says_otherwise() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 100, at(0));
    assert!(!pool.advance(&MONTH, at(11_999)));
    assert!(pool.advance(&MONTH, at(12_000)));
    assert_eq!(pool.standing(&MONTH).lost, 500);
    let silent: Vec<_> = pool.unresolved().collect();
    let held = Resolved { settled: 0, lost: 500 };
    assert_eq!(silent, vec![Ended { node: "a".to_string(), start: 1, lease: 1, held }]);
    assert!(pool.resolve(&MONTH, &silent[0], Resolved { settled: 60, lost: 5 }));
    let standing = pool.standing(&MONTH);
    assert_eq!((standing.spent, standing.lost), (65, 5));
    assert_eq!(pool.unresolved().count(), 0);
    assert!(!pool.resolve(&MONTH, &silent[0], held), "it is booked once");
}

#[test]
fn what_was_reserved_when_an_envoy_ended_is_asked_of_the_ledger() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 100, at(0));
    envoy.held.reserve(30, at(0)).unwrap();
    envoy.held.end();
    envoy.report.ending = true;
    envoy.ask(&mut pool, &MONTH, 0, at(1));
    let ended: Vec<_> = pool.unresolved().collect();
    assert_eq!(ended[0].held, Resolved { settled: 0, lost: 30 });
    assert!(pool.resolve(&MONTH, &ended[0], Resolved { settled: 25, lost: 5 }));
    assert_eq!((pool.standing(&MONTH).spent, pool.standing(&MONTH).lost, pool.unresolved().count()), (30, 5, 0));
    assert_eq!(Pool::read(&pool.write()), Some(pool));
}

/// While control was away, and before it could tell, the Envoy was killed.
#[test]
fn what_a_killed_envoy_has_used_and_not_told_is_what_the_ledger_says() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 1, at(0));
    envoy.held.keep = 0;
    envoy.ask(&mut pool, &MONTH, 0, at(1));
    assert_eq!(pool.standing(&MONTH).leased, 0);
    pool.advance(&MONTH, at(60_000));
    let silent: Vec<_> = pool.unresolved().collect();
    assert!(pool.resolve(&MONTH, &silent[0], Resolved { settled: 70, lost: 0 }));
    let standing = pool.standing(&MONTH);
    assert_eq!((standing.spent, standing.lost, standing.debts), (70, 0, 70));
    assert_eq!(pool.unresolved().count(), 0);
}

#[test]
fn what_was_lost_of_one_that_comes_back_is_taken_back() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 100, at(0));
    envoy.held.reserve(60, at(0)).unwrap();
    pool.advance(&MONTH, at(60_000));
    let silent: Vec<_> = pool.unresolved().collect();
    assert!(pool.resolve(&MONTH, &silent[0], Resolved { settled: 40, lost: 460 }));
    envoy.held.settle(60, 60);
    envoy.ask(&mut pool, &MONTH, 0, at(60_001));
    assert_eq!((pool.standing(&MONTH).spent, pool.standing(&MONTH).lost), (60, 0));
    let found: Vec<_> = pool.found().collect();
    assert_eq!(found.iter().map(|one| one.lease).collect::<Vec<_>>(), [1]);
    pool.take_back(&found[0]);
    assert_eq!(pool.found().count(), 0);
}

#[test]
fn one_that_was_only_cut_off_goes_on_and_nothing_counts_twice() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 100, at(0));
    envoy.held.reserve(60, at(0)).unwrap();
    pool.advance(&MONTH, at(60_000));
    // Meanwhile its limit is open: it goes on without a lease.
    envoy.held.settle(60, 60);
    assert_eq!(envoy.held.reserve(1, at(60_000)), Err(Lacks::Lease));
    envoy.held.reserve_uncovered(540);
    envoy.held.settle(540, 540);
    envoy.ask(&mut pool, &MONTH, 0, at(60_001));
    let standing = pool.standing(&MONTH);
    assert_eq!((standing.spent, standing.lost, standing.debts), (600, 0, 100));
}

#[test]
fn a_lease_counts_from_when_it_was_asked_for() {
    let mut held = Held::new(1);
    let grant = Grant { granted: 10, version: 1, expires_ms: 5000, ..Grant::default() };
    held.take(&grant, 1, 1, at(0), at(5000));
    assert_eq!(held.granted, 0, "the answer came when its lease was over");
    held.take(&grant, 1, 1, at(0), at(4000));
    assert!(held.is_valid(at(4999)) && !held.is_valid(at(5000)));
    assert!(!held.is_valid(Instant::from_nanos(1)), "the clock was set back");
    assert!(held.is_due(at(2500)) && !held.is_due(at(2499)) && held.is_due(Instant::from_nanos(1)));
}

#[test]
fn slots_flow_back_when_their_envoy_starts_again_or_its_requests_must_be_over() {
    let rule = Rule::Concurrency { amount: 4, longest: Duration::from_secs(600) };
    let mut pool = Pool::new(&rule, 1, true, at(0));
    let mut a = Envoy::new("a", 1);
    a.ask(&mut pool, &rule, 3, at(0));
    a.held.reserve(3, at(0)).unwrap();
    a.ask(&mut pool, &rule, 0, at(1));
    let mut b = Envoy::new("b", 1);
    b.ask(&mut pool, &rule, 2, at(2));
    assert_eq!(b.held.free(), 2 - 1 - 1, "one slot is there, and two would be needed");
    b.ask(&mut pool, &rule, 1, at(2));
    assert_eq!(b.held.free(), 1);
    b.ask(&mut pool, &rule, 3, at(300_000));
    assert_eq!(b.held.free(), 1, "the silent one may still have requests under way");
    let (mut old, mut others) = (pool.clone(), Envoy { report: b.report.clone(), held: b.held.clone() });
    others.ask(&mut old, &rule, 3, at(612_001));
    assert_eq!(others.held.free(), 3);
    let mut next = Envoy::new("a", 2);
    next.ask(&mut pool, &rule, 0, at(300_001));
    next.ask(&mut pool, &rule, 0, at(312_001));
    b.ask(&mut pool, &rule, 3, at(312_002));
    assert_eq!(b.held.free(), 3, "it has started again");
}

#[test]
fn a_bucket_refills_with_time_and_counts_what_envoys_could_use_at_once() {
    let rule = Rule::Rate { amount: 60, period: Duration::from_secs(60), burst: 10 };
    let mut pool = Pool::new(&rule, 1, true, at(0));
    let mut envoy = Envoy::new("a", 1);
    let grant = envoy.ask(&mut pool, &rule, 10, at(0));
    assert_eq!((envoy.held.free(), grant.left, grant.reset_ms), (10, 10, 0));
    envoy.held.reserve(10, at(0)).unwrap();
    envoy.held.settle(10, 10);
    let grant = envoy.ask(&mut pool, &rule, 1, at(500));
    assert_eq!((envoy.held.free(), grant.left, grant.reset_ms), (0, 0, 10_000));
    envoy.ask(&mut pool, &rule, 1, at(1000));
    assert_eq!(envoy.held.free(), 1, "half a unit was not forgotten");
    envoy.held.keep = 1;
    envoy.ask(&mut pool, &rule, 1, at(600_000));
    assert_eq!(pool.standing(&rule).left(), 10, "one of them is free at the Envoy");
}

#[test]
fn a_changed_amount_keeps_what_was_spent() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("a", 1));
    envoy.ask(&mut pool, &MONTH, 400, at(0));
    envoy.held.reserve(400, at(0)).unwrap();
    envoy.held.settle(400, 400);
    let Rule::Budget { window, .. } = MONTH else { unreachable!() };
    let less = Rule::Budget { amount: 300, window };
    envoy.ask(&mut pool, &less, 10, at(1));
    let grant = envoy.ask(&mut pool, &less, 10, at(2));
    assert_eq!((grant.left, envoy.held.free()), (0, 0), "all that is free was asked back");
    pool.credit(150);
    envoy.ask(&mut pool, &less, 10, at(3));
    assert_eq!(pool.standing(&less).left(), 50);
    assert!(envoy.held.free() >= 10);
}

#[test]
fn a_store_that_has_lost_its_data_is_filled_before_it_grants() {
    let (mut pool, mut a, mut b) = (budget(), Envoy::new("a", 1), Envoy::new("b", 1));
    a.ask(&mut pool, &MONTH, 100, at(0));
    b.ask(&mut pool, &MONTH, 50, at(0));
    a.held.reserve(80, at(0)).unwrap();
    a.held.settle(80, 80);
    let mut pool = Pool::new(&MONTH, 2, false, at(100));
    a.report.sequence += 1;
    let state = a.state(200);
    let exchange = Exchange { rule: &MONTH, report: &a.report, state: &state, refilling: true };
    let grant = pool.exchange(exchange, at(100));
    assert_eq!(grant.granted, a.held.granted, "it keeps what it has, and gets no more");
    a.held.take(&grant, 2, a.report.sequence, at(100), at(100));
    assert_eq!(a.held.epoch, 2);
    assert!(!pool.is_whole());
    // 300 are of starts that are over.
    pool.refill(380, at(5100));
    assert!(pool.is_whole());
    a.ask(&mut pool, &MONTH, 0, at(12_100));
    // This one had not reported until its lease was over.
    b.ask(&mut pool, &MONTH, 0, at(20_000));
    assert_eq!((b.held.granted, pool.standing(&MONTH).left()), (0, 620));
    a.ask(&mut pool, &MONTH, 620, at(20_001));
    assert_eq!(a.held.free(), 620);
}

#[test]
fn a_pool_and_what_is_held_are_read_as_they_were_written() {
    let (mut pool, mut envoy) = (budget(), Envoy::new("é", 7));
    envoy.ask(&mut pool, &MONTH, 10, at(0));
    pool.credit(-5);
    let bytes = pool.write();
    assert_eq!(Pool::read(&bytes), Some(pool));
    let mut held = envoy.held.write();
    assert_eq!(Held::read(&held), Some(envoy.held.clone()));
    held.extend([1, 2, 3]);
    assert_eq!(Held::read(&held).map(|held| held.write()), Some(held.clone()), "a later version's fields stay");
    // An older version's bytes end before the debts.
    for len in (0..bytes.len()).filter(|len| *len != bytes.len() - 32) {
        assert_eq!(Pool::read(&bytes[..len]), None);
    }
    assert_eq!(Held::read(&[9]), None);
}

#[test]
fn messages_are_read_as_they_were_written() {
    let account = Account { limit: "l".into(), subject: "ü".into(), window_ms: u64::MAX };
    let state = State { account: account.clone(), settled: 1 << 119, least: 3, ending: true, ..State::default() };
    let report = Report { node: "n".into(), start: 9, sequence: 1, at_ms: 2, ending: true, accounts: vec![state] };
    assert_eq!(Report::decode(&report.encode()), Ok(report));
    let grant = Grant { account, granted: u128::from(u64::MAX) + 1, keep: 4, unspent: 5, ..Grant::default() };
    let grants = Grants { sequence: 3, epoch: 4, grants: vec![grant] };
    assert_eq!(Grants::decode(&grants.encode()), Ok(grants));
}

#[test]
fn bytes_that_are_no_report_are_refused() {
    let named = Report { node: "n".into(), ..Report::default() };
    let with = |state: State| Report { accounts: vec![state], ..named.clone() }.encode();
    let long = Account { subject: "x".repeat(1025), ..Account::default() };
    assert_eq!(Report::decode(&[0xff; 9]), Err(Malformed::NotAMessage));
    assert_eq!(Report::decode(&[]), Err(Malformed::NoNode));
    assert_eq!(Report::decode(&with(State { account: long, ..State::default() })), Err(Malformed::NameTooLong));
    assert_eq!(Report::decode(&with(State { settled: u128::MAX, ..State::default() })), Err(Malformed::TooMuch));
}

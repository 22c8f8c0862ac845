use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::time::Duration;

use super::super::admission::{Asking, Refused, Taken, Worker, admit, settle};
use super::super::bucket::each;
use super::super::claim::Want;
use super::super::limit::{Alone, Dimension, Meter, Subject, VALUES};
use super::super::testing::Memory;
use super::super::window::Windows;
use super::*;
use crate::lease::{Account, Exchange, Pool, Rule, Window};
use crate::shared::Cell;

mod network;
mod steps;

fn limit(kind: Kind, alone: Alone) -> Limit {
    Limit {
        name: "l".into(),
        was: None,
        subjects: vec![],
        meter: Meter::Tokens,
        kind,
        soft: false,
        alone,
        values: VALUES,
    }
}

fn budget(amount: u128) -> Limit {
    limit(Kind::Budget { amount, windows: Windows::Ever }, Alone::Closed)
}

fn ms(ms: u64) -> Instant {
    Instant::from_nanos((1_000_000 + ms) * 1_000_000)
}

/// Control: a pool for each account.
#[derive(Default)]
struct Control {
    pools: BTreeMap<Account, Pool>,
}

impl Control {
    fn rule(limit: &Limit, account: &Account) -> Rule {
        let at = |ms| Instant::default().after(Duration::from_millis(ms));
        match &limit.kind {
            Kind::Budget { amount, windows } => {
                let window = windows.at(at(account.window_ms));
                let window = Window { start: at(window.start), end: window.end.map(at) };
                Rule::Budget { amount: *amount, window }
            }
            Kind::Rate { amount, period, burst } => {
                Rule::Rate { amount: (*amount).into(), period: Duration::from_nanos(*period), burst: (*burst).into() }
            }
            Kind::Concurrency { amount } => {
                Rule::Concurrency { amount: (*amount).into(), longest: Duration::from_secs(600) }
            }
        }
    }

    fn answers(&mut self, limits: &[Limit], body: &[u8], now: Instant) -> Vec<u8> {
        let report = Report::decode(body).unwrap();
        let mut grants = Grants { sequence: report.sequence, epoch: 1, grants: vec![] };
        for state in &report.accounts {
            // One that was renamed keeps its rule here.
            let limit = limits.iter().find(|limit| limit.name == state.account.limit).unwrap_or(&limits[0]);
            let rule = Self::rule(limit, &state.account);
            let pool = self.pools.entry(state.account.clone()).or_insert_with(|| Pool::new(&rule, 1, true, now));
            let exchange = Exchange { rule: &rule, report: &report, state, refilling: false };
            grants.grants.push(pool.exchange(exchange, now));
        }
        grants.encode()
    }
}

/// One Envoy with one worker.
struct Envoy {
    memory: Memory,
    worker: Worker,
    taken: Vec<Taken>,
}

impl Envoy {
    fn new(node: &str, id: u64, now: Instant) -> Self {
        let memory = Memory::default();
        memory.create(Link::KEY.as_str(), &Link::new("control", node, now).write());
        let mut worker = Worker::new(id);
        worker.shares();
        Self { memory, worker, taken: vec![] }
    }

    fn admit(&mut self, limit: &Limit, amount: u128, asking: Asking, now: Instant) -> Result<(), Refused> {
        let mut wants = [Want { number: 0, limit, subject: String::new(), amount }];
        let taken = admit(&self.memory, &mut self.worker, &mut wants, asking, now)?;
        self.taken.extend(taken);
        Ok(())
    }

    /// Admits, and asks control if it must; `reaches` says whether its answer comes.
    fn admits(&mut self, control: &mut Control, limit: &Limit, amount: u128, reaches: bool, now: Instant) -> bool {
        match self.admit(limit, amount, Asking::Again(0), now) {
            Err(Refused::Lease(claims)) => {
                let (post, sent) = ask(&self.memory, &claims, now).unwrap();
                let asking = if reaches {
                    let answer = control.answers(core::slice::from_ref(limit), &post.body, now);
                    assert!(answered(&self.memory, &sent, &answer, now));
                    Asking::Again(1)
                } else {
                    failed(&self.memory, now);
                    Asking::Never
                };
                self.admit(limit, amount, asking, now).is_ok()
            }
            outcome => outcome.is_ok(),
        }
    }

    fn settles(&mut self, limit: &Limit, at: usize, used: u128, now: Instant) -> u64 {
        let taken = self.taken.swap_remove(at);
        settle(&self.memory, limit, &taken, used, now);
        taken.window
    }

    fn reports(&self, control: &mut Control, limit: &Limit, now: Instant) {
        let Some((post, sent)) = report(&self.memory, core::slice::from_ref(limit), Which::Due(0), false, now) else {
            return;
        };
        let answer = control.answers(core::slice::from_ref(limit), &post.body, now);
        assert!(answered(&self.memory, &sent, &answer, now));
    }

    /// What its leases have reserved and used up, and were granted.
    fn leases(&self, limit: &Limit, now: Instant) -> Vec<(u64, u128, u128, u128)> {
        let mut leases = vec![];
        each(&self.memory, limit, now, |_, account| {
            leases.extend(account.leases.iter().map(|lease| {
                let held = &lease.held;
                (lease.window, held.settled, held.reserved, held.granted)
            }));
        });
        leases
    }
}

#[test]
fn a_request_that_no_lease_covers_asks_and_the_next_ones_need_not() {
    let (limit, mut control) = (budget(1000), Control::default());
    let mut envoy = Envoy::new("a", 1, ms(0));
    let Err(Refused::Lease(claims)) = envoy.admit(&limit, 10, Asking::Again(0), ms(0)) else { panic!() };
    assert_eq!((claims.len(), claims[0].amount), (1, 10));
    let (post, sent) = ask(&envoy.memory, &[claims.clone(), claims].concat(), ms(0)).unwrap();
    let report = Report::decode(&post.body).unwrap();
    assert_eq!((report.node.as_str(), report.sequence, report.accounts.len()), ("a", 1, 1));
    assert_eq!((report.accounts[0].wanted, report.accounts[0].least), (20, 10), "the sum of what waits");
    let answer = control.answers(core::slice::from_ref(&limit), &post.body, ms(1));
    assert!(answered(&envoy.memory, &sent, &answer, ms(1)));
    for _ in 0..10 {
        envoy.admit(&limit, 10, Asking::Again(1), ms(2)).unwrap();
    }
    assert_eq!(envoy.taken[9].standing.left(), 900, "of the whole limit");
    for _ in 0..10 {
        envoy.settles(&limit, 0, 4, ms(3));
    }
    envoy.reports(&mut control, &limit, ms(200));
    let standing = control.pools.values().next().unwrap().standing(&MONTH);
    assert_eq!((standing.spent, standing.reserved), (40, 0));
}

const MONTH: Rule = Rule::Budget { amount: 1000, window: Window { start: Instant::from_nanos(0), end: None } };

#[test]
fn an_answer_that_is_none_is_a_failure_and_changes_nothing() {
    let (limit, mut control) = (budget(1000), Control::default());
    let mut envoy = Envoy::new("a", 1, ms(0));
    let Err(Refused::Lease(claims)) = envoy.admit(&limit, 10, Asking::Again(0), ms(0)) else { panic!() };
    let (post, sent) = ask(&envoy.memory, &claims, ms(0)).unwrap();
    let answer = control.answers(core::slice::from_ref(&limit), &post.body, ms(0));
    for wrong in
        [&b"<html>"[..], &[], &answer[..answer.len() - 1], &Grants { sequence: 9, ..Grants::default() }.encode()]
    {
        assert!(!answered(&envoy.memory, &sent, wrong, ms(0)), "{wrong:?}");
        assert!(matches!(envoy.admit(&limit, 10, Asking::Again(0), ms(0)), Err(Refused::Lease(_) | Refused::Short(_))));
    }
    assert!(answered(&envoy.memory, &sent, &answer, ms(0)));
    envoy.admit(&limit, 10, Asking::Again(0), ms(0)).unwrap();
}

/// One that has once answered is away only after a second without an answer.
#[test]
fn while_control_is_away_a_limit_is_closed_or_goes_on_by_what_was_left() {
    for alone in [Alone::Closed, Alone::Open] {
        let limit = Limit { alone, ..budget(1000) };
        let (mut control, mut envoy) = (Control::default(), Envoy::new("a", 1, ms(0)));
        let mut other = Envoy::new("b", 2, ms(0));
        assert!(other.admits(&mut control, &limit, 400, true, ms(0)));
        other.reports(&mut control, &limit, ms(0));
        assert!(envoy.admits(&mut control, &limit, 100, true, ms(0)));
        let held = envoy.leases(&limit, ms(0))[0].3;
        assert!(!envoy.admits(&mut control, &limit, 500, false, ms(10)), "it is not known yet");
        let Err(Refused::Short(short)) = envoy.admit(&limit, 500, Asking::Never, ms(500)) else { panic!() };
        assert_eq!(short.wait, Some(1000));
        failed(&envoy.memory, ms(1100));
        assert_eq!(envoy.admit(&limit, held - 100, Asking::Again(0), ms(1100)), Ok(()), "what the lease covers");
        assert!(envoy.admit(&limit, 601 - held, Asking::Again(0), ms(1100)).is_err(), "more than was left");
        let goes_on = envoy.admit(&limit, 600 - held, Asking::Again(0), ms(1100));
        assert_eq!(goes_on.is_ok(), alone == Alone::Open);
        let link = Link::of(&envoy.memory).unwrap();
        assert_eq!((link.uncovered, link.is_away(ms(1100))), (u64::from(goes_on.is_ok()), true));
        while !envoy.taken.is_empty() {
            envoy.settles(&limit, 0, 100, ms(2000));
        }
        let spent = if goes_on.is_ok() { 300 } else { 200 };
        envoy.reports(&mut control, &limit, ms(2001));
        assert!(!Link::of(&envoy.memory).unwrap().is_away(ms(2001)));
        let standing = control.pools.values().next().unwrap().standing(&MONTH);
        assert_eq!(standing.spent, spent, "never counted twice");
    }
}

/// Control may follow another configuration, or not have read the new one yet.
#[test]
fn a_limit_that_control_does_not_know_holds_within_this_envoy_until_control_does() {
    for alone in [Alone::Closed, Alone::Open] {
        let limit = Limit { alone, ..budget(1000) };
        let (mut control, mut envoy) = (Control::default(), Envoy::new("a", 1, ms(0)));
        let Err(Refused::Lease(claims)) = envoy.admit(&limit, 600, Asking::Again(0), ms(0)) else { panic!() };
        let (_, sent) = ask(&envoy.memory, &claims, ms(0)).unwrap();
        let nothing = Grants { sequence: sent.sequence, ..Grants::default() }.encode();
        assert!(answered(&envoy.memory, &sent, &nothing, ms(0)));
        assert_eq!(envoy.admit(&limit, 600, Asking::Again(1), ms(0)).is_ok(), alone == Alone::Open);
        assert!(matches!(envoy.admit(&limit, 600, Asking::Again(0), ms(0)), Err(Refused::Short(_))), "600 of 1000");
        assert!(!Link::of(&envoy.memory).unwrap().is_away(ms(0)));
        assert!(
            matches!(envoy.admit(&limit, 1, Asking::Again(0), ms(1000)), Err(Refused::Lease(_))),
            "it is asked again"
        );
        // Now it knows, and is told what was used meanwhile.
        while !envoy.taken.is_empty() {
            envoy.settles(&limit, 0, 500, ms(1100));
        }
        envoy.reports(&mut control, &limit, ms(1200));
        let used = if alone == Alone::Open { 500 } else { 0 };
        assert_eq!(control.pools.values().next().unwrap().standing(&MONTH).spent, used);
        assert!(envoy.admits(&mut control, &limit, 1000 - used, true, ms(1300)));
        assert!(!envoy.admits(&mut control, &limit, 1, true, ms(1300)));
    }
}

#[test]
fn what_is_spent_is_refused_truthfully_and_without_asking() {
    let windows = Windows::Regular { from: 0, length: 10_000 };
    let limit = limit(Kind::Budget { amount: 100, windows }, Alone::Open);
    let (mut control, mut envoy) = (Control::default(), Envoy::new("a", 1, ms(0)));
    assert!(envoy.admits(&mut control, &limit, 90, true, ms(0)));
    envoy.settles(&limit, 0, 90, ms(0));
    envoy.reports(&mut control, &limit, ms(10));
    let Err(Refused::Short(short)) = envoy.admit(&limit, 20, Asking::Again(0), ms(20)) else { panic!() };
    assert_eq!(short.wait, Some(9_000_000 - 20), "until the window ends");
    let Err(Refused::Short(short)) = envoy.admit(&limit, 101, Asking::Again(0), ms(20)) else { panic!() };
    assert_eq!(short.wait, None, "never");
    assert!(envoy.admits(&mut control, &limit, 10, true, ms(30)));
    // A second later something may have been credited.
    assert!(matches!(envoy.admit(&limit, 20, Asking::Again(0), ms(2000)), Err(Refused::Lease(_))));
    // An Envoy that was never granted anything had told its callers for ever to come back in a second.
    let mut other = Envoy::new("b", 2, ms(2000));
    assert!(!other.admits(&mut control, &limit, 20, true, ms(2000)));
    let Err(Refused::Short(short)) = other.admit(&limit, 20, Asking::Again(1), ms(2000)) else { panic!() };
    assert_eq!(short.wait, Some(9_000_000 - 2000), "until the window ends");
}

/// Nobody waits for a soft limit, but all Envoys know when it is spent.
#[test]
fn a_soft_limit_refuses_nothing_and_counts_for_all() {
    let limit = Limit { soft: true, ..budget(100) };
    let mut control = Control::default();
    let (mut one, mut two) = (Envoy::new("a", 1, ms(0)), Envoy::new("b", 2, ms(0)));
    one.admit(&limit, 90, Asking::Again(0), ms(0)).unwrap();
    one.settles(&limit, 0, 90, ms(0));
    two.admit(&limit, 5, Asking::Again(0), ms(0)).unwrap();
    for envoy in [&one, &two] {
        envoy.reports(&mut control, &limit, ms(200));
    }
    two.admit(&limit, 20, Asking::Again(0), ms(300)).unwrap();
    assert!(!two.taken[0].over && two.taken[1].over);
    assert_eq!(two.taken[1].standing.left(), 0);
}

#[test]
fn the_last_report_gives_all_back_and_nobody_asks_after_it() {
    let (limit, mut control) = (budget(1000), Control::default());
    let mut envoy = Envoy::new("a", 1, ms(0));
    assert!(envoy.admits(&mut control, &limit, 100, true, ms(0)));
    envoy.settles(&limit, 0, 30, ms(1));
    let (post, _) = report(&envoy.memory, core::slice::from_ref(&limit), Which::Last, true, ms(2)).unwrap();
    assert!(Report::decode(&post.body).unwrap().ending);
    control.answers(core::slice::from_ref(&limit), &post.body, ms(2));
    let standing = control.pools.values().next().unwrap().standing(&MONTH);
    assert_eq!((standing.spent, standing.leased, standing.lost), (30, 0, 0));
    assert!(matches!(envoy.admit(&limit, 10, Asking::Again(0), ms(3)), Err(Refused::Short(_))));
    assert!(ask(&envoy.memory, &[], ms(3)).is_none());
}

#[test]
fn a_limit_that_was_renamed_gives_back_what_its_old_name_held() {
    let (limit, mut control) = (budget(1000), Control::default());
    let mut envoy = Envoy::new("a", 1, ms(0));
    assert!(envoy.admits(&mut control, &limit, 100, true, ms(0)));
    let renamed = Limit { name: "new".into(), was: Some("l".into()), ..limit.clone() };
    let (post, _) = report(&envoy.memory, core::slice::from_ref(&renamed), Which::Due(0), false, ms(1)).unwrap();
    let told = Report::decode(&post.body).unwrap().accounts;
    assert_eq!((told[0].account.limit.as_str(), told[0].granted, told[0].ending), ("l", 100, false));
    envoy.settles(&limit, 0, 60, ms(2));
    let (post, sent) = report(&envoy.memory, core::slice::from_ref(&renamed), Which::Due(0), false, ms(3)).unwrap();
    let told = Report::decode(&post.body).unwrap().accounts;
    assert_eq!((told[0].settled, told[0].granted, told[0].ending), (60, 60, true));
    let answer = control.answers(core::slice::from_ref(&limit), &post.body, ms(3));
    assert!(answered(&envoy.memory, &sent, &answer, ms(3)));
    assert_eq!(envoy.leases(&limit, ms(3)), [], "it is forgotten when control knows");
}

#[test]
fn values_that_share_an_account_are_told_apart_by_their_bucket() {
    let subjects = vec![Subject { of: Dimension::User, value: None }];
    let limit = Limit { subjects, values: 2, ..budget(1000) };
    let envoy = Envoy::new("a", 1, ms(0));
    let number = |user: u32| Place::of("l", 2, &user.to_string()).number;
    let crowded = (0..).filter(|user| number(*user) == number(0)).take(7);
    let claim = |user: u32| Claim { number: 0, limit: limit.clone(), subject: user.to_string(), amount: 1 };
    let claims: Vec<Claim> = crowded.map(claim).collect();
    let (post, sent) = ask(&envoy.memory, &claims, ms(0)).unwrap();
    let told = Report::decode(&post.body).unwrap().accounts;
    let mut names: Vec<&str> = told.iter().map(|state| state.account.subject.as_str()).collect();
    assert!(names.iter().any(|name| name.starts_with("(shared ")));
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), sent.accounts.len()), (told.len(), told.len()), "no two have one name");
    assert_eq!(account("l", "(shared 3)", Some(1), 0).subject, "((shared 3)");
}

/// It is counted anew; what control had granted in the other unit goes back under that.
#[test]
fn a_limit_that_counts_something_else_gives_back_what_it_held() {
    let (tokens, mut control) = (budget(1000), Control::default());
    let dollars = Limit { meter: Meter::Cost, ..tokens.clone() };
    let mut envoy = Envoy::new("a", 1, ms(0));
    assert!(envoy.admits(&mut control, &tokens, 100, true, ms(0)));
    control.pools.clear();
    assert!(envoy.admits(&mut control, &dollars, 50, true, ms(1)));
    envoy.settles(&tokens, 0, 60, ms(2));
    let (post, sent) = report(&envoy.memory, core::slice::from_ref(&dollars), Which::Due(0), false, ms(3)).unwrap();
    let mut told = Report::decode(&post.body).unwrap().accounts;
    told.sort_by_key(|state| state.unit);
    let shown: Vec<_> = told.iter().map(|state| (state.unit, state.settled, state.reserved, state.ending)).collect();
    assert_eq!(shown, [(tokens.unit(), 60, 0, true), (dollars.unit(), 0, 50, false)]);
    assert_eq!(told[0].granted, 60);
    // Control answers nothing to the unit that its limit has not.
    let grants = Grants { sequence: sent.sequence, epoch: 1, grants: vec![] };
    assert!(answered(&envoy.memory, &sent, &grants.encode(), ms(4)));
    let (post, _) = report(&envoy.memory, core::slice::from_ref(&dollars), Which::Due(0), true, ms(5000)).unwrap();
    let units = Report::decode(&post.body).unwrap().accounts.into_iter().map(|state| state.unit);
    assert_eq!(units.collect::<Vec<_>>(), [dollars.unit()]);
}

/// The first accounts in order filled every report, and the leases of the last ones ran out.
#[test]
fn no_account_waits_for_its_report_for_ever() {
    let subjects = vec![Subject { of: Dimension::User, value: None }];
    let limit = Limit { subjects, values: 20_000, ..budget(1 << 60) };
    let envoy = Envoy::new("a", 1, ms(0));
    let users: Vec<String> = (0..9000).map(|user| user.to_string()).collect();
    for user in &users {
        let mut worker = envoy.worker.clone();
        let mut wants = [Want { number: 0, limit: &limit, subject: user.clone(), amount: 1 }];
        let _ = admit(&envoy.memory, &mut worker, &mut wants, Asking::Never, ms(0));
    }
    let (mut from, mut told) = (0, alloc::collections::BTreeSet::new());
    for tick in 0..3 {
        let now = ms(tick + 1);
        let (post, sent) = report(&envoy.memory, core::slice::from_ref(&limit), Which::Due(from), false, now).unwrap();
        from = sent.next();
        told.extend(Report::decode(&post.body).unwrap().accounts.into_iter().map(|state| state.account.subject));
    }
    assert_eq!(told.len(), users.len());
}

/// What an Envoy reserves and does not use was granted out of a bucket that has refilled since.
#[test]
fn a_leased_rate_gives_back_only_what_has_not_drained() {
    let limit = limit(Kind::Rate { amount: 10, period: 1_000_000_000, burst: 100 }, Alone::Closed);
    let mut control = Control::default();
    let mut envoy = Envoy::new("a", 1, ms(0));
    for second in 0..4 {
        assert!(envoy.admits(&mut control, &limit, 100, true, ms(second * 10_000)), "{second}");
        envoy.reports(&mut control, &limit, ms(second * 10_000));
    }
    // The latest one is under way still, and only its part is in the level.
    for at in [0, 1, 1] {
        envoy.settles(&limit, at, 0, ms(30_000));
    }
    envoy.reports(&mut control, &limit, ms(30_001));
    assert!(!envoy.admits(&mut control, &limit, 20, true, ms(30_002)));
}

//! Many Envoys, a network that loses, repeats, delays and reorders, clocks that step, and ends of every kind. At no time may
//! more be used up and reserved than there is, but for debts that were declared.

use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::*;
use crate::shared::Cell;
use crate::time::Instant;

/// A xorshift generator: the same seed is the same world.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

struct Request {
    reserved: u128,
    ends: Instant,
}

struct Envoy {
    name: usize,
    start: u64,
    sequence: u64,
    held: Held,
    running: Vec<Request>,
    wanted: Vec<u128>,
    /// When each report was sent, by its own clock and by the true one.
    sent: BTreeMap<u64, (Instant, Instant)>,
    /// How far its clock is ahead, in milliseconds, and when it last stepped.
    ahead: u64,
    stepped: Instant,
    /// Until when nothing passes between it and control.
    cut_off: Instant,
    next_report: Instant,
}

enum Message {
    Up(Report),
    Down { to: (usize, u64), grants: Grants },
}

struct World {
    dice: Dice,
    rule: Rule,
    /// The largest request.
    largest: u64,
    now: Instant,
    cell: Option<Vec<u8>>,
    epoch: u64,
    filled_at: Instant,
    envoys: Vec<Envoy>,
    network: Vec<(Instant, Message)>,
    /// Whether the network loses and delays, Envoys end, and the store does.
    is_rough: bool,
    starts: u64,
    /// What starts that have ended used up, and what they had reserved when they were killed.
    over: u128,
    over_lost: u128,
    debts: u128,
    /// An ideal bucket of a rate, in thousandths, and what was rolled back and not used since.
    bucket: i128,
    rolled_back: u128,
    admitted: u64,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl World {
    fn new(seed: u64, rule: Rule, largest: u64, envoys: usize) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000_000);
        let bucket = if let Rule::Rate { burst, .. } = rule { i128::try_from(burst).unwrap() * 1000 } else { 0 };
        let mut world = Self {
            dice: Dice(seed | 1),
            rule,
            largest,
            now,
            cell: Some(Pool::new(&rule, 1, true, now).write()),
            epoch: 1,
            filled_at: now,
            envoys: Vec::new(),
            network: Vec::new(),
            is_rough: true,
            starts: 0,
            over: 0,
            over_lost: 0,
            debts: 0,
            bucket,
            rolled_back: 0,
            admitted: 0,
        };
        for name in 0..envoys {
            let envoy = world.start(name);
            world.envoys.push(envoy);
        }
        world
    }

    fn start(&mut self, name: usize) -> Envoy {
        self.starts += 1;
        Envoy {
            name,
            start: self.starts,
            sequence: 0,
            held: Held::new(1),
            running: Vec::new(),
            wanted: Vec::new(),
            sent: BTreeMap::new(),
            ahead: 30_000 + self.dice.below(5000),
            stepped: self.now,
            cut_off: self.now,
            next_report: self.now,
        }
    }

    fn pool(&self) -> Pool {
        self.cell.as_deref().map_or_else(
            || Pool::new(&self.rule, self.epoch, false, self.now),
            |bytes| Pool::read(bytes).expect("it was written"),
        )
    }

    fn spent(&self) -> u128 {
        self.over + self.over_lost + self.envoys.iter().map(|envoy| envoy.held.settled).sum::<u128>()
    }

    fn step(&mut self, admits: bool) {
        let most = if self.is_rough && self.dice.one_in(50) { 3000 } else { 60 };
        let passed = self.dice.below(most) + 1;
        self.now = self.now.after(ms(passed));
        if let Rule::Rate { amount, period, burst } = self.rule {
            let more = i128::try_from(amount * 1000 * u128::from(passed) / period.as_millis()).unwrap() + 1;
            let brim = i128::try_from(burst).unwrap() * 1000;
            if self.bucket < brim {
                self.bucket = (self.bucket + more).min(brim);
            }
        }
        self.deliver();
        for index in 0..self.envoys.len() {
            self.settle(index);
            if admits {
                self.admit(index);
            }
            self.report(index);
            if self.is_rough {
                self.disturb(index);
            }
        }
        let loses = matches!(self.rule, Rule::Budget { .. } | Rule::Rate { .. });
        if self.is_rough && loses && self.dice.one_in(4000) {
            self.cell = None;
            self.epoch += 1;
            self.filled_at = self.now.after(BELIEVED);
        }
        self.check();
    }

    fn local(&self, index: usize) -> Instant {
        self.now.after(ms(self.envoys[index].ahead))
    }

    fn admit(&mut self, index: usize) {
        let local = self.local(index);
        if self.dice.one_in(3) {
            let amount =
                if matches!(self.rule, Rule::Concurrency { .. }) { 1 } else { self.dice.below(self.largest) + 1 };
            self.envoys[index].wanted.push(u128::from(amount));
        }
        let ends = self.now.after(ms(self.dice.below(7000)));
        let envoy = &mut self.envoys[index];
        envoy.wanted.truncate(20);
        let mut waits = Vec::new();
        for amount in core::mem::take(&mut envoy.wanted) {
            if envoy.held.reserve(amount, local).is_err() {
                waits.push(amount);
                continue;
            }
            self.admitted += 1;
            envoy.running.push(Request { reserved: amount, ends });
            let of_rolled_back = amount.min(self.rolled_back);
            self.rolled_back -= of_rolled_back;
            self.bucket -= i128::try_from(amount - of_rolled_back).unwrap() * 1000;
        }
        if self.dice.one_in(4) {
            waits.clear();
        }
        self.envoys[index].wanted = waits;
    }

    fn settle(&mut self, index: usize) {
        let (now, rate) = (self.now, matches!(self.rule, Rule::Concurrency { .. }));
        let envoy = &mut self.envoys[index];
        let (over, running) = core::mem::take(&mut envoy.running).into_iter().partition(|one| one.ends <= now);
        envoy.running = running;
        let over: Vec<Request> = over;
        for request in over {
            let reserved = u64::try_from(request.reserved).unwrap();
            let used = match self.dice.below(20) {
                _ if rate => 0,
                0 => reserved + self.dice.below(reserved),
                1..10 => reserved,
                _ => self.dice.below(reserved + 1),
            };
            let used = u128::from(used);
            self.debts += used.saturating_sub(request.reserved);
            self.rolled_back += request.reserved.saturating_sub(used);
            self.bucket -= i128::try_from(used.saturating_sub(request.reserved)).unwrap() * 1000;
            self.envoys[index].held.settle(request.reserved, used);
        }
    }

    fn report(&mut self, index: usize) {
        let waits = !self.envoys[index].wanted.is_empty() && self.dice.one_in(2);
        if self.envoys[index].next_report > self.now && !waits {
            return;
        }
        let next = self.now.after(ms(250));
        let local = self.local(index);
        let envoy = &mut self.envoys[index];
        envoy.next_report = next;
        envoy.sequence += 1;
        envoy.sent.insert(envoy.sequence, (local, self.now));
        let wanted = envoy.wanted.iter().sum();
        envoy.held.give_back(wanted);
        let least = envoy.wanted.iter().min().copied().unwrap_or(0);
        let state = envoy.held.state(Account::default(), wanted, least);
        let (node, start, sequence) = (envoy.name.to_string(), envoy.start, envoy.sequence);
        let report = Report { node, start, sequence, at_ms: 0, ending: false, accounts: [state].into() };
        let cut_off = envoy.cut_off > self.now;
        self.send(cut_off, report, Message::Up);
    }

    fn send<T: Clone>(&mut self, cut_off: bool, what: T, message: impl Fn(T) -> Message) {
        let copies = if !self.is_rough {
            1
        } else if cut_off || self.dice.one_in(10) {
            0
        } else {
            1 + u64::from(self.dice.one_in(10))
        };
        for _ in 0..copies {
            let slow = if !self.is_rough {
                1
            } else if self.dice.one_in(30) {
                8_000
            } else {
                40
            };
            let when = self.now.after(ms(self.dice.below(slow)));
            self.network.push((when, message(what.clone())));
        }
    }

    fn deliver(&mut self) {
        let mut later = Vec::new();
        let mut due = Vec::new();
        for (when, message) in core::mem::take(&mut self.network) {
            if when <= self.now { due.push(message) } else { later.push((when, message)) }
        }
        self.network = later;
        for message in due {
            match message {
                Message::Up(report) => self.control(&report),
                Message::Down { to, grants } => self.granted(to, &grants),
            }
        }
    }

    fn control(&mut self, report: &Report) {
        let refilling = self.now < self.filled_at;
        let mut pool = self.pool();
        let ask = |pool: &mut Pool, refilling, now| {
            let state = &report.accounts[0];
            pool.exchange(Exchange { rule: &self.rule, report, state, refilling }, now)
        };
        let is_whole = pool.is_whole();
        if !refilling && !is_whole {
            pool.refill(self.spent(), self.now);
        }
        let grant = ask(&mut pool, refilling, self.now);
        self.cell = Some(pool.write());
        let grants = Grants { sequence: report.sequence, epoch: self.epoch, grants: [grant].into() };
        let to = (report.node.parse().unwrap(), report.start);
        let cut_off = self.envoys.iter().any(|one| one.name == to.0 && one.cut_off > self.now);
        self.send(cut_off, grants, |grants| Message::Down { to, grants });
    }

    fn granted(&mut self, (name, start): (usize, u64), grants: &Grants) {
        let Some(index) = self.envoys.iter().position(|one| one.name == name && one.start == start) else { return };
        let local = self.local(index);
        let envoy = &mut self.envoys[index];
        let Some((sent, truly)) = envoy.sent.get(&grants.sequence).copied() else { return };
        if truly.after(ANSWERED) <= self.now {
            return;
        }
        envoy.held.take(&grants.grants[0], grants.epoch, grants.sequence, sent, local);
    }

    fn disturb(&mut self, index: usize) {
        if self.dice.one_in(800) {
            self.kill(index);
        }
        if self.dice.one_in(600) {
            self.envoys[index].cut_off = self.now.after(ms(self.dice.below(40_000)));
        }
        if self.envoys[index].stepped.after(ms(60_000)) <= self.now && self.dice.one_in(100) {
            let to = self.dice.below(20_000);
            let envoy = &mut self.envoys[index];
            (envoy.ahead, envoy.stepped) = (20_000 + to, self.now);
        }
        let is_cut_off = self.envoys[index].cut_off > self.now;
        if self.dice.one_in(900) && !is_cut_off {
            // A graceful end: requests under way are cut, and are lost.
            let envoy = &mut self.envoys[index];
            envoy.held.end();
            envoy.sequence += 1;
            let state = envoy.held.state(Account::default(), 0, 0);
            let (node, start, sequence) = (envoy.name.to_string(), envoy.start, envoy.sequence);
            let report = Report { node, start, sequence, at_ms: 0, ending: true, accounts: [state].into() };
            self.send(false, report, Message::Up);
            self.kill(index);
        }
    }

    fn kill(&mut self, index: usize) {
        let next = self.start(self.envoys[index].name);
        let envoy = core::mem::replace(&mut self.envoys[index], next);
        self.over += envoy.held.settled;
        if !matches!(self.rule, Rule::Concurrency { .. }) {
            self.over_lost += envoy.held.reserved;
        }
    }

    fn check(&self) {
        let reserved: u128 = self.envoys.iter().map(|envoy| envoy.held.reserved).sum();
        match self.rule {
            Rule::Budget { amount, .. } => {
                let taken = self.spent() + reserved;
                assert!(taken <= amount + self.debts, "{taken} of {amount}, with debts of {}", self.debts);
            }
            Rule::Concurrency { amount, .. } => assert!(reserved <= amount, "{reserved} of {amount}"),
            Rule::Rate { .. } => {
                let debts = i128::try_from(self.debts).unwrap() * 1000;
                assert!(self.bucket + debts >= 0, "{} below zero", self.bucket);
            }
        }
    }

    /// Nobody asks any more, and the network is good: everything that is free flows back.
    fn settle_down(&mut self) {
        self.is_rough = false;
        for _ in 0..4000 {
            for envoy in &mut self.envoys {
                envoy.wanted.clear();
            }
            self.step(false);
        }
        let mut pool = self.pool();
        pool.advance(&self.rule, self.now);
        let standing = pool.standing(&self.rule);
        assert_eq!((standing.reserved, standing.leased), (0, 0), "{pool:?}");
        for envoy in &self.envoys {
            assert_eq!((envoy.held.reserved, envoy.held.free()), (0, 0));
        }
        if self.epoch == 1 && matches!(self.rule, Rule::Budget { .. }) {
            let known: u128 = standing.spent - standing.lost;
            let settled: u128 = self.envoys.iter().map(|envoy| envoy.held.settled).sum();
            let (least, most) = (settled, self.spent());
            assert!((least..=most).contains(&known), "{known} of {least} to {most}: {pool:?}");
            assert!(standing.spent >= self.spent(), "{standing:?}, and {} was spent", self.spent());
        }
    }
}

fn run(seed: u64, rule: Rule, largest: u64, envoys: usize) -> World {
    let mut world = World::new(seed, rule, largest, envoys);
    for _ in 0..3000 {
        world.step(true);
    }
    world.settle_down();
    world
}

fn budget(amount: u128) -> Rule {
    Rule::Budget { amount, window: Window { start: Instant::default(), end: None } }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_budget_is_never_over(seed in any::<u64>(), amount in 1_000_u128..300_000, envoys in 1_usize..5) {
        run(seed, budget(amount), 200, envoys);
    }

    #[test]
    fn concurrency_is_never_over(seed in any::<u64>(), amount in 1_u128..30, envoys in 1_usize..5) {
        run(seed, Rule::Concurrency { amount, longest: ms(12_000) }, 1, envoys);
    }

    #[test]
    fn a_rate_is_never_over(seed in any::<u64>(), amount in 50_u128..5000, burst in 200_u128..2000, envoys in 1_usize..5) {
        run(seed, Rule::Rate { amount, period: ms(1000), burst }, 100, envoys);
    }
}

#[test]
fn budgets_are_spent_and_rates_are_used() {
    let mut world = World::new(7, budget(50_000), 200, 2);
    world.is_rough = false;
    for _ in 0..20_000 {
        world.step(true);
    }
    world.settle_down();
    let spent = world.spent();
    assert!(spent >= 49_000, "{spent} of 50000 after {} requests", world.admitted);
    let mut world = World::new(7, Rule::Rate { amount: 500, period: ms(1000), burst: 500 }, 400, 2);
    let from = world.now;
    world.is_rough = false;
    for _ in 0..5_000 {
        world.step(true);
    }
    let seconds = (world.now.as_millis() - from.as_millis()) / 1000;
    let used = world.spent();
    assert!(used > u128::from(seconds) * 500 * 9 / 10, "{used} in {seconds} seconds");
}

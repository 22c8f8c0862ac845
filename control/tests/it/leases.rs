//! Two controls over one store, which is killed meanwhile: SQLite, and real Redis and PostgreSQL servers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_control::state::book::Book;
use weir_control::state::limits::Limits;
use weir_control::state::pools::Pools;
use weir_control::state::store::Address;
use weir_core::lease::{Account, Ended, Held, Report, Resolved};
use weir_core::quota::{Alone, Kind, Limit, Meter, Windows};
use weir_core::time::Instant;

use weir_tests::{Authority, Postgres, Redis};

const AMOUNT: u128 = 40_000;

fn limits() -> Limits {
    Limits::of(&[Limit {
        name: "all".to_owned(),
        was: None,
        subjects: Vec::new(),
        meter: Meter::Tokens,
        kind: Kind::Budget { amount: AMOUNT, windows: Windows::Ever },
        soft: false,
        alone: Alone::Closed,
        values: 1,
    }])
}

/// A ledger that knows everything at once.
#[derive(Clone, Default)]
struct Truth(Arc<Mutex<u128>>);

impl Book for Truth {
    fn is_empty(&self) -> Result<bool, String> {
        Ok(*self.0.lock().unwrap() == 0)
    }

    fn spent(&self, _: &Account) -> Result<i128, String> {
        Ok(i128::try_from(*self.0.lock().unwrap()).unwrap())
    }

    fn ended(&self, _: &Account, _: &[String], _: &Ended) -> Result<Option<Resolved>, String> {
        Ok(None)
    }

    fn found(&self, _: &Account, _: &Ended) -> Result<(), String> {
        Ok(())
    }

    fn credit(&self, _: &Account, _: i128, _: &str) -> Result<(), String> {
        Ok(())
    }
}

struct Envoy {
    report: Report,
    held: Held,
    dice: u64,
}

impl Envoy {
    fn new(number: u64) -> Self {
        let report = Report { node: format!("envoy-{number}"), start: number, ..Report::default() };
        Self { report, held: Held::new(1), dice: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % bound
    }

    /// Asks for one request, makes it if it may, and tells whether control answered.
    async fn call(&mut self, pools: &Pools, truth: &Truth, now: Instant, asks: bool) -> bool {
        let amount = u128::from(self.below(100) + 1);
        let wanted = if asks { amount } else { 0 };
        self.held.give_back(wanted);
        self.report.sequence += 1;
        let account = Account { limit: "all".to_owned(), ..Account::default() };
        self.report.accounts = vec![self.held.state(account, wanted, wanted)];
        let answered = match pools.exchange(&self.report, now).await {
            Ok(grants) => {
                self.held.take(&grants.grants[0], grants.epoch, grants.sequence, now, now);
                true
            }
            Err(_) => false,
        };
        if asks && self.held.reserve(amount, now).is_ok() {
            let used = u128::from(self.below(u64::try_from(amount).unwrap() + 1));
            self.held.settle(amount, used);
            *truth.0.lock().unwrap() += used;
        }
        answered
    }
}

struct Run {
    truth: Truth,
    controls: [Pools; 2],
    envoys: Vec<Envoy>,
    now: Instant,
}

impl Run {
    fn new(address: &Address) -> Self {
        let truth = Truth::default();
        let control = || Pools::new(address.clone(), limits(), Arc::new(truth.clone()), Arc::new(|_| {}));
        let controls = [control(), control()];
        let now = Instant::default().after(Duration::from_secs(1_800_000_000));
        Self { controls, envoys: (1..=6).map(Envoy::new).collect(), truth, now }
    }

    /// All Envoys exchange at once, half of them with each control. How many were answered.
    async fn round(&mut self, asks: bool) -> usize {
        self.now = self.now.after(Duration::from_millis(100));
        let (controls, truth, now) = (&self.controls, &self.truth, self.now);
        let calls = self.envoys.iter_mut().map(|envoy| {
            let control = &controls[usize::try_from(envoy.below(2)).unwrap()];
            async move { usize::from(envoy.call(control, truth, now, asks).await) }
        });
        let answered = futures_util::future::join_all(calls).await.into_iter().sum();
        let spent = *self.truth.0.lock().unwrap();
        assert!(spent <= AMOUNT, "{spent} of {AMOUNT}");
        answered
    }

    async fn rounds(&mut self, number: usize) {
        for _ in 0..number {
            self.round(true).await;
        }
    }

    /// Everything is spent that can be, and what is left flows back.
    async fn finish(&mut self, least: u128) {
        for _ in 0..600 {
            self.round(true).await;
        }
        for _ in 0..100 {
            assert_eq!(self.round(false).await, self.envoys.len(), "all is well again");
        }
        let listed = self.controls[0].list(self.now).await.unwrap();
        let (standing, spent) = (listed[0].standing, *self.truth.0.lock().unwrap());
        assert_eq!((standing.leased, standing.reserved), (0, 0), "{standing:?}");
        assert!(standing.spent >= spent && spent >= least, "{standing:?}, and {spent} was spent");
    }
}

#[tokio::test]
async fn two_controls_share_a_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(&Address::Sqlite(folder.path().join("leases.sqlite")));
    run.rounds(100).await;
    // Controls that are killed and started again.
    run.controls = Run::new(&Address::Sqlite(folder.path().join("leases.sqlite"))).controls;
    run.finish(AMOUNT * 98 / 100).await;
}

#[tokio::test]
async fn redis_is_killed_and_has_kept_everything() {
    let Some(mut redis) = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let mut run = Run::new(&redis.address());
    run.rounds(100).await;
    redis.kill();
    assert_eq!(run.round(true).await, 0, "nobody answers");
    redis.start_again();
    run.finish(AMOUNT * 98 / 100).await;
}

#[tokio::test]
async fn redis_is_killed_and_has_lost_everything() {
    let Some(mut redis) = Redis::start(&["--appendonly", "no", "--save", ""]) else { return };
    let mut run = Run::new(&redis.address());
    run.rounds(60).await;
    let before = *run.truth.0.lock().unwrap();
    assert!(before > AMOUNT / 20 && before < AMOUNT / 2, "{before}: half of the test is before the loss");
    redis.kill();
    redis.start_again();
    // What was spent during the refill may be booked twice.
    run.finish(AMOUNT * 60 / 100).await;
}

#[tokio::test]
async fn redis_is_emptied_while_it_is_in_use() {
    let Some(redis) = Redis::start(&["--appendonly", "no", "--save", ""]) else { return };
    let mut run = Run::new(&redis.address());
    run.rounds(60).await;
    redis.empty();
    run.finish(AMOUNT * 60 / 100).await;
}

#[tokio::test]
async fn a_redis_that_evicts_is_refused() {
    let Some(redis) = Redis::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]) else { return };
    let run = Run::new(&redis.address());
    let refused = run.controls[0].check(run.now).await.unwrap_err().to_string();
    assert!(refused.contains("noeviction"), "{refused}");
}

#[tokio::test]
async fn postgres_is_killed_and_has_kept_everything() {
    let Some(mut postgres) = Postgres::start() else { return };
    let mut run = Run::new(&postgres.address());
    run.rounds(60).await;
    postgres.kill();
    assert_eq!(run.round(true).await, 0, "nobody answers");
    postgres.start_again();
    run.finish(AMOUNT * 98 / 100).await;
}

/// What is asked of a store by TLS, and what happens where its certificate is somebody else's.
async fn speaks_tls(address: &Address) {
    let mut run = Run::new(address);
    run.rounds(5).await;
    assert!(*run.truth.0.lock().unwrap() > 0, "something was granted");
    let (Address::Redis(url) | Address::Postgres(url)) = address else { panic!("{address}") };
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new().bundle()).unwrap();
    let (url, _) = url.split_once("sslrootcert=").unwrap();
    let stranger: Address = format!("{url}sslrootcert={}", other.display()).parse().unwrap();
    let run = Run::new(&stranger);
    let refused = run.controls[0].check(run.now).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn redis_is_reached_by_tls() {
    let authority = Authority::new();
    let tls = authority.certify("127.0.0.1");
    let Some((_redis, address)) = Redis::start_tls(&tls, &authority.bundle()) else { return };
    speaks_tls(&address).await;
}

#[tokio::test]
async fn postgres_is_reached_by_tls() {
    let authority = Authority::new();
    let tls = authority.certify("127.0.0.1");
    let Some((_postgres, address)) = Postgres::start_tls(&tls, &authority.bundle()) else { return };
    speaks_tls(&address).await;
}

//! Limits that several Envoys share: exact together, and nobody waits for long, whatever becomes of control.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde_json::{Value, json};
use weir_control::ledger::{Ages, Keeper, Sqlite, Store};
use weir_control::render::ControlAddress;
use weir_control::state::client::Client;
use weir_tests::{Authority, Builder, Canned, Control, Gateway, Port, Upstream, booked};

/// What a request may at most answer with, in tokens.
const CAP: u64 = 20;

fn shared(upstream: &Upstream, quota: Value) -> Builder {
    Gateway::with(upstream).model("gpt", ["sim/gpt-4o"]).quota("shared", quota).workers(2)
}

/// Two Envoys that share a limit by control, which runs.
async fn two(upstream: &Upstream, control: &mut Control, quota: Value) -> [Gateway; 2] {
    let builder = shared(upstream, quota);
    control.start(&builder.limits()).await;
    let start = |node| builder.clone().shares(control.address(), node).start();
    [start("one").await, start("two").await]
}

fn billed(upstream: &Upstream) -> u64 {
    upstream.spent().values().map(|spent| spent.input + spent.output).sum()
}

#[tokio::test]
async fn sixty_four_callers_of_two_envoys_spend_a_budget_and_not_a_token_more() {
    const BUDGET: u64 = 20_000;
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    // An open one goes on with a little where control is slow to answer.
    let quota = json!({ "key": "team", "budget": format!("{BUDGET} tokens per month"), "alone": "closed" });
    let gateways = two(&upstream, &mut control, quota).await;
    let ask = |caller: usize| {
        let gateway = &gateways[caller % 2];
        async move {
            loop {
                let answer = gateway.chat("gpt", "Tell me more").with(json!({ "max_tokens": CAP })).await;
                match answer.status() {
                    200 => {}
                    429 if answer.header("x-should-retry") == "false" => return,
                    429 => tokio::time::sleep(Duration::from_millis(50)).await,
                    _ => panic!("{}", answer.text()),
                }
            }
        }
    };
    join_all((0..64).map(ask)).await;
    let spent = billed(&upstream);
    assert!(spent <= BUDGET && spent * 100 >= BUDGET * 98, "{spent} of {BUDGET}");
    let limits = gateways[0].limits();
    let standing = async || control.standing(&limits, "shared").await;
    while standing().await.spent != u128::from(spent) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(standing().await.debts, 0);
    assert_eq!(booked(&gateways, "shared"), u128::from(spent));
    for gateway in &gateways {
        assert_eq!(gateway.steward_stat("weir_limits_uncovered").await, 0);
    }
}

/// On another machine: Envoy writes the token, verifies control's certificate, and neither a rendered file nor a log has the token.
#[tokio::test]
async fn control_is_reached_by_tls_with_a_token() {
    const TOKEN: &str = "a-token-that-nobody-guesses";
    let (upstream, mut control, authority) = (Upstream::sim().await, Control::new(), Authority::new());
    let builder = shared(&upstream, json!({ "budget": "3 requests per month" }));
    let at = control.by_tls(&authority, TOKEN, "far");
    control.start(&builder.limits()).await;
    let gateway = builder.clone().shares_by(at.clone()).start().await;
    assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    while control.standing(&gateway.limits(), "shared").await.spent != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let client = |token: &str| Client { address: at.at.clone(), token: Some(token.to_owned()), ca: at.ca.clone() };
    assert_eq!(client(TOKEN).limits().await.map(|shown| shown.len()), Ok(1));
    assert!(client("another-token-of-somebody").limits().await.unwrap_err().contains("token"));
    assert!(!gateway.envoy_log().contains(TOKEN) && !gateway.has_in_files(TOKEN));
    // Who is certified by somebody else is no control: limits hold within that Envoy.
    let mut stranger = Control::new();
    let mut at = stranger.by_tls(&Authority::new(), TOKEN, "lost");
    at.ca.clone_from(&client(TOKEN).ca);
    stranger.start(&builder.limits()).await;
    let alone = builder.shares_by(at).start().await;
    assert_eq!(alone.chat("gpt", "Hi").await.status(), 200);
    assert_eq!(stranger.standing(&alone.limits(), "shared").await.spent, 0);
}

#[tokio::test]
async fn what_one_envoy_uses_the_other_one_sees() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let [one, two] = two(&upstream, &mut control, json!({ "budget": "3 requests per month" })).await;
    let answer = one.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.header("x-ratelimit-remaining-requests")), (200, "2"), "{}", answer.text());
    let mut served = 1;
    loop {
        let answer = two.chat("gpt", "Hi").await;
        match answer.status() {
            200 => served += 1,
            // What the other one holds comes back.
            429 if answer.header("x-should-retry") == "true" => tokio::time::sleep(Duration::from_millis(50)).await,
            429 => break,
            _ => panic!("{}", answer.text()),
        }
    }
    assert_eq!(served, 3);
    assert_eq!(one.chat("gpt", "Hi").await.code(), "insufficient_quota");
}

#[tokio::test]
async fn so_many_are_under_way_at_both_together() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let builder = shared(&upstream, json!({ "concurrency": 4 })).model("slow", ["sim/gpt-4o+gap-50ms+tokens-500"]);
    control.start(&builder.limits()).await;
    let one = builder.clone().shares(control.address(), "one").start().await;
    let two = builder.shares(control.address(), "two").start().await;
    let mut streams = Vec::new();
    for gateway in [&one, &two, &one, &two] {
        loop {
            let mut stream = gateway.chat("slow", "Hi").streamed().open().await;
            if stream.status() == 200 {
                assert!(stream.event().await.is_some());
                streams.push(stream);
                break;
            }
            assert_eq!(stream.status(), 429);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for gateway in [&one, &two] {
        let refused = gateway.chat("gpt", "Hi").await;
        assert_eq!((refused.status(), refused.code().as_str()), (429, "rate_limit_exceeded"), "{}", refused.text());
    }
    streams.pop().unwrap().hang_up();
    while one.chat("gpt", "Hi").await.status() != 200 {}
}

/// A gateway with a limit of each kind for what happens while control is away, each of a model of its own.
async fn both(upstream: &Upstream, at: &ControlAddress) -> Gateway {
    let quota = |alone: &str| json!({ "model": alone, "budget": "1000000 tokens per month", "alone": alone });
    let builder = Gateway::with(upstream).model("open", ["sim/gpt-4o"]).model("closed", ["sim/gpt-4o"]).workers(2);
    let builder = builder.quota("goes-on", quota("open")).quota("stops", quota("closed"));
    builder.shares(at.clone(), "here").start().await
}

/// Who can wait does, and gets an answer: the request goes on by itself where the limit is open, and is told when to come back
/// where it is closed.
async fn all_are_answered(gateway: &Gateway) {
    for model in ["open", "closed"] {
        let asks = (0..24).map(|n| {
            let text = "word ".repeat(n * 400);
            async move { gateway.chat(model, &text).with(json!({ "max_tokens": CAP })).await }
        });
        for answer in join_all(asks).await {
            if model == "open" {
                assert_eq!(answer.status(), 200, "{}", answer.text());
            } else {
                assert_eq!((answer.status(), answer.header("retry-after")), (429, "1"), "{}", answer.text());
                assert_eq!(answer.header("x-should-retry"), "true");
            }
        }
    }
}

fn host(port: &Port) -> ControlAddress {
    ControlAddress::Host(port.address().ip().to_string(), port.address().port())
}

#[tokio::test]
async fn a_control_that_is_silent_or_not_there_holds_nobody_up() {
    let upstream = Upstream::sim().await;
    let (silent, dead) = (Port::reserve(), Port::reserve());
    let _silent = Canned::silent_at(&silent).await;
    for port in [&silent, &dead] {
        let gateway = both(&upstream, &host(port)).await;
        all_are_answered(&gateway).await;
        gateway.until_steward_stat("weir_control_away", 1).await;
        all_are_answered(&gateway).await;
        while gateway.steward_stat("weir_limits_uncovered").await < 24 {}
    }
}

/// It has answered before and now accepts calls without answering them, so nobody knows yet that it is away: what no lease covers goes on
/// where the limit is open, and is told to come back where it is closed.
#[tokio::test]
async fn a_control_that_falls_silent_holds_nobody_up() {
    let upstream = Upstream::sim().await;
    let mut control = Control::new();
    let ControlAddress::Socket(socket) = control.address() else { panic!("it listens on a socket") };
    let gateway = both(&upstream, &control.address()).await;
    control.start(&gateway.limits()).await;
    for model in ["open", "closed"] {
        while gateway.chat(model, "Hi").with(json!({ "max_tokens": CAP })).await.status() != 200 {}
    }
    control.kill();
    std::fs::remove_file(&socket).unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let text = "word ".repeat(3000);
    let ask = |model| gateway.chat(model, &text).with(json!({ "max_tokens": CAP }));
    let (open, closed) = tokio::join!(ask("open"), ask("closed"));
    assert_eq!(open.status(), 200, "{}", open.text());
    assert_eq!((closed.status(), closed.header("retry-after")), (429, "1"), "{}", closed.text());
    while gateway.steward_stat("weir_limits_uncovered").await < 1 {}
}

/// A try cannot ask control, so the edge asks for what later targets need.
#[tokio::test]
async fn a_later_try_finds_a_lease_of_its_target() {
    let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
    let mut control = Control::new();
    let builder = Gateway::with(&first).and(&second).model("gpt", ["first/fault-503", "second/gpt-4o"]);
    let quota = json!({ "provider": "each", "budget": "1000 requests per month", "alone": "closed" });
    let gateway = builder.quota("calls", quota).shares(control.address(), "here").start().await;
    control.start(&gateway.limits()).await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(gateway.record(answer.id()).await.tries().len(), 2);
    assert_eq!(gateway.steward_stat("weir_limits_uncovered").await, 0);
}

#[tokio::test]
async fn a_control_that_answers_nonsense_holds_nobody_up() {
    let upstream = Upstream::sim().await;
    let html = "<html>It works!</html>";
    let answer =
        |status: &str, body: &str| format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answers = [
        answer("400 Bad Request", "no"),
        answer("500 Internal Server Error", html),
        answer("200 OK", html),
        answer("200 OK", ""),
        answer("200 OK", &"\0".repeat(20 << 20)),
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nit breaks off".to_owned(),
        "no HTTP at all".to_owned(),
        String::new(),
    ];
    for answer in answers {
        let port = Port::reserve();
        let _control = Canned::answering_at(&port, answer).await;
        all_are_answered(&both(&upstream, &host(&port)).await).await;
    }
}

#[tokio::test]
async fn a_caller_who_leaves_while_all_wait_takes_nobody_along() {
    let upstream = Upstream::sim().await;
    let silent = Port::reserve();
    let _silent = Canned::silent_at(&silent).await;
    let gateway = both(&upstream, &host(&silent)).await;
    for (model, status) in [("closed", 429), ("open", 200)].repeat(10) {
        let leaves = tokio::time::timeout(Duration::from_millis(5), gateway.chat(model, "Hi"));
        let ask = || async { gateway.chat(model, "Hi").await.status() };
        let (_, statuses) = tokio::join!(leaves, join_all((0..8).map(|_| ask())));
        assert_eq!(statuses, [status; 8]);
    }
}

#[tokio::test]
async fn control_is_killed_under_load_and_comes_back() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let quota = json!({ "budget": "1000000 tokens per month", "alone": "closed" });
    let gateways = two(&upstream, &mut control, quota).await;
    let (ends, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let ask = |caller: usize| {
        let (gateway, ends, served) = (&gateways[caller % 2], &ends, &served);
        async move {
            while !ends.load(Ordering::Relaxed) {
                let answer = gateway.chat("gpt", "Tell me more").with(json!({ "max_tokens": CAP })).await;
                match answer.status() {
                    200 => drop(served.fetch_add(1, Ordering::Relaxed)),
                    429 => {
                        assert_eq!(answer.header("x-should-retry"), "true", "{}", answer.text());
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    _ => panic!("{}", answer.text()),
                }
            }
        }
    };
    let limits = gateways[0].limits();
    let more = async |than: u64| {
        while served.load(Ordering::Relaxed) < than + 50 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let breaks = async {
        for pause in [300, 1500, 7000] {
            more(served.load(Ordering::Relaxed)).await;
            control.kill();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            control.start(&limits).await;
        }
        more(served.load(Ordering::Relaxed)).await;
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(breaks, join_all((0..16).map(ask)));
    let spent = u128::from(billed(&upstream));
    let mut standing = control.standing(&limits, "shared").await;
    while (standing.spent, standing.reserved) != (spent, 0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        standing = control.standing(&limits, "shared").await;
    }
    assert_eq!((standing.debts, standing.lost), (0, 0));
    assert_eq!(booked(&gateways, "shared"), spent);
    for gateway in &gateways {
        assert_eq!(gateway.steward_stat("weir_limits_uncovered").await, 0);
    }
}

/// Reads the access logs of these gateways into the ledger that control asks.
struct Books {
    store: Sqlite,
    keepers: Vec<Keeper>,
}

impl Books {
    fn of(control: &Control, gateways: &[Gateway]) -> Self {
        let keeper = |(number, gateway): (usize, &Gateway)| {
            Keeper::new(&format!("log-{number}"), &gateway.access_log_file(), Ages::default())
        };
        let store = Sqlite::open(&control.ledger()).expect("a ledger");
        Self { store, keepers: gateways.iter().enumerate().map(keeper).collect() }
    }

    /// What rows and bookings say is spent, and what of it was booked as lost.
    fn read(&mut self) -> (u128, u128) {
        let now_ms = i64::try_from(now_ms()).expect("a time");
        for keeper in &mut self.keepers {
            while keeper.step(&mut self.store, now_ms).expect("a step").more {}
        }
        let spent = self.store.spent(None).expect("the ledger").iter().map(|one| one.amount).sum::<i128>();
        let lost = self.store.bookings(0, i64::MAX).expect("the ledger").iter().map(|one| one.amount).sum::<i128>();
        (u128::try_from(spent).expect("no credit"), u128::try_from(lost).expect("no credit"))
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis()
}

/// The sum of the ledger's rows, and what it has booked as lost, is what is spent of the limit.
#[tokio::test]
async fn the_ledger_and_the_leases_agree_whoever_is_killed() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let quota = json!({ "budget": "1000000 tokens per month" });
    let gateways = two(&upstream, &mut control, quota).await;
    let mut books = Books::of(&control, &gateways);
    let (ends, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let ask = |caller: usize| {
        let (gateway, ends, served) = (&gateways[caller % 2], &ends, &served);
        async move {
            while !ends.load(Ordering::Relaxed) {
                let asked = gateway.chat("gpt", "Tell me more").with(json!({ "max_tokens": CAP }));
                match asked.if_answered().await.map(|answer| answer.status()) {
                    Some(200) => drop(served.fetch_add(1, Ordering::Relaxed)),
                    // Envoy is gone, or control is.
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        }
    };
    let more = async || {
        let before = served.load(Ordering::Relaxed);
        while served.load(Ordering::Relaxed) < before + 50 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let limits = gateways[0].limits();
    let kills = async {
        more().await;
        control.kill();
        more().await;
        control.start(&limits).await;
        more().await;
        gateways[1].is_killed();
        more().await;
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(kills, join_all((0..16).map(ask)));
    let agree = async |books: &mut Books| loop {
        let (spent, lost) = books.read();
        let standing = control.standing(&limits, "shared").await;
        let is_still = (standing.reserved, standing.leased) == (0, 0);
        if is_still && (standing.spent, standing.lost) == (spent, lost) {
            return (spent, lost);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (spent, lost) = agree(&mut books).await;
    let billed = u128::from(billed(&upstream));
    // While control was away, it was not told of all that was under way.
    let untold = 8 * 2 * u128::from(CAP);
    let fits = spent + untold >= billed && spent - lost <= billed;
    assert!(fits, "{spent} spent, {lost} of it lost, and {billed} billed");
    if gateways[0].has_heaps() {
        // In wasm a steward is not told that Envoy ends.
        return;
    }
    assert_eq!(gateways[0].chat("gpt", "Hi").await.status(), 200);
    gateways[0].ends();
    let (later, still) = agree(&mut books).await;
    assert!(later > spent && still == lost, "{later} after {spent}, {still} of it lost after {lost}");
}

/// Control may follow another configuration, or not have read the new one yet.
#[tokio::test]
async fn a_limit_that_control_does_not_know_holds_within_the_envoy_until_control_does() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    control.start(&[]).await;
    let builder = shared(&upstream, json!({ "budget": "6 requests per month" }));
    let gateway = builder.shares(control.address(), "one").start().await;
    for _ in 0..4 {
        assert_eq!(gateway.chat("gpt", "Hi").await.status(), 200);
    }
    let limits = gateway.limits();
    control.kill();
    control.start(&limits).await;
    while control.standing(&limits, "shared").await.spent != 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answers = join_all((0..4).map(|_| async { gateway.chat("gpt", "Hi").await.status() })).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 2, "{answers:?}");
    assert_eq!(gateway.chat("gpt", "Hi").await.code(), "insufficient_quota");
}

/// Only natively is a steward told that Envoy ends.
#[tokio::test]
async fn an_envoy_that_ends_gives_its_lease_back() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let [one, two] = two(&upstream, &mut control, json!({ "budget": "1000000 tokens per month" })).await;
    let limits = one.limits();
    assert_eq!(one.chat("gpt", "Hi").await.status(), 200);
    while control.standing(&limits, "shared").await.leased == 0 {}
    let native = !one.has_heaps();
    one.ends();
    if native {
        while control.standing(&limits, "shared").await.leased > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(control.standing(&limits, "shared").await.lost, 0);
    }
    assert_eq!(two.chat("gpt", "Hi").await.status(), 200);
}

use super::*;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;
use weir_hub::endpoint::{Delivery, Endpoint, UsageChunk};

const LIMITS: Limits = Limits {
    first: Duration::from_secs(5),
    gap: Duration::from_secs(9),
    keep_alive: KEEP_ALIVE,
    total: Some(Duration::from_secs(60)),
};

#[test]
fn a_class_says_its_limits_to_plans_that_do_not() {
    let check = |class: &str, limits: Limits| assert_eq!(limits_of(class), Some(limits), "{class}");
    let short = Limits { keep_alive: Duration::from_secs(60), ..LIMITS };
    let whole = Limits { gap: LIMITS.first, ..LIMITS };
    check("stream-5000-9000", Limits { total: None, ..LIMITS });
    check("whole-5000-once", Limits { total: None, ..whole });
    check("stream-5000-9000-k60000-to-come-t60000", short);
    check(&class(Delivery::Streamed, LIMITS), LIMITS);
    check(&class(Delivery::Streamed, short), short);
    check(&class(Delivery::Whole, LIMITS), whole);
    // Filters of earlier versions read only this number.
    assert_eq!(class(Delivery::Streamed, short).split('-').nth(1), Some("5000"));
    assert_eq!(limits_of("other"), None);
}

fn plan(model: &str, providers: &[&str]) -> Plan {
    let candidate = |provider: &&str| Candidate { provider: provider.to_string(), model: model.to_string() };
    Plan {
        origin: Origin { vm: 1_790_000_000_000_000_000, request: 7 },
        asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Streamed, usage: UsageChunk::Wanted },
        class: class(Delivery::Streamed, LIMITS),
        limits: LIMITS,
        tenant: "team-a".to_string(),
        model: model.to_string(),
        betas: "context-1m-2025-08-07".to_string(),
        targets: providers.iter().map(candidate).collect(),
        passed_over: vec![(candidate(&"resting"), "rate_limited until 12".to_string())],
        trials: 0,
        made: Instant::default(),
        begun: 0,
        at: 0,
        since: Instant::default(),
        failed: Vec::new(),
        too_long: None,
        cap: None,
        reserved: None,
        others: String::new(),
    }
}

#[test]
fn its_text_starts_with_the_next_cluster_and_ends_with_the_class() {
    let mut plan = plan("m", &["a", "b"]);
    assert!(plan.to_text().starts_with(&cluster_prefix("a")));
    assert!(plan.to_text().ends_with(&class_suffix("stream-5000-9000-t60000")));
    plan.begin("a", Instant::default());
    assert!(plan.to_text().starts_with(&cluster_prefix("b")));
    plan.begin("b", Instant::default());
    assert!(plan.to_text().starts_with(&cluster_prefix("b")), "whoever is asked there knows that nothing is left");
    assert!(plan.begin("b", Instant::default()).is_none());
}

#[test]
fn a_try_without_an_outcome_was_unanswered() {
    let mut plan = plan("m", &["a", "b", "c"]);
    plan.begin("a", Instant::from_nanos(1_000_000));
    plan.begin("b", Instant::from_nanos(3_000_000));
    plan.fail(
        Outcome::Fault(FaultKind::RateLimited),
        429,
        Some(Instant::from_nanos(9_000_000)),
        Instant::from_nanos(4_000_000),
    );
    plan.begin("c", Instant::from_nanos(5_000_000));
    let outcomes: Vec<_> = plan.failed.iter().map(|failed| (failed.target, failed.outcome.name())).collect();
    assert_eq!(outcomes, [(0, "unanswered"), (1, "rate_limited")]);
    assert_eq!(plan.failed[0].took, Duration::from_millis(2));
}

/// How a provider ends one try.
#[derive(Clone, Copy)]
enum Does {
    Answers(FaultKind, u16),
    Asks(FaultKind, u64),
    Ends(Connection),
    Silent,
}
use Does::{Answers, Asks, Ends, Silent};

/// Which targets are asked, and after how long a pause, if the tries of a plan for these targets (`provider/model`) end
/// like this.
fn asked(targets: &[&str], does: &[Does]) -> Vec<String> {
    let mut plan = plan("m", &[]);
    let candidate = |target: &&str| {
        let (provider, model) = target.split_once('/').unwrap();
        Candidate { provider: provider.to_string(), model: model.to_string() }
    };
    plan.targets = targets.iter().map(candidate).collect();
    let (mut now, mut asked, mut text) = (Instant::default(), Vec::new(), plan.to_text());
    for does in does {
        let pause = plan.pause(now).map_or_else(String::new, |pause| format!(" after {} s", pause.as_secs()));
        let provider = text.split('|').next().unwrap().to_string();
        let Some(target) = plan.begin(&provider, now) else { break };
        asked.push(format!("{}/{}{pause}", target.provider, target.model));
        // Envoy reads this text after a try without an answer. How that try ended is known only later.
        text = plan.to_text();
        match does {
            Answers(kind, status) => plan.fail(Outcome::Fault(*kind), *status, None, now),
            Asks(kind, secs) => plan.fail(Outcome::Fault(*kind), 429, Some(now.after(Duration::from_secs(*secs))), now),
            Ends(connection) => plan.end_unanswered(*connection, now),
            Silent => {
                now = now.after(Duration::from_secs(5));
                plan.end_unanswered(Connection::Own, now);
            }
        }
        if matches!(does, Answers(..) | Asks(..)) {
            if plan.next().is_none() {
                break;
            }
            text = plan.to_text();
        }
    }
    asked
}

#[test]
fn the_last_target_is_asked_once_more_after_what_passes() {
    use FaultKind::{Auth, Cut, ErrorEvent, Malformed, RateLimited, Timeout, Unavailable};
    let check = |targets: &[&str], does: &[Does], expect: &[&str]| assert_eq!(asked(targets, does), expect);
    let busy = Answers(Unavailable, 503);
    check(&["a/m"], &[busy, busy], &["a/m", "a/m after 1 s"]);
    check(&["a/m", "b/m"], &[busy, busy, busy], &["a/m", "b/m", "b/m after 1 s"]);
    for passes in [Answers(ErrorEvent, 200), Answers(Cut, 200), Answers(Timeout, 408)] {
        check(&["a/m"], &[passes, busy], &["a/m", "a/m after 1 s"]);
    }
    check(&["a/m"], &[Asks(RateLimited, 2), busy], &["a/m", "a/m after 2 s"]);
    for (stays, whom) in [(Answers(Malformed, 200), "a/m"), (Asks(RateLimited, 3), "a/m"), (Answers(Auth, 401), "a/m")]
    {
        check(&["a/m"], &[stays], &[whom]);
    }
    check(&["a/m"], &[Ends(Connection::Kept), busy], &["a/m", "a/m"]);
    check(&["a/m"], &[Ends(Connection::Own), busy], &["a/m"]);
    check(&["a/m"], &[Ends(Connection::Failed), busy], &["a/m"]);
    check(&["a/m"], &[Silent, busy], &["a/m"]);
}

#[test]
fn a_target_that_would_fail_again_is_passed_over() {
    use FaultKind::{Auth, ContextLength, RateLimited, Unavailable};
    let check = |targets: &[&str], does: &[Does], expect: &[&str]| assert_eq!(asked(targets, does), expect);
    let busy = Answers(Unavailable, 503);
    check(&["a/m", "a/m", "b/m"], &[Silent, busy], &["a/m", "b/m"]);
    check(&["a/m", "a/m"], &[Silent, busy], &["a/m"]);
    check(&["a/m", "a/n"], &[Silent, busy], &["a/m", "a/n"]);
    check(&["a/m", "a/n", "b/m"], &[Ends(Connection::Failed), busy], &["a/m", "b/m"]);
    check(&["a/m", "a/n"], &[Ends(Connection::Failed), busy], &["a/m"]);
    check(&["a/m", "a/m", "b/m"], &[Asks(RateLimited, 9), busy], &["a/m", "b/m"]);
    check(&["a/m", "b/m", "a/m"], &[Answers(Auth, 401), busy, busy], &["a/m", "b/m", "b/m after 1 s"]);
    check(&["a/m", "b/m", "c/n"], &[Answers(ContextLength, 400), busy, busy], &["a/m", "c/n", "c/n after 1 s"]);
    check(&["a/m", "a/m"], &[busy, busy, busy], &["a/m", "a/m", "a/m after 1 s"]);
}

#[test]
fn nothing_begins_after_the_limit_of_all_tries() {
    let mut plan = plan("m", &["a", "b"]);
    plan.begin("a", Instant::default());
    let late = Instant::default().after(Duration::from_secs(60));
    plan.end_unanswered(Connection::Own, late);
    assert!(plan.begin("b", late).is_none());
    assert_eq!(plan.failed[0].outcome, Outcome::Deadline);
}

proptest! {
    #[test]
    fn it_reads_back_what_it_wrote(model in "\\PC{1,40}", tenant in "[ -~]{0,20}", begun in 0usize..3, said in "\\PC{1,40}") {
        let mut plan = plan(&model, &["a", "b-2", "c.x"]);
        plan.tenant = tenant;
        for i in 0..begun {
            let now = Instant::from_nanos(i as u64 * 1000);
            plan.begin(["a", "b-2", "c.x"][i], now);
            plan.fail(Outcome::Fault(FaultKind::Unavailable), 503, Some(now), now);
            plan.too_long = Some(TooLong { message: said.clone(), param: None, details: Some("{\"a\":1}".to_string()) });
        }
        prop_assert_eq!(Plan::from_text(&plan.to_text()), Some(plan));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*") {
        let _ = Plan::from_text(&text);
    }
}

/// While the filter's code is replaced, one request's tries may run different versions.
#[test]
fn a_plan_of_another_version_says_what_it_knows() {
    let expect = Plan { failed: Vec::new(), begun: 0, trials: 0, ..plan("m", &["a", "b"]) };
    // As it was written before there were tags.
    let before = "a|1790000000000000000.7|0.0.0|0.0|suchat|team-a|m|context-1m-2025-08-07|a=m,b=m,|resting=m=rate_limited until 12,||\
                  #stream-5000-9000-t60000";
    assert_eq!(Plan::from_text(before), Some(expect.clone()));
    // As a later version may write it: with another tag, another limit, an unknown outcome, and limits that the class
    // name does not contain.
    let after = "b|1790000000000000000.7|1.0.0.9|0.0|suchat|team-a|m|context-1m-2025-08-07|a=m,b=m,|resting=m=rate_limited until 12,|\
                 0=quota_spent=429=5=7===x,||v=9|l=5000.9000.300000.60000.1|lease=a%3db.7#stream-5000-9000-other";
    let read = Plan::from_text(after).unwrap();
    assert_eq!((read.limits, read.targets.len()), (expect.limits, 2));
    assert_eq!(read.failed[0].outcome, Outcome::Unanswered);
    assert_eq!((read.next(), read.failed[0].status), (Some(1), 429));
    // What it does not know goes on to whoever does, and what it cannot read has its default.
    assert!(read.to_text().contains("|lease=a%3db.7#"), "{}", read.to_text());
    let odd = after.replace("|l=5000.9000.300000.60000.1", "|l=soon");
    assert_eq!(Plan::from_text(&odd).unwrap().limits, Limits { total: None, ..expect.limits });
    // Earlier filters read this text by position, without tags.
    let text = expect.to_text();
    let fields: Vec<&str> = text.split('|').collect();
    assert_eq!(fields[..12], before.split_once('#').unwrap().0.split('|').collect::<Vec<_>>()[..12]);
}

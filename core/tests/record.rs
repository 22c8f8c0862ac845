//! The record, against the page that explains it: `docs/operate.md`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_core::config::Routing;
use weir_core::money::Picodollars;
use weir_core::plan::{Candidate, Limits, Origin, Outcome, Plan, class};
use weir_core::price::{Price, Rates};
use weir_core::record::{ACCESS_LOG_FORMAT, Ending, Progress, Record, Stage, Subject};
use weir_core::time::Instant;
use weir_core::upstream::Upstream;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::FaultKind;
use weir_hub::usage::Usage;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// Two targets, of which the first has failed, and the second is being asked.
fn plan() -> Plan {
    let target = |provider: &str| Candidate { provider: provider.to_owned(), model: "m".to_owned() };
    let limit = Duration::from_secs(30);
    let limits = Limits { first: limit, gap: limit, keep_alive: limit, total: None };
    let mut plan = Plan {
        origin: Origin::default(),
        asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Streamed, usage: UsageChunk::Unwanted },
        class: class(Delivery::Streamed, limits),
        limits,
        tenant: String::new(),
        model: "m".to_owned(),
        betas: String::new(),
        targets: vec![target("a"), target("b")],
        passed_over: Vec::new(),
        trials: 0,
        made: at(100),
        begun: 0,
        at: 0,
        since: at(100),
        failed: Vec::new(),
        too_long: None,
        cap: None,
        reserved: None,
        others: String::new(),
    };
    plan.begin("a", at(110)).unwrap();
    plan.fail(Outcome::Fault(FaultKind::Unavailable), 503, None, at(400));
    plan.begin("b", at(410)).unwrap();
    plan
}

fn progress(stage: Stage, code: &str) -> Progress {
    let first_token = (stage != Stage::Failed).then_some(Duration::from_millis(25));
    let status = if stage == Stage::Failed { 0 } else { 200 };
    let (code, usage) = (code.to_owned(), Usage::default());
    let rewritten = false;
    let (model, ended_by) = ("m".into(), String::new());
    Progress { begun: 2, since: at(410), stage, code, status, rewritten, first_token, usage, model, ended_by }
}

fn ending(client_left: bool) -> Ending<'static> {
    Ending { now: at(500), client_left, caller_paused: false, connected: true, details: "" }
}

/// One line of the log.
fn line(subject: &Subject, plan: Option<&Plan>, progress: Option<&Progress>, ending: &Ending<'_>) -> Value {
    let record = Record::of(subject, plan, progress, ending).line();
    let (before, after) = ACCESS_LOG_FORMAT.split_once("%FILTER_STATE(wasm.weir.record:PLAIN)%").unwrap();
    let before = before.split('%').enumerate().map(|(i, part)| if i % 2 == 1 { "0" } else { part });
    serde_json::from_str(&format!("{}{record}{after}", before.collect::<String>())).unwrap()
}

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What stands in backticks in the first column of the table that begins with `head`.
fn listed(page: &str, head: &str) -> BTreeSet<String> {
    let rows = page.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(1)).flat_map(quoted).collect()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

/// Every end that an answer can have.
fn ends() -> Vec<(Option<Progress>, Ending<'static>)> {
    let faults = FaultKind::ALL.map(|kind| progress(Stage::Cut(kind), ""));
    let others = [progress(Stage::Flowing, ""), progress(Stage::Done, ""), progress(Stage::Failed, "upstream_timeout")];
    let slow = (Some(progress(Stage::Flowing, "")), Ending { caller_paused: true, ..ending(false) });
    let stages: Vec<_> = faults.into_iter().chain(others).map(Some).chain([None]).collect();
    let all = [false, true].into_iter().flat_map(|left| stages.iter().map(move |stage| (stage.clone(), ending(left))));
    all.chain([slow]).collect()
}

#[test]
fn every_outcome_is_on_the_page() {
    let (page, codes) = (page("operate.md"), quoted(&page("troubleshoot.md")));
    let told = |(progress, ending): &(Option<Progress>, Ending<'_>)| {
        Record::of(&Subject::default(), Some(&plan()), progress.as_ref(), ending).outcome.into_owned()
    };
    let asked_first = (None, Ending { details: "cors_response", ..ending(false) });
    let mut words: BTreeSet<String> = ends().iter().chain([&asked_first]).map(told).collect();
    for code in words.extract_if(.., |word| codes.contains(word) && word != "stream_incomplete") {
        assert_eq!(code, "upstream_timeout", "a code that the caller receives");
    }
    // Of readiness, and of what no filter saw.
    words.extend(["draining", "-"].map(str::to_owned));
    assert_eq!(listed(&page, "| outcome |"), words);
}

#[test]
fn every_outcome_of_a_try_is_on_the_page() {
    let page = page("operate.md");
    let mut words: BTreeSet<String> = FaultKind::ALL.map(|kind| kind.name().to_owned()).into();
    words.insert(Outcome::Deadline.name().to_owned());
    for (progress, ending) in
        ends().iter().filter(|(progress, _)| progress.as_ref().is_none_or(|p| p.stage != Stage::Failed))
    {
        let line = line(&Subject::default(), Some(&plan()), progress.as_ref(), ending);
        words.insert(line["tries"][1]["outcome"].as_str().unwrap().to_owned());
    }
    assert_eq!(listed(&page, "| outcome of a try |"), words);
}

/// It was 0 for all that was not complete.
#[test]
fn a_try_that_was_answered_has_the_answers_status() {
    for (stage, left, outcome, tried) in [
        (Stage::Done, false, "ok", "ok"),
        (Stage::Cut(FaultKind::Timeout), false, "stream_incomplete", "timeout"),
        (Stage::Flowing, false, "stream_incomplete", "cut"),
        (Stage::Flowing, true, "client_left", "client_left"),
    ] {
        let line = line(&Subject::default(), Some(&plan()), Some(&progress(stage, "")), &ending(left));
        assert_eq!((line["outcome"].as_str(), line["tries"][1]["outcome"].as_str()), (Some(outcome), Some(tried)));
        assert_eq!((&line["tries"][0]["status"], &line["tries"][1]["status"]), (&503.into(), &200.into()), "{line}");
    }
    let line = line(&Subject::default(), Some(&plan()), None, &ending(true));
    assert_eq!(line["tries"][1]["status"], 0);
}

/// What earlier tries had taken was nowhere.
#[test]
fn the_first_token_is_told_from_the_try_and_from_the_request() {
    let line = line(&Subject::default(), Some(&plan()), Some(&progress(Stage::Done, "")), &ending(false));
    assert_eq!((line["first_token_ms"].as_f64(), line["total_first_token_ms"].as_f64()), (Some(25.0), Some(335.0)));
}

#[test]
fn what_was_passed_over_is_told_without_a_plan_too() {
    let target = Candidate { provider: "a".to_owned(), model: "m".to_owned() };
    let passed_over = vec![(target, "resting after rate_limited".to_owned())];
    let subject = Subject { answered: Some("rate_limited".to_owned()), passed_over, ..Subject::default() };
    let line = line(&subject, None, None, &ending(false));
    let expect = serde_json::json!([{ "target": "a/m", "why": "resting after rate_limited" }]);
    assert_eq!((&line["passed_over"], &line["tries"]), (&expect, &serde_json::json!([])));
}

/// Two providers, of which the second runs on this machine, and what a million of their tokens or a second costs.
fn routing() -> Routing {
    let price = |rates| Price { base: rates, when: Vec::new() };
    let dollars = |text| Some(Picodollars::parse(text).unwrap());
    let tokens = price(Rates { input: dollars("1"), output: dollars("10"), ..Rates::default() });
    let seconds = price(Rates { second: dollars("0.002"), ..Rates::default() });
    let prices = [("a", tokens), ("b", seconds)];
    let local = Upstream { dialect: "local".to_owned(), ..Upstream::default() };
    Routing {
        prices: prices.map(|(provider, price)| (provider.to_owned(), [("m".to_owned(), price)].into())).into(),
        upstreams: [("b".to_owned(), local)].into(),
        ..Routing::default()
    }
}

#[test]
fn a_line_says_what_each_try_costs_and_all_together() {
    let (plan, routing) = (plan(), routing());
    let subject = Subject { input_estimate: 70, ..Subject::default() };
    let counts = Usage { input: 66, output: 5, ..Usage::default() };
    let answered = Progress { usage: counts, ..progress(Stage::Done, "") };
    let line = |progress: Option<&Progress>, ending: &Ending<'_>, routing: &Routing| {
        let record = Record::of(&subject, Some(&plan), progress, ending).priced(routing.record_prices());
        let total = record.total();
        let line: Value = serde_json::from_str(&format!("{{\"outcome\":\"{}\"}}", record.line())).unwrap();
        assert_eq!(line["cost_picodollars"].as_i64().map(i128::from), total.cost.map(Picodollars::get));
        line
    };
    let done = line(Some(&answered), &ending(false), &routing);
    assert_eq!(done["admitted_ms"], 100);
    assert_eq!(done["tries"][0]["tokens"], json!({ "input": 70, "estimated": true }), "a 503 may be billed");
    assert_eq!(done["tries"][0]["cost_picodollars"], 70_000_000);
    assert_eq!(done["tries"][1]["tokens"]["output"], 5);
    assert_eq!(done["tries"][1]["cost_picodollars"], 180_000_000, "0.09 s");
    assert_eq!((&done["cost_picodollars"], &done["local_ms"]), (&json!(250_000_000), &json!(90)));
    assert_eq!(done.get("unpriced"), None);

    let unpriced = Routing {
        prices: [routing.prices.iter().next().unwrap()].map(|(p, of)| (p.clone(), of.clone())).into(),
        ..routing.clone()
    };
    let half = line(Some(&answered), &ending(false), &unpriced);
    assert_eq!((&half["cost_picodollars"], &half["unpriced"]), (&json!(70_000_000), &json!(true)));
    assert_eq!(half["tries"][1].get("cost_picodollars"), None);
    assert!(half["tries"][1]["tokens"].is_object());

    let counted = Progress { usage: Usage { input: 0, estimated: true, ..counts }, ..progress(Stage::Flowing, "") };
    let left = line(Some(&counted), &ending(true), &routing);
    assert_eq!(left["tries"][1]["tokens"], json!({ "input": 70, "output": 5, "estimated": true }));
    let nowhere = line(None, &Ending { connected: false, ..ending(true) }, &routing);
    assert_eq!(nowhere["tries"][1].get("tokens"), None, "what was never sent costs nothing");
    let refused = Progress { status: 400, ..progress(Stage::Failed, "invalid_request") };
    let refused = line(Some(&refused), &ending(false), &routing);
    assert_eq!(refused["tries"][1].get("tokens"), None);
    assert_eq!(refused["cost_picodollars"], 70_000_000);
}

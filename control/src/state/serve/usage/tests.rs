use http_body_util::BodyExt;
use hyper::Request;
use weir_core::quota::{Alone, Kind, Subject, Windows};
use weir_hub::endpoint::Family;

use super::super::super::book::Ledger;
use super::super::super::limits::Limits;
use super::super::super::store::{self, Memory};
use super::*;
use crate::ledger::row::Row;
use crate::ledger::{Batch, FILE, Gap, Sqlite, Store, gap::GapKind, moment};

fn asker(name: &str, team: &str, known: Known) -> Asker {
    Asker { name: name.to_owned(), team: team.to_owned(), known, family: Family::OpenAi }
}

fn line(key: &str, team: &str, model: &str, input: u64) -> Row {
    let at = moment::text(i64::try_from(now().as_millis()).unwrap());
    let line = format!(
        r#"{{"time":"{at}","outcome":"ok","key":"{key}","team":"{team}","model":"{model}","provider":"p","upstream_model":"x","tokens":{{"input":{input},"output":1,"estimated":false}},"cost_picodollars":7}}"#
    );
    Row::read(line.as_bytes()).unwrap()
}

fn limit(name: &str, of: &[(quota::Dimension, Option<&str>)], windows: Windows) -> Limit {
    let subjects = of.iter().map(|(of, value)| Subject { of: *of, value: value.map(str::to_owned) }).collect();
    let kind = Kind::Budget { amount: 100, windows };
    let (soft, alone, values) = (false, Alone::Open, 10);
    Limit { name: name.to_owned(), was: None, subjects, meter: Meter::Tokens, kind, soft, alone, values }
}

fn pools(folder: &tempfile::TempDir) -> Arc<Pools> {
    let path = folder.path().join(FILE);
    let mut ledger = Sqlite::open(&path).unwrap();
    let rows = vec![
        line("ada", "search", "m", 10),
        line("ada", "ads", "n", 20),
        line("bob", "search", "m", 40),
        line("jwt:", "search", "m", 80),
        line("jwt:", "ads", "m", 160),
    ];
    let gap = Gap {
        mark: "a".to_owned(),
        node: "secret-node".to_owned(),
        kind: GapKind::Killed,
        from_ms: rows[0].at_ms - 10,
        until_ms: rows[0].at_ms,
        lines: None,
        detail: "/secret/path".to_owned(),
    };
    ledger.append(&Batch { node: "n".to_owned(), rows, gaps: vec![gap], ..Batch::default() }).unwrap();
    let of = quota::Dimension::ALL;
    let limits = [
        limit("by-key", &[(of[0], None)], Windows::Ever),
        limit("team", &[(of[1], Some("search"))], Windows::Ever),
        limit("all", &[], Windows::Ever),
        limit("by-model", &[(of[0], None), (of[4], None)], Windows::Ever),
    ];
    let book = Arc::new(Ledger::new(path));
    Arc::new(Pools::new(store::Address::Memory(Memory::default()), Limits::of(&limits), book, Arc::new(|_| {})))
}

async fn get(pools: &Arc<Pools>, asker: Option<&Asker>, query: &str) -> (u16, Value) {
    let request = Request::get(format!("/v1/usage{query}"));
    let request = asker.into_iter().fold(request, |request, asker| request.header(ASKER, asker.to_text()));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let answer = answer(pools, &parts).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))))
}

#[tokio::test]
async fn everyone_sees_their_own_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let pools = pools(&folder);
    let input = async |asker: &Asker, query: &str| get(&pools, Some(asker), query).await.1["total"]["input"].clone();
    let ada = asker("ada", "search", Known::Key);
    assert_eq!(input(&ada, "").await, 30, "a key takes what it used along to another team");
    assert_eq!(input(&asker("bob", "search", Known::Key), "?by=model").await, 40);
    assert_eq!(input(&asker("jwt:", "search", Known::Identity), "").await, 80, "the same name in another team");
    assert_eq!(input(&asker("eve", "search", Known::Key), "").await, 0);
    let (status, all) = get(&pools, Some(&ada), "?by=model,day&since=today").await;
    let models: Vec<_> = all["lines"].as_array().unwrap().iter().map(|line| line["model"].clone()).collect();
    assert_eq!((status, models), (200, vec![json!("m"), json!("n")]), "{all}");
    assert_eq!((&all["gaps"][0]["kind"], &all["total"]["cost_picodollars"]), (&json!("killed"), &json!(14)));
    let text = all.to_string();
    assert!(!text.contains("secret") && !text.contains("bob"), "{text}");
}

#[tokio::test]
async fn the_limits_of_a_key_and_its_team_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let pools = pools(&folder);
    for (limit, subject) in
        [("by-key", "ada"), ("by-key", "bob"), ("team", "search"), ("all", ""), ("by-model", "ada/m")]
    {
        pools.credit(limit, subject, 1, "a test", now()).await.unwrap();
    }
    let (_, all) = get(&pools, Some(&asker("ada", "search", Known::Key)), "").await;
    let limits = all["limits"].as_array().unwrap();
    let names: Vec<_> = limits.iter().map(|limit| (limit["limit"].as_str().unwrap(), limit["left"].clone())).collect();
    assert_eq!(names, [("by-key", json!(101)), ("team", json!(101))], "{all}");
}

#[tokio::test]
async fn a_bad_query_is_told_which_parameter_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let pools = pools(&folder);
    let ada = asker("ada", "", Known::Key);
    for (query, param) in [
        ("?since=soon", "since"),
        ("?until=soon", "until"),
        ("?since=1d&until=2d", "since"),
        ("?since=1d&since=2d", "since"),
        ("?by=key", "by"),
        ("?by=model,provider", "by"),
        ("?key=bob", "key"),
    ] {
        let (status, answer) = get(&pools, Some(&ada), query).await;
        assert_eq!((status, &answer["error"]["param"]), (400, &json!(param)), "{query}: {answer}");
    }
    for query in ["?since=2026-12-01T09:00:00%2B02:00&until=2026-12-01T10:00:00+02:00", "?by=&", "?"] {
        assert_eq!(get(&pools, Some(&ada), query).await.0, 200, "{query}");
    }
    assert_eq!(get(&pools, None, "").await.0, 400, "only a gateway may ask");
    let anthropic = Asker { family: Family::Anthropic, ..ada };
    assert_eq!(get(&pools, Some(&anthropic), "?by=key").await.1["type"], "error");
}

use super::*;
use crate::ledger::moment::read;
use crate::ledger::row::Row;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::store::Batch;

fn store(lines: &[&str]) -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
    let rows = lines.iter().map(|line| Row::read(line.as_bytes()).unwrap()).collect();
    store.append(&Batch { node: "here".into(), rows, ..Batch::default() }).unwrap();
    (folder, store)
}

const LINES: [&str; 4] = [
    r#"{"time":"2026-11-28T10:00:00Z","outcome":"ok","key":"ada","team":"search","model":"m","provider":"b","upstream_model":"y","tries":[{"target":"a/x","outcome":"reset","tokens":{"input":10,"estimated":true},"cost_picodollars":100},{"target":"b/y","outcome":"answered","tokens":{"input":11,"output":5,"estimated":false},"cost_picodollars":1500000}],"cost_picodollars":1500100}"#,
    r#"{"time":"2026-11-30T10:59:59Z","outcome":"ok","key":"ada","team":"search","model":"m","provider":"a","upstream_model":"x","tokens":{"input":1,"output":1,"estimated":false},"unpriced":true}"#,
    r#"{"time":"2026-11-30T11:00:00Z","outcome":"quota_spent","key":"bob","team":"ads","model":"m"}"#,
    r#"{"time":"2026-11-30T23:00:00Z","outcome":"ok","key":"bob","team":"ads","user":"=1+1,\"x\"","model":"m","provider":"a","upstream_model":"x","tokens":{"input":2,"output":2,"estimated":false},"cost_picodollars":7}"#,
];

fn question(by: &[Dimension], since: &str, until: &str) -> Question {
    Question { by: by.to_vec(), since_ms: read(since).unwrap(), until_ms: read(until).unwrap(), only: Vec::new() }
}

#[test]
fn tokens_count_for_the_provider_that_each_try_reached() {
    let (_folder, mut store) = store(&LINES);
    let usage = ask(&mut store, question(&[Dimension::Provider], "2026-11-20", "2026-12-10")).unwrap();
    let seen: Vec<_> = usage
        .lines
        .iter()
        .map(|line| (line.names[0].as_str(), line.sums.requests, line.sums.tries, line.sums.input, line.sums.cost))
        .collect();
    assert_eq!(seen, [("", 1, 0, 0, 0), ("a", 2, 3, 13, 107), ("b", 1, 1, 11, 1_500_000)]);
    assert_eq!((usage.total.requests, usage.total.estimated, usage.total.unpriced), (4, 1, 1));
}

#[test]
fn a_time_begins_and_ends_with_the_hour() {
    let (_folder, mut store) = store(&LINES);
    let mut requests = |since, until| ask(&mut store, question(&[], since, until)).unwrap().total.requests;
    assert_eq!(requests("2026-11-30T10:30:00Z", "2026-11-30T11:00:00Z"), 1);
    assert_eq!(requests("2026-11-30T11:00:00Z", "2026-11-30T11:00:00Z"), 0);
    assert_eq!(requests("2026-11-28T10:00:00Z", "2026-11-30T11:30:00Z"), 3);
    assert_eq!(requests("2026-11-28", "2026-12-01"), 4);
    assert_eq!(requests("2026-12-01", "2026-11-01"), 0);
}

#[test]
fn names_choose_the_requests() {
    let (_folder, mut store) = store(&LINES);
    let mut asked = question(&[Dimension::Day, Dimension::Team], "2026-11-20", "2026-12-10");
    asked.only = vec![(Dimension::Key, vec!["bob".into(), "eve".into()]), (Dimension::Outcome, vec!["ok".into()])];
    let usage = ask(&mut store, asked).unwrap();
    assert_eq!(usage.lines.len(), 1);
    assert_eq!(usage.lines[0].names, ["2026-11-30", "ads"]);
    assert_eq!(usage.total.cost, 7);
}

#[test]
fn the_table_is_as_the_docs_show_it() {
    let (_folder, mut store) = store(&LINES);
    let usage = ask(&mut store, question(&[Dimension::Team, Dimension::Hour], "2026-11-20", "2026-12-10")).unwrap();
    let expect = "\
from 2026-11-20T00:00:00Z to 2026-12-10T00:00:00Z
team    hour            requests  tries  input  output  estimated  unpriced  cost ($)
ads     2026-11-30T11Z         1      0      0       0          0         0      0.00
ads     2026-11-30T23Z         1      1      2       2          0         0  0.000000
search  2026-11-28T10Z         1      2     21       5          1         0  0.000002
search  2026-11-30T10Z         1      1      1       1          0         1      0.00
total                          4      4     24       8          1         1  0.000002
tries without a price: 1; their cost is in no sum";
    assert_eq!(usage.table(), expect);
}

#[test]
fn a_callers_name_breaks_neither_csv_nor_a_terminal() {
    let (_folder, mut store) = store(&LINES);
    let usage = ask(&mut store, question(&[Dimension::User], "2026-11-20", "2026-12-10")).unwrap();
    let csv = usage.csv();
    let line = csv.lines().last().unwrap();
    assert_eq!(line, r#""'=1+1,""x""",1,1,0,0,2,2,0,0,0,0,0,0,0,7,0.000000000007"#);
    let json = usage.json();
    assert_eq!((&json["lines"][1]["user"], &json["total"]["requests"]), (&"=1+1,\"x\"".into(), &4.into()));
    let evil = [r#"{"time":"2026-11-30T11:00:00Z","user":"a\u001b[2Jb"}"#];
    let (_folder, mut store) = self::store(&evil);
    let usage = ask(&mut store, question(&[Dimension::User], "2026-11-20", "2026-12-10")).unwrap();
    assert!(usage.table().contains("a\u{fffd}[2Jb"));
}

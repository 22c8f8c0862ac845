//! Filling the ledger and asking it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use weir_tests::Home;

fn line(number: u32, key: &str, cost: u32) -> String {
    format!(
        r#"{{"time":"2026-11-30T10:00:00.000Z","status":200,"duration_ms":5,"outcome":"ok","key":"{key}","team":"search","model":"assistant","provider":"openai","upstream_model":"gpt-x","tries":[{{"target":"openai/gpt-x","outcome":"answered","status":200,"ms":5.000,"tokens":{{"input":10,"output":2,"estimated":false}},"cost_picodollars":{cost}}}],"tokens":{{"input":10,"output":2,"estimated":false}},"cost_picodollars":{cost},"request_id":"r-{number:06}"}}"#
    ) + "\n"
}

/// An empty log, in a folder of its own.
fn log(home: &Home) -> PathBuf {
    std::fs::create_dir_all(home.path("logs")).unwrap();
    home.write("logs/access.log", "")
}

fn append(log: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
}

fn total(home: &Home) -> Value {
    let said = home.weir(&["usage", "--since", "2026-11-30", "--until", "2026-12-01", "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn without_a_ledger_it_says_what_makes_one() {
    let home = Home::new();
    let said = home.weir(&["usage"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("there is no ledger; `weir ledger follow` fills one"), "{said:?}");
}

#[test]
fn a_log_is_read_once_and_summed() {
    let home = Home::new();
    let log = log(&home);
    append(&log, &(line(1, "ada", 1_500_000) + &line(2, "bob", 2_500_000)));
    let said = home.weir(&["ledger", "read", "logs/access.log"]);
    assert!(said.out.contains("2 new requests"), "{said:?}");
    let said = home.weir(&["ledger", "follow", "--log", "logs/access.log", "--once"]);
    assert!(said.out.contains("0 new requests"), "{said:?}");
    let since = ["--since", "2026-11-30", "--until", "2026-12-01"];
    let said = home.weir(&[&["usage", "--by", "team,key"], &since[..]].concat());
    let expect = "\
from 2026-11-30T00:00:00Z to 2026-12-01T00:00:00Z
team    key  requests  tries  input  output  cost ($)
search  ada         1      1     10       2  0.000002
search  bob         1      1     10       2  0.000003
total               2      2     20       4  0.000004
";
    assert_eq!(said.out, expect);
    let said = home.weir(&[&["usage", "--by", "day", "--key", "ada", "--format", "csv"], &since[..]].concat());
    assert!(said.out.lines().nth(1).unwrap().starts_with("2026-11-30,1,1,0,0,10,2,"), "{said:?}");
    for wrong in [["--by", "colour"], ["--since", "soon"], ["--since", "2027-01-01"]] {
        let said = home.weir(&[&["usage"], &wrong[..]].concat());
        assert_eq!(said.code, Some(2), "{said:?}");
    }
}

#[test]
fn what_is_lost_is_shown() {
    let home = Home::new();
    let log = log(&home);
    append(&log, &(line(1, "ada", 1) + "oops\n"));
    home.weir(&["ledger", "read", "logs/access.log"]);
    let said = home.weir(&["usage", "--since", "2026-11-01", "--until", "2100-01-01"]);
    assert!(said.out.contains("gap: unreadable at logs from 2026-11-30T10:00:00Z to "), "{said:?}");
    assert!(said.out.contains(", lines: 1: "), "{said:?}");
}

#[test]
fn a_providers_export_is_compared() {
    let home = Home::new();
    let log = log(&home);
    append(&log, &(line(1, "ada", 1) + &line(2, "bob", 1)));
    home.weir(&["ledger", "read", "logs/access.log"]);
    home.write("export.csv", "day,model,input,output\n2026-11-30,gpt-x-2026-07-18,25,4\n");
    let said = home.weir(&["reconcile", "export.csv"]);
    let expect = "\
day         model  what   provider  ledger  difference
2026-11-30  gpt-x  input        25      20           5
2026-11-30 gpt-x: others use the account
openai: 0 of 1 days and models agree
";
    assert_eq!((said.code, said.out.as_str()), (Some(0), expect), "{said:?}");
    let said = home.weir(&["reconcile", "logs/access.log"]);
    assert!(said.err.contains("there is no list `data`; known are the JSON answers"), "{said:?}");
}

/// The one who follows is killed again and again, at any point, while the log grows and is rotated.
#[test]
fn kills_at_any_point_neither_lose_nor_double_a_row() {
    let home = Home::new();
    let log = log(&home);
    let follow = |once: bool| -> Child {
        let mut arguments = vec!["ledger", "follow", "--log", "logs/access.log", "--node", "here"];
        arguments.extend(once.then_some("--once"));
        home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut written = 0;
    for round in 0..12_u64 {
        let mut child = follow(false);
        for part in 0..4 {
            let lines: String = (0..500).map(|at| line(written + at, "ada", 7)).collect();
            append(&log, &lines);
            written += 500;
            if part == 1 && round % 3 == 0 {
                std::fs::rename(&log, home.path(&format!("logs/access.log.{round}"))).unwrap();
            }
        }
        // Some die before they have opened the store, some between two transactions, some within one.
        sleep(Duration::from_millis(round * 13 % 120));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(follow(true).wait().unwrap().success());
    let answer = total(&home);
    assert_eq!(
        (&answer["total"]["requests"], &answer["total"]["cost_picodollars"]),
        (&written.into(), &(7 * written).into())
    );
    assert_eq!(answer["gaps"], Value::Array(Vec::new()));
}

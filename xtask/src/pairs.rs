//! What translations cost, in instructions: counted by callgrind, so that they are the same on every run, and held to
//! what was blessed in `tests/pairs/blessed.json`.
//!
//! Where a request or an answer has many parts, one of them may take no more than one of few: a table is looked up in, not
//! looked through.
//!
//! The work is `tests/pairs`. Another compiler or processor writes other instructions: numbers are only compared with
//! those of their own kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::run::{ask, cargo, root, run, target};
use crate::say::{self, Outcome};

/// In percent: more than this above what was blessed is a regression.
const TOLERANCE: u64 = 5;

/// In percent: more than this, one of many parts takes more than one of few only where all are gone through for each.
const GROWTH: u64 = 10;

/// Has the C library copy and compare in the same way on every processor of an architecture.
const PLAIN: (&str, &str) =
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-ERMS,-FSRM,-EVEX");

/// What to do with the numbers, once they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Check,
    Bless,
}

/// Instructions of each kind of work, by pair: `chat < anthropic`, `event`.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

/// Counts every pair, prints a table, and compares it with what was blessed, or blesses it.
pub(crate) fn count(then: Then) -> Outcome {
    if ask(Command::new("valgrind").arg("--version")).is_none() {
        return Err("counting instructions needs valgrind: `apt-get install valgrind`".into());
    }
    let mut counts = measure()?;
    let grown = grown(&sizes(&mut counts));
    print!("{}", table(&counts));
    if !grown.is_empty() {
        return Err(grown.join("\n    "));
    }
    let made = made_with()?;
    match then {
        Then::Nothing => Ok(()),
        Then::Bless => bless(&made, &counts),
        Then::Check => check(&made, &counts),
    }
}

fn bless(made: &str, counts: &Counts) -> Outcome {
    let text = serde_json::to_string_pretty(&json!({ "made with": made, "pairs": counts }));
    let text = text.map_err(|error| error.to_string())? + "\n";
    fs::write(blessed(), text).map_err(explain)
}

fn check(made: &str, counts: &Counts) -> Outcome {
    let text = fs::read(blessed()).map_err(explain)?;
    let mut file: BTreeMap<String, Value> = serde_json::from_slice(&text).map_err(explain)?;
    let counted_with = file.get("made with").and_then(Value::as_str).unwrap_or_default();
    if counted_with != made {
        let again = "`cargo xtask pairs --bless` counts anew";
        say::note(&format!("not compared: the blessed numbers are of {counted_with}, these of {made}; {again}"));
        return Ok(());
    }
    let blessed = serde_json::from_value(file.remove("pairs").unwrap_or_default()).map_err(explain)?;
    let worse = worse(counts, &blessed);
    if worse.is_empty() { Ok(()) } else { Err(worse.join("\n    ")) }
}

fn explain(error: impl Display) -> String {
    format!("{}: {error}", blessed().display())
}

/// Whether this machine can count.
pub(crate) fn can_count() -> bool {
    ask(Command::new("valgrind").arg("--version")).is_some()
}

fn blessed() -> PathBuf {
    root().join("tests/pairs/blessed.json")
}

/// What decides which instructions there are, besides our own code.
fn made_with() -> Outcome<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = ask(Command::new(rustc).arg("--version")).ok_or("`rustc --version` says nothing")?;
    let number = version.split(' ').nth(1).unwrap_or_default();
    Ok(format!("rustc {number}, {}", std::env::consts::ARCH))
}

fn measure() -> Outcome<Counts> {
    run(&mut cargo(&["build", "--quiet", "--profile", "pairs", "--package", "weir-pairs"]))?;
    let out = target().join("pairs/callgrind.out");
    let _ = fs::remove_file(&out);
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--combine-dumps=yes"]);
    valgrind.args(["--toggle-collect=weir_pairs::counted", "--dump-after=weir_pairs::counted"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(target().join("pairs/weir-pairs"));
    let output = valgrind.env(PLAIN.0, PLAIN.1).output().map_err(|error| format!("cannot run valgrind: {error}"))?;
    if !output.status.success() {
        return Err(format!("counting: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let dumps = fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    read(&String::from_utf8_lossy(&output.stdout), &dumps)
}

/// Brings together what was done, a line each, and what callgrind counted for each, in the same order.
fn read(done: &str, dumps: &str) -> Outcome<Counts> {
    // The last dump is of the program's end, where nothing is counted.
    let totals: Vec<u64> = dumps
        .lines()
        .filter_map(|line| line.strip_prefix("totals:")?.trim().parse().ok())
        .filter(|&total| total > 0)
        .collect();
    let done: Vec<(&str, &str, u64)> = done
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some((parts.next()?, parts.next()?, parts.next()?.parse().ok()?))
        })
        .collect();
    if done.is_empty() || done.len() != totals.len() {
        return Err(format!("{} kinds of work were done, but callgrind counted {}", done.len(), totals.len()));
    }
    let mut counts = Counts::new();
    for ((pair, what, times), total) in done.into_iter().zip(totals) {
        counts.entry(pair.to_owned()).or_default().insert(what.to_owned(), total / times.max(1));
    }
    Ok(counts)
}

/// Takes out what was counted with few parts and with many: what one part took then and then.
fn sizes(counts: &mut Counts) -> BTreeMap<String, (u64, u64)> {
    let mut sizes = BTreeMap::new();
    for (pair, kinds) in counts.iter_mut() {
        let all = std::mem::take(kinds);
        for (what, few) in &all {
            let Some(kind) = what.strip_suffix(", few") else { continue };
            if let Some(many) = all.get(&format!("{kind}, many")) {
                sizes.insert(format!("{pair}, {kind}"), (*few, *many));
            }
        }
        let is_sized = |what: &str| what.ends_with(", few") || what.ends_with(", many");
        kinds.extend(all.into_iter().filter(|(what, _)| !is_sized(what)));
    }
    sizes
}

/// The lines in which a part costs more among many than among few.
fn grown(sizes: &BTreeMap<String, (u64, u64)>) -> Vec<String> {
    let grown = sizes.iter().filter(|(_, (few, many))| *many > few + few * GROWTH / 100);
    grown
        .map(|(what, (few, many))| {
            format!(
                "{what}: {few} instructions for one of few, {many} for one of many: find what goes through all for each"
            )
        })
        .collect()
}

fn table(counts: &Counts) -> String {
    let whats: BTreeSet<&String> = counts.values().flat_map(BTreeMap::keys).collect();
    let row = |name: &str, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>14}")).collect();
        format!("| {name:<28} | {} |\n", cells.join(" | "))
    };
    let head = [
        "Instructions (`=` relayed, `<` translated):\n\n".to_owned(),
        row("caller, provider", whats.iter().map(ToString::to_string).collect()),
        row("---", vec!["---:".to_owned(); whats.len()]),
    ];
    let rows = counts.iter().map(|(pair, kinds)| {
        row(pair, whats.iter().map(|what| kinds.get(*what).map_or_else(String::new, u64::to_string)).collect())
    });
    head.into_iter().chain(rows).collect()
}

/// A line for each number that is worse than blessed, new or gone.
fn worse(counts: &Counts, blessed: &Counts) -> Vec<String> {
    let mut worse = Vec::new();
    let bless = "`cargo xtask pairs --bless` if that is meant";
    for (pair, kinds) in counts {
        for (what, count) in kinds {
            match blessed.get(pair).and_then(|kinds| kinds.get(what)) {
                None => worse.push(format!("{pair}, {what}: {count} instructions, nothing is blessed; {bless}")),
                Some(before) if *count > before + before * TOLERANCE / 100 => {
                    worse.push(format!("{pair}, {what}: {count} instructions, {before} are blessed; {bless}"));
                }
                Some(_) => {}
            }
        }
    }
    let gone = blessed.keys().filter(|pair| !counts.contains_key(*pair));
    worse.extend(gone.map(|pair| format!("{pair} is blessed, but was not counted; {bless}")));
    worse
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "chat < a\tevent\t10\nchat < a\trequest\t2\n";
    const DUMPS: &str = "fn=(1) x\ntotals: 1000\n\ntotals: 90\ntotals: 0\n";

    fn blessed(counts: Value) -> Counts {
        serde_json::from_value(counts).unwrap()
    }

    fn counted() -> Counts {
        read(DONE, DUMPS).unwrap()
    }

    #[test]
    fn what_was_done_is_divided_by_how_often() {
        assert_eq!(json!(counted()), json!({"chat < a": {"event": 100, "request": 45}}));
    }

    #[test]
    fn a_count_without_its_work_is_a_mistake() {
        assert!(read(DONE, "totals: 1000\n").is_err());
        assert!(read("", "").is_err());
    }

    #[test]
    fn what_is_a_twentieth_above_the_blessed_is_worse() {
        let worse = |event: u64| worse(&counted(), &blessed(json!({"chat < a": {"event": event, "request": 45}})));
        assert!(worse(96).is_empty());
        assert!(worse(200).is_empty());
        assert_eq!(worse(95).len(), 1);
    }

    #[test]
    fn one_of_many_takes_no_more_than_one_of_few() {
        let done = "chat < a\tcalls, few\t10\nchat < a\tcalls, many\t100\nchat < a\tevent\t1\n";
        let grown = |many: u64| {
            let mut counts = read(done, &format!("totals: 1000\ntotals: {many}\ntotals: 7\n")).unwrap();
            let grown = grown(&sizes(&mut counts));
            assert_eq!(json!(counts), json!({"chat < a": {"event": 7}}));
            grown
        };
        assert!(grown(11_000).is_empty());
        assert_eq!(grown(12_000).len(), 1);
    }

    #[test]
    fn a_row_that_is_new_or_gone_must_be_blessed() {
        assert_eq!(worse(&counted(), &Counts::new()).len(), 2);
        let more = blessed(json!({"chat < a": {"event": 100, "request": 45}, "chat < b": {}}));
        assert_eq!(worse(&counted(), &more).len(), 1);
    }
}

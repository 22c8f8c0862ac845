//! How fast the ledger is: `cargo run --release -p weir-control --example ledger -- [ROWS] [USERS]`.
//!
//! It writes an access log of so many lines over 30 days, follows it into a store, and asks for the usage of that time.
#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use weir_control::ledger::follow::Scope;
use weir_control::ledger::moment::{self, DAY};
use weir_control::ledger::{Dimension, Follower, Question, Sqlite, usage};

const KEYS: u64 = 50;
const PART: u64 = 250_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let (rows, users) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(200));
    let folder = std::env::temp_dir().join(format!("weir-ledger-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let start_ms = moment::read("2026-11-01").unwrap();
    let mut store = Sqlite::open(&folder.join("ledger.sqlite")).unwrap();
    let mut seconds = 0.0;
    for from in (0..rows).step_by(usize::try_from(PART).unwrap()) {
        // A part at a time, so that the log needs little space.
        let log = folder.join(format!("{from}.log"));
        write(&log, from..rows.min(from + PART), rows, users, start_ms);
        let start = Instant::now();
        let step = Follower::new("here", &log, Scope::File).catch_up(&mut store, 0).unwrap();
        seconds += start.elapsed().as_secs_f64();
        assert_eq!(step.rows, rows.min(from + PART) - from);
        fs::remove_file(&log).unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "it is printed")]
    let speed = rows as f64 / seconds;
    println!("{rows} rows in {seconds:.1} s: {speed:.0} rows a second on one core");
    println!("the store has {} MiB", fs::metadata(folder.join("ledger.sqlite")).unwrap().len() >> 20);
    let questions: [&[Dimension]; 5] = [
        &[Dimension::Team, Dimension::Model],
        &[Dimension::Key],
        &[Dimension::User],
        &[Dimension::Day, Dimension::Provider],
        &[Dimension::Hour],
    ];
    for by in questions {
        let question = Question {
            by: by.to_vec(),
            since_ms: start_ms + 7_200_000,
            until_ms: start_ms + 30 * DAY - 3_600_000,
            only: Vec::new(),
        };
        let start = Instant::now();
        let usage = usage::ask(&mut store, question).unwrap();
        let (lines, took) = (usage.lines.len(), start.elapsed());
        println!("usage by {by:?}: {lines} lines over {} rows in {took:.1?}", usage.total.requests);
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn write(log: &Path, numbers: std::ops::Range<u64>, rows: u64, users: u64, start_ms: i64) {
    let mut file = BufWriter::new(File::create(log).unwrap());
    for number in numbers {
        let at = start_ms + i64::try_from(number * 30 * 86_400_000 / rows).unwrap();
        let user = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (user, key, model) = (user % users, user % KEYS, number % 3);
        writeln!(
            file,
            r#"{{"time":"{time}","status":200,"duration_ms":812,"bytes_received":80,"bytes_sent":900,"flags":"-","outcome":"ok","admitted_ms":{at},"key":"key-{key}","team":"team-{team}","tenant":"key-{key}","user":"user-{user}","application":"web","endpoint":"chat","delivery":"streamed","model":"model-{model}","provider":"openai","upstream_model":"gpt-{model}","candidates":["openai/gpt-{model}","anthropic/claude-{model}"],"passed_over":[],"tries":[{{"target":"openai/gpt-{model}","outcome":"answered","status":200,"ms":700.512,"tokens":{{"input":210,"output":90,"cached_read":30,"cache_write":0,"reasoning":20,"audio_input":0,"audio_output":0,"estimated":false}},"cost_picodollars":85500000}}],"answered_model":"gpt-{model}-2026-07-18","first_token_ms":120.033,"total_first_token_ms":121.204,"tokens":{{"input":210,"output":90,"cached_read":30,"cache_write":0,"reasoning":20,"audio_input":0,"audio_output":0,"estimated":false}},"cost_picodollars":85500000,"limits":[{{"limit":"team-month","subject":"team-{team}","window":1793491200000,"spent":85500000}},{{"limit":"key-day","subject":"key-{key}","window":1796083200000,"spent":300}}],"details":"via_upstream","request_id":"{number:08x}-0000-4000-8000-000000000000"}}"#,
            time = moment::text(at),
            team = key % 10,
        )
        .unwrap();
    }
    file.flush().unwrap();
}

use super::*;

const WHOLE: &str = r#"{"time":"2026-12-01T09:30:00.250Z","status":200,"duration_ms":812,"bytes_received":80,"bytes_sent":900,"flags":"-","outcome":"ok","key":"ada","team":"search","tenant":"ada","user":"u-1","application":"web","endpoint":"chat","delivery":"streamed","model":"assistant","provider":"anthropic","upstream_model":"claude-x","admitted_ms":1796117400100,"candidates":["openai/gpt-x","anthropic/claude-x"],"passed_over":[],"tries":[{"target":"openai/org/gpt-x","outcome":"reset","status":0,"ms":10.007,"tokens":{"input":20,"estimated":true},"cost_picodollars":300},{"target":"anthropic/claude-x","outcome":"answered","status":200,"ms":700.5,"tokens":{"input":21,"output":9,"cached_read":3,"estimated":false},"cost_picodollars":700}],"answered_model":"claude-x-1","first_token_ms":120.033,"tokens":{"input":21,"output":9,"cached_read":3,"estimated":false},"cost_picodollars":1000,"limits":[{"limit":"team-month","subject":"search","window":1796083200000,"spent":1000,"lease":1796117400000000001}],"soft":["a","b"],"details":"via_upstream","request_id":"r-1"}"#;

#[test]
fn a_whole_line_is_read() {
    let row = Row::read(WHOLE.as_bytes()).unwrap();
    assert_eq!((row.at_ms, row.status, row.duration_ms), (1_796_117_400_100, 200, 812));
    assert_eq!((row.key.as_str(), row.team.as_str(), row.user.as_str()), ("ada", "search", "u-1"));
    assert_eq!((row.first_token_us, row.soft.as_str()), (Some(120_033), "a,b"));
    let account = Account { limit: "team-month".into(), subject: "search".into(), window_ms: 1_796_083_200_000 };
    assert_eq!(row.settled, [Settled { account, spent: 1000, lease: Some(1_796_117_400_000_000_001) }]);
    let parts = row.parts();
    assert_eq!((parts[0].provider, parts[0].model, parts[0].tokens.input), ("openai", "org/gpt-x", 20));
    assert_eq!(parts.iter().filter_map(|part| part.cost).sum::<i64>(), 1000);
    assert!(parts[0].tokens.estimated && !parts[1].tokens.estimated);
    assert_eq!(row.tries[0].duration_us, 10_007);
}

#[test]
fn a_line_without_a_record_is_a_row_too() {
    let line = r#"{"time":"2026-12-01T00:00:00.000Z","status":400,"duration_ms":-,"bytes_received":0,"bytes_sent":0,"flags":"DPE","outcome":"-"}"#;
    let row = Row::read(line.as_bytes()).unwrap();
    assert_eq!((row.status, row.outcome.as_str(), row.duration_ms), (400, "-", 0));
    assert!(row.parts().is_empty());
}

#[test]
fn an_older_line_counts_what_its_answer_used() {
    let line = r#"{"time":"2026-12-01T00:00:00.000Z","outcome":"ok","tenant":"ada","provider":"openai","upstream_model":"gpt-x","tries":[{"target":"openai/gpt-x","outcome":"answered","status":200,"ms":1.000}],"tokens":{"input":5,"output":2,"estimated":false}}"#;
    let row = Row::read(line.as_bytes()).unwrap();
    assert_eq!(row.key, "ada");
    let tokens = Tokens { input: 5, output: 2, ..Tokens::default() };
    assert_eq!(row.parts(), [Part { provider: "openai", model: "gpt-x", tokens, cost: None }]);
}

#[test]
fn what_the_tries_do_not_account_for_belongs_to_the_answer() {
    let line = r#"{"time":"2026-12-01T00:00:00.000Z","tries":[{"target":"a/b","tokens":{"input":1},"cost_picodollars":4},{"target":"c/d","tokens":{"input":1}}],"cost_picodollars":10}"#;
    let row = Row::read(line.as_bytes()).unwrap();
    assert_eq!(row.parts().iter().map(|part| part.cost).collect::<Vec<_>>(), [Some(4), Some(6)]);
}

#[test]
fn a_line_behind_half_a_line_is_not_lost() {
    let line = format!(r#"{{"time":"2026-12-01T00:00:00.000Z","status":2{WHOLE}"#);
    assert_eq!(Row::read(line.as_bytes()), Row::read(WHOLE.as_bytes()));
}

#[test]
fn what_is_no_row_is_said_and_never_panics() {
    let check = |line: &[u8], why| assert_eq!(Row::read(line), Err(why));
    check(b"", Unreadable::NotJson);
    check(b"hello", Unreadable::NotJson);
    check(b"\xff\xfe", Unreadable::NotJson);
    check(b"7", Unreadable::NoObject);
    check(b"{}", Unreadable::NoTime);
    check(br#"{"time":"-"}"#, Unreadable::NoTime);
    for end in 0..WHOLE.len() {
        assert!(Row::read(&WHOLE.as_bytes()[..end]).is_err());
    }
    check("[".repeat(100_000).as_bytes(), Unreadable::NotJson);
}

#[test]
fn wrong_types_and_absurd_numbers_do_no_harm() {
    let line = r#"{"time":"2026-12-01T00:00:00Z","key":7,"status":"x","tries":{},"tokens":{"input":18446744073709551615,"output":-1},"cost_picodollars":18446744073709551615,"limits":[1,{"limit":"a"}]}"#;
    let row = Row::read(line.as_bytes()).unwrap();
    assert_eq!((row.key.as_str(), row.status, row.cost), ("", 0, Some(i64::MAX)));
    let tokens = row.tokens.unwrap();
    assert_eq!((tokens.input, tokens.output), (MOST_TOKENS, 0));
    assert!(row.settled.is_empty());
    let long = format!(r#"{{"time":"2026-12-01T00:00:00Z","user":"{}"}}"#, "ä".repeat(500));
    assert_eq!(Row::read(long.as_bytes()).unwrap().user.len(), LONGEST);
}

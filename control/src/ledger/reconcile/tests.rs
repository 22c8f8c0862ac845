use super::*;
use crate::ledger::row::Row;
use crate::ledger::sqlite::Sqlite;
use crate::ledger::store::Batch;

fn store(lines: &[String]) -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(&folder.path().join("ledger.sqlite")).unwrap();
    let rows = lines.iter().map(|line| Row::read(line.as_bytes()).unwrap()).collect();
    store.append(&Batch { node: "here".into(), rows, ..Batch::default() }).unwrap();
    (folder, store)
}

fn line(time: &str, target: &str, outcome: &str, input: u64, output: u64, estimated: bool, cost: u64) -> String {
    format!(
        r#"{{"time":"{time}","outcome":"{outcome}","tries":[{{"target":"{target}","tokens":{{"input":{input},"output":{output},"cached_read":1,"estimated":{estimated}}},"cost_picodollars":{cost}}}]}}"#
    )
}

const CENT: u64 = 10_000_000_000;

fn causes(store: &mut Sqlite, export: &str, provider: Option<&str>) -> Vec<(String, String, Vec<Cause>)> {
    let comparison = compare(store, &read(export).unwrap(), provider).unwrap();
    let lines = comparison.lines.into_iter();
    lines.map(|line| (moment::date(line.day_ms), line.model, line.causes)).collect()
}

const OPENAI: &str = r#"{"object":"page","data":[
  {"object":"bucket","start_time":1796083200,"end_time":1796169600,"results":[
    {"object":"organization.usage.completions.result","input_tokens":30,"output_tokens":7,"input_cached_tokens":2,"num_model_requests":2,"project_id":null,"model":"gpt-x-2026-07-18","batch":false},
    {"object":"organization.usage.completions.result","input_tokens":9,"output_tokens":9,"num_model_requests":1,"model":"gpt-other"}]},
  {"object":"bucket","start_time":1796169600,"end_time":1796256000,"results":[]}],
  "has_more":false,"next_page":null}"#;

#[test]
fn openais_usage_is_compared_by_day_and_model() {
    let (_folder, mut store) = store(&[
        line("2026-12-01T01:00:00Z", "openai/gpt-x", "ok", 10, 3, false, 5),
        line("2026-12-01T23:59:59Z", "openai/gpt-x", "ok", 20, 4, false, 5),
        line("2026-12-02T00:00:00Z", "openai/gpt-x", "ok", 1, 1, false, 5),
        line("2026-12-01T01:00:00Z", "another/gpt-x", "ok", 99, 99, false, 5),
    ]);
    let day = |day: &str, model: &str, causes| (day.to_owned(), model.to_owned(), causes);
    let expect = [
        day("2026-12-01", "gpt-other", vec![Cause::NotThroughWeir]),
        day("2026-12-01", "gpt-x", vec![]),
        day("2026-12-02", "gpt-x", vec![Cause::NotTold]),
    ];
    assert_eq!(causes(&mut store, OPENAI, Some("openai")), expect);
    let export = read(OPENAI).unwrap();
    let error = compare(&mut store, &export, None).unwrap_err().to_string();
    assert_eq!(error, "name the provider with --provider: the ledger has another, openai");
    let error = compare(&mut store, &export, Some("opnai")).unwrap_err().to_string();
    assert_eq!(error, "the ledger has nothing of provider \"opnai\" from 2026-12-01 to 2026-12-03");
}

#[test]
fn anthropics_input_is_the_sum_of_its_parts() {
    let export = r#"{"data":[{"starting_at":"2026-12-01T00:00:00Z","ending_at":"2026-12-02T00:00:00Z","results":[
      {"uncached_input_tokens":20,"cache_creation":{"ephemeral_1h_input_tokens":3,"ephemeral_5m_input_tokens":6},"cache_read_input_tokens":1,"output_tokens":5,"model":"claude-y-20260929","server_tool_use":{"web_search_requests":0}}]}],
      "has_more":true,"next_page":"page_x"}"#;
    let (_folder, mut store) = store(&[line("2026-12-01T01:00:00Z", "anthropic/claude-y", "ok", 30, 5, false, 5)]);
    let comparison = compare(&mut store, &read(export).unwrap(), None).unwrap();
    assert_eq!((comparison.lines.len(), comparison.differing().count(), comparison.has_more), (1, 0, true));
    assert!(comparison.table().starts_with("anthropic: 1 of 1 days and models agree\nthe provider has more pages"));
}

#[test]
fn costs_are_dollars_at_openai_and_cents_at_anthropic() {
    let openai = r#"{"object":"page","data":[{"object":"bucket","start_time":1796083200,"end_time":1796169600,"results":[
      {"object":"organization.costs.result","amount":{"value":0.06,"currency":"usd"},"line_item":"gpt-x, input","project_id":null},
      {"object":"organization.costs.result","amount":{"value":"0.045","currency":"usd"},"line_item":"gpt-x, output"}]}]}"#;
    let cost = |export: &str| read(export).unwrap().billed.values().next().unwrap().cost;
    assert_eq!(cost(openai), Some(105_000_000_000));
    let anthropic = r#"{"data":[{"starting_at":"2026-12-01T00:00:00Z","ending_at":"2026-12-02T00:00:00Z","results":[
      {"currency":"USD","amount":"123.78912","workspace_id":null,"description":"Claude usage","cost_type":"tokens","model":"claude-y"}]}]}"#;
    assert_eq!(cost(anthropic), Some(1_237_891_200_000));
    assert!(read(&anthropic.replace("USD", "EUR")).unwrap_err().to_string().contains("only US dollars"));
    // Half a cent is rounding, and more is not.
    let day = |cost| line("2026-12-01T01:00:00Z", "openai/gpt-x", "ok", 10, 3, false, cost);
    let (_folder, mut near) = store(&[day(11 * CENT)]);
    assert_eq!(causes(&mut near, openai, None)[0].2, []);
    let (_folder, mut far) = store(&[day(14 * CENT)]);
    assert_eq!(causes(&mut far, openai, None)[0].2, [Cause::OtherPrices]);
}

#[test]
fn a_table_needs_only_a_header() {
    let export =
        read("Date,Model,Input Tokens,output,cost\n2026-12-01,gpt-x,\"1,000\",5,$0.25\n1796083200,gpt-x,1,1,\n")
            .unwrap();
    let billed = Billed { input: Some(1001), output: Some(6), cost: Some(250_000_000_000), ..Billed::default() };
    assert_eq!(export.billed.into_iter().collect::<Vec<_>>(), [((1_796_083_200_000, "gpt-x".to_owned()), billed)]);
    let (_folder, mut store) = store(&[
        line("2026-12-01T01:00:00Z", "openai/gpt-x", "ok", 10, 3, false, 5),
        line("2026-12-01T01:00:00Z", "openai/gpt-z", "ok", 10, 3, false, 5),
    ]);
    assert_eq!(causes(&mut store, "day,input\n2026-12-01,20\n", None), [("2026-12-01".into(), String::new(), vec![])]);
}

#[test]
fn what_is_no_export_says_what_is() {
    let check = |text: &str, expect: &str| {
        let told = read(text).unwrap_err().to_string();
        assert!(told.starts_with(expect), "{told}");
    };
    check("{}", "there is no list `data`");
    check("[", "not JSON");
    check("model,input\na,1\n", "the header names no day");
    check("day,model\na,1\n", "the header names no amount");
    check("day,input\nsoon,1\n", "line 2: \"soon\" is no day");
    check("day,input\n2026-12-01,x\n", "line 2: \"x\" is no number");
    let week = OPENAI.replace("1796169600,\"results\":[\n", "1796688000,\"results\":[\n");
    check(&week, "the bucket from 2026-12-01T00:00:00Z to 2026-12-08T00:00:00Z is in more than one day");
}

#[test]
fn a_cause_is_told_where_it_is_known() {
    let total = |tokens: i128, tries: i128| Sums { tries, input: tokens, ..Sums::default() };
    let check = |theirs: i128, ours: i128, known: &dyn Fn(&mut cause::Circumstances), expect: &[Cause]| {
        let mut circumstances = cause::Circumstances { gaps: 0, lost: false, sums: total(ours, 9), failed: 0 };
        known(&mut circumstances);
        let billed = |input| Billed { input: Some(input), ..Billed::default() };
        assert_eq!(cause::causes(&billed(theirs), &billed(ours), &circumstances), expect);
    };
    check(5, 5, &|known| known.gaps = 1, &[]);
    check(6, 5, &|_| (), &[Cause::OthersUseTheAccount]);
    check(5, 6, &|_| (), &[Cause::ReportIsLate]);
    check(6, 5, &|known| (known.gaps, known.lost) = (2, true), &[Cause::Gaps(2), Cause::Killed]);
    check(6, 5, &|known| known.sums.estimated = 3, &[Cause::Estimated(3)]);
    check(5, 6, &|known| (known.gaps, known.failed) = (2, 4), &[Cause::Failed(4)]);
}

#[test]
fn versions_of_a_model_are_one() {
    for (name, expect) in [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("mistral-large-latest", "mistral-large"),
        ("gpt-4o", "gpt-4o"),
        ("model-12345678", "model-12345678"),
        ("", ""),
        ("20250929", "20250929"),
    ] {
        assert_eq!(plain(name), expect);
    }
}

use alloc::boxed::Box;
use alloc::format;
use std::fs;
use std::path::Path;

use weir_hub::codec::json::{Collected, check};
use weir_hub::dialect;
use weir_hub::endpoint::{Asked, Endpoint};
use weir_hub::fault::FaultKind;
use weir_hub::frames::Framing;
use weir_hub::piece::{Answer, Block};

use super::*;
use crate::exchange::translate;
use crate::exchange::trial::START;

fn start(delivery: Delivery) -> ReplyStart<'static> {
    ReplyStart { asked: Asked { delivery, ..START.asked }, id: "w", ..START }
}

/// The last event of a stream whose other events gave no finish reason.
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// The events of a stream, each given as its JSON, collected.
fn streamed(events: &[&str]) -> Result<Answer, UpstreamFault> {
    let mut reading = Reading::new(&start(Delivery::Streamed));
    let mut answer = Answer::default();
    for event in events.iter().chain([&FINISH].into_iter().filter(|_| !events.is_empty())) {
        reading.event(Event::Json { name: "", data: check(event).unwrap() }, &mut |piece| answer.add(piece))?;
    }
    reading.event(Event::Done, &mut |piece| answer.add(piece))?;
    Ok(answer)
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"a","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

/// The calls of the first choice: id, name, arguments.
fn calls(deltas: &[&str]) -> Vec<(String, String, String)> {
    let events: Vec<_> = deltas.iter().map(|calls| delta(&format!(r#"{{"tool_calls":[{calls}]}}"#))).collect();
    let events: Vec<&str> = events.iter().map(|event| &**event).collect();
    let answer = streamed(&events).unwrap();
    assert_eq!(answer.choices[0].finish, Some(Finish::ToolCalls));
    let call = |block: &Block| match block {
        Block::Call { id, name, arguments } => Some((id.text(), name.text(), arguments.text())),
        _ => None,
    };
    answer.choices[0].blocks.iter().filter_map(call).collect()
}

fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
    (id.into(), name.into(), arguments.into())
}

#[test]
fn calls_are_put_together_however_they_are_numbered() {
    let expect = [call("x", "f", "{\"a\":1}"), call("y", "g", "{}")];
    // As OpenAI does it.
    let by_index = calls(&[
        r#"{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}"#,
        r#"{"index":0,"function":{"arguments":"{\"a\""}}"#,
        r#"{"index":1,"id":"y","type":"function","function":{"name":"g","arguments":""}}"#,
        r#"{"index":0,"function":{"arguments":":1}"}}"#,
    ]);
    assert_eq!(by_index, expect);
    // The id and the name again in each fragment.
    let repeated = calls(&[
        r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\""}}"#,
        r#"{"index":0,"id":"x","function":{"name":"f","arguments":":1}"}}"#,
        r#"{"index":1,"id":"y","function":{"name":"g","arguments":"{}"}}"#,
    ]);
    assert_eq!(repeated, expect);
    // All calls with the same number.
    let same = calls(&[
        r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
        r#"{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}}"#,
    ]);
    assert_eq!(same, expect);
    // Without numbers.
    let unnumbered = calls(&[
        r#"{"id":"x","function":{"name":"f","arguments":"{\"a\""}}"#,
        r#"{"function":{"arguments":":1}"}}"#,
        r#"{"id":"y","function":{"name":"g","arguments":{}}}"#,
    ]);
    assert_eq!(unnumbered, expect);
    // Another id in each fragment.
    let renamed = calls(&[
        r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\""}}"#,
        r#"{"index":0,"id":"z","function":{"arguments":":1}"}}"#,
    ]);
    assert_eq!(renamed, &expect[..1]);
}

#[test]
fn what_comes_late_is_waited_for() {
    let late_name = [
        r#"{"index":0,"id":"x","function":{"arguments":"{"}}"#,
        r#"{"index":0,"function":{"name":"f","arguments":"}"}}"#,
    ];
    assert_eq!(calls(&late_name), [call("x", "f", "{}")]);
    assert_eq!(calls(&[r#"{"function":{"name":"f"}}"#]), [call("call_w_0", "f", "{}")]);
    let nameless = delta(r#"{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{}"}}]}"#);
    assert_eq!(streamed(&[&nameless]).unwrap_err().kind, FaultKind::Malformed);
}

#[test]
fn a_call_of_the_old_kind_is_a_call() {
    let events =
        [delta(r#"{"function_call":{"name":"f","arguments":""}}"#), delta(r#"{"function_call":{"arguments":"{}"}}"#)];
    let answer = streamed(&[&events[0], &events[1]]).unwrap();
    let Block::Call { id, name, arguments } = &answer.choices[0].blocks[0] else { panic!("{answer:?}") };
    assert_eq!((&*id.text(), &*name.text(), &*arguments.text()), ("call_w_0", "f", "{}"));
    assert_eq!(answer.choices[0].finish, Some(Finish::ToolCalls));
}

#[test]
fn an_end_is_called_by_many_names() {
    let finish = |reason: &str| {
        let chunk = format!(r#"{{"id":"a","choices":[{{"delta":{{"content":"a"}},"finish_reason":"{reason}"}}]}}"#);
        streamed(&[&chunk]).map(|answer| answer.choices[0].finish.unwrap()).map_err(|fault| fault.kind)
    };
    assert_eq!(finish("stop"), Ok(Finish::Stop));
    assert_eq!(finish("eos"), Ok(Finish::Stop));
    assert_eq!(finish("model_length"), Ok(Finish::ContextWindow));
    assert_eq!(finish("content_filter"), Ok(Finish::ContentFilter));
    assert_eq!(finish("tool_calls"), Ok(Finish::Stop));
    assert_eq!(finish("error"), Err(FaultKind::ErrorEvent));
    assert_eq!(streamed(&[]).unwrap_err().kind, FaultKind::Malformed);
}

#[test]
fn thoughts_are_told_once_and_with_their_proofs() {
    let answer = streamed(&[
        &delta(
            r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0}]}"#,
        ),
        &delta(r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.summary","summary":"b","index":0}]}"#),
        &delta(
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}]}"#,
        ),
        &delta(
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x","format":"google-gemini-v1","index":1}]}"#,
        ),
        &delta(
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"c"}]},{"type":"text","text":"d"}]}"#,
        ),
        &delta(r#"{"reasoning_content":"e"}"#),
    ]);
    let said: Vec<_> = answer.unwrap().choices[0]
        .blocks
        .iter()
        .map(|block| match block {
            Block::Reasoning { text, signature, block } => {
                format!("{block} {} {}", text.text(), signature.as_ref().map(Collected::text).unwrap_or_default())
            }
            Block::Redacted { data, block } => format!("{block} {}", data.text()),
            Block::Text { text, .. } => text.text(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(said, ["0 ab s", "1 gemini~x", "2 c ", "d", "3 e "]);
}

#[test]
fn pages_told_beside_the_answer_are_its_sources() {
    let chunk = |reason: &str| {
        format!(
            r#"{{"id":"a","choices":[{{"delta":{{"content":"a"}},"finish_reason":{reason}}}],
                "citations":["https://a"],"search_results":[{{"title":"A","url":"https://a"}}]}}"#
        )
    };
    let answer = streamed(&[&chunk("null"), &chunk("\"stop\"")]).unwrap();
    let Block::Text { text, citations } = &answer.choices[0].blocks[0] else { panic!("{answer:?}") };
    assert_eq!((&*text.text(), citations.len()), ("aa", 1));
    assert_eq!(citations[0].title.as_ref().unwrap().text(), "A");
}

/// An answer that is read and written again reads the same, streamed or not.
#[test]
fn an_answer_written_again_is_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/openai");
    let mut count = 0;
    for case in fs::read_dir(root).unwrap() {
        let folder = case.unwrap().path();
        let meta = fs::read_to_string(folder.join("meta.json")).unwrap();
        if ["\"endpoint\"", "\"fault\"", "\"status\""].iter().any(|field| meta.contains(field)) {
            continue;
        }
        let (delivery, file) = if folder.join("3-answer.sse").exists() {
            (Delivery::Streamed, "3-answer.sse")
        } else {
            (Delivery::Whole, "3-answer.json")
        };
        let through = |bytes: &[u8]| {
            let (dialect, start) = (dialect::of(Endpoint::Chat).unwrap(), start(delivery));
            let mut reply = translate::reply(dialect, Framing::Sse, Box::new(Reading::new(&start)), &start);
            let mut out = Vec::new();
            reply.read(bytes, &mut out).unwrap();
            reply.end(&mut out).unwrap_or_else(|fault| panic!("{}: {fault:?}", folder.display()));
            (String::from_utf8(out).unwrap(), reply.usage())
        };
        let (once, used) = through(&fs::read(folder.join(file)).unwrap());
        let (twice, used_again) = through(once.as_bytes());
        assert_eq!(once, twice, "{}", folder.display());
        assert!(used.estimated || used == used_again, "{}", folder.display());
        count += 1;
    }
    assert!(count > 25, "{count} cases");
}

//! An event of a stream takes memory once, for what is written of it, and where bytes pass never, once the stream has
//! begun.

use std::sync::Arc;

use allocation_counter::measure;
use serde_json::Value;
use weir_core::attempt::{Attempt, Input};
use weir_core::plan::{Candidate, Limits, Origin, Plan};
use weir_core::provider::{ALL, ChatApi, Provider};
use weir_core::role::Effect;
use weir_core::time::Instant;
use weir_hub::codec::Unreadable;
use weir_hub::codec::eventstream;
use weir_hub::dialect;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::frames::Framing;

use crate::recorded::{Recorded, Way, is_text};

/// Events before those that are counted.
const BEFORE: usize = 700;
const COUNTED: usize = 50;

/// What an answer of Responses repeats at its end is collected: now and then it needs twice the room.
const GROWTH: u64 = 1;

/// What JSON must escape, may escape, and never does.
const WORDS: &str = "a\n\"b\\\" \tc — ✓ d";

#[test]
fn an_event_allocates_nothing_beside_what_is_written_of_it() {
    let mut wrong = Vec::new();
    for provider in ALL {
        for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| dialect::of(*endpoint).is_some()) {
            for way in [Way::Relayed, Way::Translated] {
                let Some(recorded) = Recorded::find(provider, endpoint, way).unwrap() else { continue };
                let escaped: Vec<_> = recorded.deltas.iter().map(|delta| saying(delta, provider)).collect();
                for (kind, deltas) in [("as recorded", &recorded.deltas), ("with escapes", &escaped)] {
                    let count = allocations(provider, endpoint, &recorded, deltas);
                    // Where bytes pass, nothing is written.
                    let outputs = if way == Way::Relayed { 0 } else { COUNTED as u64 };
                    if count > outputs + GROWTH {
                        let (endpoint, provider) = (endpoint.name(), provider.name());
                        wrong.push(format!("{endpoint} of {provider}, {way:?}, {kind}: {count} in {COUNTED} events"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How often memory is taken for [`COUNTED`] events, whole way through the attempt that answers.
fn allocations(provider: &'static dyn Provider, endpoint: Endpoint, recorded: &Recorded, deltas: &[Vec<u8>]) -> u64 {
    let upstream = Arc::new(recorded.upstream.clone());
    let plan = plan(endpoint, provider.name(), &recorded.model).to_text();
    let mut attempt = Attempt::start(&upstream, Plan::from_text(&plan), Instant::default(), &mut Vec::new()).unwrap();
    let mut effects = Vec::new();
    let content_type = match provider.chat_api().map_or(Framing::Sse, ChatApi::framing) {
        Framing::Sse => "text/event-stream",
        Framing::EventStream => "application/vnd.amazon.eventstream",
    };
    let headers = [(":status", "200"), ("content-type", content_type)];
    attempt.response_headers(&headers, false, Instant::default(), &mut effects);
    let read = |attempt: &mut Attempt, frame: &[u8], effects: &mut Vec<Effect>| {
        effects.clear();
        attempt.on(Instant::default(), Input::AnswerBytes { bytes: frame, end: false }, effects);
    };
    for frame in &recorded.before {
        read(&mut attempt, frame, &mut effects);
    }
    for frame in deltas.iter().cycle().take(BEFORE) {
        read(&mut attempt, frame, &mut effects);
        let written = effects.iter().find_map(|effect| if let Effect::Body(body) = effect { Some(body) } else { None });
        let written = written.unwrap_or(frame);
        assert!(
            is_text(endpoint, written),
            "{endpoint:?} of {}: {}",
            provider.name(),
            String::from_utf8_lossy(written)
        );
    }
    let counted = measure(|| {
        for frame in deltas.iter().cycle().take(COUNTED) {
            read(&mut attempt, frame, &mut effects);
        }
    });
    counted.count_total
}

fn plan(endpoint: Endpoint, provider: &str, model: &str) -> Plan {
    Plan {
        origin: Origin::default(),
        asked: Asked { endpoint, delivery: Delivery::Streamed, usage: UsageChunk::Unwanted },
        class: String::new(),
        limits: Limits::default(),
        tenant: String::new(),
        model: "asked".into(),
        betas: String::new(),
        targets: vec![Candidate { provider: provider.into(), model: model.into() }],
        passed_over: Vec::new(),
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

/// The frame, with other words.
fn saying(frame: &[u8], provider: &'static dyn Provider) -> Vec<u8> {
    match provider.chat_api().map_or(Framing::Sse, ChatApi::framing) {
        Framing::Sse => {
            let frame = str::from_utf8(frame).unwrap();
            let (head, json) = frame.split_at(frame.find('{').unwrap());
            format!("{head}{}\n\n", reworded(json)).into_bytes()
        }
        Framing::EventStream => {
            let mut out = Vec::new();
            let mut reader = eventstream::Reader::<Unreadable>::new(eventstream::MAX_MESSAGE);
            let read = reader.read(frame, |message| {
                let headers =
                    [":event-type", ":content-type", ":message-type"].map(|name| (name, message.text(name).unwrap()));
                eventstream::message(&mut out, &headers, reworded(str::from_utf8(message.payload).unwrap()).as_bytes());
                Ok(())
            });
            read.unwrap();
            out
        }
    }
}

/// The words of a delta are in its deepest string, whoever's it is.
fn reworded(json: &str) -> String {
    let mut event: Value = serde_json::from_str(json.trim()).unwrap();
    *words(&mut event, 0).unwrap().1 = WORDS.into();
    event.to_string().replace('—', "\\u2014")
}

fn words(value: &mut Value, depth: usize) -> Option<(usize, &mut Value)> {
    let inner: Vec<&mut Value> = match value {
        Value::String(_) => return Some((depth, value)),
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| *name != "type").map(|(_, value)| value).collect()
        }
        _ => return None,
    };
    inner.into_iter().filter_map(|value| words(value, depth + 1)).max_by_key(|(depth, _)| *depth)
}

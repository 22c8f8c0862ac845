//! An event of a stream takes no memory beside what is written of it, once the stream has begun.

use allocation_counter::measure;
use serde_json::Value;
use weir_core::codec::eventstream;
use weir_core::dialect;
use weir_core::endpoint::Endpoint;
use weir_core::provider::{self, ALL, Framing, Passage, Provider, Reply};

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
                    if count > GROWTH {
                        let (endpoint, provider) = (endpoint.name(), provider.name());
                        wrong.push(format!("{endpoint} of {provider}, {way:?}, {kind}: {count} in {COUNTED} events"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn allocations(provider: &'static dyn Provider, endpoint: Endpoint, recorded: &Recorded, deltas: &[Vec<u8>]) -> u64 {
    let start = crate::start(endpoint, &recorded.model);
    let mut reply = provider::reply(provider, &recorded.upstream, &start);
    let mut out = Vec::with_capacity(1 << 16);
    let read = |reply: &mut dyn Reply, frame: &[u8], out: &mut Vec<u8>| {
        out.clear();
        reply.read(frame, out).unwrap()
    };
    for frame in &recorded.before {
        read(&mut *reply, frame, &mut out);
    }
    for frame in deltas.iter().cycle().take(BEFORE) {
        let passage = read(&mut *reply, frame, &mut out);
        assert!(is_text(endpoint, if passage == Passage::AsIs { frame } else { &out }));
    }
    let counted = measure(|| {
        for frame in deltas.iter().cycle().take(COUNTED) {
            read(&mut *reply, frame, &mut out);
        }
    });
    counted.count_total
}

/// The frame, with other words.
fn saying(frame: &[u8], provider: &'static dyn Provider) -> Vec<u8> {
    match provider.framing() {
        Framing::Sse => {
            let frame = str::from_utf8(frame).unwrap();
            let (head, json) = frame.split_at(frame.find('{').unwrap());
            format!("{head}{}\n\n", reworded(json)).into_bytes()
        }
        Framing::EventStream => {
            let mut out = Vec::new();
            let mut reader = eventstream::Reader::new(eventstream::MAX_MESSAGE);
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

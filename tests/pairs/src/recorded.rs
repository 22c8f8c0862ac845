//! A stream of the corpus, frame by frame.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_core::exchange;
use weir_core::provider::{ChatApi, Provider};
use weir_core::upstream::Upstream;
use weir_hub::endpoint::Endpoint;
use weir_hub::frames::Framing;
use weir_hub::reply::Passage;

use crate::Outcome;

/// A provider's stream, and for which model at what upstream it was recorded.
pub(crate) struct Recorded {
    pub(crate) upstream: Upstream,
    pub(crate) model: String,
    /// What comes up to the first of the deltas.
    pub(crate) before: Vec<Vec<u8>>,
    /// Each gives the caller more text, and nothing else.
    pub(crate) deltas: Vec<Vec<u8>>,
}

/// How an answer gets to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Relayed,
    Translated,
}

impl Recorded {
    /// What `provider` answers callers of `endpoint` with: the first stream recorded for them, or its case `stream`, for
    /// whoever it was recorded, which only a translation makes an answer to them. None if there is no such case.
    pub(crate) fn find(provider: &'static dyn Provider, endpoint: Endpoint, way: Way) -> Outcome<Option<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(provider.name());
        let mut cases: Vec<PathBuf> = match fs::read_dir(&folder) {
            Ok(cases) => cases.filter_map(|case| Some(case.ok()?.path())).collect(),
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        };
        // The plain one first; the others in order.
        cases.sort_by_key(|case| (!case.ends_with("stream"), case.clone()));
        for case in cases {
            let recorded = Self::read(&case, provider, endpoint, way)?;
            if recorded.is_some() {
                return Ok(recorded);
            }
        }
        Ok(None)
    }

    /// The case, if it goes that way and has deltas of text.
    fn read(case: &Path, provider: &'static dyn Provider, endpoint: Endpoint, way: Way) -> Outcome<Option<Self>> {
        let meta = fs::read(case.join("meta.json")).map_err(|error| format!("{}: {error}", case.display()))?;
        let meta: Value = serde_json::from_slice(&meta).map_err(|error| format!("{}: {error}", case.display()))?;
        let mut settings = meta["upstream"].as_object().cloned().unwrap_or_default();
        for (name, value) in [("provider", provider.name()), ("dialect", provider.name()), ("prefix", "")] {
            settings.insert(name.into(), value.into());
        }
        let upstream: Upstream = serde_json::from_value(settings.into()).map_err(|error| error.to_string())?;
        let model = meta["model"].as_str().unwrap_or_default();
        let goes = if provider.relays(model, endpoint, &upstream) { Way::Relayed } else { Way::Translated };
        let asked = meta["endpoint"].as_str().map_or(Some(Endpoint::Chat), Endpoint::from_name);
        let fits = asked == Some(endpoint) || way == Way::Translated && case.ends_with("stream");
        if goes != way || !fits || meta["status"].is_u64() || meta["fault"].is_string() {
            return Ok(None);
        }
        let Some(answer) = ["sse", "bin"].iter().find_map(|ext| fs::read(case.join(format!("3-answer.{ext}"))).ok())
        else {
            return Ok(None);
        };
        let frames = frames(provider.chat_api().map_or(Framing::Sse, ChatApi::framing), &answer);
        let mut reply = exchange::reply(provider, &upstream, &crate::start(endpoint, model));
        let (mut before, mut deltas) = (Vec::new(), Vec::new());
        for frame in frames {
            let mut out = Vec::new();
            let read =
                reply.read(&frame, &mut out).map_err(|fault| format!("{}: {}", case.display(), fault.message))?;
            let received = if read == Passage::AsIs { &frame } else { &out };
            let first = deltas.is_empty();
            // What seems to be the last of all waits, in an attempt, for the end.
            if is_text(endpoint, received) && !reply.awaits_end() {
                deltas.push(frame.clone());
            }
            if first {
                before.push(frame);
            }
        }
        Ok((!deltas.is_empty()).then_some(Self { upstream, model: model.to_owned(), before, deltas }))
    }
}

/// Where the first blank line ends.
fn blank_line(stream: &[u8]) -> Option<usize> {
    ["\n\n", "\r\n\r\n"].into_iter().filter_map(|blank| Some(find(stream, blank)? + blank.len())).min()
}

fn find(stream: &[u8], word: &str) -> Option<usize> {
    stream.windows(word.len()).position(|part| part == word.as_bytes())
}

/// Whether these are events that say more text, and nothing else.
pub(crate) fn is_text(endpoint: Endpoint, events: &[u8]) -> bool {
    let events = String::from_utf8_lossy(events);
    let mut data = events.lines().filter_map(|line| line.strip_prefix("data:")).peekable();
    data.peek().is_some() && data.all(|data| serde_json::from_str(data).is_ok_and(|event| says(endpoint, &event)))
}

fn says(endpoint: Endpoint, event: &Value) -> bool {
    let some = |place| event.pointer(place).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match endpoint {
        Endpoint::Chat => some("/choices/0/delta/content") && !some("/choices/0/finish_reason"),
        Endpoint::Completions => some("/choices/0/text") && !some("/choices/0/finish_reason"),
        Endpoint::Responses => {
            event["type"] == "response.output_text.delta" && event["logprobs"].as_array().is_none_or(Vec::is_empty)
        }
        Endpoint::Messages => event["type"] == "content_block_delta" && some("/delta/text"),
        Endpoint::GenerateContent => some("/candidates/0/content/parts/0/text") && !some("/candidates/0/finishReason"),
        _ => false,
    }
}

/// The frames of a stream.
fn frames(framing: Framing, mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let end = match framing {
            Framing::Sse => blank_line(stream),
            Framing::EventStream => {
                stream.first_chunk().and_then(|length| usize::try_from(u32::from_be_bytes(*length)).ok())
            }
        };
        let (frame, rest) = end.and_then(|end| stream.split_at_checked(end)).unwrap_or((stream, &[]));
        frames.push(frame.to_vec());
        stream = rest;
    }
    frames
}

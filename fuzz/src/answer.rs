//! Any bytes, as an answer of a provider to a caller of any endpoint.

use weir_core::exchange;
use weir_core::provider::{ChatApi, Provider, by_name};
use weir_core::upstream::Upstream;
use weir_hub::call::ReplyStart;
use weir_hub::codec::eventstream::message;
use weir_hub::codec::json::check as json;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::FaultKind;
use weir_hub::frames::Framing;
use weir_hub::piece::Calls;
use weir_hub::reply::{Passage, Reply};
use weir_hub::usage::Usage;

use super::seeds::Case;

// The bits of an input's second byte.
const WHOLE: u8 = 1;
const WITH_USAGE: u8 = 2;
/// The model is Anthropic's, which matters to those who host it.
const GUEST: u8 = 4;
/// The upstream serves chats alone.
const CHAT_ONLY: u8 = 8;
/// Checksums are hard to guess: the input is a name and JSON on each line, and the frames are made.
const NAMED: u8 = 16;

/// An input: which provider answers which caller, where the answer is cut, and its bytes.
struct Answer {
    provider: &'static dyn Provider,
    upstream: Upstream,
    endpoint: Endpoint,
    flags: u8,
    cut: usize,
    bytes: Vec<u8>,
}

/// What became of an answer.
#[derive(Debug, PartialEq)]
struct Received {
    bytes: Vec<u8>,
    fault: Option<FaultKind>,
    begun: bool,
    done: bool,
    usage: Usage,
}

/// Reads `input` as an answer of `provider`, at once and in pieces.
pub fn check(provider: &str, input: &[u8]) {
    let Some(answer) = Answer::of(provider, input) else { return };
    let Answer { provider, cut, bytes, .. } = &answer;
    let _ = provider.fault(u16::from(input[2]) * 3, bytes);
    let whole = answer.read([&bytes[..]]);
    let pieces = answer.read(bytes.chunks(*cut));
    // Of a whole answer that is broken, nobody sees what there was.
    if answer.flags & WHOLE == 0 || whole.fault.is_none() {
        assert_eq!(whole, pieces);
    } else {
        assert!(pieces.fault.is_some());
    }
    let relayed = provider.relays(answer.model(), answer.endpoint, &answer.upstream);
    let translated = !relayed && provider.chat_api().is_some();
    if translated && answer.endpoint.is_chat() {
        is_well_formed(&whole.bytes, answer.flags & WHOLE == 0);
    }
    // Every event may say again what the answer is called, and every letter may need an escape.
    let events = bytes.split(|byte| *byte == b'\n').count() + bytes.len() / 16;
    assert!(whole.bytes.len() <= 16 * (bytes.len() + 1024) * (events + 8), "{} bytes", whole.bytes.len());
}

/// Reads `input` in pieces and drops the output, so that the memory in use is what the reader holds.
pub fn drain(provider: &str, input: &[u8]) {
    let Some(answer) = Answer::of(provider, input) else { return };
    let mut reply = answer.reply();
    let _ = answer.bytes.chunks(answer.cut.min(64)).try_for_each(|chunk| reply.read(chunk, &mut Vec::new()).map(drop));
}

/// The case as inputs: to callers of each endpoint that may get it, and with frames that are made.
pub fn seeds(case: &Case) -> Vec<Vec<u8>> {
    let delivery = if case.streamed { 0 } else { WHOLE };
    let model = if case.model.starts_with("claude") { GUEST } else { 0 };
    let mut seeds = Vec::new();
    for (index, endpoint) in (0..).zip(Endpoint::ALL) {
        if endpoint != case.endpoint && !(endpoint.is_chat() && case.endpoint.is_chat()) {
            continue;
        }
        let head = |flags: u8| vec![index, flags, 7];
        seeds.push([head(delivery | model), case.answer.clone()].concat());
        if let Some(events) = &case.events {
            seeds.push([&head(delivery | model | NAMED), events.as_bytes()].concat());
        }
    }
    seeds
}

impl Answer {
    fn of(provider: &str, input: &[u8]) -> Option<Self> {
        let [endpoint, flags, cut, bytes @ ..] = input else { return None };
        let provider = by_name(provider).unwrap();
        let mut upstream = Upstream { dialect: provider.name().into(), ..Upstream::default() };
        if flags & CHAT_ONLY != 0 {
            upstream.quirks.endpoints = vec![Endpoint::Chat];
        }
        let endpoint = Endpoint::ALL[usize::from(*endpoint) % Endpoint::ALL.len()];
        let named =
            flags & NAMED != 0 && provider.chat_api().map_or(Framing::Sse, ChatApi::framing) == Framing::EventStream;
        let bytes = if named { framed(bytes) } else { bytes.to_vec() };
        Some(Self { provider, upstream, endpoint, flags: *flags, cut: usize::from(*cut).max(1), bytes })
    }

    fn model(&self) -> &'static str {
        if self.flags & GUEST == 0 { "m" } else { "claude-m" }
    }

    fn start(&self) -> ReplyStart<'static> {
        let streamed = self.flags & WHOLE == 0;
        ReplyStart {
            asked: Asked {
                endpoint: self.endpoint,
                delivery: if streamed { Delivery::Streamed } else { Delivery::Whole },
                usage: if self.flags & WITH_USAGE == 0 { UsageChunk::Unwanted } else { UsageChunk::Wanted },
            },
            encoding: Encoding::Base64,
            model: self.model(),
            id: "weir-1-1",
            created: 0,
            content_type: if streamed { "text/event-stream" } else { "application/json" },
            echo: "",
            calls: Calls::All,
            renamed: &[],
            texts: None,
        }
    }

    fn reply(&self) -> Box<dyn Reply> {
        exchange::reply(self.provider, &self.upstream, &self.start())
    }

    fn read<'c>(&self, chunks: impl IntoIterator<Item = &'c [u8]>) -> Received {
        let mut reply = self.reply();
        let mut bytes = Vec::new();
        let read = || {
            for chunk in chunks {
                let before = bytes.len();
                if reply.read(chunk, &mut bytes)? == Passage::AsIs {
                    assert_eq!(bytes.len(), before, "nothing is written beside what passes");
                    bytes.extend_from_slice(chunk);
                }
            }
            reply.end(&mut bytes).map(drop)
        };
        let fault = read().err().map(|fault| fault.kind);
        assert!(fault.is_some() || self.flags & WHOLE != 0 || !self.endpoint.is_chat() || reply.done());
        Received { bytes, fault, begun: reply.begun(), done: reply.done(), usage: reply.usage() }
    }
}

fn framed(lines: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for line in String::from_utf8_lossy(lines).lines() {
        let (name, data) = line.split_once(' ').unwrap_or((line, ""));
        let kind =
            if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
        message(&mut frames, &[(":message-type", kind.0), (kind.1, name)], data.as_bytes());
    }
    frames
}

/// What a caller is told is JSON, also before a fault.
fn is_well_formed(written: &[u8], streamed: bool) {
    let text = str::from_utf8(written).unwrap();
    if streamed {
        assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("event: ")) {
            let data = line.strip_prefix("data: ").unwrap_or_else(|| panic!("{line}"));
            assert!(data == "[DONE]" || json(data).is_ok(), "{data}");
        }
    } else {
        assert!(text.is_empty() || json(text).is_ok(), "{text}");
    }
}

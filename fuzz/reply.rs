//! What every provider's reader of answers must stand.

use weir_core::config::Upstream;
use weir_core::embed::Encoding;
use weir_core::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_core::provider::{self, Passage, Provider, ReplyStart, by_name};

/// Reads `input` as an answer of `provider`, whole and cut: no panic, and for a stream no difference.
pub fn check(provider: &str, input: &[u8]) {
    let provider = by_name(provider).unwrap();
    let [options, cut, answer @ ..] = input else { return };
    let _ = provider.fault(u16::from(*options) * 3, answer);
    let delivery = if options & 1 == 0 { Delivery::Streamed } else { Delivery::Whole };
    let usage = if options & 2 == 0 { UsageChunk::Wanted } else { UsageChunk::Unwanted };
    let Some(endpoint) = Endpoint::ALL.get(usize::from(*options >> 2) % Endpoint::ALL.len()).copied() else { return };
    let (encoding, model, id) = (Encoding::Base64, "m", "weir-1-1");
    let start = ReplyStart { endpoint, delivery, usage, encoding, model, id, created: 0, echo: "", content_type: "" };
    let whole = read(provider, start, &[answer]);
    let chunks: Vec<_> = answer.chunks(usize::from(*cut).max(1)).collect();
    let cut = read(provider, start, &chunks);
    assert_eq!(whole.is_ok(), cut.is_ok());
    if whole.is_ok() {
        assert_eq!(whole, cut);
    }
}

fn read(provider: &'static dyn Provider, start: ReplyStart<'_>, chunks: &[&[u8]]) -> Result<Vec<u8>, ()> {
    let upstream = Upstream { dialect: provider.name().into(), ..Upstream::default() };
    let mut reply = provider::reply(provider, &upstream, &start);
    let mut received = Vec::new();
    for chunk in chunks {
        if reply.read(chunk, &mut received).map_err(drop)? == Passage::AsIs {
            received.extend_from_slice(chunk);
        }
    }
    reply.end(&mut received).map_err(drop)?;
    Ok(received)
}

//! The work whose instructions `cargo xtask pairs` counts under callgrind: for each pair of a caller's dialect and a
//! provider, the events of a stream and requests of two sizes; and, of some, requests and answers of few parts and of many.
//!
//! Everything to be counted runs inside [`counted`], one call for each line printed: callgrind writes down what each call
//! took, and the line says what it was and by how many to divide. Streams are those of the corpus, their deltas of text
//! repeated.

#![allow(clippy::indexing_slicing, reason = "what a JSON value lacks is null")]

#[cfg(test)]
mod allocations;
mod many;
mod recorded;
mod request;
#[cfg(test)]
mod targets;

use std::hint::black_box;
use std::process::ExitCode;

use recorded::{Recorded, Way};
use weir_core::exchange;
use weir_core::provider::{ALL, Body, Provider};
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::dialect;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;
use weir_hub::piece::Calls;
use weir_hub::reply::Passage;

const EVENTS: usize = 1000;

/// Name, size in bytes, and how many are asked.
const REQUESTS: [(&str, usize, usize); 2] = [("request, 1 KB", 1 << 10, 50), ("request, 32 KB", 32 << 10, 5)];

/// Why there is nothing to count; the corpus or this program must change.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    for provider in ALL {
        for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| dialect::of(*endpoint).is_some()) {
            if let Err(problem) = pair(provider, endpoint) {
                eprintln!("{} of {}: {problem}", endpoint.name(), provider.name());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// What happens inside is counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut() -> Outcome) -> Outcome {
    work()
}

/// Counts one pair: where bytes pass, where they are translated, or, by model or host, both.
fn pair(provider: &'static dyn Provider, endpoint: Endpoint) -> Outcome {
    for (way, arrow) in [(Way::Relayed, '='), (Way::Translated, '<')] {
        let Some(recorded) = Recorded::find(provider, endpoint, way)? else {
            let served = provider.chat_api().is_some() && !provider.relays("m", endpoint, &Upstream::default());
            if way == Way::Translated && served {
                return Err("the corpus has no case `stream`".into());
            }
            continue;
        };
        let name = |what: &str| format!("{} {arrow} {}\t{what}", endpoint.name(), provider.name());
        if is_wanted(&name("event")) {
            events(provider, &recorded, &start(endpoint, &recorded.model))?;
            println!("{}\t{EVENTS}", name("event"));
        }
        for (what, size, times) in REQUESTS.into_iter().filter(|(what, ..)| is_wanted(&name(what))) {
            requests(endpoint, &recorded, &request::write(endpoint, size)?, times)?;
            println!("{}\t{times}", name(what));
        }
        let many = if way == Way::Translated { many::kinds(endpoint, provider) } else { Vec::new() };
        for kind in many.iter().filter(|kind| is_wanted(&name(kind.name))) {
            for (size, parts) in many::SIZES {
                many::count(kind, endpoint, provider, parts).map_err(|problem| format!("{}: {problem}", kind.name))?;
                println!("{}\t{parts}", name(&format!("{}, {size}", kind.name)));
            }
        }
    }
    Ok(())
}

/// Whether every argument is a part of the name; without any, all are wanted.
fn is_wanted(name: &str) -> bool {
    std::env::args().skip(1).all(|part| name.contains(&part))
}

fn start(endpoint: Endpoint, model: &str) -> ReplyStart<'_> {
    ReplyStart {
        asked: Asked { endpoint, delivery: Delivery::Streamed, usage: UsageChunk::Unwanted },
        encoding: Encoding::Float,
        model,
        id: "weir-1-1",
        created: 1_700_000_000,
        content_type: "text/event-stream",
        echo: "",
        calls: Calls::All,
        renamed: &[],
        texts: None,
    }
}

/// Reads deltas of text in the middle of a stream, one a chunk.
fn events(provider: &'static dyn Provider, recorded: &Recorded, start: &ReplyStart<'_>) -> Outcome {
    let mut reply = exchange::reply(provider, &recorded.upstream, start);
    let mut out = Vec::with_capacity(16 << 10);
    for frame in &recorded.before {
        reply.read(frame, &mut out).map_err(|fault| fault.message)?;
    }
    let mut written = 0;
    counted(&mut || {
        for delta in recorded.deltas.iter().cycle().take(EVENTS) {
            out.clear();
            written += match reply.read(black_box(delta), &mut out).map_err(|fault| fault.message)? {
                Passage::AsIs => delta.len(),
                Passage::Rewritten => black_box(&out).len(),
            };
        }
        Ok(())
    })?;
    if written < EVENTS { Err("nothing was written".into()) } else { Ok(()) }
}

/// Finds a request's members and writes what goes up.
fn requests(endpoint: Endpoint, recorded: &Recorded, body: &[u8], times: usize) -> Outcome {
    let (delivery, usage) = (Delivery::Streamed, UsageChunk::Unwanted);
    let mut written = 0;
    counted(&mut || {
        for _ in 0..times {
            let body = black_box(body);
            let scan = scan(body).map_err(|bad| Reject::from(bad).problem().message)?;
            let call =
                Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &scan };
            let ask = exchange::ask(&call, &recorded.upstream, &recorded.model);
            written += match black_box(ask).map_err(|reject| reject.problem().message)?.body {
                Body::AsIs => body.len(),
                Body::Replaced(body) => body.len(),
            };
        }
        Ok(())
    })?;
    if written < times * body.len() / 2 { Err("too little was written".into()) } else { Ok(()) }
}

//! Requests and answers with very many parts, each of which names another. To find a part must not mean to go through all parts, and
//! to insert one must not move all others. The same holds for what comes in very many fragments.
//!
//! Each is counted with [`FEW`] parts and with [`MANY`]: `cargo xtask pairs` refuses what takes more for one of many than for
//! one of few. Readers and writers do not know each other, so not every pair is counted: each provider for one dialect, and
//! each dialect for one provider.

mod answers;
mod chat;
mod contents;
mod messages;
mod responses;

use serde_json::{Value, json};
use weir_core::exchange;
use weir_core::provider::Provider;
use weir_core::upstream::Upstream;
use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::dialect;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;

use crate::{Outcome, counted};

/// How many parts there are, and what that is called.
pub(crate) const SIZES: [(&str, usize); 2] = [("few", 250), ("many", 2000)];

/// One kind of request or answer: its name, and what makes one with a number of parts.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    what: What,
}

enum What {
    Asked(fn(usize) -> Value),
    Told(Delivery, fn(usize) -> String),
    /// A stream in binary frames.
    Framed(fn(usize) -> Vec<u8>),
}

/// What is counted of a pair.
pub(crate) fn kinds(endpoint: Endpoint, provider: &dyn Provider) -> Vec<Kind> {
    let asked = |name, body| Kind { name, what: What::Asked(body) };
    let told = |name, delivery, answer| Kind { name, what: What::Told(delivery, answer) };
    let (whole, streamed) = (Delivery::Whole, Delivery::Streamed);
    let name = provider.name();
    // Each provider is asked by, and answers, this dialect; each dialect asks one provider.
    let of_provider = endpoint == if name == "anthropic" { Endpoint::Chat } else { Endpoint::Messages };
    let mut kinds = Vec::new();
    if of_provider || name == "gemini" {
        match endpoint {
            Endpoint::Chat => {
                kinds.push(asked("results in another order", chat::results));
                kinds.push(asked("turns", chat::turns));
                kinds.push(asked("tools of which some are allowed", chat::tools));
                kinds.push(asked("proofs", chat::proofs));
                kinds.push(asked("details left out", chat::left_out));
            }
            Endpoint::Responses => {
                kinds.push(asked("results in another order", responses::results));
                kinds.push(asked("tools of which some are allowed", responses::tools));
            }
            Endpoint::Messages => {
                kinds.push(asked("results in another order", messages::results));
                kinds.push(asked("results after much was said", messages::late_results));
                kinds.push(asked("thoughts", messages::thoughts));
            }
            _ => {}
        }
    }
    match (name, endpoint) {
        // Of the others none writes system messages where they do not stand.
        ("mistral", Endpoint::Chat) => kinds.push(asked("turns", chat::turns)),
        ("bedrock", Endpoint::GenerateContent) => {
            kinds.push(asked("results in another order", contents::results));
            kinds.push(asked("tools of which some are allowed", contents::tools));
        }
        _ => {}
    }
    match name {
        // It numbers calls, and no caller speaks its dialect: all have to be written to.
        "cohere" => {
            kinds.push(told("calls, whole", whole, answers::cohere));
            kinds.push(told("calls, streamed", streamed, answers::cohere_streamed));
            kinds.push(told("calls one by one, streamed", streamed, answers::cohere_one_by_one));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::cohere_arguments));
            kinds.push(told("arguments of two calls in turn, streamed", streamed, answers::cohere_mixed));
            kinds.push(told("text in fragments, streamed", streamed, answers::cohere_text));
            kinds.push(told("a thought in fragments, streamed", streamed, answers::cohere_thought));
        }
        "openai" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::openai));
            kinds.push(told("calls, streamed", streamed, answers::openai_streamed));
            kinds.push(told("calls by their ids, streamed", streamed, answers::openai_by_id));
            kinds.push(told("thoughts, whole", whole, answers::openai_thoughts));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::openai_arguments));
            kinds.push(told("arguments before their tool's name, streamed", streamed, answers::openai_nameless));
        }
        "anthropic" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::anthropic));
            kinds.push(told("calls, streamed", streamed, answers::anthropic_streamed));
            kinds.push(told("arguments in fragments, streamed", streamed, answers::anthropic_arguments));
        }
        "bedrock" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::bedrock));
            let what = What::Framed(answers::bedrock_arguments);
            kinds.push(Kind { name: "arguments in fragments, streamed", what });
        }
        "gemini" if of_provider => {
            kinds.push(told("calls, whole", whole, answers::gemini));
            kinds.push(told("calls, streamed", streamed, answers::gemini_streamed));
            kinds.push(told("sources, whole", whole, answers::gemini_sources));
        }
        _ => {}
    }
    kinds
}

/// Writes what goes up for it, or down.
pub(crate) fn count(kind: &Kind, endpoint: Endpoint, provider: &'static dyn Provider, parts: usize) -> Outcome {
    let upstream = Upstream { dialect: provider.name().into(), drop_unsupported: true, ..Upstream::default() };
    match kind.what {
        What::Asked(body) => {
            let body = body(parts).to_string();
            counted(&mut || {
                let body = body.as_bytes();
                let scan = scan(body).map_err(|bad| Reject::from(bad).problem().message)?;
                let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
                let call =
                    Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body, scan: &scan };
                exchange::ask(&call, &upstream, "m").map(drop).map_err(|reject| reject.problem().message)
            })
        }
        What::Told(delivery, answer) => {
            let echo = echo(endpoint, parts)?;
            let start = ReplyStart {
                asked: Asked { delivery, ..crate::start(endpoint, "m").asked },
                echo: &echo,
                ..crate::start(endpoint, "m")
            };
            told(provider, &upstream, &start, answer(parts).as_bytes())
        }
        What::Framed(answer) => told(provider, &upstream, &crate::start(endpoint, "m"), &answer(parts)),
    }
}

fn told(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>, answer: &[u8]) -> Outcome {
    let mut work = || {
        let mut reply = exchange::reply(provider, upstream, start);
        let mut out = Vec::new();
        for chunk in answer.chunks(16 << 10) {
            reply.read(chunk, &mut out).map_err(|fault| fault.message)?;
        }
        reply.end(&mut out).map(drop).map_err(|fault| fault.message)
    };
    // What an allocation costs depends on what was freed before: each finds what itself has left behind.
    work()?;
    counted(&mut work)
}

/// What the answer repeats of a request with as many tools of a kind that only this caller knows.
fn echo(endpoint: Endpoint, parts: usize) -> Outcome<String> {
    let tool = |name| json!({"type": "custom", "name": format!("f{name}")});
    let body = json!({"input": "a", "tools": each(parts, tool)}).to_string();
    let scan = scan(body.as_bytes()).map_err(|bad| Reject::from(bad).problem().message)?;
    let (delivery, usage) = (Delivery::Whole, UsageChunk::Unwanted);
    let call =
        Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body: body.as_bytes(), scan: &scan };
    Ok(dialect::of(endpoint).map(|dialect| dialect.echo(&call)).unwrap_or_default())
}

fn each(parts: usize, part: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..parts).map(part).collect()
}

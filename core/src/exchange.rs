//! One exchange with an upstream. A call is relayed if both sides speak the same dialect. Otherwise it goes through the
//! hub, where a [dialect](weir_hub::dialect) and a [provider](crate::provider) meet. Only here do the two know each
//! other.

mod bound;
mod count;
mod embedding;
mod fault_for_caller;
mod judge;
pub mod output;
mod surrogates;
#[cfg(test)]
mod tests;
pub(crate) mod translate;
#[cfg(test)]
pub(crate) mod trial;

use alloc::boxed::Box;
use alloc::string::String;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::dialect::{self, Dialect};
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::Reject;
use weir_hub::piece::Calls;
use weir_hub::reply::Reply;
use weir_hub::tail;

use crate::provider::{Ask, Provider, To, by_name};
use crate::upstream::Upstream;

pub use fault_for_caller::fault_for_caller;
pub use judge::{Judge, Reworded};

/// Writes `call` for `model` at `upstream`: relays it if both sides speak the same dialect, else goes through a hub.
pub fn ask(call: &Call<'_>, upstream: &Upstream, model: &str) -> Result<Ask, Reject> {
    let Some(provider) = by_name(&upstream.dialect) else { return Err(call.unserved()) };
    let mut to = To::new(provider, upstream, model, call);
    embedding::within(provider, call, &to)?;
    let ask = if provider.relays(model, call.asked.endpoint, upstream) {
        provider.relay(call, &mut to)
    } else if let Some(dialect) = dialect::of(call.asked.endpoint) {
        match dialect.reword(call) {
            None => through_hub(provider, dialect, call, &mut to),
            Some(body) => through_hub(provider, dialect, &Call { body: &body, scan: &scan(&body)?, ..*call }, &mut to),
        }
    } else if call.asked.endpoint.embeds() {
        embedding::ask(provider, call, &mut to)
    } else if call.asked.endpoint.counts() {
        count::ask(provider, call, &mut to)
    } else {
        Err(to.wrong_endpoint())
    };
    let ask =
        to.refuse_unsupported(ask).map(|ask| Ask { notes: to.notes, calls: to.calls, renamed: to.renamed, ..ask })?;
    let (limit, length) = (upstream.longest(), ask.body.written());
    if length > limit { Err(Reject::Grown { limit, provider: upstream.provider.clone() }) } else { Ok(ask) }
}

fn through_hub(
    provider: &dyn Provider,
    dialect: &dyn Dialect,
    call: &Call<'_>,
    to: &mut To<'_>,
) -> Result<Ask, Reject> {
    let chat = dialect.read(call)?;
    to.known(&chat);
    let api = provider.chat_api().ok_or_else(|| to.wrong_endpoint())?;
    api.write(&to.fitted(api, &chat), to)
}

/// How the caller wants vectors written; floats if the call asks for none.
pub fn encoding(call: &Call<'_>) -> Encoding {
    if call.asked.endpoint == Endpoint::Embeddings { embedding::encoding(call) } else { Encoding::Float }
}

/// How many texts the call wants embedded; `None` if it asks for no embeddings.
pub fn texts(call: &Call<'_>) -> Option<usize> {
    call.asked.endpoint.embeds().then(|| embedding::texts(call))
}

/// What an answer repeats from the call. Empty if its dialect repeats nothing, or if the answer is relayed.
pub fn echo(call: &Call<'_>, upstream: &Upstream, model: &str) -> String {
    let relays =
        by_name(&upstream.dialect).is_some_and(|provider| provider.relays(model, call.asked.endpoint, upstream));
    if relays {
        String::new()
    } else {
        dialect::of(call.asked.endpoint).map_or_else(String::new, |dialect| dialect.echo(call))
    }
}

/// Whether `model` at `upstream` can serve the call. For several targets, use [`Judge`].
pub fn accepts(call: &Call<'_>, upstream: &Upstream, model: &str) -> Result<(), Reject> {
    Judge::of(call, &Reworded::default()).accepts(upstream, model)
}

/// Starts reading the answer to a call at `upstream`.
pub fn reply(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>) -> Box<dyn Reply> {
    // Calls cannot be left out of a relayed answer, so such an answer goes through the hub.
    if !provider.relays(start.model, start.asked.endpoint, upstream) || start.calls == Calls::First {
        if let (Some(dialect), Some(api)) = (dialect::of(start.asked.endpoint), provider.chat_api()) {
            return translate::reply(dialect, api.framing(), api.reader(start), start);
        }
        if start.asked.endpoint.embeds() {
            return Box::new(embedding::Embedded::new(provider, upstream, start));
        }
        if start.asked.endpoint.counts() {
            return Box::new(count::Counted::new(provider, start));
        }
    }
    provider.relayed(start)
}

/// The same for an answer that may be [ended](Reply::end_at_limit) before its provider ends it, if it is a stream.
pub fn endable(provider: &'static dyn Provider, upstream: &Upstream, start: &ReplyStart<'_>) -> Box<dyn Reply> {
    let reply = reply(provider, upstream, start);
    match dialect::of(start.asked.endpoint).filter(|_| start.asked.delivery == Delivery::Streamed) {
        Some(dialect) => tail::followed(reply, dialect.tail(start)),
        None => reply,
    }
}

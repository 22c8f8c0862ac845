//! OpenAI's API, spoken by OpenAI itself and by most others: bytes pass through, and only what must change is changed.
//!
//! <https://platform.openai.com/docs/api-reference/chat>,
//! <https://platform.openai.com/docs/api-reference/embeddings>,
//! <https://platform.openai.com/docs/guides/error-codes>

mod event;
mod fault;
mod stream;
mod whole;

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

pub(super) use fault::{by_status, fault};
pub(super) use whole::parse;

use super::{Ask, Body, Call, CredentialHeader, Provider, Reply, ReplyStart};
use crate::codec::json::{self, Edit, patch, write};
use crate::endpoint::{Delivery, Endpoint, UsageChunk};
use crate::fault::{Reject, UpstreamFault};

/// See the module.
pub(super) struct OpenAi;

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn credential(&self) -> Option<CredentialHeader> {
        Some(CredentialHeader { name: "authorization", prefix: "Bearer " })
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn accepts(&self, _: &Call<'_>, _: &str) -> Result<(), Reject> {
        Ok(())
    }

    fn untouched(&self, endpoint: Endpoint, delivery: Delivery, usage: UsageChunk) -> Option<&'static str> {
        let asks_for_usage = delivery == Delivery::Whole || usage == UsageChunk::Wanted;
        asks_for_usage.then(|| path(endpoint))
    }

    fn ask(&self, call: &Call<'_>, model: &str) -> Result<Ask, Reject> {
        Ok(Ask { path: path(call.endpoint).to_owned(), body: body(call, model)? })
    }

    fn reply(&self, start: ReplyStart) -> Box<dyn Reply> {
        reply(start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        fault(status, body)
    }
}

fn path(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat => "/chat/completions",
        Endpoint::Embeddings => "/embeddings",
    }
}

/// Reads an answer in OpenAI's dialect for a caller who speaks it too.
pub(super) fn reply(start: ReplyStart) -> Box<dyn Reply> {
    match start.delivery {
        Delivery::Whole => Box::new(whole::Whole::new(start.endpoint)),
        Delivery::Streamed => Box::new(stream::Stream::new(start.usage)),
    }
}

/// The caller's body for `model`; a stream always tells its usage, because Weir settles quotas with it.
pub(super) fn body(call: &Call<'_>, model: &str) -> Result<Body, Reject> {
    let mut edits = Vec::with_capacity(2);
    let mut name = Vec::new();
    if call.scan.string(call.body, "model")?.as_deref() != Some(model) {
        write::string(&mut name, model);
        edits.push(("model", Edit::Set(&name)));
    }
    let options;
    if call.delivery == Delivery::Streamed
        && call.endpoint == Endpoint::Chat
        && let Some(asking) = asking_for_usage(call.scan.get(call.body, "stream_options"))?
    {
        options = asking;
        edits.push(("stream_options", Edit::Set(&options)));
    }
    Ok(if edits.is_empty() { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) })
}

/// Stream options that ask for usage; `None` if `options` do already.
fn asking_for_usage(options: Option<&[u8]>) -> Result<Option<Cow<'static, [u8]>>, Reject> {
    let options = match options {
        None | Some(b"null") => return Ok(Some(Cow::Borrowed(b"{\"include_usage\":true}"))),
        Some(options) => options,
    };
    let within = |reject| match reject {
        Reject::Invalid { field, problem } if field == "body" => Reject::Invalid {
            field: "stream_options".to_owned(),
            problem: problem.replace("a JSON object", "an object"),
        },
        Reject::Invalid { field, problem } => Reject::Invalid { field: format!("stream_options.{field}"), problem },
        other => other,
    };
    let scan = json::scan(options).map_err(within)?;
    if scan.boolean(options, "include_usage").map_err(within)? == Some(true) {
        return Ok(None);
    }
    Ok(Some(Cow::Owned(patch(options, &scan, &[("include_usage", Edit::Set(b"true"))]))))
}

#[cfg(test)]
mod tests;

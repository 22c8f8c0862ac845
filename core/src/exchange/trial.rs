//! Requests for tests, and the starts of their answers.

use alloc::format;
use alloc::string::String;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::codec::json::scan;
use weir_hub::embed::Encoding;
use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};
use weir_hub::fault::Reject;
use weir_hub::piece::Calls;

use crate::provider::{Ask, Body};
use crate::upstream::Upstream;

/// The start of an answer, for tests in which the details do not matter.
pub(crate) const START: ReplyStart<'static> = ReplyStart {
    asked: Asked { endpoint: Endpoint::Chat, delivery: Delivery::Whole, usage: UsageChunk::Wanted },
    encoding: Encoding::Float,
    model: "m",
    id: "weir-1-1",
    created: 0,
    echo: "",
    content_type: "",
    calls: Calls::All,
    renamed: &[],
    texts: None,
};

/// A chat with one message and this further member.
pub(crate) fn chat(member: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{member}}}"#)
}

/// An upstream that speaks `dialect` and has only default settings.
pub(crate) fn upstream(dialect: &str) -> Upstream {
    Upstream { dialect: dialect.into(), ..Upstream::default() }
}

/// What the provider is sent for a request.
pub(crate) fn sent(
    upstream: &Upstream,
    endpoint: Endpoint,
    delivery: Delivery,
    body: &str,
    model: &str,
) -> Result<Ask, Reject> {
    sent_with(upstream, endpoint, delivery, body, model, "")
}

/// What the provider is sent for a request with these features turned on by name.
pub(crate) fn sent_with(
    upstream: &Upstream,
    endpoint: Endpoint,
    delivery: Delivery,
    body: &str,
    model: &str,
    betas: &str,
) -> Result<Ask, Reject> {
    let scan = scan(body.as_bytes())?;
    let (usage, body) = (UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas, body, scan: &scan };
    crate::exchange::accepts(&call, upstream, model)?;
    crate::exchange::ask(&call, upstream, model)
}

/// The body that the provider is sent for a chat.
pub(crate) fn asked(upstream: &Upstream, body: &str, model: &str) -> Result<String, Reject> {
    sent(upstream, Endpoint::Chat, Delivery::Whole, body, model).map(written)
}

/// The body that was written in place of the caller's.
pub(crate) fn written(ask: Ask) -> String {
    match ask.body {
        Body::Replaced(body) => String::from_utf8(body).unwrap(),
        Body::AsIs => panic!("it is written"),
    }
}

/// The code of a refusal, and the field that it names.
pub(crate) fn refused<T>(outcome: Result<T, Reject>) -> (String, String) {
    let problem = outcome.err().unwrap().problem();
    (problem.code, problem.param.unwrap_or_default())
}

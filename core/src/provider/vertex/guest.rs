//! Claude, as Vertex serves it.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>

use alloc::vec::Vec;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::chat::{Chat, Content, Role, Source};
use weir_hub::codec::json::write::string;
use weir_hub::codec::json::{Edit, Raw, patch};
use weir_hub::fault::{Reject, UpstreamFault};
use weir_hub::reply::{Event, Flow, Pieces, Reader};

use crate::provider::anthropic::ask::{self, Head};
use crate::provider::anthropic::proofs;
use crate::provider::anthropic::reply::{Awaited, Reading};
use crate::provider::gemini::fault::in_answer;
use crate::provider::{Ask, Body, To, parts};

/// Goes in every body; Anthropic itself has a header for it.
const VERSION: &str = "vertex-2023-10-16";

/// [`VERSION`] as JSON.
const VERSION_JSON: &[u8] = b"\"vertex-2023-10-16\"";

/// The caller's request without the model, which is in the path.
pub(super) fn patched(call: &Call<'_>, to: &mut To<'_>) -> Body {
    let messages = own(call, to);
    let mut edits = Vec::from([("model", Edit::Remove), ("anthropic_version", Edit::Set(VERSION_JSON))]);
    edits.extend(messages.iter().map(|messages| ("messages", Edit::Set(messages))));
    Body::Replaced(patch(call.body, call.scan, &edits))
}

/// The messages without other models' reasoning; `None` if there is none.
fn own(call: &Call<'_>, to: &mut To<'_>) -> Option<Vec<u8>> {
    let messages = proofs::without_others(call.body, call.scan);
    if messages.is_some() {
        to.leaves_thoughts();
    }
    messages
}

/// The caller's own request to count; all models have the same path.
pub(super) fn count(call: &Call<'_>, to: &mut To<'_>) -> Ask {
    let mut name = Vec::new();
    string(&mut name, to.model);
    let messages = own(call, to);
    let mut edits = Vec::from([("model", Edit::Set(&name)), ("anthropic_version", Edit::Set(VERSION_JSON))]);
    edits.extend(messages.iter().map(|messages| ("messages", Edit::Set(messages))));
    let body = patch(call.body, call.scan, &edits);
    Ask::json("/publishers/anthropic/models/count-tokens:rawPredict", body)
}

/// The request for `chat`.
pub(super) fn write(chat: &Chat<'_>, to: &mut To<'_>) -> Result<Vec<u8>, Reject> {
    let chat = parts::without(chat, to, away);
    ask::write(&chat, Head::Version(VERSION), to)
}

/// The name of content at a URL: nothing is fetched here.
fn away(_: Role, content: &Content<'_>) -> Option<&'static str> {
    match content {
        Content::ImageUrl(_) => Some("image_url.url"),
        Content::Document { source: Source::Url(_), .. } => Some("file"),
        _ => None,
    }
}

/// Whether an error is in the guest's format.
pub(super) fn says(error: Raw<'_>) -> bool {
    error.get("type").is_some_and(|kind| kind.text() == "\"error\"")
}

/// Reads the guest's answer, in which the host may put an error of its own.
pub(super) struct Guest(Reading);

impl Guest {
    pub(super) fn new(start: &ReplyStart<'_>) -> Self {
        Self(Reading::new(Awaited::at(start.asked.endpoint)))
    }
}

/// An error in the host's format.
fn of_host(answer: Raw<'_>) -> Result<(), UpstreamFault> {
    if says(answer) { Ok(()) } else { in_answer(answer).map_or(Ok(()), Err) }
}

impl Reader for Guest {
    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        if let Event::Json { data, .. } = event {
            of_host(data)?;
        }
        self.0.event(event, pieces)
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        of_host(answer)?;
        self.0.whole(answer, pieces)
    }

    fn awaits_end(&self) -> bool {
        self.0.awaits_end()
    }

    fn last_event(&self) -> &'static str {
        self.0.last_event()
    }

    fn end(&mut self, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        self.0.end(pieces)
    }
}

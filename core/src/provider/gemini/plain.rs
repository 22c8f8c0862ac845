//! Gemini's relayed answers that are not chats: vectors, and counts of tokens.

use alloc::format;
use alloc::vec::Vec;

use weir_hub::buffer::malformed;
use weir_hub::call::Call;
use weir_hub::codec::json::write::{array, object};
use weir_hub::codec::json::{Edit, Raw, patch};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::Piece;
use weir_hub::reply::{Event, Flow, Pieces, Reader};

use super::fault::in_answer;
use super::{counted, embedding};
use crate::provider::Body;

/// The end of an endpoint's path; `None` for a chat.
pub(in crate::provider) const fn verb(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::EmbedContent => Some("embedContent"),
        Endpoint::BatchEmbedContents => Some("batchEmbedContents"),
        Endpoint::CountContent => Some("countTokens"),
        _ => None,
    }
}

/// The caller's request, with `model` wherever it names a model.
pub(super) fn renamed(call: &Call<'_>, model: &str) -> Body {
    let name = format!("\"models/{}\"", super::segment(model));
    let requests = call.scan.raw(call.body, "requests");
    let whole = ["generateContentRequest", "generate_content_request"]
        .into_iter()
        .find_map(|name| Some((name, call.scan.raw(call.body, name)?)));
    let mut edits = Vec::new();
    if call.scan.get(call.body, "model").is_some() {
        edits.push(("model", Edit::Set(name.as_bytes())));
    }
    let (mut renamed, mut asked) = (Vec::new(), Vec::new());
    if let Some(requests) = requests {
        array(&mut renamed, requests.items(), |out, request| for_model(out, request, &name));
        edits.push(("requests", Edit::Set(&renamed)));
    }
    if let Some((field, whole)) = whole {
        for_model(&mut asked, whole, &name);
        edits.push((field, Edit::Set(&asked)));
    }
    if edits.is_empty() { Body::AsIs } else { Body::Replaced(patch(call.body, call.scan, &edits)) }
}

/// A request inside a request: its model must be the one in the path.
fn for_model(out: &mut Vec<u8>, request: Raw<'_>, name: &str) {
    object(out, |to| {
        to.raw("model", name);
        for (name, value) in request.members().filter(|(name, _)| name != "model") {
            to.raw(&name, value.text());
        }
    });
}

/// Reads such an answer.
pub(in crate::provider) struct Plain(pub(in crate::provider) Endpoint);

impl Reader for Plain {
    fn event(&mut self, _: Event<'_>, _: &mut Pieces<'_>) -> Result<Flow, UpstreamFault> {
        Err(malformed("The provider sent a stream, which was not asked for."))
    }

    fn whole(&mut self, answer: Raw<'_>, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        if let Some(fault) = in_answer(answer) {
            return Err(fault);
        }
        if self.0 == Endpoint::CountContent {
            return counted(answer).map(drop).ok_or_else(|| malformed("The provider's answer has no count."));
        }
        let embeds = match self.0 {
            Endpoint::EmbedContent => answer.get("embedding").is_some_and(|vector| vector.get("values").is_some()),
            _ => embedding::read(answer).is_some(),
        };
        if !embeds {
            return Err(malformed("The provider's answer holds no embeddings."));
        }
        pieces(Piece::Usage(embedding::usage(answer)));
        Ok(())
    }
}

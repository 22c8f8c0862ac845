//! Log probabilities: OpenAI's items from Gemini's lists.
//!
//! <https://ai.google.dev/api/generate-content#LogprobsResult>

use alloc::vec::Vec;

use weir_hub::codec::json::write::{Object, array, number, object};
use weir_hub::codec::json::{Raw, Str};
use weir_hub::piece::Piece;
use weir_hub::reply::Pieces;

pub(super) fn read(result: Raw<'_>, pieces: &mut Pieces<'_>) {
    let list = |name| result.get(name).unwrap_or(Raw::NULL).items();
    let mut tops = list("topCandidates");
    let mut out = Vec::new();
    array(&mut out, list("chosenCandidates"), |out, chosen| {
        object(out, |item| {
            token(chosen, item);
            let others = tops.next().and_then(|top| top.get("candidates")).unwrap_or(Raw::NULL);
            item.array("top_logprobs", others.items(), |out, other| object(out, |item| token(other, item)));
        });
    });
    if let Some(items) = core::str::from_utf8(&out).ok().and_then(Raw::parse).filter(|items| items.text() != "[]") {
        pieces(Piece::Logprobs(items));
    }
}

fn token(candidate: Raw<'_>, item: &mut Object<'_>) {
    let token = candidate.get("token").and_then(Raw::str).unwrap_or(Str::EMPTY);
    item.str("token", token);
    // The API leaves out a number that is zero.
    item.raw("logprob", candidate.get("logProbability").map_or("0", Raw::text));
    item.array("bytes", token.text().bytes(), |out, byte| number(out, byte.into()));
}

//! Transcriptions: OpenAI's form, without the formats and hints that Mistral lacks; answers are in OpenAI's plain
//! format. Mistral's streams have events of their own, so they are not relayed.
//!
//! <https://docs.mistral.ai/api/endpoint/audio/transcriptions>

use alloc::borrow::Cow;

use weir_hub::call::Call;
use weir_hub::codec::json::Raw;
use weir_hub::fault::Reject;

use crate::provider::To;

/// The fields that it accepts.
const TAKES: [&str; 9] = [
    "context_bias",
    "diarize",
    "file",
    "file_id",
    "file_url",
    "language",
    "model",
    "temperature",
    "timestamp_granularities",
];

/// Refuses the fields that it lacks. A form is relayed unchanged, so nothing can be left out of it.
pub(super) fn check(call: &Call<'_>, to: &To<'_>) -> Result<(), Reject> {
    let takes = |(name, value): &(Cow<'_, str>, Raw<'_>)| match &**name {
        "response_format" => value.text() == "\"json\"",
        "stream" => value.text() != "\"true\"",
        name => TAKES.contains(&name),
    };
    match call.scan.members(call.body).find(|field| !takes(field)) {
        None => Ok(()),
        Some((name, _)) => Err(to.refusal(&name)),
    }
}

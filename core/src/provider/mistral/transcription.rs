//! Transcriptions: OpenAI's form, but for the formats and hints that Mistral lacks, and answers in OpenAI's plain shape. Its
//! streams have events of their own, so that they are not relayed.
//!
//! <https://docs.mistral.ai/api/endpoint/audio/transcriptions>

use alloc::borrow::Cow;

use weir_hub::call::Call;
use weir_hub::codec::json::Raw;
use weir_hub::fault::Reject;

use crate::provider::To;

/// The fields that it knows.
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

/// Refuses what it lacks. A form passes as it is, so that nothing can be left out of it.
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

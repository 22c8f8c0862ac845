//! `POST /mistral/v1/audio/transcriptions`. What is heard tells the file's name, size and hash, as OpenAI's does here.
//!
//! <https://docs.mistral.ai/api/endpoint/audio/transcriptions>

use bytes::Bytes;
use serde_json::json;

use crate::{
    answer::{Usage, tokens},
    dialect::{Call, Failure},
    form::{self, Form},
    model::Model,
    openai,
    reply::Decision,
    said::{self, Said},
};

/// The fields that are known; of the formats, only JSON is.
const KNOWN: [&str; 11] = [
    "context_bias",
    "diarize",
    "file",
    "file_id",
    "file_url",
    "language",
    "model",
    "response_format",
    "stream",
    "temperature",
    "timestamp_granularities",
];

/// Answers a transcription request.
pub(crate) fn hear(call: &Call<'_>) -> Decision {
    said::say(call, |call| form::read(call, None), write)
}

fn write(form: &Form, model: &Model) -> Result<(Said, Option<Usage>), Failure> {
    let extra = |name: &str| Failure::invalid("Extra inputs are not permitted", Some(name), Some("extra_forbidden"));
    if let Some(unknown) = form.names().find(|name| !KNOWN.contains(name)) {
        return Err(extra(unknown));
    }
    if form.text("response_format").is_some_and(|format| format != "json") {
        return Err(extra("response_format"));
    }
    let (text, hundredths) = openai::heard(form)?;
    let (input, output) = (hundredths.div_ceil(8), u64::from(tokens(&text)));
    let usage = json!({
        "prompt_audio_seconds": hundredths.div_ceil(100),
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
    });
    let answer =
        json!({"model": model.name, "text": text, "language": form.text("language"), "segments": [], "usage": usage});
    let number = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let said = Said::Whole { kind: "application/json", body: Bytes::from(answer.to_string()), pieces: 0 };
    Ok((said, Some(Usage::of(number(input), number(output)))))
}

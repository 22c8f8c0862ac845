//! `POST /v1/audio/speech`: the longer the text, the longer the sound, and it comes word by word.
//!
//! <https://platform.openai.com/docs/api-reference/audio/createSpeech>

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;

use super::sound::Sound;
use crate::{
    answer::{Usage, spoken, tokens},
    chat,
    dialect::{Call, Event, Failure, Moment},
    model::Model,
    openai::check::{given, missing, mistyped, required, word},
    reply::Decision,
    said::{self, Said},
};

/// No text may be longer, in characters.
const LONGEST: usize = 4096;

/// Every voice there is.
const VOICES: &[&str] =
    &["alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin", "cedar"];

/// Answers `/v1/audio/speech`.
pub(crate) fn speech(call: &Call<'_>) -> Decision {
    said::say(call, chat::read, |body, model| speak(call, body, model))
}

fn speak(call: &Call<'_>, body: &Value, model: &Model) -> Result<(Said, Option<Usage>), Failure> {
    let input = required(body, "input")?;
    let length = input.chars().count();
    if length > LONGEST {
        let message = format!(
            "Invalid 'input': string too long. Expected a string with maximum length {LONGEST}, but got a string with length {length} instead."
        );
        return Err(Failure::invalid(message, Some("input"), Some("string_above_max_length")));
    }
    voice(body)?;
    let speed = speed(body)?;
    let formats = Sound::ALL.map(Sound::name);
    let named = word(body, "response_format", "response_format", &formats)?.unwrap_or("mp3");
    let sound = Sound::ALL.into_iter().find(|sound| sound.name() == named).unwrap_or(Sound::Mp3);
    let framing = word(body, "stream_format", "stream_format", &["sse", "audio"])?;
    let words = spoken(input, model, call.options().tokens);
    let chunks = sound.spoken(&words, speed);
    let (read, said) = (tokens(input), u32::try_from(words.len()).unwrap_or(u32::MAX));
    // Older models are paid by the character.
    let by_tokens = !model.base.starts_with("tts-");
    let used = Some(if by_tokens { Usage::of(read, said) } else { Usage::default() });
    if framing != Some("sse") {
        let chunk = |(number, bytes): (usize, Bytes)| {
            // What precedes the first word is a header.
            let moment = if number == 0 { Moment::Frame } else { Moment::Token };
            Event { moment, bytes }
        };
        let chunks = chunks.into_iter().enumerate().map(chunk).collect();
        return Ok((Said::Chunks { kind: sound.kind(), chunks }, used));
    }
    if !by_tokens {
        let message = "stream_format 'sse' is not supported with this model.";
        return Err(Failure::invalid(message, Some("stream_format"), Some("unsupported_value")));
    }
    Ok((Said::Events(events(&chunks, read, said)), used))
}

fn events(chunks: &[Bytes], input: u32, output: u32) -> Vec<Event> {
    let event = |moment, data: String| Event { moment, bytes: Bytes::from(format!("data: {data}\n\n")) };
    let said = chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| {
        let audio = BASE64_STANDARD.encode(chunk);
        event(Moment::Token, format!(r#"{{"type":"speech.audio.delta","audio":"{audio}"}}"#))
    });
    let total = input.saturating_add(output);
    let done = format!(
        r#"{{"type":"speech.audio.done","usage":{{"input_tokens":{input},"output_tokens":{output},"total_tokens":{total}}}}}"#
    );
    said.chain([event(Moment::Terminal, done)]).collect()
}

/// A voice by its name, or one's own by its id.
fn voice(body: &Value) -> Result<(), Failure> {
    match given(body, "voice") {
        None => Err(missing("voice")),
        Some(Value::Object(voice)) if voice.contains_key("id") => Ok(()),
        Some(Value::String(_)) => word(body, "voice", "voice", VOICES).map(drop),
        Some(other) => Err(mistyped("voice", "a string", other)),
    }
}

/// How fast it is spoken, in percent.
fn speed(body: &Value) -> Result<usize, Failure> {
    let Some(value) = given(body, "speed") else { return Ok(100) };
    let Some(speed) = value.as_f64() else { return Err(mistyped("speed", "a decimal", value)) };
    let (side, code, bound) = match speed {
        low if low < 0.25 => ("below minimum", "decimal_below_min_value", ">= 0.25"),
        high if high > 4.0 => ("above maximum", "decimal_above_max_value", "<= 4.0"),
        // Between 25 and 400, so that its digits are those of a whole number.
        _ => return Ok(format!("{:.0}", speed * 100.0).parse().unwrap_or(100)),
    };
    let message = format!("Invalid 'speed': decimal {side} value. Expected a value {bound}, but got {value} instead.");
    Err(Failure::invalid(message, Some("speed"), Some(code)))
}

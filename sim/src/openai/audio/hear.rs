//! `POST /v1/audio/transcriptions` and `/v1/audio/translations`. What is heard tells the file's name, size and hash, so
//! that a test can prove that an upload arrived unchanged.
//!
//! <https://platform.openai.com/docs/api-reference/audio/createTranscription>,
//! <https://platform.openai.com/docs/api-reference/audio/createTranslation>

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    answer::{Usage, spoken, tokens},
    dialect::{Call, Event, Failure, Moment, quote},
    form::{self, Form, Part},
    model::Model,
    openai::check::not_among,
    reply::Decision,
    said::{self, Said},
};

/// Files that are understood, by the end of their name.
const FORMATS: [&str; 10] = ["flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"];

/// How many pieces of text one segment of a transcript has.
const SEGMENT: usize = 8;

/// What is made of what is heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Transcribe,
    Translate,
}

/// Answers `/v1/audio/transcriptions`.
pub(crate) fn transcriptions(call: &Call<'_>) -> Decision {
    said::say(call, |call| form::read(call, None), |form, model| hear(call, form, model, Task::Transcribe))
}

/// Answers `/v1/audio/translations`.
pub(crate) fn translations(call: &Call<'_>) -> Decision {
    said::say(call, |call| form::read(call, None), |form, model| hear(call, form, model, Task::Translate))
}

fn hear(call: &Call<'_>, form: &Form, model: &Model, task: Task) -> Result<(Said, Option<Usage>), Failure> {
    let file = file(form)?;
    let format = format(form, model)?;
    temperature(form)?;
    let heard = Heard {
        task,
        pieces: spoken(&transcript(file), model, call.options().tokens),
        seconds: seconds(&file.body),
        prompt: form.text("prompt").map_or(0, tokens),
        by_tokens: by_tokens(model),
        language: form.text("language").unwrap_or("english").to_owned(),
    };
    let used = Some(heard.used());
    // Whisper does not stream: it answers as if it had not been asked to.
    if form.text("stream") == Some("true") && heard.by_tokens {
        return Ok((Said::Events(heard.events()), used));
    }
    let words = form.texts("timestamp_granularities").any(|granularity| granularity == "word");
    let (kind, body) = match format {
        "text" => ("text/plain; charset=utf-8", heard.text() + "\n"),
        "srt" => ("text/plain; charset=utf-8", heard.srt()),
        "vtt" => ("text/plain; charset=utf-8", heard.vtt()),
        "verbose_json" => ("application/json", heard.verbose(words)),
        _ => ("application/json", format!(r#"{{"text":{},"usage":{}}}"#, quote(&heard.text()), heard.usage())),
    };
    Ok((Said::Whole { kind, body: Bytes::from(body), pieces: heard.pieces.len() }, used))
}

/// What is heard in an uploaded sound, and how long that is, in hundredths of a second.
pub(crate) fn heard(form: &Form) -> Result<(String, u64), Failure> {
    let file = file(form)?;
    Ok((transcript(file), seconds(&file.body)))
}

fn file(form: &Form) -> Result<&Part, Failure> {
    let Some(file) = form.file("file") else {
        let message = "[{'type': 'missing', 'loc': ('body', 'file'), 'msg': 'Field required', 'input': None}]";
        return Err(Failure::invalid(message, Some("file"), None));
    };
    let name = file.file.as_deref().unwrap_or_default();
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    if !end.is_some_and(|end| FORMATS.contains(&end.as_str())) {
        let message = format!("Unrecognized file format. Supported formats: ['{}']", FORMATS.join("', '"));
        return Err(Failure::invalid(message, None, None));
    }
    if file.body.is_empty() {
        return Err(Failure::invalid(
            "Audio file is too short. Minimum audio length is 0.1 seconds.",
            Some("file"),
            Some("audio_too_short"),
        ));
    }
    Ok(file)
}

/// Whether a model is paid for by tokens, as all but Whisper are.
fn by_tokens(model: &Model) -> bool {
    !model.base.starts_with("whisper")
}

fn format<'a>(form: &'a Form, model: &Model) -> Result<&'a str, Failure> {
    let format = form.text("response_format").unwrap_or("json");
    let supported = ["json", "text", "srt", "verbose_json", "vtt"];
    if !supported.contains(&format) {
        return Err(not_among("response_format", format, &supported));
    }
    if model.base.contains("-transcribe") && !["json", "text"].contains(&format) {
        let message = format!(
            "response_format '{format}' is not compatible with model '{}'. Use 'json' or 'text' instead.",
            model.name
        );
        return Err(Failure::invalid(message, Some("response_format"), Some("unsupported_value")));
    }
    Ok(format)
}

fn temperature(form: &Form) -> Result<(), Failure> {
    let Some(text) = form.text("temperature") else { return Ok(()) };
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(()),
        _ => {
            let message =
                format!("Invalid 'temperature': expected a decimal between 0 and 1, but got '{text}' instead.");
            Err(Failure::invalid(message, Some("temperature"), Some("invalid_value")))
        }
    }
}

/// What a file says.
fn transcript(file: &Part) -> String {
    let hash = Sha256::digest(&file.body).first_chunk().copied().map_or(0, u32::from_be_bytes);
    let name = file.file.as_deref().unwrap_or_default();
    format!("I heard {name}: {} bytes, SHA-256 {hash:08x}.", file.body.len())
}

/// How long a sound is, in hundredths of a second: by its header where it is a WAV, else at 128 kbit/s.
fn seconds(sound: &[u8]) -> u64 {
    let rate = sound.get(28..32).filter(|_| sound.starts_with(b"RIFF")).and_then(|rate| rate.try_into().ok());
    let rate = rate.map_or(16_000, u32::from_le_bytes).max(1);
    let bytes = u64::try_from(sound.len()).unwrap_or(u64::MAX);
    (bytes.saturating_mul(100) / u64::from(rate)).max(10)
}

struct Heard {
    task: Task,
    pieces: Vec<String>,
    /// Hundredths of a second.
    seconds: u64,
    prompt: u32,
    by_tokens: bool,
    language: String,
}

impl Heard {
    fn text(&self) -> String {
        self.pieces.concat()
    }

    fn usage(&self) -> String {
        if !self.by_tokens {
            return format!(r#"{{"type":"duration","seconds":{}}}"#, self.seconds.div_ceil(100));
        }
        let (audio, text) = (self.audio(), u64::from(self.prompt));
        let (input, output) = (audio + text, u64::try_from(self.pieces.len()).unwrap_or(u64::MAX));
        let total = input.saturating_add(output);
        format!(
            r#"{{"type":"tokens","total_tokens":{total},"input_tokens":{input},"input_token_details":{{"text_tokens":{text},"audio_tokens":{audio}}},"output_tokens":{output}}}"#
        )
    }

    /// What the sound is in tokens: ten are a second.
    fn audio(&self) -> u64 {
        self.seconds.div_ceil(10)
    }

    /// The tokens it costs; none where it is paid by the second.
    fn used(&self) -> Usage {
        if !self.by_tokens {
            return Usage::default();
        }
        let audio = u32::try_from(self.audio()).unwrap_or(u32::MAX);
        Usage::of(audio.saturating_add(self.prompt), u32::try_from(self.pieces.len()).unwrap_or(u32::MAX))
    }

    fn events(&self) -> Vec<Event> {
        let event = |moment, data: String| Event { moment, bytes: Bytes::from(format!("data: {data}\n\n")) };
        let delta = |piece: &String| {
            event(Moment::Token, format!(r#"{{"type":"transcript.text.delta","delta":{}}}"#, quote(piece)))
        };
        let mut events: Vec<Event> = self.pieces.iter().map(delta).collect();
        let (text, usage) = (quote(&self.text()), self.usage());
        events.push(event(
            Moment::Terminal,
            format!(r#"{{"type":"transcript.text.done","text":{text},"usage":{usage}}}"#),
        ));
        events
    }

    /// Pieces that belong together, and when they are said.
    fn segments(&self) -> Vec<(u64, u64, String)> {
        self.timed(SEGMENT)
    }

    fn timed(&self, pieces: usize) -> Vec<(u64, u64, String)> {
        let groups: Vec<&[String]> = self.pieces.chunks(pieces).collect();
        let count = u64::try_from(groups.len()).unwrap_or(u64::MAX).max(1);
        let at = |number: u64| self.seconds * number / count;
        (0..).zip(groups).map(|(number, group)| (at(number), at(number + 1), group.concat())).collect()
    }

    fn srt(&self) -> String {
        let line = |(number, (from, to, text)): (usize, &(u64, u64, String))| {
            format!("{}\n{} --> {}\n{}\n\n", number + 1, clock(*from, ','), clock(*to, ','), text.trim())
        };
        self.segments().iter().enumerate().map(line).collect()
    }

    fn vtt(&self) -> String {
        let line = |(from, to, text): &(u64, u64, String)| {
            format!("{} --> {}\n{}\n\n", clock(*from, '.'), clock(*to, '.'), text.trim())
        };
        format!("WEBVTT\n\n{}", self.segments().iter().map(line).collect::<String>())
    }

    fn verbose(&self, words: bool) -> String {
        let segment = |(number, (from, to, text)): (usize, &(u64, u64, String))| {
            format!(
                r#"{{"id":{number},"seek":0,"start":{},"end":{},"text":{},"tokens":[50364,50464],"temperature":0.0,"avg_logprob":-0.2861,"compression_ratio":1.2369,"no_speech_prob":0.0098}}"#,
                decimal(*from),
                decimal(*to),
                quote(text)
            )
        };
        let segments: Vec<String> = self.segments().iter().enumerate().map(segment).collect();
        let word = |(from, to, text): &(u64, u64, String)| {
            format!(r#"{{"word":{},"start":{},"end":{}}}"#, quote(text.trim()), decimal(*from), decimal(*to))
        };
        let words = if words {
            format!(r#","words":[{}]"#, self.timed(1).iter().map(word).collect::<Vec<_>>().join(","))
        } else {
            String::new()
        };
        let (task, language) = match self.task {
            Task::Transcribe => ("transcribe", self.language.as_str()),
            Task::Translate => ("translate", "english"),
        };
        format!(
            r#"{{"task":"{task}","language":{},"duration":{},"text":{},"segments":[{}]{words},"usage":{}}}"#,
            quote(language),
            decimal(self.seconds),
            quote(&self.text()),
            segments.join(","),
            self.usage()
        )
    }
}

/// Hundredths as a decimal number.
fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Hundredths of a second as a subtitle has them.
fn clock(hundredths: u64, point: char) -> String {
    let (seconds, rest) = (hundredths / 100, hundredths % 100 * 10);
    format!("{:02}:{:02}:{:02}{point}{rest:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_subtitles_have_them() {
        assert_eq!((clock(0, ','), clock(372_345, '.')), ("00:00:00,000".into(), "01:02:03.450".into()));
        assert_eq!(decimal(1205), "12.05");
    }

    #[test]
    fn a_wav_says_how_long_it_is() {
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend([24_000_u32.to_le_bytes(), 48_000_u32.to_le_bytes()].concat());
        wav.resize(96_000, 0);
        assert_eq!((seconds(&wav), seconds(&vec![0; 32_000]), seconds(&[1])), (200, 200, 10));
    }
}

//! Speech and transcriptions, relayed: audio, text in the requested format, or events.
//!
//! <https://platform.openai.com/docs/api-reference/audio>

use alloc::boxed::Box;
use alloc::vec::Vec;

use weir_hub::buffer::{Buffer, malformed, parse};
use weir_hub::call::ReplyStart;
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{FaultKind, UpstreamFault};
use weir_hub::progress::Progress;
use weir_hub::relay;
use weir_hub::reply::{Passage, Reply};

use super::event::Members;
use super::fault::in_answer;
use super::typed;

/// Relays an answer of audio, or about audio.
pub(super) fn relayed(start: &ReplyStart<'_>) -> Box<dyn Reply> {
    let is = |kind: &str| start.content_type.starts_with(kind);
    if is("text/event-stream") {
        return relay::reply(Box::new(typed::Reading::default()), start);
    }
    // A transcription may be plain text. A model without streaming answers with JSON anyway.
    let content = match start.asked.endpoint {
        _ if is("application/json") => Content::Json(Buffer::default()),
        Endpoint::Speech => Content::Sound,
        _ => Content::Text,
    };
    Box::new(Audio { endpoint: start.asked.endpoint, content, progress: Progress::default() })
}

struct Audio {
    endpoint: Endpoint,
    content: Content,
    progress: Progress,
}

enum Content {
    /// Begins with its first byte and ends with its last.
    Sound,
    /// Is complete at its end; it may be empty, for silence.
    Text,
    /// The bytes so far.
    Json(Buffer),
}

impl Reply for Audio {
    fn read(&mut self, chunk: &[u8], _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        match &mut self.content {
            Content::Sound if !chunk.is_empty() => self.progress.begin(),
            Content::Sound | Content::Text => {}
            Content::Json(buffer) => buffer.add(chunk)?,
        }
        Ok(Passage::AsIs)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<Passage, UpstreamFault> {
        match &mut self.content {
            Content::Sound if !self.progress.has_begun() => {
                return Err(UpstreamFault::new(FaultKind::Cut, "The provider's answer ended before it began."));
            }
            Content::Sound | Content::Text => {}
            Content::Json(buffer) => {
                let body = buffer.take();
                let answer = parse(&body)?;
                let members = Members::read(answer);
                if members.is_error() {
                    return Err(in_answer(answer));
                }
                if self.endpoint == Endpoint::Speech {
                    return Err(malformed("The provider's answer is not sound."));
                }
                if answer.get("text").is_none() {
                    return Err(malformed("The provider's answer has no text."));
                }
                self.progress.usage = members.usage().unwrap_or(self.progress.usage);
            }
        }
        self.progress.finish();
        Ok(Passage::AsIs)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

#[cfg(test)]
mod tests {
    use weir_hub::endpoint::{Asked, Delivery};
    use weir_hub::usage::Usage;

    use super::*;
    use crate::exchange::trial::START;

    fn read(delivery: Delivery, content_type: &str, body: &str) -> Result<Usage, FaultKind> {
        let start = ReplyStart {
            asked: Asked { endpoint: Endpoint::Transcriptions, delivery, ..START.asked },
            content_type,
            ..START
        };
        let mut reply = relayed(&start);
        for chunk in body.as_bytes().chunks(9) {
            let mut out = Vec::new();
            reply.read(chunk, &mut out).map_err(|fault| fault.kind)?;
        }
        reply.end(&mut Vec::new()).map_err(|fault| fault.kind)?;
        assert!(reply.begun() && reply.done());
        Ok(reply.usage())
    }

    #[test]
    fn a_transcription_comes_in_the_format_that_was_asked_for() {
        let check = |delivery, content_type, body, expect: Result<(u64, u64), FaultKind>| {
            let used = read(delivery, content_type, body).map(|usage| (usage.input, usage.output));
            assert_eq!(used, expect, "{content_type} {body}");
        };
        let usage = r#""usage":{"type":"tokens","input_tokens":14,"input_token_details":{"audio_tokens":14},"output_tokens":3}"#;
        let json = alloc::format!(r#"{{"text":"Hi.",{usage}}}"#);
        check(Delivery::Whole, "application/json", &json, Ok((14, 3)));
        check(
            Delivery::Whole,
            "application/json; charset=utf-8",
            r#"{"text":"Hi.","usage":{"type":"duration","seconds":2}}"#,
            Ok((0, 0)),
        );
        check(Delivery::Whole, "text/plain; charset=utf-8", "Hi.\n", Ok((0, 0)));
        check(Delivery::Whole, "text/plain", "1\n00:00:00,000 --> 00:00:01,000\nHi.\n", Ok((0, 0)));
        check(Delivery::Whole, "text/vtt", "", Ok((0, 0)));
        check(Delivery::Whole, "application/json", r#"{"text":"Hi."#, Err(FaultKind::Cut));
        check(Delivery::Whole, "application/json", r#"{"segments":[]}"#, Err(FaultKind::Malformed));
        check(Delivery::Whole, "application/json", r#"{"error":{"message":"no"}}"#, Err(FaultKind::ErrorEvent));
        // The model without streaming.
        check(Delivery::Streamed, "application/json", &json, Ok((14, 3)));
        let delta = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hi.\"}\n\n";
        let done = alloc::format!("{delta}data: {{\"type\":\"transcript.text.done\",\"text\":\"Hi.\",{usage}}}\n\n");
        check(Delivery::Streamed, "text/event-stream; charset=utf-8", &done, Ok((14, 3)));
        check(Delivery::Streamed, "text/event-stream", delta, Err(FaultKind::Cut));
    }
}

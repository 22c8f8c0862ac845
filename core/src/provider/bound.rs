//! How much one answer may hold where each thing becomes something of its own for the caller: a few bytes of an upstream's
//! then become hundreds. Text and arguments are not bounded here; they are as long as they came.

use crate::codec::json::Str;
use crate::fault::UpstreamFault;
use crate::piece::{Citation, Piece};

use super::held::malformed;

/// The most tool calls, thoughts, proofs, images and citations of an answer, together: far more than any has.
const MOST: u32 = 10_000;

/// The most that citations may be, in bytes. A source is told once by its provider, and cited many times.
const MOST_CITED: usize = 4 << 20;

/// What an answer has held so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    held: u32,
    /// Which thoughts those are: they are numbered in the order in which they begin.
    thoughts: u32,
    /// In bytes.
    cited: usize,
}

impl Bound {
    /// Counts a piece; whether it is still to be told.
    pub(super) fn admits(&mut self, piece: &Piece<'_>) -> bool {
        match piece {
            Piece::Call { .. } | Piece::Redacted { .. } | Piece::Image { .. } => {
                self.held = self.held.saturating_add(1);
            }
            Piece::Reasoning { block, .. } | Piece::Signature { block, .. } if *block >= self.thoughts => {
                self.thoughts = block.saturating_add(1);
                self.held = self.held.saturating_add(1);
            }
            Piece::Citation(Citation { url, title, cited, .. }) => {
                let bytes = [url, title, cited].into_iter().flatten().map(|text: &Str<'_>| text.written().len());
                self.cited = self.cited.saturating_add(bytes.sum());
                self.held = self.held.saturating_add(1);
            }
            _ => {}
        }
        self.is_kept()
    }

    /// Fails once there was more than is told.
    pub(super) fn check(&self) -> Result<(), UpstreamFault> {
        if self.is_kept() {
            return Ok(());
        }
        Err(malformed(
            "The provider's answer has more than 10000 tool calls, thoughts, images and citations, or 4 MiB of citations.",
        ))
    }

    fn is_kept(&self) -> bool {
        self.held <= MOST && self.cited <= MOST_CITED
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use crate::endpoint::{Delivery, Endpoint};
    use crate::fault::FaultKind;
    use crate::provider::trial::{START, upstream};
    use crate::provider::{ReplyStart, by_name, reply};

    /// What a caller of `endpoint` is told of this answer, or what is wrong with it.
    fn told(dialect: &str, endpoint: Endpoint, delivery: Delivery, answer: &str) -> Result<String, FaultKind> {
        let start = ReplyStart { endpoint, delivery, ..START };
        let mut reply = reply(by_name(dialect).unwrap(), &upstream(dialect), &start);
        let mut out = Vec::new();
        let read = answer.as_bytes().chunks(1 << 14).try_for_each(|chunk| reply.read(chunk, &mut out).map(drop));
        read.and_then(|()| reply.end(&mut out).map(drop)).map_err(|fault| fault.kind)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// 150 000 calls were looked through for each of them: a worker stood still for a minute.
    #[test]
    fn an_answer_has_only_so_many_calls() {
        let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
        let whole = |calls: usize| {
            let calls = vec![call; calls].join(",");
            format!(r#"{{"id":"a","choices":[{{"message":{{"tool_calls":[{calls}]}},"finish_reason":"stop"}}]}}"#)
        };
        let streamed = |calls: usize| {
            let call = |index| {
                let call =
                    format!(r#"{{"index":{index},"id":"c{index}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
                format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n")
            };
            (0..calls).map(call).collect::<String>()
                + "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        };
        for endpoint in [Endpoint::Messages, Endpoint::GenerateContent] {
            assert!(told("openai", endpoint, Delivery::Whole, &whole(10_000)).is_ok());
            assert_eq!(told("openai", endpoint, Delivery::Whole, &whole(10_001)), Err(FaultKind::Malformed));
            assert!(told("openai", endpoint, Delivery::Streamed, &streamed(10_000)).is_ok());
            assert_eq!(told("openai", endpoint, Delivery::Streamed, &streamed(10_001)), Err(FaultKind::Malformed));
        }
    }

    #[test]
    fn a_source_is_not_repeated_without_end() {
        let cited = |times: usize| {
            let chunk = format!(r#"{{"web":{{"uri":"https://e.org","title":"{}"}}}}"#, "t".repeat(1 << 20));
            let support = r#"{"segment":{"endIndex":1},"groundingChunkIndices":[0]}"#;
            let supports = vec![support; times].join(",");
            let grounding = format!(r#"{{"groundingChunks":[{chunk}],"groundingSupports":[{supports}]}}"#);
            let content = r#""content":{"parts":[{"text":"a"}]}"#;
            format!(r#"{{"candidates":[{{{content},"finishReason":"STOP","groundingMetadata":{grounding}}}]}}"#)
        };
        assert!(told("gemini", Endpoint::Chat, Delivery::Whole, &cited(3)).is_ok());
        assert_eq!(told("gemini", Endpoint::Chat, Delivery::Whole, &cited(4)), Err(FaultKind::Malformed));
    }

    /// Each event of a stream repeats both.
    #[test]
    fn a_name_that_is_none_is_not_repeated() {
        let answer = |name: &str| {
            let event = format!(r#"{{"type":"message_start","message":{{"id":"{name}","model":"{name}"}}}}"#);
            let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
            format!("data: {event}\n\ndata: {end}\n\ndata: {{\"type\":\"message_stop\"}}\n\n")
        };
        let told = |name: &str| told("anthropic", Endpoint::Chat, Delivery::Streamed, &answer(name)).unwrap();
        let usual = "n".repeat(512);
        assert!(told(&usual).contains(&format!(r#""id":"{usual}""#)));
        let long = told(&"n".repeat(513));
        assert!(
            !long.contains("nnn") && long.contains(&format!(r#""id":"{}""#, START.id)),
            "{}",
            long.len().to_string()
        );
    }
}

//! Limits of one answer. The first limit is for parts that become something of their own for the caller, because then a
//! few of the upstream's bytes become hundreds. The other is for what a stream's reader or writer keeps, so that no
//! answer takes all of a worker's memory. What is passed on at once has no limit.

use weir_hub::buffer::malformed;
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::Piece;

/// The most tool calls, thoughts, proofs, images and citations of an answer together; also the most stretches of kept
/// content. No real answer comes near.
const MOST: u32 = 10_000;

/// The most bytes of citations. A provider sends a source once and cites it many times.
const MOST_CITED: usize = 4 << 20;

/// The most bytes that the reader and the writer of one streamed answer keep together: as many as the host holds of a
/// whole answer ([`MAX_WHOLE`](crate::attempt::MAX_WHOLE)).
const MOST_KEPT: usize = 16 << 20;

/// What an answer has had so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    held: u32,
    /// The number of the latest thought; they are numbered in the order in which they begin.
    thoughts: u32,
    /// The stretch that the latest kept piece belongs to.
    stretch: Stretch,
    /// In bytes.
    cited: usize,
    /// In bytes; includes what is no longer kept.
    kept: usize,
}

/// A stretch of content, which goes on until a piece of another kind comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stretch {
    #[default]
    Other,
    Text,
    Refusal,
    Thought(u32),
}

impl Stretch {
    /// The stretch that `piece` belongs to; `None` if it continues the latest one.
    fn of(piece: &Piece<'_>) -> Option<Self> {
        match piece {
            Piece::Text(_) => Some(Self::Text),
            Piece::Refusal(_) => Some(Self::Refusal),
            Piece::Reasoning { block, .. } | Piece::Signature { block, .. } => Some(Self::Thought(*block)),
            Piece::Call { .. } | Piece::Redacted { .. } | Piece::Image { .. } => Some(Self::Other),
            _ => None,
        }
    }
}

impl Bound {
    /// Counts a piece; `keeps` says whether its writer keeps it. Returns whether the caller still receives it.
    pub(super) fn admits(&mut self, piece: &Piece<'_>, keeps: bool) -> bool {
        let stretch = Stretch::of(piece).filter(|_| keeps).unwrap_or(self.stretch);
        let turns = core::mem::replace(&mut self.stretch, stretch) != stretch;
        let begins = match piece {
            Piece::Call { .. } | Piece::Redacted { .. } | Piece::Image { .. } => true,
            Piece::Reasoning { block, .. } | Piece::Signature { block, .. } if *block >= self.thoughts => {
                self.thoughts = block.saturating_add(1);
                true
            }
            Piece::Citation(cited) => {
                self.cited = self.cited.saturating_add(cited.bytes());
                true
            }
            _ => turns,
        };
        self.held = self.held.saturating_add(begins.into());
        if keeps {
            self.kept = self.kept.saturating_add(piece.bytes());
        }
        self.has_room(0)
    }

    /// Gives an error once a limit is exceeded. `by_reader` is how many bytes the answer's reader keeps.
    pub(super) fn check(&self, by_reader: usize) -> Result<(), UpstreamFault> {
        if self.has_room(by_reader) {
            return Ok(());
        }
        Err(malformed(
            "The provider's answer has more than 10000 tool calls, thoughts, images and citations, 4 MiB of citations, or 16 MiB to keep.",
        ))
    }

    fn has_room(&self, by_reader: usize) -> bool {
        self.held <= MOST && self.cited <= MOST_CITED && self.kept.saturating_add(by_reader) <= MOST_KEPT
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use weir_hub::call::ReplyStart;
    use weir_hub::endpoint::{Asked, Delivery, Endpoint};
    use weir_hub::fault::FaultKind;

    use crate::exchange::reply;
    use crate::exchange::trial::{START, upstream};
    use crate::provider::by_name;

    /// What a caller of `endpoint` receives of this answer, or its fault.
    fn translated(dialect: &str, endpoint: Endpoint, delivery: Delivery, answer: &str) -> Result<String, FaultKind> {
        let start = ReplyStart { asked: Asked { endpoint, delivery, ..START.asked }, ..START };
        let mut reply = reply(by_name(dialect).unwrap(), &upstream(dialect), &start);
        let mut out = Vec::new();
        let read = answer.as_bytes().chunks(1 << 14).try_for_each(|chunk| reply.read(chunk, &mut out).map(drop));
        read.and_then(|()| reply.end(&mut out).map(drop)).map_err(|fault| fault.kind)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// Each of 150 000 calls was searched for among all of them: a worker stood still for a minute.
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
            assert!(translated("openai", endpoint, Delivery::Whole, &whole(10_000)).is_ok());
            assert_eq!(translated("openai", endpoint, Delivery::Whole, &whole(10_001)), Err(FaultKind::Malformed));
            assert!(translated("openai", endpoint, Delivery::Streamed, &streamed(10_000)).is_ok());
            assert_eq!(
                translated("openai", endpoint, Delivery::Streamed, &streamed(10_001)),
                Err(FaultKind::Malformed)
            );
        }
    }

    /// Each is an item of its own, which is written again at the end, so one byte becomes hundreds.
    #[test]
    fn what_is_said_in_turn_is_not_kept_without_end() {
        let answer = |turns: usize| {
            let thought = r#"{"reasoning_details":[{"type":"reasoning.text","index":0,"text":"a"}]}"#;
            let said = [thought, r#"{"content":"a"}"#, r#"{"refusal":"a"}"#].into_iter().cycle().take(turns);
            let events = said.map(|delta| format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n"));
            events.collect::<String>() + "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        };
        let translated =
            |endpoint, turns| translated("mistral", endpoint, Delivery::Streamed, &answer(turns)).map(drop);
        assert_eq!(translated(Endpoint::Responses, 10_000), Ok(()));
        assert_eq!(translated(Endpoint::Responses, 10_001), Err(FaultKind::Malformed));
        assert_eq!(translated(Endpoint::Messages, 10_001), Ok(()));
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
        assert!(translated("gemini", Endpoint::Chat, Delivery::Whole, &cited(3)).is_ok());
        assert_eq!(translated("gemini", Endpoint::Chat, Delivery::Whole, &cited(4)), Err(FaultKind::Malformed));
    }

    /// Each event of a stream repeats both.
    #[test]
    fn a_name_that_is_none_is_not_repeated() {
        let answer = |name: &str| {
            let event = format!(r#"{{"type":"message_start","message":{{"id":"{name}","model":"{name}"}}}}"#);
            let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
            format!("data: {event}\n\ndata: {end}\n\ndata: {{\"type\":\"message_stop\"}}\n\n")
        };
        let translated =
            |name: &str| translated("anthropic", Endpoint::Chat, Delivery::Streamed, &answer(name)).unwrap();
        let usual = "n".repeat(512);
        assert!(translated(&usual).contains(&format!(r#""id":"{usual}""#)));
        let long = translated(&"n".repeat(513));
        assert!(
            !long.contains("nnn") && long.contains(&format!(r#""id":"{}""#, START.id)),
            "{}",
            long.len().to_string()
        );
    }
}

//! Turns an answer into a script, bent by its fault.

use bytes::{Bytes, BytesMut};
use hyper::{HeaderMap, header::CONTENT_TYPE};

use crate::{
    Fault, Pace,
    dialect::{Event, Moment, half},
    reply::{Length, Reply},
    script::Step,
};

/// A whole answer. `error` is what an in-band error looks like.
pub(crate) fn whole(headers: HeaderMap, body: Bytes, fault: Option<Fault>, error: impl FnOnce() -> Bytes) -> Reply {
    let full = body.len();
    let half = body.slice(..full / 2);
    let (script, length) = match fault {
        Some(Fault::ErrorEvent | Fault::ErrorEventLate) => (vec![Step::Send(error())], Length::Known),
        Some(Fault::Stall) => (vec![Step::Send(half), Step::Silence], Length::Chunked),
        Some(Fault::StallBefore) => (vec![Step::Silence], Length::Chunked),
        Some(Fault::Cut) => (vec![Step::Send(half)], Length::Chunked),
        Some(Fault::CutBefore) => (Vec::new(), Length::Chunked),
        Some(Fault::Break) => (vec![Step::Send(half), Step::Flush, Step::Break], Length::Claimed(full)),
        Some(Fault::TruncatedJson) => (vec![Step::Send(half)], Length::Known),
        Some(Fault::Malformed) => {
            (vec![Step::Send(half), Step::Send(Bytes::from_static(b"\x01\x02,,[{]}"))], Length::Known)
        }
        _ => (vec![Step::Send(body)], Length::Known),
    };
    Reply { status: 200, headers, script, length }
}

/// A stream. `some` is how many tokens come before a fault in its middle, if the answer has that many. `error` writes an error after
/// some events, `malformed` what comes in place of an event.
pub(crate) fn stream(
    headers: HeaderMap,
    mut events: Vec<Event>,
    pace: Pace,
    fault: Option<Fault>,
    some: usize,
    error: impl FnOnce(&[Event]) -> Bytes,
    malformed: impl FnOnce(&[u8]) -> Bytes,
) -> Reply {
    debug_assert!(headers.contains_key(CONTENT_TYPE), "a stream says that it is one");
    let last = match fault {
        Some(Fault::ErrorEvent) => Some((0, After::Error)),
        Some(Fault::ErrorEventLate) => Some((some, After::Error)),
        Some(Fault::Stall) => Some((some, After::Silence)),
        Some(Fault::StallBefore) => Some((0, After::Silence)),
        Some(Fault::Cut | Fault::TruncatedJson) => Some((some, After::End)),
        Some(Fault::CutBefore) => Some((0, After::End)),
        Some(Fault::Break) => Some((some, After::Break)),
        _ => None,
    };
    let mut script = Script::new(pace);
    if let Some(Fault::SlowFirstToken(wait)) = fault {
        script.pace.first += wait;
    }
    match (last, fault) {
        (Some((tokens, after)), _) => {
            let (kept, rest) = split(events, tokens);
            script.events(&kept);
            match after {
                After::Error => script.bytes(&error(&kept)),
                other => script.end(&other, rest.first()),
            }
        }
        (None, Some(Fault::Malformed)) => {
            let (kept, rest) = split(events, some);
            script.events(&kept);
            script.bytes(&malformed(rest.first().map_or(b"data: data: ", |event| &event.bytes)));
            script.events(&rest);
        }
        (None, _) => {
            if fault == Some(Fault::NoDone) {
                events.retain(|event| event.moment != Moment::Terminal);
            }
            script.events(&events);
        }
    }
    Reply { status: 200, headers, script: script.finish(), length: Length::Chunked }
}

/// The events up to the first `tokens` tokens, and the others. Never all of the tokens, and one at least if any are kept.
fn split(mut events: Vec<Event>, tokens: usize) -> (Vec<Event>, Vec<Event>) {
    let places: Vec<usize> =
        events.iter().enumerate().filter(|(_, event)| event.moment == Moment::Token).map(|(at, _)| at).collect();
    let most = places.len().saturating_sub(1);
    let kept = tokens.min(most);
    let at = places.get(kept).copied().unwrap_or(events.len().min(1));
    let rest = events.split_off(at);
    (events, rest)
}

/// What follows the events that are kept.
enum After {
    Error,
    Silence,
    End,
    Break,
}

/// Writes a script; what needs no wait in between goes out in one piece.
struct Script {
    pace: Pace,
    steps: Vec<Step>,
    pending: BytesMut,
    spoke: bool,
}

impl Script {
    fn new(pace: Pace) -> Self {
        Self { pace, steps: Vec::new(), pending: BytesMut::new(), spoke: false }
    }

    fn events(&mut self, events: &[Event]) {
        for event in events {
            self.event(event);
        }
    }

    fn event(&mut self, event: &Event) {
        if event.moment == Moment::Token {
            let wait = if self.spoke { self.pace.gap } else { self.pace.first };
            self.spoke = true;
            if !wait.is_zero() {
                self.send();
                self.steps.push(Step::Wait(wait));
            }
        }
        self.bytes(&event.bytes);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn send(&mut self) {
        if !self.pending.is_empty() {
            self.steps.push(Step::Send(self.pending.split().freeze()));
        }
    }

    fn end(&mut self, after: &After, next: Option<&Event>) {
        match after {
            After::Error | After::End => {}
            After::Silence => {
                self.send();
                self.steps.push(Step::Silence);
            }
            After::Break => {
                self.bytes(next.map_or(b"", |event| half(&event.bytes)));
                self.send();
                self.steps.extend([Step::Flush, Step::Break]);
            }
        }
    }

    fn finish(mut self) -> Vec<Step> {
        self.send();
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn events(tokens: usize) -> Vec<Event> {
        let event = |moment, bytes: &str| Event { moment, bytes: Bytes::from(bytes.to_owned()) };
        let mut events = vec![event(Moment::Frame, "open|")];
        events.extend((0..tokens).map(|number| event(Moment::Token, &format!("token{number}|"))));
        events.extend([event(Moment::Finish, "finish|"), event(Moment::Terminal, "done|")]);
        events
    }

    fn check(tokens: usize, fault: Option<Fault>, expect: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
        let error = |_: &[Event]| Bytes::from_static(b"error|");
        let malformed = |event: &[u8]| Bytes::from([half(event), b"?|"].concat());
        let reply = stream(headers, events(tokens), Pace::default(), fault, 3, error, malformed);
        let written: String = reply
            .script
            .iter()
            .map(|step| match step {
                Step::Send(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("<{other:?}>"),
            })
            .collect();
        assert_eq!(written, expect, "{fault:?}");
    }

    #[test]
    fn a_fault_bends_a_stream() {
        check(5, None, "open|token0|token1|token2|token3|token4|finish|done|");
        check(5, Some(Fault::NoDone), "open|token0|token1|token2|token3|token4|finish|");
        check(5, Some(Fault::Cut), "open|token0|token1|token2|");
        check(5, Some(Fault::CutBefore), "open|");
        check(5, Some(Fault::Stall), "open|token0|token1|token2|<Silence>");
        check(5, Some(Fault::StallBefore), "open|<Silence>");
        check(5, Some(Fault::ErrorEvent), "open|error|");
        check(5, Some(Fault::ErrorEventLate), "open|token0|token1|token2|error|");
        check(5, Some(Fault::Break), "open|token0|token1|token2|tok<Flush><Break>");
        check(4, Some(Fault::Malformed), "open|token0|token1|token2|tok?|token3|finish|done|");
        let slow = Duration::from_millis(9);
        check(2, Some(Fault::SlowFirstToken(slow)), "open|<Wait(9ms)>token0|token1|finish|done|");
    }

    #[test]
    fn a_short_answer_is_never_cut_after_its_last_token() {
        check(2, Some(Fault::Cut), "open|token0|");
        check(1, Some(Fault::Cut), "open|");
        check(0, Some(Fault::Cut), "open|");
    }
}

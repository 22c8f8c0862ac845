//! Turns an answer into a script, bent by its fault.

use bytes::{Bytes, BytesMut};
use hyper::{HeaderMap, header::CONTENT_TYPE};
use memchr::memmem;

use crate::{
    Fault, Pace,
    answer::Usage,
    bill::Said,
    dialect::{Event, Moment, half},
    reply::{Length, Reply},
    script::Step,
};

/// Whether bytes of an answer tell the tokens used. What a message says cannot be mistaken for a field: within a string, quotes are
/// escaped.
pub(crate) fn tells(bytes: &[u8]) -> bool {
    const FIELDS: [&[u8]; 5] = [
        b"\"usage\":{",
        b"\"usageMetadata\":{",
        b"\"billed_units\":{",
        b"\"inputTextTokenCount\":",
        b"\"token_count\":",
    ];
    FIELDS.iter().any(|field| memmem::find(bytes, field).is_some())
}

/// A whole answer, which costs `usage`. `error` is what an in-band error looks like.
pub(crate) fn whole(
    headers: HeaderMap,
    body: Bytes,
    usage: Usage,
    fault: Option<Fault>,
    error: impl FnOnce() -> Bytes,
) -> Reply {
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
        _ => {
            let said = Said { output: usage.output, told: tells(&body), ends: true };
            (vec![Step::Said(said), Step::Send(body)], Length::Known)
        }
    };
    Reply { status: 200, headers, script, length }
}

/// How a stream goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub(crate) pace: Pace,
    /// What all of it costs.
    pub(crate) usage: Usage,
    /// How many tokens come before a fault in its middle, if the answer has that many.
    pub(crate) some: usize,
}

/// A stream. `error` writes an error after some events, `malformed` what comes in place of an event.
pub(crate) fn stream(
    headers: HeaderMap,
    mut events: Vec<Event>,
    course: Course,
    fault: Option<Fault>,
    error: impl FnOnce(&[Event]) -> Bytes,
    malformed: impl FnOnce(&[u8]) -> Bytes,
) -> Reply {
    let some = course.some;
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
    let mut script = Script::new(course, &events);
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
    usage: Usage,
    /// How many events say something in the whole stream.
    pieces: usize,
    /// Which of all events tells the final usage.
    telling: Option<usize>,
    /// How many events were written, and how many of them said something.
    written: usize,
    spoken: usize,
    /// What has been said with what is pending, and what was said before it.
    said: Said,
    sent: Said,
}

impl Script {
    fn new(course: Course, events: &[Event]) -> Self {
        Self {
            pace: course.pace,
            steps: Vec::new(),
            pending: BytesMut::new(),
            usage: course.usage,
            pieces: events.iter().filter(|event| event.moment == Moment::Token).count(),
            telling: events.iter().rposition(|event| tells(&event.bytes)),
            written: 0,
            spoken: 0,
            said: Said::default(),
            sent: Said::default(),
        }
    }

    fn events(&mut self, events: &[Event]) {
        for event in events {
            self.event(event);
        }
    }

    fn event(&mut self, event: &Event) {
        if event.moment == Moment::Token {
            let wait = if self.spoken > 0 { self.pace.gap } else { self.pace.first };
            self.spoken += 1;
            if !wait.is_zero() {
                self.send();
                self.steps.push(Step::Wait(wait));
            }
        }
        self.count(event.moment);
        self.bytes(&event.bytes);
    }

    /// Counts what one more event says. The last one that says something ends the answer, and so does what follows it.
    fn count(&mut self, moment: Moment) {
        let after = self.spoken >= self.pieces && moment != Moment::Frame;
        self.said.output = if after { self.usage.output } else { self.usage.after(self.spoken, self.pieces) };
        self.said.ends |= after;
        self.said.told |= self.telling == Some(self.written);
        self.written += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn send(&mut self) {
        if !self.pending.is_empty() {
            if self.said != self.sent {
                self.steps.push(Step::Said(self.said));
                self.sent = self.said;
            }
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
        let usage = Usage::of(9, u32::try_from(tokens).unwrap());
        let course = Course { pace: Pace::default(), usage, some: 3 };
        let reply = stream(headers, events(tokens), course, fault, error, malformed);
        let written: String = reply
            .script
            .iter()
            .filter(|step| !matches!(step, Step::Said(_)))
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

    #[test]
    fn what_is_said_is_counted_before_it_is_sent() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
        let usage = Usage { hidden: 10, ..Usage::of(9, 12) };
        let pace = Pace { first: Duration::ZERO, gap: Duration::from_millis(1) };
        let count = |fault| {
            let mut all = events(2);
            all[3].bytes = Bytes::from_static(b"{\"usage\":{}}");
            let none = |_: &[Event]| Bytes::new();
            let reply = stream(headers.clone(), all, Course { pace, usage, some: 1 }, fault, none, |_| Bytes::new());
            let said = reply.script.into_iter().filter_map(|step| match step {
                Step::Said(said) => Some((said.output, said.told, said.ends)),
                _ => None,
            });
            said.collect::<Vec<_>>()
        };
        assert_eq!(count(None), [(11, false, false), (12, true, true)]);
        assert_eq!(count(Some(Fault::NoDone)), [(11, false, false), (12, true, true)]);
        assert_eq!(count(Some(Fault::Cut)), [(11, false, false)]);
        assert_eq!(count(Some(Fault::CutBefore)), []);
    }
}

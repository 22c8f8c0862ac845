//! What was billed: every request that a provider would charge for, and the sums by model.
//!
//! A request is booked with its input once it is taken. Its output is booked before the bytes go out that tell it, so that the bill is
//! never behind what a caller has read, and stays as it is where the caller hangs up.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{Outcome, Pace, answer::Usage};

/// What one request cost. All numbers are tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The simulator's own id, which is part of the ids in the answer and in its headers.
    pub id: String,
    /// Whose API it was, by the folder of its fixtures: `openai`.
    pub dialect: &'static str,
    /// The path without the query.
    pub path: String,
    /// The model's name as it was asked for.
    pub model: String,
    /// The headers by which others name the request, as far as they came: `x-request-id` and its like, in lower case.
    pub names: Vec<(&'static str, String)>,
    /// All of the input, cached or not.
    pub input: u64,
    /// The part of the input that was read from the cache.
    pub cached: u64,
    /// The part of the input that was written to the cache.
    pub written: u64,
    /// The output so far, reasoning included.
    pub output: u64,
    /// The part of the output that is reasoning, said aloud or not.
    pub reasoning: u64,
    /// Whether the final usage was written to the caller.
    pub told: bool,
    /// How it ended: [`Finished`](Outcome::Finished) only where the whole answer went out, [`Aborted`](Outcome::Aborted) where the
    /// caller hung up or a fault cut it.
    pub outcome: Outcome,
}

impl Billed {
    /// The first of the names that came as the header `name`.
    pub fn name(&self, name: &str) -> Option<&str> {
        self.names.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

/// What the requests of one model cost together. All but the first four are tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// The requests that were booked.
    pub requests: u64,
    /// Those whose caller was told the final usage.
    pub told: u64,
    /// Those that are [finished](Outcome::Finished).
    pub finished: u64,
    /// Those that were cut.
    pub cut: u64,
    /// As in [`Billed`].
    pub input: u64,
    /// As in [`Billed`].
    pub cached: u64,
    /// As in [`Billed`].
    pub written: u64,
    /// As in [`Billed`].
    pub output: u64,
    /// As in [`Billed`].
    pub reasoning: u64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            told: self.told + other.told,
            finished: self.finished + other.finished,
            cut: self.cut + other.cut,
            input: self.input + other.input,
            cached: self.cached + other.cached,
            written: self.written + other.written,
            output: self.output + other.output,
            reasoning: self.reasoning + other.reasoning,
        }
    }
}

/// The headers by which a request may be named.
pub(crate) const NAMES: [&str; 5] =
    ["x-request-id", "x-weir-caller-request-id", "x-client-request-id", "x-ms-client-request-id", "traceparent"];

/// More requests than this are not listed; the oldest goes. The sums have them all.
const MOST: usize = 65_536;

/// The bill of one simulator.
#[derive(Default)]
pub(crate) struct Bill(Mutex<Booked>);

#[derive(Default)]
struct Booked {
    listed: VecDeque<(u64, Billed)>,
    by_model: BTreeMap<String, Spent>,
    /// The number of the next request.
    next: u64,
    /// Requests with a lower number were cleared away.
    since: u64,
    /// How many were listed once and are no longer.
    left_out: u64,
}

impl Bill {
    /// Books a request with its input. `listed` describes it; without it, it counts in the sums alone.
    pub(crate) fn open(self: &Arc<Self>, model: &str, usage: Usage, making: Making, listed: Option<Billed>) -> Meter {
        let read = Spent {
            requests: 1,
            input: usage.input.into(),
            cached: usage.cache.read.into(),
            written: usage.cache.written.into(),
            ..Spent::default()
        };
        let mut booked = self.lock();
        let id = booked.next;
        booked.next += 1;
        booked.add(model, read);
        if let Some(billed) = listed {
            booked.listed.push_back((id, billed));
            if booked.listed.len() > MOST {
                booked.listed.pop_front();
                booked.left_out += 1;
            }
        }
        drop(booked);
        Meter {
            bill: Arc::clone(self),
            id,
            model: model.to_owned(),
            usage,
            making,
            said: Cell::default(),
            settled: Cell::default(),
        }
    }

    /// The listed requests, oldest first, and how many others there were.
    pub(crate) fn listed(&self) -> (Vec<Billed>, u64) {
        let booked = self.lock();
        (booked.listed.iter().map(|(_, billed)| billed.clone()).collect(), booked.left_out)
    }

    pub(crate) fn by_model(&self) -> BTreeMap<String, Spent> {
        self.lock().by_model.clone()
    }

    /// Forgets all of it. What is still under way does not come back.
    pub(crate) fn clear(&self) {
        let mut booked = self.lock();
        *booked = Booked { next: booked.next, since: booked.next, ..Booked::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Booked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Booked {
    fn add(&mut self, model: &str, more: Spent) {
        match self.by_model.get_mut(model) {
            Some(spent) => *spent = spent.plus(more),
            None => drop(self.by_model.insert(model.to_owned(), more)),
        }
    }

    /// The entry of a request, where it is still listed. Numbers rise along the list.
    fn entry(&mut self, id: u64) -> Option<&mut Billed> {
        let at = self.listed.binary_search_by_key(&id, |(other, _)| *other).ok()?;
        self.listed.get_mut(at).map(|(_, billed)| billed)
    }
}

/// How far an answer has come, when the bytes that follow are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The output so far.
    pub(crate) output: u32,
    /// Whether the final usage is told.
    pub(crate) told: bool,
    /// Whether nothing more is to be said.
    pub(crate) ends: bool,
}

/// When the output of an answer is made that comes in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Making {
    /// While it is said: what is said tells.
    Saying,
    /// Before it is said, at this pace and in so many pieces.
    Before { from: Instant, pace: Pace, pieces: u32 },
}

/// One request's place in the bill. Dropping it before [`finish`](Self::finish) marks the request as cut.
pub(crate) struct Meter {
    bill: Arc<Bill>,
    id: u64,
    model: String,
    usage: Usage,
    making: Making,
    said: Cell<Said>,
    settled: Cell<bool>,
}

impl Meter {
    /// Books what has been said. It only grows.
    pub(crate) fn say(&self, said: Said) {
        let before = self.said.get();
        let now = Said {
            output: said.output.max(before.output),
            told: said.told || before.told,
            ends: said.ends || before.ends,
        };
        self.said.set(now);
        let reasoning = |output: u32| self.usage.reasoning.min(output);
        let more = Spent {
            output: (now.output - before.output).into(),
            reasoning: (reasoning(now.output) - reasoning(before.output)).into(),
            told: u64::from(now.told) - u64::from(before.told),
            ..Spent::default()
        };
        self.book(more, |billed| {
            billed.output = now.output.into();
            billed.reasoning = reasoning(now.output).into();
            billed.told = now.told;
        });
    }

    /// Books that an answer that comes in one piece has been made.
    pub(crate) fn made(&self) {
        if let Making::Before { .. } = self.making {
            self.say(Said { output: self.usage.output, ..Said::default() });
        }
    }

    /// Books that everything was sent that was to be sent.
    pub(crate) fn finish(&self) {
        self.settle(if self.said.get().ends { Outcome::Finished } else { Outcome::Aborted });
    }

    fn settle(&self, outcome: Outcome) {
        if self.settled.replace(true) {
            return;
        }
        let finished = u64::from(outcome == Outcome::Finished);
        let more = Spent { finished, cut: 1 - finished, ..Spent::default() };
        self.book(more, |billed| billed.outcome = outcome);
    }

    fn book(&self, more: Spent, change: impl FnOnce(&mut Billed)) {
        let mut booked = self.bill.lock();
        if self.id < booked.since {
            return;
        }
        booked.add(&self.model, more);
        if let Some(billed) = booked.entry(self.id) {
            change(billed);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.settled.get() {
            return;
        }
        // Hung up on while it was made: what was made until then.
        if let Making::Before { from, pace, pieces } = self.making {
            let count = |pieces: u32| usize::try_from(pieces).unwrap_or(usize::MAX);
            let output = self.usage.after(count(pace.said(from.elapsed(), pieces)), count(pieces));
            self.say(Said { output, ..Said::default() });
        }
        self.settle(Outcome::Aborted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u32, output: u32) -> Usage {
        Usage { reasoning: 3, hidden: 3, ..Usage::of(input, output) }
    }

    fn open(bill: &Arc<Bill>, usage: Usage) -> Meter {
        let listed = Billed {
            id: "1".into(),
            dialect: "openai",
            path: "/".into(),
            model: "m".into(),
            names: Vec::new(),
            input: usage.input.into(),
            cached: 0,
            written: 0,
            output: 0,
            reasoning: 0,
            told: false,
            outcome: Outcome::Open,
        };
        bill.open("m", usage, Making::Saying, Some(listed))
    }

    fn said(output: u32) -> Said {
        Said { output, told: false, ends: false }
    }

    #[test]
    fn what_was_said_is_booked_once_and_only_grows() {
        let bill = Arc::new(Bill::default());
        let meter = open(&bill, usage(10, 7));
        meter.say(said(2));
        meter.say(said(1));
        assert_eq!(bill.by_model()["m"], Spent { requests: 1, input: 10, output: 2, reasoning: 2, ..Spent::default() });
        meter.say(Said { output: 7, told: true, ends: true });
        meter.finish();
        drop(meter);
        let (listed, _) = bill.listed();
        assert_eq!((listed[0].output, listed[0].reasoning, listed[0].told), (7, 3, true));
        assert_eq!(listed[0].outcome, Outcome::Finished);
        let spent = bill.by_model()["m"];
        assert_eq!((spent.output, spent.reasoning, spent.told, spent.finished, spent.cut), (7, 3, 1, 1, 0));
    }

    #[test]
    fn what_is_dropped_before_its_end_was_cut() {
        let bill = Arc::new(Bill::default());
        let meter = open(&bill, usage(10, 7));
        meter.say(said(4));
        drop(meter);
        open(&bill, usage(1, 1)).finish();
        let outcomes = bill.listed().0.iter().map(|billed| billed.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes, [Outcome::Aborted; 2], "one was dropped, one had more to say");
        let spent = bill.by_model()["m"];
        assert_eq!((spent.requests, spent.input, spent.output, spent.cut), (2, 11, 4, 2));
    }

    #[test]
    fn what_is_under_way_when_all_is_forgotten_does_not_come_back() {
        let bill = Arc::new(Bill::default());
        let (old, before) = (open(&bill, usage(10, 7)), open(&bill, usage(10, 7)));
        drop(before);
        bill.clear();
        old.say(said(5));
        let new = open(&bill, usage(1, 7));
        new.say(said(2));
        drop(old);
        let spent = bill.by_model()["m"];
        assert_eq!((spent.requests, spent.input, spent.output, spent.cut), (1, 1, 2, 0));
        assert_eq!(bill.listed().0.len(), 1);
    }

    #[test]
    fn the_oldest_is_left_out_of_the_list_and_not_of_the_sums() {
        let bill = Arc::new(Bill::default());
        let oldest = open(&bill, usage(1, 7));
        for _ in 0..MOST {
            drop(open(&bill, usage(1, 7)));
        }
        oldest.say(said(7));
        let (listed, left_out) = bill.listed();
        assert_eq!((listed.len(), left_out), (MOST, 1));
        let spent = bill.by_model()["m"];
        assert_eq!((spent.input, spent.output), (u64::try_from(MOST).unwrap() + 1, 7));
    }
}

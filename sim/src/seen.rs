//! What has arrived: a bounded log of requests and how each ended.

use std::{
    cell::OnceCell,
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{Version, http::request::Parts};
use tokio::sync::watch;

use crate::{
    Fault, Keep, Outcome,
    bill::{Meter, Said},
};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method, upper case.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// The HTTP version it came by.
    pub version: Version,
    /// Every header in order of arrival, names in lower case; those of one name stand together. Trailers are among them. HTTP/2's `:authority`
    /// is written as `host`, where there is no other.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Bytes,
    /// When it had been read, counted from the simulator's start.
    pub at: Duration,
    /// The status it was answered with, once it was.
    pub status: Option<u16>,
    /// The fault it was given.
    pub fault: Option<Fault>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, counted from the simulator's start.
    pub ended: Option<Duration>,
}

impl Seen {
    /// The first value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The log. Counting goes on where keeping is off.
pub(crate) struct Log {
    keep: Keep,
    start: Instant,
    served: AtomicU64,
    refused: AtomicU64,
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<(u64, Seen)>,
    bytes: usize,
    next: u64,
}

impl Log {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            start: Instant::now(),
            served: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            kept: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// Writes down a request whose body was read, as far as it came.
    pub(crate) fn open(self: &Arc<Self>, head: &Parts, body: &Bytes, arrival: Arrival) -> Ticket {
        if arrival == Arrival::Whole {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
        if self.keep.requests == 0 {
            return Ticket::none();
        }
        let outcome = if arrival == Arrival::Whole { Outcome::Open } else { Outcome::Aborted };
        let seen = Seen {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            version: head.version,
            headers: headers(head),
            body: body.clone(),
            at: self.start.elapsed(),
            status: None,
            fault: None,
            outcome,
            ended: (outcome == Outcome::Aborted).then(|| self.start.elapsed()),
        };
        let id = self.lock().push(seen, self.keep);
        self.changed.send_replace(());
        Ticket::at((outcome == Outcome::Open).then(|| (Arc::clone(self), id)))
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.lock().entries.iter().map(|(_, seen)| seen.clone()).collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
        kept.bytes = 0;
        self.served.store(0, Ordering::Relaxed);
        self.refused.store(0, Ordering::Relaxed);
    }

    pub(crate) async fn until(&self, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let mut changes = self.changed.subscribe();
        loop {
            changes.mark_unchanged();
            let all = self.all();
            // The sender lives as long as this log, so waiting cannot fail.
            if enough(&all) || changes.changed().await.is_err() {
                return all;
            }
        }
    }

    fn update(&self, id: u64, change: impl FnOnce(&mut Seen)) {
        if let Some((_, seen)) = self.lock().entries.iter_mut().rev().find(|(other, _)| *other == id) {
            change(seen);
        }
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, seen: Seen, keep: Keep) -> u64 {
        let id = self.next;
        self.next += 1;
        self.bytes += seen.body.len();
        self.entries.push_back((id, seen));
        while self.entries.len() > keep.requests || (self.bytes > keep.bytes && self.entries.len() > 1) {
            if let Some((_, oldest)) = self.entries.pop_front() {
                self.bytes -= oldest.body.len();
            }
        }
        id
    }
}

/// Whether a request's body came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    Whole,
    Partial,
}

/// One request's place in the log, and in the bill where it costs something. Dropping it before [`finish`](Self::finish) marks the
/// request as aborted.
pub(crate) struct Ticket {
    place: Option<(Arc<Log>, u64)>,
    meter: OnceCell<Meter>,
}

impl Ticket {
    /// The place of a request that is not logged.
    pub(crate) fn none() -> Self {
        Self::at(None)
    }

    fn at(place: Option<(Arc<Log>, u64)>) -> Self {
        Self { place, meter: OnceCell::new() }
    }

    /// Has the request billed. A request is billed once.
    pub(crate) fn bill(&self, meter: Meter) {
        // A second meter would be a mistake, and shows as a request that was cut.
        let _ = self.meter.set(meter);
    }

    /// Notes how much has been said.
    pub(crate) fn say(&self, said: Said) {
        if let Some(meter) = self.meter.get() {
            meter.say(said);
        }
    }

    /// Notes that an answer that comes in one piece has been made.
    pub(crate) fn made(&self) {
        if let Some(meter) = self.meter.get() {
            meter.made();
        }
    }

    /// Notes which fault the request was given.
    pub(crate) fn fault(&self, fault: Option<Fault>) {
        if let (Some((log, id)), Some(fault)) = (&self.place, fault) {
            log.update(*id, |seen| seen.fault = Some(fault));
        }
    }

    /// Notes the status it is answered with.
    pub(crate) fn status(&self, status: u16) {
        if let Some((log, id)) = &self.place {
            log.update(*id, |seen| seen.status = Some(status));
        }
    }

    /// Notes that the answer went out to its end.
    pub(crate) fn finish(&mut self) {
        // The bill first: whoever waits for the log finds it settled.
        if let Some(meter) = self.meter.get() {
            meter.finish();
        }
        self.end(Outcome::Finished);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some((log, id)) = self.place.take() {
            let ended = log.start.elapsed();
            log.update(id, |seen| {
                seen.outcome = outcome;
                seen.ended = Some(ended);
            });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        drop(self.meter.take());
        self.end(Outcome::Aborted);
    }
}

fn headers(head: &Parts) -> Vec<(String, String)> {
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key("host")
    {
        headers.insert(0, ("host".to_owned(), authority.to_string()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_goes_when_there_are_too_many_or_too_large_ones() {
        let log = Arc::new(Log::new(Keep { requests: 3, bytes: 10 }));
        let (head, ()) = hyper::Request::new(()).into_parts();
        for body in ["a", "bb", "ccc", "dddd"] {
            drop(log.open(&head, &Bytes::from(body), Arrival::Whole));
        }
        let bodies = |log: &Log| log.all().into_iter().map(|seen| seen.body).collect::<Vec<_>>();
        assert_eq!(bodies(&log), ["bb", "ccc", "dddd"]);
        drop(log.open(&head, &Bytes::from("eeeee"), Arrival::Whole));
        assert_eq!(bodies(&log), ["dddd", "eeeee"]);
        assert_eq!(log.served(), 5);
        assert_eq!(log.all()[0].outcome, Outcome::Aborted);
    }
}

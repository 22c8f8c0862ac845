//! Where the longer values of a checked document end, so that walking into it need not look for that again.

use alloc::vec::Vec;

/// Shorter values are looked through as soon as a span is found.
const LONG: usize = 16;

/// More are not noted: a document of nothing but small values must not take many times its size.
const MAX: usize = 1 << 15;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Where it begins in the document.
    start: usize,
    /// Where it ends; while it is open, the place of the one around it.
    end: usize,
    /// How many of those that follow lie in it.
    inside: usize,
}

/// The longer values of one document, in the order in which they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

/// Which of the values around a place are noted.
#[derive(Default)]
pub(super) struct Open {
    /// The innermost that is.
    latest: usize,
    /// A bit for each, the innermost last.
    noted: u128,
}

impl Spans {
    /// Forgets all, and makes room for what a document of `len` bytes usually has.
    pub(super) fn begin(&mut self, len: usize) {
        self.0.clear();
        self.0.reserve((len / 128).min(MAX));
    }

    /// A string lies there.
    #[inline]
    pub(super) fn string(&mut self, start: usize, end: usize) {
        if end - start >= LONG && self.0.len() < MAX {
            self.0.push(Span { start, end, inside: 0 });
        }
    }

    /// An object or array begins.
    #[inline]
    pub(super) fn open(&mut self, start: usize, open: &mut Open) {
        let notes = self.0.len() < MAX;
        open.noted = open.noted << 1 | u128::from(notes);
        if notes {
            self.0.push(Span { start, end: open.latest, inside: 0 });
            open.latest = self.0.len() - 1;
        }
    }

    /// The innermost object or array ends.
    #[inline]
    pub(super) fn close(&mut self, end: usize, open: &mut Open) {
        let noted = open.noted & 1 == 1;
        open.noted >>= 1;
        let (at, count) = (open.latest, self.0.len());
        let Some(span) = self.0.get_mut(at).filter(|_| noted) else { return };
        open.latest = span.end;
        span.end = end;
        span.inside = count - 1 - at;
        if end - span.start < LONG {
            // What lies in it is shorter still, and not noted.
            self.0.pop();
        }
    }
}

/// What is known of one value: its own span and those in it, or nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a>(&'a [Span]);

impl<'a> Known<'a> {
    /// Nothing.
    pub(super) const NOTHING: Known<'static> = Known(&[]);

    /// What `spans` know of the value that begins at `start` in their document.
    pub(super) fn of(start: usize, spans: &'a Spans) -> Self {
        let first = spans.0.partition_point(|span| span.start < start);
        let all = spans.0.get(first..).unwrap_or_default();
        let own = all.first().filter(|span| span.start == start);
        Self(own.and_then(|own| all.get(..=own.inside)).unwrap_or_default())
    }

    /// What is known of the values in this one.
    #[inline]
    pub(super) fn inside(self) -> Inside<'a> {
        match self.0.split_first() {
            Some((own, spans)) => Inside { base: own.start, spans },
            None => Inside { base: 0, spans: &[] },
        }
    }
}

/// What is known of values that are asked for in their order.
pub(super) struct Inside<'a> {
    /// Where the value around them begins.
    base: usize,
    spans: &'a [Span],
}

impl<'a> Inside<'a> {
    /// The value that begins at `at` within the one around it, if it is noted: where it ends, and what is known of it.
    #[inline]
    pub(super) fn next(&mut self, at: usize) -> Option<(usize, Known<'a>)> {
        let span = self.spans.first()?;
        if span.start != self.base + at {
            return None;
        }
        let (known, after) = self.spans.split_at_checked(span.inside + 1)?;
        self.spans = after;
        Some((span.end - self.base, Known(known)))
    }
}

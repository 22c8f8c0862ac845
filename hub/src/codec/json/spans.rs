//! Where the longer values of a checked document end, so that walking into it need not look for that again.

use alloc::vec::Vec;

/// Shorter values are looked through as soon as a span is found.
const LONG: usize = 16;

/// Of more only those that are [`FAR`] are noted: a document of nothing but small values must not take many times its size.
const MAX: usize = 1 << 15;

/// Values of so many bytes are always noted. What is nested lies within many of them, and would be looked through for each.
const FAR: usize = 1 << 14;

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
pub struct Spans {
    noted: Vec<Span>,
    /// How many objects and arrays there are, noted or not.
    opened: u64,
}

/// The innermost of the values around a place: each knows the one around it.
#[derive(Default)]
pub(super) struct Open(usize);

impl Spans {
    /// Forgets all, and makes room for what a document of `len` bytes usually has.
    pub(super) fn begin(&mut self, len: usize) {
        self.noted.clear();
        self.opened = 0;
        self.noted.reserve((len / 128).min(MAX));
    }

    /// How many objects and arrays the document has.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// A string lies there.
    #[inline]
    pub(super) fn string(&mut self, start: usize, end: usize) {
        let length = end - start;
        if length >= LONG && (self.noted.len() < MAX || length >= FAR) {
            self.noted.push(Span { start, end, inside: 0 });
        }
    }

    /// An object or array has nothing in it.
    #[inline]
    pub(super) fn empty(&mut self) {
        self.opened += 1;
    }

    /// An object or array begins.
    #[inline]
    pub(super) fn open(&mut self, start: usize, open: &mut Open) {
        self.opened += 1;
        self.noted.push(Span { start, end: open.0, inside: 0 });
        open.0 = self.noted.len() - 1;
    }

    /// The innermost object or array ends.
    #[inline]
    pub(super) fn close(&mut self, end: usize, open: &mut Open) {
        let (at, count) = (open.0, self.noted.len());
        let Some(span) = self.noted.get_mut(at) else { return };
        open.0 = span.end;
        span.end = end;
        span.inside = count - 1 - at;
        let length = end - span.start;
        if length < LONG || at >= MAX && length < FAR {
            // What lies in it is shorter still, and not noted.
            self.noted.pop();
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
        let first = spans.noted.partition_point(|span| span.start < start);
        let all = spans.noted.get(first..).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::{FAR, MAX, Spans};
    use crate::codec::json::check_into;

    /// What lies deep was looked through once for each value around it, if enough came before.
    #[test]
    fn what_many_values_lie_in_is_noted_however_late_it_comes() {
        let before = vec![r#""sixteen letters and more""#; MAX].join(",");
        let inside = vec!["{}"; FAR].join(",");
        let depth = 100;
        let text = format!("[{before},{}{inside}{}]", "[".repeat(depth), "]".repeat(depth));
        let mut spans = Spans::default();
        check_into(&text, &mut spans).unwrap();
        assert_eq!(spans.noted.len(), MAX + depth);
        assert!(spans.noted.iter().skip(MAX).all(|span| span.end - span.start >= FAR));
    }
}

//! Where the longer values of a checked document end. With it, reading parts of the document need not search for those
//! ends again.

use alloc::vec::Vec;

/// Shorter values are not noted: looking through them is as quick as finding a note.
const LONG: usize = 16;

/// Once there are this many notes, only values that are [`FAR`] are noted. So the notes on a document of small values
/// do not take many times its size.
const MAX: usize = 1 << 15;

/// Values of this many bytes are always noted. A nested value is inside many of them, and would be looked through once
/// for each.
const FAR: usize = 1 << 14;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Where it begins in the document.
    start: usize,
    /// Where it ends. While it is open: the index of the value around it.
    end: usize,
    /// How many of the following notes are inside it.
    inside: usize,
}

/// The longer values of one document, in the order in which they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    noted: Vec<Span>,
    /// How many objects and arrays there are, with or without a note.
    opened: u64,
}

/// The innermost open value; it has the index of the one around it.
#[derive(Default)]
pub(super) struct Open(usize);

impl Spans {
    /// Forgets all notes, and makes room for as many as a document of `len` bytes usually has.
    pub(super) fn begin(&mut self, len: usize) {
        self.noted.clear();
        self.opened = 0;
        self.noted.reserve((len / 128).min(MAX));
    }

    /// How many objects and arrays the document has.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Notes a string from `start` to `end`.
    #[inline]
    pub(super) fn string(&mut self, start: usize, end: usize) {
        let length = end - start;
        if length >= LONG && (self.noted.len() < MAX || length >= FAR) {
            self.noted.push(Span { start, end, inside: 0 });
        }
    }

    /// Counts an empty object or array.
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
            // The values in it are even shorter and have no notes.
            self.noted.pop();
        }
    }
}

/// The notes on one value: its own, and those of the values in it. Possibly none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a>(&'a [Span]);

impl<'a> Known<'a> {
    /// No notes.
    pub(super) const NOTHING: Known<'static> = Known(&[]);

    /// The notes on the value that begins at `start` in the document of `spans`.
    pub(super) fn of(start: usize, spans: &'a Spans) -> Self {
        let first = spans.noted.partition_point(|span| span.start < start);
        let all = spans.noted.get(first..).unwrap_or_default();
        let own = all.first().filter(|span| span.start == start);
        Self(own.and_then(|own| all.get(..=own.inside)).unwrap_or_default())
    }

    /// The notes on the values in this one.
    #[inline]
    pub(super) fn inside(self) -> Inside<'a> {
        match self.0.split_first() {
            Some((own, spans)) => Inside { base: own.start, spans },
            None => Inside { base: 0, spans: &[] },
        }
    }
}

/// The notes on the values in another one, which must be asked for in order.
pub(super) struct Inside<'a> {
    /// Where the value around them begins.
    base: usize,
    spans: &'a [Span],
}

impl<'a> Inside<'a> {
    /// The value that begins at `at` within the one around it, if it has a note: where it ends, and the notes on it.
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

    /// A deeply nested value was looked through once for each value around it, if many values came before.
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

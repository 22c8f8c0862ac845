//! Bytes of the log as rows.

use crate::ledger::row::{Row, Unreadable};

/// What some bytes of a log hold.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) rows: Vec<Row>,
    /// How many lines are no rows, and of the first one: where it starts in the bytes, and why.
    pub(super) unreadable: u64,
    pub(super) first: Option<(usize, Unreadable)>,
    /// How many bytes these lines have.
    pub(super) length: usize,
}

/// Whether the last line may still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It waits until its line break is there.
    Open,
    /// It is a line, if it can be read as one.
    Closed,
}

impl Lines {
    /// Reads all lines that are complete. `most` is how many bytes were asked for: a line that is longer is none.
    pub(super) fn of(bytes: &[u8], most: usize, end: End) -> Self {
        let mut lines = Self::default();
        let mut rest = bytes;
        while let Some(length) = memchr(rest) {
            let (line, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            lines.take(line);
            lines.length += length + 1;
            rest = after.get(1..).unwrap_or_default();
        }
        if rest.is_empty() {
            return lines;
        }
        if lines.length == 0 && bytes.len() >= most {
            lines.refuse(Unreadable::TooLong);
            lines.length = bytes.len();
        } else if end == End::Closed && bytes.len() < most {
            // With as many bytes as were asked for, the line goes on behind them.
            match Row::read(rest) {
                Ok(row) => lines.rows.push(row),
                Err(_) => lines.refuse(Unreadable::Unfinished),
            }
            lines.length += rest.len();
        }
        lines
    }

    fn take(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match Row::read(line) {
            Ok(row) => self.rows.push(row),
            Err(why) => self.refuse(why),
        }
    }

    fn refuse(&mut self, why: Unreadable) {
        self.unreadable += 1;
        self.first.get_or_insert((self.length, why));
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"time\":\"2026-12-01T00:00:00Z\"}\n";

    #[test]
    fn half_a_line_waits() {
        let lines = Lines::of(format!("{LINE}\n{LINE}{{\"ti").as_bytes(), 1000, End::Open);
        assert_eq!((lines.rows.len(), lines.unreadable, lines.length), (2, 0, 2 * LINE.len() + 1));
    }

    #[test]
    fn what_is_no_row_is_counted_with_its_place() {
        let lines = Lines::of(format!("{LINE}what\n{LINE}[]\n").as_bytes(), 1000, End::Open);
        assert_eq!((lines.rows.len(), lines.unreadable), (2, 2));
        assert_eq!(lines.first, Some((LINE.len(), Unreadable::NotJson)));
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let lines = Lines::of(&[b'x'; 50], 50, End::Open);
        assert_eq!((lines.unreadable, lines.length), (1, 50));
        assert_eq!(Lines::of(&[b'x'; 49], 50, End::Open).length, 0);
    }

    #[test]
    fn at_the_end_half_a_line_is_read_if_it_is_one() {
        let lines = Lines::of(LINE.trim_end().as_bytes(), 1000, End::Closed);
        assert_eq!((lines.rows.len(), lines.length), (1, LINE.len() - 1));
        // A line that was cut by what was asked for has not ended.
        let cut = format!("{LINE}{{\"time\"");
        let lines = Lines::of(cut.as_bytes(), cut.len(), End::Closed);
        assert_eq!((lines.rows.len(), lines.unreadable, lines.length), (1, 0, LINE.len()));
        let lines = Lines::of(br#"{"time":"2026"#, 1000, End::Closed);
        assert_eq!(lines.first, Some((0, Unreadable::Unfinished)));
    }
}

//! Server-sent events, read from chunks that are cut anywhere.
//!
//! A stream is a sequence of blocks; each ends with a blank line. [`Reader`] finds them. A [`Block`] has its event and
//! its exact bytes, so a relay can pass most blocks on unchanged and leave single ones out. The format:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem;

use super::flaw::Unreadable;

/// The longest event of any known provider (an image or an audio chunk), with room.
pub const MAX_EVENT: usize = 4 << 20;

/// Finds the blocks of one stream.
#[derive(Clone, Debug)]
pub struct Reader<E> {
    /// The beginning of a block that is not complete.
    held: Vec<u8>,
    search: Search,
    place: Place,
    cap: usize,
    /// The first error; every later call returns it.
    fault: Option<E>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A byte order mark may come.
    Start,
    Within,
}

/// How far the search for a block's end has come, in bytes from the block's start. No byte is searched twice.
#[derive(Clone, Copy, Debug, Default)]
struct Search {
    /// Where the current line starts.
    line: usize,
    /// Up to here, no end of the current line was found.
    seen: usize,
}

impl<E: From<Unreadable> + Clone> Reader<E> {
    /// A reader that refuses events of more than `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { held: Vec::new(), search: Search::default(), place: Place::Start, cap, fault: None }
    }

    /// Whether the beginning of a block is held.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Reads the next bytes and calls `on` for every block that is now complete, in order.
    ///
    /// A block that lies within one chunk is not copied. After the first error, also an error of `on`, nothing more is
    /// read.
    pub fn read(&mut self, chunk: &[u8], on: impl FnMut(Block<'_>) -> Result<(), E>) -> Result<(), E> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let outcome = self.blocks(chunk, on);
        self.keep_fault(&outcome);
        outcome
    }

    /// The stream ended: calls `on` with the rest, if there is any. The rest is a block without its blank line, which
    /// the format does not count as an event. The caller decides whether it counts.
    pub fn end(&mut self, on: impl FnOnce(Block<'_>) -> Result<(), E>) -> Result<(), E> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let held = mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(());
        }
        let outcome = on(self.block(&held));
        self.keep_fault(&outcome);
        outcome
    }

    fn keep_fault(&mut self, outcome: &Result<(), E>) {
        if let Err(fault) = outcome {
            self.held = Vec::new();
            self.fault = Some(fault.clone());
        }
    }

    fn blocks(&mut self, chunk: &[u8], mut on: impl FnMut(Block<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut rest = chunk;
        if self.holds() {
            let before = self.held.len();
            // Most blocks end soon, so it copies a short prefix of the chunk first, and four times as much each time
            // that is too short.
            let mut taken = rest.len().min(512);
            let end = loop {
                self.held.truncate(before);
                self.held.extend_from_slice(rest.get(..taken).unwrap_or(rest));
                match self.search.end(&self.held) {
                    Some(end) => break Some(end),
                    None if taken == rest.len() => break None,
                    None => taken = (taken * 4).min(rest.len()),
                }
            };
            let Some(end) = end else { return Ok(self.check_held()?) };
            rest = rest.get(end.saturating_sub(before)..).unwrap_or_default();
            let mut held = mem::take(&mut self.held);
            held.truncate(end);
            self.emit(&held, &mut on)?;
            held.clear();
            self.held = held;
        }
        while let Some(end) = self.search.end(rest) {
            let (block, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.emit(block, &mut on)?;
            rest = after;
        }
        self.held.extend_from_slice(rest);
        Ok(self.check_held()?)
    }

    fn emit(&mut self, bytes: &[u8], on: &mut impl FnMut(Block<'_>) -> Result<(), E>) -> Result<(), E> {
        if bytes.len() > self.cap {
            return Err(too_long().into());
        }
        self.search = Search::default();
        let block = self.block(bytes);
        self.place = Place::Within;
        on(block)
    }

    fn block<'a>(&self, bytes: &'a [u8]) -> Block<'a> {
        let text = match self.place {
            Place::Start => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            Place::Within => bytes,
        };
        Block::parse(bytes, text)
    }

    fn check_held(&self) -> Result<(), Unreadable> {
        if self.held.len() > self.cap { Err(too_long()) } else { Ok(()) }
    }
}

fn too_long() -> Unreadable {
    Unreadable::Broken("an event of the stream is too long".into())
}

impl Search {
    /// The offset after the blank line that ends the block at the start of `bytes`.
    ///
    /// A carriage return at the very end is not a line's end until the next byte has come, which may be its line feed.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let from = bytes.get(self.seen..).unwrap_or_default();
            let Some(at) = memchr::memchr2(b'\n', b'\r', from).map(|at| self.seen + at) else {
                self.seen = bytes.len();
                return None;
            };
            let mut next = at + 1;
            if bytes.get(at) == Some(&b'\r') {
                match bytes.get(next) {
                    Some(b'\n') => next += 1,
                    None => {
                        self.seen = at;
                        return None;
                    }
                    Some(_) => {}
                }
            }
            let blank = at == self.line;
            *self = Self { line: next, seen: next };
            if blank {
                return Some(next);
            }
        }
    }
}

/// One block: at most one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its exact bytes, with blank line and comments. The blocks of a stream together are all its bytes.
    pub raw: &'a [u8],
    /// The event's name; empty if it has none.
    pub name: &'a [u8],
    /// The event's data; `None` if the block is not an event, for example a comment.
    pub data: Option<Cow<'a, [u8]>>,
}

impl<'a> Block<'a> {
    fn parse(raw: &'a [u8], text: &'a [u8]) -> Self {
        let mut block = Self { raw, name: b"", data: None };
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
            let (field, value) = match memchr::memchr(b':', line) {
                Some(colon) => (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default()),
                None => (line, &[][..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"data" => {
                    block.data = Some(match block.data.take() {
                        None => Cow::Borrowed(value),
                        Some(data) => {
                            let mut data = data.into_owned();
                            data.push(b'\n');
                            data.extend_from_slice(value);
                            Cow::Owned(data)
                        }
                    });
                }
                b"event" => block.name = value,
                _ => {}
            }
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;
    use std::string::ToString;

    type Seen = Vec<(String, Option<String>)>;

    /// The events that are read from `chunks`, the bytes of all blocks, and the rest.
    fn read(chunks: &[&[u8]]) -> (Seen, Vec<u8>, Vec<u8>) {
        let mut reader = Reader::new(1000);
        let (mut seen, mut raw, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_string();
        for chunk in chunks {
            reader
                .read(chunk, |block| {
                    seen.push((text(block.name), block.data.as_deref().map(text)));
                    raw.extend_from_slice(block.raw);
                    Ok::<(), Unreadable>(())
                })
                .unwrap();
        }
        reader
            .end(|block| {
                left.extend_from_slice(block.raw);
                Ok::<(), Unreadable>(())
            })
            .unwrap();
        (seen, raw, left)
    }

    fn check(stream: &str, expect: &[(&str, Option<&str>)]) {
        let (seen, _, _) = read(&[stream.as_bytes()]);
        let seen: Vec<_> = seen.iter().map(|(name, data)| (name.as_str(), data.as_deref())).collect();
        assert_eq!(seen, expect, "{stream:?}");
    }

    #[test]
    fn events_have_a_name_and_data() {
        check("data: a\n\n", &[("", Some("a"))]);
        check("event: ping\ndata:a\n\n", &[("ping", Some("a"))]);
        check("data:  a\r\n\r\ndata: b\r\r", &[("", Some(" a"))]);
        check("data: a\r\rdata: b\n\n", &[("", Some("a")), ("", Some("b"))]);
        check("data: a\ndata\ndata: b\n\n", &[("", Some("a\n\nb"))]);
        check(": comment\n\nid: 7\nretry: 5\ndata: x\n\n", &[("", None), ("", Some("x"))]);
        check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", Some("a")), ("", None)]);
        check("\n\n\ndata: a\n\n", &[("", None), ("", None), ("", None), ("", Some("a"))]);
        check("data: cut\n", &[]);
    }

    #[test]
    fn what_is_held_is_capped_however_it_comes() {
        let event = [b"data: ".to_vec(), vec![b'x'; 100], b"\n\n".to_vec()].concat();
        for size in [1, 7, 200] {
            let read = |cap| {
                let mut reader = Reader::new(cap);
                event.chunks(size).try_for_each(|chunk| reader.read(chunk, |_| Ok(())))
            };
            assert_eq!(read(108), Ok(()));
            assert!(matches!(read(107), Err(Unreadable::Broken(_))), "{size}");
        }
    }

    /// A reader that had refused an event began anew in the middle of it.
    #[test]
    fn the_first_error_is_final() {
        let (mut reader, mut seen) = (Reader::new(20), 0);
        let mut read = |chunk: &[u8]| {
            reader.read(chunk, |_| {
                seen += 1;
                Ok(())
            })
        };
        let fault: Unreadable = read(&[b'x'; 30]).unwrap_err();
        assert_eq!(read(b"\n\ndata: a\n\n"), Err(fault.clone()));
        assert_eq!(reader.end(|_| Ok(())), Err(fault));
        assert_eq!(seen, 0);

        // Also if it is not the format's, but whoever's who reads the events.
        let mut reader = Reader::new(20);
        let fault = Unreadable::Cut("no");
        assert_eq!(reader.read(b"data: a\n\ndata", |_| Err(fault.clone())), Err(fault.clone()));
        assert_eq!(reader.read(b": b\n\n", |_| Ok(())), Err(fault.clone()));
        assert_eq!(reader.end(|_| Ok(())), Err(fault));
        let mut reader = Reader::new(20);
        reader.read(b"data: a", |_| Ok::<(), Unreadable>(())).unwrap();
        let fault = Unreadable::Cut("no");
        assert_eq!(reader.end(|_| Err(fault.clone())), Err(fault.clone()));
        assert_eq!(reader.end(|_| Ok(())), Err(fault));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            Just("data: "),
            Just("data:"),
            Just("data"),
            Just("event: x"),
            Just(": c"),
            Just("\n"),
            Just("\n\n"),
            Just("\r\n"),
            Just("\r"),
            Just("\r\n\r\n"),
            Just("\u{feff}"),
            Just("é😀"),
            Just("[DONE]"),
        ];
        proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn cutting_a_stream_anywhere_changes_nothing(stream in stream(), cuts in proptest::collection::vec(0usize..80, 0..6)) {
            let whole = read(&[&stream]);
            let bytes: Vec<_> = stream.chunks(1).collect();
            prop_assert_eq!(&read(&bytes), &whole);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&read(&pieces), &whole);
            let (_, mut raw, left) = whole;
            raw.extend(left);
            prop_assert_eq!(raw, stream);
        }
    }
}

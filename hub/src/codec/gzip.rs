//! Compressed answers, inflated chunk by chunk: gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), also with
//! several members), and what servers call `deflate` (zlib, or raw as some send it).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crc32fast::Hasher;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::STEP;
use super::flaw::Unreadable;

/// No header is longer, even with a file name in it.
const MAX_HEADER: usize = 64 << 10;

/// Inflates one answer. Its first bytes tell how it is compressed.
pub struct Inflate {
    stage: Stage,
    /// The first bytes of an incomplete header or trailer.
    held: Vec<u8>,
    state: Box<InflateState>,
    crc: Hasher,
    /// Length of the member's plain bytes, modulo 2^32.
    length: u32,
    /// How many plain bytes one chunk may inflate to, and how many of the present chunk's are left.
    cap: usize,
    left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No bytes have come.
    Start,
    /// In a gzip header.
    Header,
    /// In the compressed bytes.
    Body(Wrap),
    /// In a gzip trailer.
    Trailer,
    /// After a gzip member: another one, or zeros, may follow.
    Between,
    /// After the end of a stream that cannot have several members.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrap {
    Gzip,
    Zlib,
    Bare,
}

impl Inflate {
    /// An inflater that gives at most `cap` bytes for one chunk, however well they were packed.
    pub fn new(cap: usize) -> Self {
        Self {
            stage: Stage::Start,
            held: Vec::new(),
            state: InflateState::new_boxed(DataFormat::Raw),
            crc: Hasher::new(),
            length: 0,
            cap,
            left: cap,
        }
    }

    /// Reads the next bytes and appends what they inflate to.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.left = self.cap;
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = match self.stage {
                Stage::Start => self.start(rest),
                Stage::Header => self.header(rest)?,
                Stage::Body(wrap) => self.body(rest, wrap, out)?,
                Stage::Trailer => self.trailer(rest)?,
                Stage::Between => self.between(rest)?,
                Stage::End => return Err(Unreadable::compressed("bytes follow the end of the compressed answer")),
            };
        }
        Ok(())
    }

    /// The answer ended. Gives an error unless its compression ended, too; an answer without any bytes is valid.
    pub fn end(&mut self) -> Result<(), Unreadable> {
        match self.stage {
            Stage::Between | Stage::End => Ok(()),
            Stage::Start if self.held.is_empty() => Ok(()),
            _ => Err(Unreadable::CUT_COMPRESSED),
        }
    }

    /// Reads the first two bytes, which tell how the answer is compressed.
    fn start<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let before = self.held.len();
        self.held.extend_from_slice(chunk.get(..2usize.saturating_sub(before)).unwrap_or(chunk));
        let [first, second] = self.held.as_slice() else { return &[] };
        let (first, second) = (*first, *second);
        let is_zlib = first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]) % 31 == 0;
        let taken = chunk.get(2 - before..).unwrap_or_default();
        if first == 0x1f && second == 0x8b {
            // The header's reader needs these two bytes as well, so they stay held.
            self.stage = Stage::Header;
            return taken;
        }
        let wrap = if is_zlib { Wrap::Zlib } else { Wrap::Bare };
        self.state.reset(if is_zlib { DataFormat::Zlib } else { DataFormat::Raw });
        self.stage = Stage::Body(wrap);
        // The two bytes stay held; the body's reader takes them first.
        taken
    }

    fn header<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        let before = self.held.len();
        self.held.extend_from_slice(chunk.get(..MAX_HEADER.saturating_sub(before)).unwrap_or(chunk));
        match header_length(&self.held)? {
            Some(length) => {
                self.held.clear();
                self.state.reset(DataFormat::Raw);
                (self.crc, self.length) = (Hasher::new(), 0);
                self.stage = Stage::Body(Wrap::Gzip);
                Ok(chunk.get(length.saturating_sub(before)..).unwrap_or_default())
            }
            None if self.held.len() >= MAX_HEADER => Err(Unreadable::compressed("its header is too long")),
            None => Ok(&[]),
        }
    }

    fn body<'a>(&mut self, chunk: &'a [u8], wrap: Wrap, out: &mut Vec<u8>) -> Result<&'a [u8], Unreadable> {
        let held = mem::take(&mut self.held);
        if !held.is_empty() && self.inflate(&held, wrap, out)?.is_some() {
            return Ok(chunk);
        }
        Ok(self.inflate(chunk, wrap, out)?.unwrap_or_default())
    }

    /// The rest of `input` after the end of the compressed bytes; `None` if they go on.
    fn inflate<'a>(&mut self, input: &'a [u8], wrap: Wrap, out: &mut Vec<u8>) -> Result<Option<&'a [u8]>, Unreadable> {
        let mut rest = input;
        loop {
            let before = out.len();
            // One byte more than allowed, to notice when there are too many.
            let room = STEP.min(self.left.saturating_add(1));
            out.resize(before + room, 0);
            let result = inflate(&mut self.state, rest, out.get_mut(before..).unwrap_or_default(), MZFlush::None);
            out.truncate(before + result.bytes_written);
            rest = rest.get(result.bytes_consumed..).unwrap_or_default();
            self.left = self
                .left
                .checked_sub(result.bytes_written)
                .ok_or_else(|| Unreadable::compressed("it inflates to more than an answer may have"))?;
            let written = out.get(before..).unwrap_or_default();
            if wrap == Wrap::Gzip {
                self.crc.update(written);
                // Modulo 2^32, as in the trailer; one step is far less.
                #[expect(clippy::cast_possible_truncation, reason = "at most STEP")]
                {
                    self.length = self.length.wrapping_add(written.len() as u32);
                }
            }
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    self.stage = if wrap == Wrap::Gzip { Stage::Trailer } else { Stage::End };
                    return Ok(Some(rest));
                }
                // Without more input there is no progress; that is not an error.
                Ok(_) | Err(MZError::Buf) if rest.is_empty() && result.bytes_written < room => return Ok(None),
                Ok(_) => {}
                Err(_) => return Err(Unreadable::compressed("its bytes do not inflate")),
            }
        }
    }

    fn trailer<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        let missing = 8usize.saturating_sub(self.held.len());
        let (more, rest) = chunk.split_at_checked(missing).unwrap_or((chunk, &[]));
        self.held.extend_from_slice(more);
        if let Some([a, b, c, d, e, f, g, h]) = self.held.first_chunk::<8>() {
            if u32::from_le_bytes([*a, *b, *c, *d]) != self.crc.clone().finalize() {
                return Err(Unreadable::compressed("its checksum is wrong"));
            }
            if u32::from_le_bytes([*e, *f, *g, *h]) != self.length {
                return Err(Unreadable::compressed("its length is wrong"));
            }
            self.held.clear();
            self.stage = Stage::Between;
        }
        Ok(rest)
    }

    fn between<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        match chunk {
            [0, rest @ ..] => Ok(rest),
            [0x1f, ..] => {
                self.stage = Stage::Header;
                Ok(chunk)
            }
            _ => Err(Unreadable::compressed("bytes follow its end")),
        }
    }
}

/// The length of the gzip header at the start of `bytes`; `None` if there are not enough bytes yet.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    const CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let magic = [0x1f, 0x8b, 8];
    if bytes.iter().zip(magic).any(|(byte, expect)| *byte != expect) {
        return Err(Unreadable::compressed("its header is no gzip header"));
    }
    let Some(&[_, _, _, flags, ..]) = bytes.first_chunk::<10>() else { return Ok(None) };
    if flags & 0xe0 != 0 {
        return Err(Unreadable::compressed("its header has unknown flags"));
    }
    let mut at = 10;
    if flags & EXTRA != 0 {
        let Some([low, high]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        at += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(end) = memchr::memchr(0, rest) else { return Ok(None) };
            at += end + 1;
        }
    }
    if flags & CRC != 0 {
        let (Some(header), Some([low, high])) = (bytes.get(..at), bytes.get(at..).and_then(<[u8]>::first_chunk)) else {
            return Ok(None);
        };
        if crc32fast::hash(header) & 0xffff != u32::from(u16::from_le_bytes([*low, *high])) {
            return Err(Unreadable::compressed("its header's checksum is wrong"));
        }
        at += 2;
    }
    Ok((at <= bytes.len()).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultKind, UpstreamFault};
    use alloc::vec;
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
    use proptest::prelude::*;

    fn gzip(plain: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        bytes.extend_from_slice(fields);
        if flags & 2 != 0 {
            let crc = crc32fast::hash(&bytes);
            bytes.extend_from_slice(&crc.to_le_bytes()[..2]);
        }
        bytes.extend(compress_to_vec(plain, 6));
        bytes.extend_from_slice(&crc32fast::hash(plain).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(plain.len()).unwrap().to_le_bytes());
        bytes
    }

    fn inflated(chunks: &[&[u8]], cap: usize) -> Result<Vec<u8>, FaultKind> {
        let mut inflate = Inflate::new(cap);
        let mut out = Vec::new();
        let read = chunks.iter().try_for_each(|chunk| inflate.read(chunk, &mut out)).and_then(|()| inflate.end());
        read.map(|()| out).map_err(|flaw| UpstreamFault::from(flaw).kind)
    }

    #[test]
    fn every_wrapping_is_read() {
        let plain = b"data: {\"a\":1}\n\n".repeat(1000);
        let all = [
            gzip(&plain, 0, b""),
            gzip(&plain, 8 | 16, b"name\0comment\0"),
            gzip(&plain, 2 | 4 | 8, b"\x03\x00abcname\0"),
            [gzip(&plain[..100], 0, b""), gzip(&plain[100..], 8, b"b\0"), vec![0; 20]].concat(),
            compress_to_vec_zlib(&plain, 6),
            compress_to_vec(&plain, 6),
        ];
        for (which, bytes) in all.iter().enumerate() {
            assert_eq!(inflated(&[bytes], 1 << 20).as_ref(), Ok(&plain), "{which}");
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(inflated(&single, 1 << 20).as_ref(), Ok(&plain), "{which}");
        }
        assert_eq!(inflated(&[], 10), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_or_broken_is_an_error() {
        let plain = b"hello hello hello".repeat(50);
        let bytes = gzip(&plain, 0, b"");
        for end in 1..bytes.len() {
            assert_eq!(inflated(&[&bytes[..end]], 1 << 20), Err(FaultKind::Cut), "{end}");
        }
        for trailer in 1..=8 {
            let mut bytes = bytes.clone();
            let at = bytes.len() - trailer;
            bytes[at] ^= 1;
            assert_eq!(inflated(&[&bytes], 1 << 20), Err(FaultKind::Malformed), "{trailer}");
        }
        assert_eq!(inflated(&[&bytes, b"more"], 1 << 20), Err(FaultKind::Malformed));
    }

    #[test]
    fn a_bomb_is_defused() {
        let bytes = gzip(&vec![0; 1 << 20], 0, b"");
        assert!(bytes.len() < 2000);
        assert_eq!(inflated(&[&bytes], 1 << 20).map(|plain| plain.len()), Ok(1 << 20));
        assert_eq!(inflated(&[&bytes], (1 << 20) - 1), Err(FaultKind::Malformed));
        let mut out = Vec::new();
        assert!(Inflate::new(1000).read(&bytes, &mut out).is_err());
        assert!(out.len() <= 1001);
    }

    proptest! {
        #[test]
        fn cutting_anywhere_changes_nothing(plain in proptest::collection::vec(any::<u8>(), 0..3000), size in 1usize..500, zlib in any::<bool>()) {
            let bytes = if zlib { compress_to_vec_zlib(&plain, 3) } else { gzip(&plain, 8, b"n\0") };
            let chunks: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(inflated(&chunks, 1 << 20), Ok(plain));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), gzip in any::<bool>()) {
            let bytes = if gzip { [&[0x1f, 0x8b, 8][..], &bytes].concat() } else { bytes };
            let _ = inflated(&[&bytes], 1 << 20);
        }
    }
}

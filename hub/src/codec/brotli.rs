//! Answers compressed with Brotli ([RFC 7932](https://www.rfc-editor.org/rfc/rfc7932)), unpacked chunk by chunk.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, SliceWrapperMut,
};

use super::STEP;
use super::flaw::Unreadable;

/// Unpacks one answer. It also holds the window that the answer was packed with: at most 16 MB, allocated as soon as a
/// block says that it needs it.
pub struct Brotli {
    stage: Stage,
    state: Box<BrotliState<Heap, Heap, Heap>>,
    /// How many plain bytes one chunk may unpack to.
    cap: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No bytes have come.
    Start,
    Body,
    End,
}

impl Brotli {
    /// A decoder that gives at most `cap` bytes for one chunk, however well they were packed.
    pub fn new(cap: usize) -> Self {
        // Strict: without the larger windows, which are not in the RFC.
        Self { stage: Stage::Start, state: Box::new(BrotliState::new_strict(Heap, Heap, Heap)), cap }
    }

    /// Reads the next bytes and appends what they unpack to.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if chunk.is_empty() {
            return Ok(());
        }
        if self.stage == Stage::End {
            return Err(Unreadable::compressed("bytes follow its end"));
        }
        self.stage = Stage::Body;
        let (mut at, mut unread, mut left) = (0, chunk.len(), self.cap);
        loop {
            let before = out.len();
            // One byte more than allowed, to notice when there are too many.
            let mut room = STEP.min(left.saturating_add(1));
            out.resize(before + room, 0);
            let (mut written, mut total) = (0, 0);
            let result = BrotliDecompressStream(
                &mut unread,
                &mut at,
                chunk,
                &mut room,
                &mut written,
                out.get_mut(before..).unwrap_or_default(),
                &mut total,
                &mut self.state,
            );
            out.truncate(before + written);
            left = left
                .checked_sub(written)
                .ok_or_else(|| Unreadable::compressed("it unpacks to more than an answer may have"))?;
            match result {
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::NeedsMoreOutput if written > 0 => {}
                BrotliResult::ResultSuccess => {
                    self.stage = Stage::End;
                    return if unread == 0 { Ok(()) } else { Err(Unreadable::compressed("bytes follow its end")) };
                }
                BrotliResult::NeedsMoreOutput | BrotliResult::ResultFailure => {
                    return Err(Unreadable::compressed("its bytes do not unpack"));
                }
            }
        }
    }

    /// The answer ended. Gives an error unless its compression ended, too; an answer without any bytes is valid.
    pub fn end(&mut self) -> Result<(), Unreadable> {
        if self.stage == Stage::Body { Err(Unreadable::CUT_COMPRESSED) } else { Ok(()) }
    }
}

/// The decompressor's allocator. The decompressor needs one passed in, because it does not use `alloc`.
struct Heap;

impl<T: Clone + Default> Allocator<T> for Heap {
    type AllocatedMemory = Cells<T>;

    fn alloc_cell(&mut self, length: usize) -> Cells<T> {
        Cells(vec![T::default(); length])
    }

    fn free_cell(&mut self, _: Cells<T>) {}
}

struct Cells<T>(Vec<T>);

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> SliceWrapper<T> for Cells<T> {
    fn slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> SliceWrapperMut<T> for Cells<T> {
    fn slice_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultKind, UpstreamFault};
    use brotli::CompressorWriter;
    use proptest::prelude::*;
    use std::io::Write;

    fn packed(plain: &[u8], quality: u32, window: u32) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut writer = CompressorWriter::new(&mut packed, 4096, quality, window);
        writer.write_all(plain).unwrap();
        drop(writer);
        packed
    }

    fn unpacked(chunks: &[&[u8]], cap: usize) -> Result<Vec<u8>, FaultKind> {
        let mut brotli = Brotli::new(cap);
        let mut out = Vec::new();
        let read = chunks.iter().try_for_each(|chunk| brotli.read(chunk, &mut out)).and_then(|()| brotli.end());
        read.map(|()| out).map_err(|flaw| UpstreamFault::from(flaw).kind)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let plain = b"data: {\"choices\":[{\"delta\":{\"content\":\"and the\"}}]}\n\n".repeat(1000);
        for (quality, window) in [(0, 10), (1, 16), (5, 22), (11, 24)] {
            let bytes = packed(&plain, quality, window);
            assert_eq!(unpacked(&[&bytes], 1 << 20).as_ref(), Ok(&plain), "{quality}");
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(unpacked(&single, 1 << 20).as_ref(), Ok(&plain), "{quality}");
        }
        // All its words are in the format's own dictionary.
        assert_eq!(unpacked(&[&packed(b"the time of the world", 11, 22)], 100), Ok(b"the time of the world".to_vec()));
        assert_eq!(unpacked(&[&packed(b"", 5, 22)], 0), Ok(Vec::new()));
        assert_eq!(unpacked(&[], 10), Ok(Vec::new()));
        assert_eq!(unpacked(&[b"", b""], 10), Ok(Vec::new()));
    }

    #[test]
    fn what_has_come_is_unpacked_at_once() {
        let mut packed = Vec::new();
        let mut writer = CompressorWriter::new(&mut packed, 4096, 5, 22);
        writer.write_all(b"data: first\n\n").unwrap();
        writer.flush().unwrap();
        let first = writer.get_ref().len();
        writer.write_all(b"data: second\n\n").unwrap();
        drop(writer);
        let (mut brotli, mut out) = (Brotli::new(100), Vec::new());
        brotli.read(&packed[..first], &mut out).unwrap();
        assert_eq!(out, b"data: first\n\n");
        brotli.read(&packed[first..], &mut out).unwrap();
        assert_eq!(out, b"data: first\n\ndata: second\n\n");
        assert_eq!(brotli.end(), Ok(()));
    }

    #[test]
    fn what_is_cut_or_broken_is_an_error() {
        let plain = b"hello hello hello".repeat(50);
        let bytes = packed(&plain, 5, 22);
        for end in 1..bytes.len() {
            assert_eq!(unpacked(&[&bytes[..end]], 1 << 20), Err(FaultKind::Cut), "{end}");
        }
        assert_eq!(unpacked(&[&bytes, b"more"], 1 << 20), Err(FaultKind::Malformed));
        assert_eq!(unpacked(&[&[&bytes[..], b"more"].concat()], 1 << 20), Err(FaultKind::Malformed));
        assert_eq!(unpacked(&[b"{\"error\":\"not compressed at all\"}"], 1 << 20), Err(FaultKind::Malformed));
        // The start of a stream with a window of 2^30, which is not in the RFC.
        assert_eq!(unpacked(&[&[0x11, 0x1e, 0, 0, 0, 0, 0, 0]], 1 << 20), Err(FaultKind::Malformed));
    }

    #[test]
    fn a_bomb_is_defused() {
        let bytes = packed(&vec![0; 1 << 20], 5, 22);
        assert!(bytes.len() < 200);
        assert_eq!(unpacked(&[&bytes], 1 << 20).map(|plain| plain.len()), Ok(1 << 20));
        assert_eq!(unpacked(&[&bytes], (1 << 20) - 1), Err(FaultKind::Malformed));
        let mut out = Vec::new();
        assert!(Brotli::new(1000).read(&bytes, &mut out).is_err());
        assert!(out.len() <= 1001);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn cutting_anywhere_changes_nothing(plain in proptest::collection::vec(any::<u8>(), 0..3000), size in 1usize..500, quality in 0u32..10) {
            let bytes = packed(&plain, quality, 22);
            let chunks: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(unpacked(&chunks, 3000), Ok(plain));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let _ = unpacked(&[&bytes], 1 << 20);
            let mut good = packed(b"and the time of the world and the time of the world", 9, 22);
            let at = at.index(good.len());
            good.truncate(at);
            good.extend(bytes);
            let _ = unpacked(&[&good], 1 << 20);
        }
    }
}

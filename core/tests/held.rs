//! What the readers hold of what comes is capped, whatever comes: measured as memory, not as the readers tell it.
//!
//! One test alone, because all of a process's memory is counted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::Write;

use brotli::CompressorWriter;
use miniz_oxide::deflate::compress_to_vec;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use weir_hub::codec::Unreadable;
use weir_hub::codec::encoding::Decoder;
use weir_hub::codec::multipart::{Boundary, MAX_HEADERS, MAX_PARTS, MAX_TEXT, Scanner};
use weir_hub::codec::{eventstream, sse};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const CAP: usize = 4 << 10;

/// What goes by the piece: vectors of other things, error messages.
const SMALL: usize = 4 << 10;

/// The most memory that `work` takes at any moment.
fn most(work: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

/// A vector of so many bytes while it grows: it has twice the room, beside what it had before.
const fn grown(bytes: usize) -> usize {
    3 * bytes
}

/// The most that a decoder of this name takes while it gives at most `cap` bytes. What it has given is taken away at once.
fn decode(name: &str, cap: usize, packed: &[u8], size: usize) -> usize {
    most(|| {
        let mut decoder = Decoder::of(name, cap).unwrap().unwrap();
        let _ = packed.chunks(size).try_for_each(|chunk| decoder.read(chunk, &mut Vec::new()));
        let _ = decoder.end();
    })
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut writer = CompressorWriter::new(Vec::new(), 4096, 3, 24);
    writer.write_all(plain).unwrap();
    writer.into_inner()
}

/// Long runs of what the formats are made of.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let token = proptest::sample::select(vec![
        &b"x"[..],
        b"\0",
        b"\xff\xfe",
        b"data: ",
        b": ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\r\n--b",
        b"\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n",
        b"\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\n",
        b"\x00\x00\x40\x00",
    ]);
    let run = (token, 1usize..4000).prop_map(|(token, times)| token.repeat(times));
    proptest::collection::vec(run, 1..6).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_reader_holds_more_than_its_cap(
        bytes in bytes(),
        payloads in proptest::collection::vec(0..2 * CAP, 0..8),
        name in 0usize..40_000,
        size in 1usize..4000,
    ) {
        let held = most(|| {
            let mut reader = sse::Reader::new(CAP);
            let _ = bytes.chunks(size).try_for_each(|chunk| reader.read(chunk, |block| {
                assert!(block.raw.len() <= CAP);
                Ok::<(), Unreadable>(())
            }));
        });
        // Besides the block itself, its data without the field names, if it has several lines.
        prop_assert!(held <= 2 * grown(CAP + size) + SMALL, "sse: {held}");

        let mut stream = Vec::new();
        for length in payloads {
            eventstream::message(&mut stream, &[(":event-type", "x")], &bytes[..length.min(bytes.len())]);
        }
        for stream in [[&stream[..], &bytes].concat(), stream[..stream.len() / 2].to_vec(), bytes.clone()] {
            let held = most(|| {
                let mut reader = eventstream::Reader::<Unreadable>::new(CAP);
                let _ = stream.chunks(size).try_for_each(|chunk| reader.read(chunk, |_| Ok(())));
            });
            prop_assert!(held <= grown(CAP) + SMALL, "eventstream: {held}");
        }

        // The state of an inflater, and the longest header it accepts.
        let inflater = (64 << 10) + grown(64 << 10);
        let endless = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\0"[..], &vec![b'n'; 5 * name], &bytes].concat();
        for packed in [&compress_to_vec(&bytes, 3), &endless, &bytes] {
            let held = decode("gzip", CAP, packed, size);
            prop_assert!(held <= grown(CAP) + inflater + SMALL, "gzip: {held}");
        }

        // As many tables of Huffman codes as a block may have; and the window, for which the longest stands in where chance
        // says how long it is, beside a smaller one that it replaces.
        let tables = 4 << 20;
        for (packed, window) in [(&brotli(&bytes), bytes.len().next_power_of_two()), (&bytes, 16 << 20)] {
            let held = decode("br", CAP, packed, size);
            prop_assert!(held <= grown(CAP) + 2 * window + tables + SMALL, "brotli: {held}");
        }

        let headers = format!("--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", "n".repeat(name));
        let model = format!("--b\r\nContent-Disposition: form-data; name=model\r\n\r\n{}", "m".repeat(5 * name));
        for body in [[headers.as_bytes(), &bytes].concat(), [model.as_bytes(), &bytes].concat()] {
            let boundary = Boundary::parse("multipart/form-data; boundary=b").unwrap();
            let held = most(|| {
                let mut scanner = Scanner::new(&boundary, &["model"]);
                let _ = body.chunks(size).try_for_each(|slice| scanner.read(slice));
                let _ = scanner.end();
            });
            // What is known of all parts beside the one name that is long.
            let parts = MAX_PARTS * 256;
            prop_assert!(held <= grown(MAX_HEADERS + MAX_TEXT) + grown(parts) + name.min(MAX_HEADERS) + SMALL, "multipart: {held}");
        }
    }
}

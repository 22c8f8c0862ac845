//! What is written can be read, however it is cut; a broken message cannot.

use super::*;
use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;

use crate::fault::{FaultKind, UpstreamFault};

const CAP: usize = 1000;

/// The parts of a message that are compared.
type Seen = (Option<String>, Vec<u8>);

fn read(chunks: &[&[u8]]) -> (Vec<Seen>, Result<(), FaultKind>) {
    let mut reader = Reader::<UpstreamFault>::new(CAP);
    let mut seen = Vec::new();
    let outcome = chunks.iter().try_for_each(|chunk| {
        let outcome = reader.read(chunk, |message| {
            seen.push((message.text(":event-type").map(ToString::to_string), message.payload.to_vec()));
            Ok(())
        });
        assert!(reader.held.len() <= CAP);
        outcome
    });
    (seen, outcome.and_then(|()| reader.end()).map_err(|fault| fault.kind))
}

fn event(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message(
        &mut out,
        &[(":message-type", "event"), (":event-type", name), (":content-type", "application/json")],
        payload,
    );
    out
}

#[test]
fn a_message_is_what_the_format_says() {
    // Two messages from the test data of AWS's own implementations.
    let empty = [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    let mut out = Vec::new();
    message(&mut out, &[], b"");
    assert_eq!(out, empty);
    out.clear();
    message(&mut out, &[("content-type", "application/json")], b"{'foo':'bar'}");
    assert_eq!(out.get(..12), Some(&[0, 0, 0, 0x3d, 0, 0, 0, 0x20, 0x07, 0xfd, 0x83, 0x96][..]));
    assert_eq!(out.get(12..26), Some(&b"\x0ccontent-type\x07"[..]));
    assert!(out.ends_with(&[0x8d, 0x9c, 0x08, 0xb1]));
}

#[test]
fn messages_have_headers_and_a_payload() {
    let stream = [event("contentBlockDelta", b"{\"a\":1}"), event("messageStop", b"")].concat();
    let expect = vec![
        (Some("contentBlockDelta".to_string()), b"{\"a\":1}".to_vec()),
        (Some("messageStop".to_string()), Vec::new()),
    ];
    assert_eq!(read(&[&stream]), (expect, Ok(())));
    assert_eq!(read(&[]), (Vec::new(), Ok(())));
}

#[test]
fn headers_of_every_type_are_skipped() {
    let mut headers = Vec::new();
    let values: [(u8, &[u8]); 9] = [
        (0, b""),
        (1, b""),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (5, b"12345678"),
        (6, b"\x00\x03\xff\xfe\xfd"),
        (8, b"12345678"),
        (9, b"1234567890123456"),
    ];
    for (kind, value) in values {
        headers.extend_from_slice(&[1, b'a' + kind, kind]);
        headers.extend_from_slice(value);
    }
    headers.extend_from_slice(b"\x0b:event-type\x07\x00\x02\xc3\xa9");
    let mut stream = Vec::new();
    frame(&mut stream, &headers, b"x");
    Reader::<UpstreamFault>::new(CAP)
        .read(&stream, |message| {
            assert_eq!(message.text(":event-type"), Some("é"));
            assert_eq!((message.text("a"), message.text("g"), message.text("z")), (None, None, None));
            Ok(())
        })
        .unwrap();
    assert_eq!(read(&[&stream]).0, [(Some("é".to_string()), b"x".to_vec())]);
}

#[test]
fn broken_headers_are_an_error_though_their_checksum_is_right() {
    let broken: [&[u8]; 7] = [
        b"\x00\x00",
        b"\x05ab",
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x02x",
        b"\x01a\x07\x00\x01\xff",
    ];
    for headers in broken {
        let mut stream = Vec::new();
        frame(&mut stream, headers, b"");
        assert_eq!(read(&[&stream]), (Vec::new(), Err(FaultKind::Malformed)), "{headers:?}");
    }
}

#[test]
fn a_wrong_byte_anywhere_is_an_error() {
    let first = event("first", b"{}");
    let stream = [first.clone(), event("second", b"{\"text\":\"hello\"}")].concat();
    for at in 0..stream.len() {
        let mut stream = stream.clone();
        stream[at] ^= 4;
        let (seen, outcome) = read(&[&stream]);
        assert_eq!(outcome, Err(FaultKind::Malformed), "{at}");
        assert_eq!(seen.len(), usize::from(at >= first.len()), "{at}");
    }
}

#[test]
fn what_is_cut_is_an_error() {
    let stream = event("only", b"{}");
    for end in 1..stream.len() {
        assert_eq!(read(&[&stream[..end]]), (Vec::new(), Err(FaultKind::Cut)), "{end}");
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_held_for_them() {
    for (total, headers) in [(15u32, 0u32), (0, 0), (16, 1), (20, u32::MAX), (1001, 0), (u32::MAX, 0)] {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
        let bytes: Vec<_> = prelude.chunks(1).collect();
        for chunks in [&[&prelude[..]][..], &bytes] {
            assert_eq!(read(chunks), (Vec::new(), Err(FaultKind::Malformed)), "{total} {headers}");
        }
    }
    let longest = event("longest", &vec![b'x'; CAP - event("longest", b"").len()]);
    assert_eq!(longest.len(), CAP);
    assert_eq!(read(&[&longest]).1, Ok(()));
}

#[test]
fn the_first_error_is_final() {
    let good = event("good", b"");
    let mut reader = Reader::new(CAP);
    let fault = UpstreamFault::new(FaultKind::ErrorEvent, "no");
    assert_eq!(reader.read(&good, |_| Err(fault.clone())), Err(fault.clone()));
    assert_eq!(reader.read(&good, |_| Ok(())), Err(fault.clone()));
    assert_eq!(reader.end(), Err(fault));
}

proptest! {
    #[test]
    fn what_is_written_is_read_wherever_it_is_cut(
        messages in proptest::collection::vec(("[a-zA-Z]{0,20}", proptest::collection::vec(any::<u8>(), 0..200)), 0..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|(name, payload)| event(name, payload)).collect();
        let expect: Vec<Seen> = messages.into_iter().map(|(name, payload)| (Some(name), payload)).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        let bytes: Vec<_> = stream.chunks(1).collect();
        for chunks in [&pieces, &bytes] {
            prop_assert_eq!(read(chunks), (expect.clone(), Ok(())));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_alike_however_they_are_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        headers in proptest::collection::vec(any::<u8>(), 0..40),
        size in 1usize..40,
    ) {
        let mut stream = Vec::new();
        frame(&mut stream, &headers, &bytes);
        for stream in [stream, bytes] {
            let chunks: Vec<_> = stream.chunks(size).collect();
            prop_assert_eq!(read(&chunks), read(&[&stream]));
        }
    }
}

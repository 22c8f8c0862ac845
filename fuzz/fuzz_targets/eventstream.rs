//! Any bytes are messages or an error, alike wherever they are cut, and what is written is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::eventstream::{Reader, message};
use weir_core::fault::FaultKind;

const CAP: usize = 1 << 16;

type Seen = (Vec<(Option<String>, Vec<u8>)>, Result<(), FaultKind>);

fn read(chunks: &[&[u8]]) -> Seen {
    let (mut reader, mut seen) = (Reader::new(CAP), Vec::new());
    let read = chunks.iter().try_for_each(|chunk| {
        reader.read(chunk, |message| {
            seen.push((message.text(":event-type").map(str::to_owned), message.payload.to_vec()));
            Ok(())
        })
    });
    (seen, read.and_then(|()| reader.end()).map_err(|fault| fault.kind))
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, stream)) = input.split_first() else { return };
    let size = usize::from(*cut).max(1);
    let chunks: Vec<_> = stream.chunks(size).collect();
    assert_eq!(read(&chunks), read(&[stream]));
    if stream.len() < CAP / 2 {
        // Checksums are hard to guess: the same bytes as headers and payloads of good messages.
        let mut good = Vec::new();
        for part in &chunks {
            let name = String::from_utf8_lossy(part);
            message(&mut good, &[("x", &name), (":event-type", &name)], part);
        }
        let (seen, outcome) = read(&[&good]);
        assert_eq!(outcome, Ok(()));
        assert!(seen.iter().map(|(_, payload)| &payload[..]).eq(chunks.iter().copied()));
    }
});

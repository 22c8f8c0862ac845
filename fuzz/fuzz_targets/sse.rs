//! Blocks are the stream's bytes, all of them, wherever it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::sse::Reader;

fn read(chunks: &[&[u8]]) -> (Vec<(Vec<u8>, Option<Vec<u8>>)>, Vec<u8>) {
    let mut reader = Reader::new(1 << 20);
    let (mut blocks, mut left) = (Vec::new(), Vec::new());
    for chunk in chunks {
        reader
            .read(chunk, |block| {
                blocks.push((block.raw.to_vec(), block.data.map(|data| data.into_owned())));
                Ok(())
            })
            .unwrap();
    }
    reader
        .end(|block| {
            left.extend_from_slice(block.raw);
            Ok(())
        })
        .unwrap();
    (blocks, left)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, stream)) = input.split_first() else { return };
    let whole = read(&[stream]);
    let bytes: Vec<u8> = whole.0.iter().flat_map(|(raw, _)| raw).chain(&whole.1).copied().collect();
    assert_eq!(bytes, stream);
    let chunks: Vec<_> = stream.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(read(&chunks), whole);
});

//! Any bytes unpack or fail, within the cap, alike wherever they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::brotli::Brotli;

const CAP: usize = 1 << 20;

fn unpack(chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let (mut brotli, mut out) = (Brotli::new(CAP), Vec::new());
    let read = chunks.iter().try_for_each(|chunk| brotli.read(chunk, &mut out)).and_then(|()| brotli.end());
    assert!(out.len() <= CAP + 1);
    read.ok().map(|()| out)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let chunks: Vec<_> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(unpack(&chunks), unpack(&[bytes]));
});

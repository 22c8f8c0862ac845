//! Any bytes inflate or fail, within the cap, alike wherever they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::gzip::Inflate;

const CAP: usize = 1 << 20;

fn inflate(chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let (mut inflate, mut out) = (Inflate::new(CAP), Vec::new());
    let read = chunks.iter().try_for_each(|chunk| inflate.read(chunk, &mut out)).and_then(|()| inflate.end());
    assert!(out.len() <= CAP + 1);
    read.ok().map(|()| out)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let chunks: Vec<_> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(inflate(&chunks), inflate(&[bytes]));
});

//! Compresses an answer without changing when its parts come.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use crate::script::Step;

/// Gzips what a script sends. Each part is flushed, so that it can be read as soon as it comes.
///
/// A script that ends cleanly ends the gzip stream; one that is broken off leaves it open, as a broken peer does.
pub(crate) fn compress(script: Vec<Step>) -> Vec<Step> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let ends = !script.iter().any(|step| matches!(step, Step::Silence | Step::Break));
    let mut compressed: Vec<Step> = script
        .into_iter()
        .map(|step| match step {
            Step::Send(plain) => {
                // Writing to a Vec does not fail.
                let _ = gzip.write_all(&plain).and_then(|()| gzip.flush());
                Step::Send(Bytes::from(std::mem::take(gzip.get_mut())))
            }
            other => other,
        })
        .collect();
    if ends && let Ok(rest) = gzip.finish() {
        compressed.push(Step::Send(Bytes::from(rest)));
    }
    compressed
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;

    use super::*;

    #[test]
    fn each_part_can_be_read_before_the_next() {
        let script =
            vec![Step::Send(Bytes::from("data: one\n\n")), Step::Flush, Step::Send(Bytes::from("data: two\n\n"))];
        let compressed = compress(script);
        let mut whole = Vec::new();
        let mut read = Vec::new();
        for step in &compressed {
            if let Step::Send(bytes) = step {
                whole.extend_from_slice(bytes);
            } else {
                let mut buffer = [0; 64];
                let count = MultiGzDecoder::new(whole.as_slice()).read(&mut buffer).unwrap();
                read.extend_from_slice(&buffer[..count]);
            }
        }
        assert_eq!(read, b"data: one\n\n");
        let mut text = String::new();
        MultiGzDecoder::new(whole.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "data: one\n\ndata: two\n\n");
    }
}

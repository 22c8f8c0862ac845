//! Compresses an answer without changing when its parts come.

use std::io::Write;

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use crate::script::Step;

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Coding {
    /// As `content-encoding` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// Compresses what a script sends. Each part is flushed, so that it can be read as soon as it comes.
    ///
    /// A script that ends cleanly ends the compressed stream; one that is broken off leaves it open, as a broken peer does.
    pub(crate) fn compress(self, script: Vec<Step>) -> Vec<Step> {
        let mut encoder = self.encoder();
        let ends = !script.iter().any(|step| matches!(step, Step::Silence | Step::Break));
        let mut compressed: Vec<Step> = script
            .into_iter()
            .map(|step| match step {
                Step::Send(plain) => Step::Send(encoder.part(&plain)),
                other => other,
            })
            .collect();
        if ends {
            compressed.push(Step::Send(encoder.end()));
        }
        compressed
    }

    fn encoder(self) -> Encoder {
        match self {
            Self::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Self::Brotli => Encoder::Brotli(Box::new(CompressorWriter::new(Vec::new(), 4096, 4, 20))),
        }
    }
}

impl Encoder {
    // Writing to a Vec does not fail.
    fn part(&mut self, plain: &[u8]) -> Bytes {
        let written = match self {
            Self::Gzip(gzip) => {
                let _ = gzip.write_all(plain).and_then(|()| gzip.flush());
                gzip.get_mut()
            }
            Self::Brotli(brotli) => {
                let _ = brotli.write_all(plain).and_then(|()| brotli.flush());
                brotli.get_mut()
            }
        };
        Bytes::from(std::mem::take(written))
    }

    fn end(self) -> Bytes {
        Bytes::from(match self {
            Self::Gzip(gzip) => gzip.finish().unwrap_or_default(),
            Self::Brotli(brotli) => brotli.into_inner(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;

    use super::*;

    fn check(coding: Coding, decoder: for<'b> fn(&'b [u8]) -> Box<dyn Read + 'b>) {
        let script =
            vec![Step::Send(Bytes::from("data: one\n\n")), Step::Flush, Step::Send(Bytes::from("data: two\n\n"))];
        let mut whole = Vec::new();
        let mut read = Vec::new();
        for step in &coding.compress(script) {
            if let Step::Send(bytes) = step {
                whole.extend_from_slice(bytes);
            } else {
                let mut buffer = [0; 64];
                let count = decoder(&whole).read(&mut buffer).unwrap();
                read.extend_from_slice(&buffer[..count]);
            }
        }
        assert_eq!(read, b"data: one\n\n");
        let mut text = String::new();
        decoder(&whole).read_to_string(&mut text).unwrap();
        assert_eq!(text, "data: one\n\ndata: two\n\n");
    }

    #[test]
    fn each_part_can_be_read_before_the_next() {
        check(Coding::Gzip, |bytes| Box::new(MultiGzDecoder::new(bytes)));
        check(Coding::Brotli, |bytes| Box::new(brotli::Decompressor::new(bytes, 4096)));
    }
}

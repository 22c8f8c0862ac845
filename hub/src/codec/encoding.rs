//! Compressed answers: finds the decoder by the name in `content-encoding` ([RFC
//! 9110](https://www.rfc-editor.org/rfc/rfc9110#name-content-encoding)).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::brotli::Brotli;
use super::flaw::Unreadable;
use super::gzip::Inflate;

/// Decompresses one answer.
pub struct Decoder {
    coding: Coding,
    /// The first error; every later call returns it.
    fault: Option<Unreadable>,
}

enum Coding {
    /// gzip and deflate.
    Inflate(Box<Inflate>),
    Brotli(Box<Brotli>),
}

impl Decoder {
    /// The decoder for this coding; it gives at most `cap` bytes for each [`read`](Self::read). `None` if the answer is
    /// not compressed. An error for a coding that nobody asked for, or for several on top of each other.
    ///
    /// zstd is such a coding. Its only decoder without `std` (ruzstd) gives nothing before it has a whole window, and
    /// would delay a stream to its end.
    pub fn of(content_encoding: &str, cap: usize) -> Result<Option<Self>, Unreadable> {
        let is = |name: &str| content_encoding.trim().eq_ignore_ascii_case(name);
        let coding = if is("") || is("identity") {
            return Ok(None);
        } else if is("gzip") || is("x-gzip") || is("deflate") {
            Coding::Inflate(Box::new(Inflate::new(cap)))
        } else if is("br") {
            Coding::Brotli(Box::new(Brotli::new(cap)))
        } else {
            return Err(Unreadable::Broken("The provider's answer has an encoding that nobody asked for.".into()));
        };
        Ok(Some(Self { coding, fault: None }))
    }

    /// Reads the next bytes and appends what they unpack to. After the first error, nothing more is read.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let outcome = match &mut self.coding {
            Coding::Inflate(inflate) => inflate.read(chunk, out),
            Coding::Brotli(brotli) => brotli.read(chunk, out),
        };
        self.fault = outcome.as_ref().err().cloned();
        outcome
    }

    /// The answer ended. Gives an error unless its compression ended, too; an answer without any bytes is valid.
    pub fn end(&mut self) -> Result<(), Unreadable> {
        match (&self.fault, &mut self.coding) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Coding::Inflate(inflate)) => inflate.end(),
            (None, Coding::Brotli(brotli)) => brotli.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_known_by_its_name() {
        let check = |name: &str, packed: &[u8]| {
            let mut decoder = Decoder::of(name, 100).unwrap().unwrap();
            let mut out = Vec::new();
            decoder.read(packed, &mut out).unwrap();
            assert_eq!((decoder.end(), out), (Ok(()), b"hello".to_vec()), "{name}");
        };
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
        check("gzip", gzip);
        check("X-GZIP", gzip);
        check(" deflate", b"\xcbH\xcd\xc9\xc9\x07\0");
        check("br", b"\x0b\x02\x80hello\x03");
        assert!(matches!(Decoder::of("", 0), Ok(None)));
        assert!(matches!(Decoder::of("identity", 0), Ok(None)));
        for name in ["zstd", "compress", "gzip, br", "brotli"] {
            assert!(matches!(Decoder::of(name, 0), Err(Unreadable::Broken(_))), "{name}");
        }
    }

    /// What unpacked to too much went on unpacking at the next chunk.
    #[test]
    fn the_first_error_is_final() {
        let check = |name: &str, packed: &[u8]| {
            let mut decoder = Decoder::of(name, 3).unwrap().unwrap();
            let mut out = Vec::new();
            let fault = decoder.read(packed, &mut out).unwrap_err();
            out.clear();
            assert_eq!(decoder.read(packed, &mut out), Err(fault.clone()), "{name}");
            assert_eq!((decoder.end(), out), (Err(fault), Vec::new()), "{name}");
        };
        check("deflate", b"\xcbH\xcd\xc9\xc9\x07\0");
        check("br", b"\x0b\x02\x80hello\x03");
    }
}

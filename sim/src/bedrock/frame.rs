//! The framing of AWS event streams: two lengths and their checksum, headers, payload, checksum of it all.
//!
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>

use bytes::Bytes;

/// The type of a header whose value is a string.
const STRING: u8 = 7;

/// An event of a stream.
pub(super) fn event(kind: &str, payload: &str) -> Bytes {
    frame(&[(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")], payload)
}

/// What ends a stream that failed.
pub(super) fn exception(kind: &str, payload: &str) -> Bytes {
    frame(&[(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")], payload)
}

fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        written.extend_from_slice(name.as_bytes());
        written.push(STRING);
        written.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    // Two lengths and two checksums, of four bytes each.
    let total = 16 + written.len() + payload.len();
    let mut frame = Vec::with_capacity(total);
    for length in [total, written.len()] {
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&written);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_headers_is_that_of_the_published_example() {
        // The vector `payload_no_headers` of the protocol's test suite.
        let expect = [
            0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52, 0x8c, 0x5a, b'{', b'\'', b'f', b'o', b'o',
            b'\'', b':', b'\'', b'b', b'a', b'r', b'\'', b'}', 0xc3, 0x65, 0x39, 0x36,
        ];
        assert_eq!(frame(&[], "{'foo':'bar'}").as_ref(), expect);
    }
}

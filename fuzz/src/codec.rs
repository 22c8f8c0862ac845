//! The codecs: what takes bytes from outside apart.

use std::borrow::Cow;

use serde_json::Value;
use weir_hub::codec::brotli::Brotli;
use weir_hub::codec::eventstream::{self, message};
use weir_hub::codec::gzip::Inflate;
use weir_hub::codec::json::{Edit, patch, scan};
use weir_hub::codec::multipart::{Boundary, MAX_PARTS, MAX_TEXT, Part, Scanner, replace};
use weir_hub::codec::sse;
use weir_hub::codec::{BadBody, Unreadable};

/// What a scan passes, `serde_json` reads the same, and the other way around.
pub fn json(body: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(body);
    match scan(body) {
        Ok(scan) => {
            let patched = patch(body, &scan, &[("model", Edit::Set(b"1")), ("stream", Edit::Remove)]);
            match theirs {
                Ok(Value::Object(mut members)) => {
                    for (name, value) in scan.members(body) {
                        assert_eq!(serde_json::from_str::<Value>(value.text()).ok().as_ref(), members.get(&*name));
                    }
                    assert_eq!(scan.members(body).count(), members.len());
                    members.insert("model".into(), 1.into());
                    members.remove("stream");
                    assert_eq!(serde_json::from_slice::<Value>(&patched).unwrap(), Value::Object(members));
                }
                Ok(other) => panic!("passed {other}"),
                Err(error) => assert!(error.to_string().contains("out of range"), "{error}"),
            }
        }
        Err(BadBody::Json { .. }) => assert!(theirs.is_err()),
        Err(_) => {}
    }
}

/// Blocks are the stream's bytes, all of them, wherever it is cut.
pub fn sse(input: &[u8]) {
    type Blocks = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn read(chunks: &[&[u8]]) -> (Blocks, Vec<u8>) {
        let mut reader = sse::Reader::new(1 << 20);
        let (mut blocks, mut left) = (Vec::new(), Vec::new());
        for chunk in chunks {
            reader
                .read(chunk, |block| {
                    blocks.push((block.raw.to_vec(), block.data.map(Cow::into_owned)));
                    Ok::<(), Unreadable>(())
                })
                .unwrap();
        }
        reader
            .end(|block| {
                left.extend_from_slice(block.raw);
                Ok::<(), Unreadable>(())
            })
            .unwrap();
        (blocks, left)
    }

    let Some((cut, stream)) = input.split_first() else { return };
    let whole = read(&[stream]);
    let bytes: Vec<u8> = whole.0.iter().flat_map(|(raw, _)| raw).chain(&whole.1).copied().collect();
    assert_eq!(bytes, stream);
    let chunks: Vec<_> = stream.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(read(&chunks), whole);
}

/// Any bytes inflate or fail, within the cap, alike wherever they are cut.
pub fn gzip(input: &[u8]) {
    const CAP: usize = 1 << 20;

    fn inflate(chunks: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut inflate, mut out) = (Inflate::new(CAP), Vec::new());
        let read = chunks.iter().try_for_each(|chunk| inflate.read(chunk, &mut out)).and_then(|()| inflate.end());
        assert!(out.len() <= CAP + 1);
        read.ok().map(|()| out)
    }

    let Some((cut, bytes)) = input.split_first() else { return };
    let chunks: Vec<_> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(inflate(&chunks), inflate(&[bytes]));
}

/// Any bytes unpack or fail, within the cap, alike wherever they are cut.
pub fn brotli(input: &[u8]) {
    const CAP: usize = 1 << 20;

    fn unpack(chunks: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut brotli, mut out) = (Brotli::new(CAP), Vec::new());
        let read = chunks.iter().try_for_each(|chunk| brotli.read(chunk, &mut out)).and_then(|()| brotli.end());
        assert!(out.len() <= CAP + 1);
        read.ok().map(|()| out)
    }

    let Some((cut, bytes)) = input.split_first() else { return };
    let chunks: Vec<_> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(unpack(&chunks), unpack(&[bytes]));
}

/// Any bytes are messages or an error, the same wherever they are cut; and what the codec writes, it reads.
pub fn eventstream(input: &[u8]) {
    const CAP: usize = 1 << 16;

    type Seen = (Vec<(Option<String>, Vec<u8>)>, Result<(), Unreadable>);

    fn read(chunks: &[&[u8]]) -> Seen {
        let (mut reader, mut seen) = (eventstream::Reader::<Unreadable>::new(CAP), Vec::new());
        let read = chunks.iter().try_for_each(|chunk| {
            reader.read(chunk, |message| {
                seen.push((message.text(":event-type").map(str::to_owned), message.payload.to_vec()));
                Ok(())
            })
        });
        (seen, read.and_then(|()| reader.end()))
    }

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
}

/// Any body is a form or refused, alike wherever it is cut; its values lie where they are said to.
pub fn multipart(input: &[u8]) {
    /// One byte, so that chance finds boundaries.
    const CONTENT_TYPE: &str = "multipart/form-data; boundary=b";

    fn scan(slices: &[&[u8]]) -> Result<Vec<Part>, BadBody> {
        let mut scanner = Scanner::new(&Boundary::parse(CONTENT_TYPE).unwrap(), &["model", "stream"]);
        slices.iter().try_for_each(|slice| scanner.read(slice))?;
        scanner.end()
    }

    let Some((cut, body)) = input.split_first() else { return };
    if let Ok(text) = str::from_utf8(body) {
        let _ = Boundary::parse(text);
        let _ = Boundary::parse(&format!("{CONTENT_TYPE};{text}"));
    }
    // As it is, and as the headers of a part.
    let part = [b"--b\r\nContent-Disposition: form-data; name=", body, b"\r\n--b--"].concat();
    for body in [body, &part] {
        let whole = scan(&[body]);
        let slices: Vec<_> = body.chunks(usize::from(*cut).max(1)).collect();
        assert_eq!(scan(&slices), whole);
        let Ok(parts) = whole else { continue };
        assert!(parts.len() <= MAX_PARTS);
        let mut before = 0;
        for part in &parts {
            let [start, end] = [part.value.start, part.value.end].map(|at| usize::try_from(at).unwrap());
            assert!(before < start && start <= end);
            before = end;
            assert!(body[..start].ends_with(b"\r\n\r\n") && body[end..].starts_with(b"\r\n--b"));
            if let Some(text) = &part.text {
                assert!(text.as_bytes() == &body[start..end] && text.len() <= MAX_TEXT);
            }
            let again = scan(&[&replace(body, &part.value, b"other")]).unwrap();
            assert_eq!(again.len(), parts.len());
        }
    }
}

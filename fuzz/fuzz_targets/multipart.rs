//! Any body is a form or refused, alike wherever it is cut; its values lie where they are said to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::multipart::{Boundary, MAX_PARTS, MAX_TEXT, Part, Scanner, replace};
use weir_core::fault::Reject;

/// One byte, so that chance finds boundaries.
const CONTENT_TYPE: &str = "multipart/form-data; boundary=b";

fn scan(slices: &[&[u8]]) -> Result<Vec<Part>, Reject> {
    let mut scanner = Scanner::new(&Boundary::parse(CONTENT_TYPE).unwrap(), &["model", "stream"]);
    slices.iter().try_for_each(|slice| scanner.read(slice))?;
    scanner.end()
}

fuzz_target!(|input: &[u8]| {
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
            let (start, end) = (part.value.start as usize, part.value.end as usize);
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
});

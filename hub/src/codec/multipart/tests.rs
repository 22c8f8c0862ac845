//! Each range is exactly one value, whatever a form holds and however its body is cut.

use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const KEEP: &[&str] = &["model", "stream", "response_format"];

fn scan(slices: &[&[u8]]) -> Result<Vec<Part>, BadBody> {
    let mut scanner = Scanner::new(&Boundary::parse("multipart/form-data; boundary=b-1").unwrap(), KEEP);
    slices.iter().try_for_each(|slice| scanner.read(slice))?;
    scanner.end()
}

/// The error in `body`: its field and its problem. Reading byte by byte must give the same error.
fn problem(body: &[u8]) -> (String, String) {
    let whole = scan(&[body]).unwrap_err();
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(scan(&bytes), Err(whole.clone()), "{}", String::from_utf8_lossy(body));
    let BadBody::Field { field, problem } = whole else { panic!("{whole:?}") };
    (field, problem)
}

fn check(body: &str, field: &str, expect: &str) {
    let (at, problem) = problem(body.as_bytes());
    assert!(at == field && problem.contains(expect), "{body:?}: {at}: {problem}");
}

/// A generated field of a form: its name, its file's name, its value.
type Field = (String, Option<String>, Vec<u8>);

fn form(fields: &[Field]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, filename, value) in fields {
        body.extend_from_slice(format!("--b-1\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if let Some(filename) = filename {
            let file = format!("; filename=\"{filename}\"\r\nContent-Type: audio/wav");
            body.extend_from_slice(file.as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b-1--\r\n");
    body
}

#[test]
fn a_boundary_is_read_from_the_content_type() {
    let check = |content_type: &str, expect: Option<&str>| {
        let boundary = Boundary::parse(content_type);
        assert_eq!(boundary.as_ref().ok().map(Boundary::as_str), expect, "{content_type}");
    };
    check("multipart/form-data; boundary=----WebKitFormBoundaryX1", Some("----WebKitFormBoundaryX1"));
    check("Multipart/Form-Data;BOUNDARY=\"a b:c=?\"", Some("a b:c=?"));
    check("multipart/form-data; charset=utf-8; boundary=x ;", Some("x"));
    check("multipart/form-data; boundary=x; charset=\"US-ASCII\"", Some("x"));
    check(&format!("multipart/form-data; boundary={}", "x".repeat(70)), Some(&"x".repeat(70)));
    check(&format!("multipart/form-data; boundary={}", "x".repeat(71)), None);
    for broken in [
        "application/json",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"x ",
        "multipart/form-data; boundary=\"x \"",
        "multipart/form-data; boundary=\"x\\y\"",
        "multipart/form-data; boundary=\"x\"y",
        "multipart/form-data; boundary=x; boundary=y",
        "multipart/form-data; boundary=x; charset=utf-7",
        "multipart/form-data; charset*=utf-8''utf-7; boundary=x",
        "multipart/form-data; boundary=x; boundary*=UTF-8''y",
        "multipart/form-data; boundary=x; boundary*0=y",
        "multipart/form-data; boundary=x; start=y",
        "multipart/form-data; boundary=é",
        "multipart/form-data boundary=x",
    ] {
        check(broken, None);
    }
}

/// With a `charset`, or a `boundary*` that only some readers know, the provider read another form from the same bytes.
#[test]
fn a_content_type_is_written_anew_with_a_boundary_and_nothing_else() {
    let check = |content_type: &str, expect: &str| {
        let boundary = Boundary::parse(content_type).unwrap();
        assert_eq!(boundary.content_type(), expect, "{content_type}");
        assert_eq!(Boundary::parse(expect), Ok(boundary), "{expect}");
    };
    check("Multipart/Form-Data ;charset=UTF-8;Boundary=\"x-1\" ;", "multipart/form-data; boundary=x-1");
    for quoted in ["a b", "a:b", "a(b)", "a,b", "a/b", "a=b", "a?b"] {
        let expect = format!("multipart/form-data; boundary=\"{quoted}\"");
        check(&expect.replace("form-data", "FORM-DATA"), &expect);
    }
}

#[test]
fn parts_have_names_files_and_places() {
    let body = "--b-1\r\n\
        Content-Disposition: form-data; name=\"model\"\r\n\r\n\
        whisper-1\r\n\
        --b-1 \t\r\n\
        content-disposition:form-data ; filename=\"C:\\a\\\"b\\\".wav\" ; name=file\r\n\
        X-Other: 1\r\n\
        CONTENT-TYPE: audio/wav\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\
        RIFF\r\n--b-\r\n\n--b\r--b-1\r\n--\r\r\n\
        --b-1\r\nContent-Disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\n\r\n\
        --b-1\r\nContent-Disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\nword\r\n\
        --b-1--";
    let parts = scan(&[body.as_bytes()]).unwrap();
    let value = |part: &Part| {
        body[usize::try_from(part.value.start).unwrap()..usize::try_from(part.value.end).unwrap()].to_string()
    };
    let seen: Vec<_> = parts.iter().map(|part| (part.name.as_str(), value(part))).collect();
    assert_eq!(
        seen,
        [
            ("model", "whisper-1".to_string()),
            ("file", "RIFF\r\n--b-\r\n\n--b\r--b-1\r\n--\r".to_string()),
            ("timestamp_granularities[]", String::new()),
            ("timestamp_granularities[]", "word".to_string()),
        ]
    );
    assert_eq!(parts[0].text.as_deref(), Some("whisper-1"));
    assert_eq!(parts[1].filename.as_deref(), Some("C:\\a\"b\".wav"));
    assert_eq!(parts[1].content_type.as_deref(), Some("audio/wav"));
    assert_eq!((&parts[1].text, &parts[3].text), (&None, &None));
}

#[test]
fn what_surrounds_a_form_is_a_line_break_at_most() {
    for body in ["--b-1--", "--b-1--\r\n", "\r\n--b-1--\r\n", "--b-1-- \t\r\n\r\n"] {
        assert_eq!(scan(&[body.as_bytes()]), Ok(Vec::new()), "{body:?}");
    }
    check("", "body", "closing boundary is missing");
    check("--b-", "body", "closing boundary is missing");
    check("--b-1", "body", "closing boundary is missing");
    check("--b-1-", "body", "closing boundary is missing");
    check(
        "--b-1\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue\r\n--b-1\r\n",
        "body",
        "closing boundary is missing",
    );
    check("hello\r\n--b-1--", "body", "does not start");
    check("\n--b-1--", "body", "does not start");
    check("--b-2--", "body", "does not start");
    check("--b-1--x", "body", "bytes follow");
    check("--b-1--\r\n--b-1\r\n", "body", "bytes follow");
    check("--b-1x\r\n", "body", "on its line");
    check("--b-1\n", "body", "on its line");
    check("--b-1\r\r\n", "body", "on its line");
    check("--b-1 --", "body", "on its line");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let disposition = |parameters: &str| format!("--b-1\r\nContent-Disposition: {parameters}\r\n\r\nx\r\n--b-1--");
    assert_eq!(scan(&[disposition("form-data; name=a").as_bytes()]).map(|parts| parts.len()), Ok(1));
    check(&disposition("attachment; name=a"), "body", "not form-data");
    check(&disposition("form-data"), "body", "no name");
    check(&disposition("form-data; name=a; name=model"), "body", "two names");
    check(&disposition("form-data; name=a; filename=b; filename=c"), "body", "two names");
    check(&disposition("form-data; name=a; name*=utf-8''model"), "body", "may have name, filename and filename*");
    for extra in ["name*0=mo; name*1=del", "name*0*=utf-8''mo", "filename*0=a", "NAME*=a", "charset=utf-8", "x=y"] {
        let line = format!("form-data; name=a; {extra}");
        check(&disposition(&line), "body", "may have name, filename and filename*");
    }
    check(&disposition("form-data; name*0=mo; name*1=del"), "body", "may have name, filename and filename*");
    // How readers read these: escaped with a backslash, percent-encoded as in file names, as an encoded word (Java's
    // servers), trimmed (PHP), in UTF-7.
    for name in ["mo\\del", "%6Dodel", "=?utf-8?Q?model?=", " model", "model ", "", "+AG0-odel", "m\u{f6}del"] {
        check(&disposition(&format!("form-data; name=\"{name}\"")), "body", "may have letters, digits and _-.:[]");
    }
    for list in ["model[]", "model[0]", "stream[x]"] {
        check(&disposition(&format!("form-data; name=\"{list}\"")), list, "not a list");
    }
    check(&disposition("form-data; name=model; filename*=utf-8''m"), "model", "not a file");
    check(&disposition("form-data; name=a\r\nContent-Type: Multipart/mixed; boundary=y"), "body", "a form itself");
    check(&disposition("form-data; name=\"a"), "body", "cannot be read");
    check(&disposition("form-data; name=\"a\"b"), "body", "cannot be read");
    check(&disposition("form-data; name=\"a\\\"; filename=\"b\""), "body", "cannot be read");
    check(&disposition("form-data; name=model; filename=m"), "model", "not a file");
    check(&disposition("form-data; name=a\r\nContent-Disposition: form-data; name=b"), "body", "two Content-Disp");
    check(&disposition("form-data; name=a\r\nContent-Type: a/b\r\ncontent-type: a/b"), "body", "two Content-Types");
    check(&disposition("form-data; name=a\r\nContent-Transfer-Encoding: base64"), "body", "Transfer-Encoding");
    check(&disposition("form-data; name=a;\r\n filename=b"), "body", "cannot be read");
    check(&disposition("form-data; name=a\nX: y"), "body", "cannot be read");
    check(&disposition("form-data; name=a\r\nno colon"), "body", "cannot be read");
    check("--b-1\r\n\r\nx\r\n--b-1--", "body", "no Content-Disposition");
    let part = "--b-1\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    check(&format!("{part}x\n--b-1--"), "body", "line break");
    check(&format!("{part}\n--b-1--"), "body", "line break");
    check(&format!("{part}--b-1--"), "body", "line break");
    let start = part.len() as u64;
    let parts = scan(&[format!("{part}\r\n--b-1--").as_bytes()]).unwrap();
    assert_eq!(parts[0].value, start..start);
}

/// RFC 7578, 4.4 and 4.6: a part may name the charset of its text, and a field `_charset_` that of all texts.
#[test]
fn a_field_that_is_read_is_utf_8() {
    let model = |headers: &str, value: &str| {
        let head = "--b-1\r\nContent-Disposition: form-data; name=model\r\n";
        format!("{head}{headers}\r\n\r\n{value}\r\n--b-1--")
    };
    for kind in
        ["text/plain", "TEXT/plain; Charset=\"UTF-8\"", "text/plain;charset=us-ascii", "text/plain; charset=iso-8859-1"]
    {
        let body = model(&format!("Content-Type: {kind}"), "gpt");
        assert_eq!(scan(&[body.as_bytes()]).unwrap()[0].text.as_deref(), Some("gpt"), "{kind}");
    }
    for kind in [
        "text/plain; charset=utf-7",
        "text/plain; charset=utf-16",
        "text/plain; charset*=utf-8''utf-7",
        "text/plain; charset=utf-8; charset=utf-7",
        "text/plain; charset=utf-7; charset=utf-8",
        "text/plain; charset=iso-8859-1; charset=utf-8",
        "text/plain; charset",
        "application/octet-stream",
        "application/json",
    ] {
        check(&model(&format!("Content-Type: {kind}"), "gpt"), "model", "text/plain in UTF-8");
    }
    check(&model("Content-Type: text/plain; charset=iso-8859-1", "\u{e9}"), "model", "must be UTF-8");
    for name in ["_charset_", "_Charset_"] {
        let field = format!("--b-1\r\nContent-Disposition: form-data; name={name}\r\n\r\nutf-7\r\n--b-1--");
        check(&field, name, "read as UTF-8");
    }
    // The encoding of other fields is the provider's concern.
    let prompt = model("Content-Type: text/plain; charset=utf-16", "").replace("model", "prompt");
    assert!(scan(&[prompt.as_bytes()]).is_ok());
}

#[test]
fn limits_hold() {
    let field = |name: &str, value: &str| (name.to_string(), None, value.as_bytes().to_vec());
    let (exact, long) = ("x".repeat(MAX_TEXT), "x".repeat(MAX_TEXT + 1));
    assert_eq!(scan(&[&form(&[field("model", &exact)])]).unwrap()[0].text.as_deref(), Some(&*exact));
    let too_long = ("model".to_string(), "it is too long".to_string());
    for value in [&long, &exact.repeat(100), &format!("{long}{long}\n--b-1"), &format!("{long}\r\n--b-")] {
        assert_eq!(problem(&form(&[field("model", value)])), too_long);
    }
    assert_eq!(scan(&[&form(&[field("prompt", &long)])]).map(|parts| parts.len()), Ok(1));
    check(core::str::from_utf8(&form(&[field("model", "a"), field("model", "a")])).unwrap(), "model", "twice");
    assert_eq!(problem(&form(&[("model".to_string(), None, vec![0xff])])).1, "it is not UTF-8");
    assert_eq!(scan(&[&form(&vec![field("a", "b"); MAX_PARTS])]).map(|parts| parts.len()), Ok(MAX_PARTS));
    assert_eq!(problem(&form(&vec![field("a", "b"); MAX_PARTS + 1])).1, "it has too many parts");
    let header = |length: usize| {
        format!("--b-1\r\nContent-Disposition: form-data; name=a\r\nX: {}\r\n\r\n\r\n--b-1--", "x".repeat(length))
    };
    // The bytes of the other lines, and of line ends.
    let room = MAX_HEADERS - "Content-Disposition: form-data; name=a\r\nX: \r\n\r\n".len();
    assert_eq!(scan(&[header(room).as_bytes()]).map(|parts| parts.len()), Ok(1));
    check(&header(room + 1), "body", "headers of a part are too long");
    check(&header(1 << 20), "body", "headers of a part are too long");
}

#[test]
fn the_first_error_is_final() {
    let mut scanner = Scanner::new(&Boundary::parse("multipart/form-data; boundary=b-1").unwrap(), KEEP);
    let fault = scanner.read(b"--b-1--x").unwrap_err();
    assert_eq!(scanner.read(b"--b-1--"), Err(fault.clone()));
    assert_eq!(scanner.end(), Err(fault));
}

#[test]
fn a_value_is_replaced_in_its_place() {
    let field =
        |model: &[u8]| form(&[("file".into(), Some("a".into()), vec![0; 9]), ("model".into(), None, model.to_vec())]);
    let body = field(b"fast");
    let parts = scan(&[&body]).unwrap();
    assert_eq!(replace(&body, &parts[1].value, b"whisper-1"), field(b"whisper-1"));
    assert_eq!(replace(b"abc", &(7..9), b"d"), b"abcd");
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    // Values made of the characters of boundaries.
    let token = proptest::sample::select(vec![
        &b"\r\n"[..],
        b"\r",
        b"\n\r",
        b"--",
        b"-",
        b"\r\n--b-",
        b"--b-1",
        b"b-1",
        b"x",
        b"\0\xff",
    ]);
    let value = proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat()).prop_filter(
        "no boundary",
        |value| {
            let placed = [b"\n", &value[..], b"\r\n--b-1"].concat();
            let inner = &placed[..placed.len() - 1];
            memchr::memmem::find(inner, b"\n--b-1").is_none()
        },
    );
    let name = prop_oneof![Just("model".to_string()), "[a-z._-]{1,8}"];
    proptest::collection::vec((name, proptest::option::of("[a-z. ]{0,8}"), value), 0..5)
}

proptest! {
    #[test]
    fn every_range_is_exactly_one_value_wherever_the_body_is_cut(
        fields in fields(),
        cuts in proptest::collection::vec(any::<Index>(), 0..8),
    ) {
        let body = form(&fields);
        let whole = scan(&[&body]);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        let bytes: Vec<_> = body.chunks(1).collect();
        prop_assert_eq!(&scan(&pieces), &whole);
        prop_assert_eq!(&scan(&bytes), &whole);
        let model = |field: &&Field| field.0 == "model";
        let refused = fields.iter().filter(model).count() > 1
            || fields.iter().filter(model).any(|(_, filename, value)| filename.is_some() || str::from_utf8(value).is_err());
        prop_assert_eq!(whole.is_err(), refused);
        let Ok(parts) = whole else { return Ok(()) };
        prop_assert_eq!(parts.len(), fields.len());
        for (part, (name, filename, value)) in parts.iter().zip(&fields) {
            let range = usize::try_from(part.value.start).unwrap()..usize::try_from(part.value.end).unwrap();
            prop_assert_eq!((&part.name, &part.filename), (name, filename));
            prop_assert_eq!(&body[range], &value[..]);
            prop_assert_eq!(part.text.as_deref().map(str::as_bytes), (name == "model").then_some(&value[..]));
            let replaced = replace(&body, &part.value, b"other");
            prop_assert_eq!(scan(&[&replaced]).map(|parts| parts.len()), Ok(parts.len()));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_alike_however_they_are_cut(
        fields in fields(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
        size in 1usize..50,
    ) {
        let mut body = form(&fields);
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(end.index(body.len() * 2).min(body.len()));
        let slices: Vec<_> = body.chunks(size).collect();
        prop_assert_eq!(scan(&slices), scan(&[&body]));
    }
}

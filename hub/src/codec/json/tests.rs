use super::*;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use proptest::prelude::*;
use serde_json::Value;

fn flaw(body: &[u8]) -> (usize, usize, usize, &'static str) {
    match scan(body) {
        Err(BadBody::Json { offset, line, column, problem }) => (offset, line, column, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_error_has_its_place() {
    assert_eq!(flaw(b"{\n  \"a\": 1,\n  \"b\": tru\n}"), (22, 3, 11, "expected a value"));
    assert_eq!(flaw(b""), (0, 1, 1, "unexpected end"));
    assert_eq!(flaw(b"{\"a\":1"), (6, 1, 7, "unexpected end"));
    assert_eq!(flaw(b"{\"a\":1}}"), (7, 1, 8, "unexpected character after the end"));
    assert_eq!(flaw(b"{\"a\":01}"), (6, 1, 7, "a number cannot start with 0"));
    assert_eq!(flaw(b"{\"a\":\"\xff\"}"), (6, 1, 7, "invalid UTF-8"));
    assert_eq!(flaw(b"{\"a\" \"\xff\"}"), (5, 1, 6, "expected ':'"));
    assert_eq!(flaw(b"{\"a\":\"\\ud800\"}"), (6, 1, 7, "lone surrogate"));
    assert_eq!(flaw(b"{\"a\":1,}"), (7, 1, 8, "expected a member name in double quotes"));
}

#[test]
fn a_body_must_be_an_object() {
    for body in ["[1]", "null", "\"{}\""] {
        assert!(matches!(scan(body.as_bytes()), Err(BadBody::Field { field, .. }) if field == "body"), "{body}");
    }
}

#[test]
fn a_name_given_twice_is_refused_even_when_escaped() {
    let body = br#"{"model":"a","mod\u0065l":"b"}"#;
    assert!(matches!(scan(body), Err(BadBody::Field { field, .. }) if field == "model"));
}

#[test]
fn depth_is_capped() {
    let deep = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(scan(deep(126).as_bytes()).is_ok());
    assert!(serde_json::from_str::<Value>(&deep(126)).is_ok());
    assert_eq!(flaw(deep(127).as_bytes()).3, "too deeply nested");
    assert_eq!(flaw(deep(100_000).as_bytes()).3, "too deeply nested");
}

#[test]
fn members_are_found_and_unescaped() {
    let body = br#" { "model" : "gpt\u002d4\ud83d\ude00o\n" ,"stream":true,"n":null, "stream_options":{"x":{"include_usage":false},"include_usage":true} } "#;
    let scan = scan(body).unwrap();
    assert_eq!(scan.get(body, "stream"), Some(&b"true"[..]));
    assert_eq!(scan.string(body, "model").unwrap().unwrap(), "gpt-4\u{1f600}o\n");
    assert_eq!(scan.boolean(body, "stream"), Ok(Some(true)));
    assert_eq!(scan.boolean(body, "n"), Ok(None));
    assert!(scan.boolean(body, "model").is_err());
    assert_eq!(scan.raw(body, "stream_options").unwrap().get("include_usage").unwrap().boolean(), Some(true));
    let names: Vec<_> = scan.members(body).map(|(name, _)| name).collect();
    assert_eq!(names, ["model", "stream", "n", "stream_options"]);
}

#[test]
fn a_patch_sets_adds_and_removes() {
    let check = |body: &str, edits: &[(&str, Edit<'_>)], expect: &str| {
        let scan = scan(body.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(patch(body.as_bytes(), &scan, edits)).unwrap(), expect);
    };
    let set = Edit::Set(b"7");
    check(r#" { "a" : 1 , "b" : 2 } "#, &[("a", set)], r#" { "a" : 7 , "b" : 2 } "#);
    check(r#"{"a":1,"b":2}"#, &[("c", set)], r#"{"a":1,"b":2,"c":7}"#);
    check(r#"{"a":1, "b":2, "c":3}"#, &[("a", Edit::Remove)], r#"{ "b":2, "c":3}"#);
    check(r#"{"a":1, "b":2}"#, &[("b", Edit::Remove), ("x", Edit::Remove)], r#"{"a":1}"#);
    check(r#"{"a":1}"#, &[("a", Edit::Remove), ("c", set)], r#"{"c":7}"#);
    check("{ }\n", &[("c", set)], "{\"c\":7}\n");
    check("{}", &[], "{}");
}

/// Bytes that are often valid JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"a\":"),
        Just("1"),
        Just("-0.5e+3"),
        Just("01"),
        Just("true"),
        Just("null"),
        Just("nul"),
        Just(" "),
        Just("\n"),
        Just("\"\\u00e9\""),
        Just("\"\\ud83d\\ude00\""),
        Just("\"\\ud83d\""),
        Just("\"\\x\""),
        Just("\"é\""),
        Just("\"\u{1}\""),
        Just("\"b\":"),
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat().into_bytes()),
        (tree(), any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(|(tree, at, byte, hit)| {
            let mut bytes = serde_json::to_vec(&serde_json::json!({ "k": tree })).unwrap();
            if hit {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        }),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What a walk over `raw` finds, as a tree.
fn rebuilt(raw: Raw<'_>) -> Value {
    match raw.kind() {
        Kind::Object => Value::Object(raw.members().map(|(key, value)| (key.into_owned(), rebuilt(value))).collect()),
        Kind::Array => Value::Array(raw.items().map(rebuilt).collect()),
        Kind::String => Value::String(raw.string().unwrap().into_owned()),
        // A tree cannot hold every number.
        _ => serde_json::from_str(raw.text()).unwrap_or_else(|_| raw.text().into()),
    }
}

/// What the checker meets on its way through any value, as a tree.
fn met(checker: &mut Checker<'_>) -> Result<Value, Flaw> {
    let (text, start) = (checker.text(), checker.at());
    match text.as_bytes().get(start) {
        Some(b'{') => {
            let mut members = serde_json::Map::new();
            checker.members(|checker, name| {
                members.insert(name.text(text).into_owned(), met(checker)?);
                Ok(())
            })?;
            Ok(Value::Object(members))
        }
        Some(b'[') => {
            let mut items = Vec::new();
            checker.items(|checker| met(checker).map(|item| items.push(item)))?;
            Ok(Value::Array(items))
        }
        _ => checker.value().map(rebuilt),
    }
}

#[test]
fn what_is_left_alone_is_checked_all_the_same() {
    let check =
        |text| check_by(text, |checker| checker.members(|_, _| Ok(())).and_then(|()| checker.items(|_| Ok(()))));
    assert_eq!(check(r#"{"a":[{"b":tru}]}"#), Err(Flaw { offset: 14, problem: "expected a value" }));
    let names = |text| {
        let mut names = Vec::new();
        let read = check_by(text, |checker| {
            checker.members(|_, name| {
                names.push(name.text(text).into_owned());
                Ok(())
            })
        });
        read.map(|()| names)
    };
    assert_eq!(names(r#" {"a":[1,{"x":2}],"\u0062":{}} "#), Ok(vec!["a".to_string(), "b".to_string()]));
    assert_eq!(names("[1]"), Ok(vec![]));
    assert!(names("[1").is_err() && names("{}{").is_err());
}

#[test]
fn a_document_of_more_values_than_are_noted_is_walked_all_the_same() {
    let item = r#"{"a":"sixteen letters and more","b":[{"c":[]},"sixteen letters and more"],"d":[1]}"#;
    let text = format!("[[{}],{item},[{item}]]", vec![item; 20_000].join(","));
    let (walked, mut spans) = (check(&text).map(rebuilt), Spans::default());
    assert_eq!(check_into(&text, &mut spans).map(rebuilt), walked);
    let body = format!("{{\"x\":{text},\"y\":{item}}}");
    let scan = scan(body.as_bytes()).unwrap();
    let members: Vec<_> = scan.members(body.as_bytes()).map(|(_, value)| rebuilt(value)).collect();
    assert_eq!(members, [walked.unwrap(), serde_json::from_str(item).unwrap()]);
}

#[test]
fn members_are_picked_in_one_pass() {
    let value = Raw::parse(r#"{"a":1,"b":null,"\u0063":[2],"a":3}"#).unwrap();
    assert_eq!(
        value.pick(["c", "a", "b", "d"]).map(|found| found.map(Raw::text)),
        [Some("[2]"), Some("3"), None, None]
    );
    assert_eq!(Raw::parse("[1]").unwrap().pick(["a"]), [None]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_scan_agrees_with_serde_json(body in nearly_json()) {
        let theirs = serde_json::from_slice::<Value>(&body);
        match (scan(&body), theirs) {
            (Ok(scan), Ok(Value::Object(members))) => {
                prop_assert_eq!(scan.members(&body).count(), members.len());
                for (name, value) in scan.members(&body) {
                    prop_assert_eq!(Some(&serde_json::from_str::<Value>(value.text()).unwrap()), members.get(&*name));
                    prop_assert_eq!(Some(&rebuilt(value)), members.get(&*name));
                }
            }
            // A name given twice, or a value that is not an object.
            (Err(BadBody::Field { .. }), Ok(_)) | (Err(_), Err(_)) => {}
            // Our checker knows only the grammar of numbers; `serde_json` also limits their range.
            (ours, Err(error)) if error.to_string().contains("out of range") => prop_assert!(ours.is_ok()),
            (ours, theirs) => prop_assert!(false, "{ours:?} but {theirs:?}"),
        }
    }

    #[test]
    fn what_the_checker_meets_is_what_is_there(body in nearly_json()) {
        if let Ok(text) = core::str::from_utf8(&body) {
            let checked = check(text);
            prop_assert_eq!(check_by(text, met), checked.map(rebuilt));
            let mut spans = Spans::default();
            // Notes on another document do no harm.
            let _ = check_into(r#"{"long enough to be noted":["long enough to be noted"]}"#, &mut spans);
            prop_assert_eq!(check_into(text, &mut spans).map(rebuilt), checked.map(rebuilt));
        }
    }

    #[test]
    fn a_known_beginning_need_not_be_walked_again(tree in tree(), next in nearly_json()) {
        let text = format!("{{\"a\": 1, \"\\u0062\":{tree} , \"c\":[2]}}");
        let mut begins = Vec::new();
        check_by(&text, |checker| checker.members(|_, name| {
            begins.push(name.begin());
            Ok(())
        })).unwrap();
        prop_assert_eq!(begins.len(), 3);
        for at in begins.split_off(1) {
            // Another text with the same beginning that goes on with members, or with anything.
            for rest in [text[at..].to_string(), String::from_utf8_lossy(&next).into_owned()] {
                let other = [&text[..at], &rest].concat();
                let names = |from| {
                    let mut names = Vec::new();
                    let on = |checker: &mut Checker<'_>, name: Name| {
                        let start = checker.at();
                        checker.value()?;
                        names.push((name.begin(), name.text(&other).into_owned(), checker.since(start).text().to_string()));
                        Ok(())
                    };
                    let read = check_by(&other, |checker| match from {
                        0 => checker.members(on),
                        from => checker.members_from(from, on),
                    });
                    names.retain(|(begin, ..)| *begin >= at);
                    read.map(|()| names)
                };
                prop_assert_eq!(names(at), names(0));
            }
        }
    }

    #[test]
    fn a_patch_leaves_other_bytes_untouched(before in tree(), value in tree(), after in tree()) {
        let (before, value, after) = (before.to_string(), value.to_string(), after.to_string());
        let body = format!("{{ \"before\" : {before},\"it\": {value} ,\n\"after\":{after} }} ");
        let found = scan(body.as_bytes()).unwrap();
        let set = patch(body.as_bytes(), &found, &[("it", Edit::Set(b"7"))]);
        prop_assert_eq!(String::from_utf8(set).unwrap(), format!("{{ \"before\" : {before},\"it\": 7 ,\n\"after\":{after} }} "));
        let removed = patch(body.as_bytes(), &found, &[("it", Edit::Remove)]);
        prop_assert_eq!(String::from_utf8(removed).unwrap(), format!("{{ \"before\" : {before},\n\"after\":{after} }} "));
    }

    #[test]
    fn a_written_string_reads_back(text in any::<String>()) {
        let mut out = Vec::new();
        write::string(&mut out, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
        prop_assert_eq!(check(core::str::from_utf8(&out).unwrap()).unwrap().string().unwrap(), text);
    }

    #[test]
    fn a_written_number_reads_back(number in any::<u64>()) {
        let mut out = Vec::new();
        write::number(&mut out, number);
        prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

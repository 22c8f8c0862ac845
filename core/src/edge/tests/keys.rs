//! Keys: where they come, and what they may use.

use super::*;

#[test]
fn a_key_may_come_in_the_header_of_each_api() {
    for header in ["x-api-key", "x-goog-api-key", "api-key"] {
        let mut headers = CHAT.to_vec();
        headers[2] = (header, "weir-1");
        let passed = Edge::default().headers(&routing(), &headers, false).unwrap();
        assert!(passed.iter().all(|(name, value)| *name != header && !value.contains("weir-1")), "{passed:?}");
        headers[2] = (header, "weir-2");
        assert_eq!(refusal(&headers, "{}"), (401, "invalid_api_key".into()));
        // Azure's clients send their own token beside a key, and others an empty one.
        for other in ["Bearer another", "Bearer ", ""] {
            headers[2] = ("authorization", other);
            headers.push((header, "weir-1"));
            let passed = Edge::default().headers(&routing(), &headers, false).unwrap();
            assert!(passed.iter().all(|(name, _)| *name != header && *name != "authorization"), "{passed:?}");
            headers.pop();
        }
    }
}

#[test]
fn unknown_clients_get_nothing() {
    assert_eq!(refusal(&CHAT[..2], "{}"), (401, "missing_api_key".into()));
    assert_eq!(refusal(&with("authorization", "Bearer weir-2"), "{}"), (401, "invalid_api_key".into()));
    assert_eq!(refusal(&with("authorization", "Basic weir-1"), "{}"), (401, "invalid_api_key".into()));
    let mut models = with("authorization", "Bearer nobody");
    models[0] = (":method", "GET");
    models[1] = (":path", "/v1/models");
    assert_eq!(refusal(&models, "").0, 401);
}

#[test]
fn a_key_is_worthless_once_it_has_expired() {
    let mut routing = routing();
    routing.keys.values_mut().for_each(|key| key.expires = Some(100));
    let at = |millis: u64, headers: &[(&'static str, &'static str)]| {
        let now = Instant::from_nanos(millis * 1_000_000);
        let answer = Edge::new(Origin::default(), now).headers(&routing, headers, false).err()?;
        Some((answer.status, String::from_utf8(answer.body).unwrap()))
    };
    assert_eq!(at(99_999, &CHAT), None);
    let (status, told) = at(100_000, &CHAT).unwrap();
    assert!(status == 401 && told.contains(r#""code":"expired_api_key""#), "{told}");
    let (status, told) = at(100_000, &with(":path", "/v1/messages")).unwrap();
    assert!(status == 401 && told.contains(r#""type":"authentication_error""#) && told.contains("expired"), "{told}");
}

#[test]
fn the_model_list_shows_what_the_key_may_use() {
    let list = |path: &'static str| {
        let mut headers = with(":path", path);
        headers[0] = (":method", "GET");
        Edge::default().headers(&routing(), &headers, true).unwrap_err()
    };
    let body = String::from_utf8(list("/v1/models").body).unwrap();
    assert!(body.contains("\"gpt\"") && !body.contains("\"other\""), "{body}");
    assert_eq!(list("/v1/models/gpt").status, 200);
    assert_eq!(list("/v1/models/other").status, 404);
}

/// Version 1 of Google's SDK asks this path, too, and saw no models.
#[test]
fn the_model_list_is_in_the_shape_of_the_callers_api() {
    let list = |own: &[(&'static str, &'static str)]| {
        let mut headers = vec![(":method", "GET"), (":path", "/v1/models")];
        headers.extend(own);
        String::from_utf8(Edge::default().headers(&routing(), &headers, true).unwrap_err().body).unwrap()
    };
    assert!(list(&[("authorization", "Bearer weir-1")]).contains(r#""object":"list""#));
    assert!(list(&[("x-api-key", "weir-1"), ("anthropic-version", "2023-06-01")]).contains(r#""has_more":false"#));
    assert!(list(&[("x-goog-api-key", "weir-1")]).contains(r#""name":"models/gpt""#));
}

/// `OpenRouter` falls back to any of `models`, whatever the key may use in Weir.
#[test]
fn a_key_that_may_use_some_models_only_chooses_no_other_behind_them() {
    let mut all = routing();
    all.keys.insert(KeyHash::of(b"weir-1"), Key { name: "team".into(), ..Key::default() });
    let asked = |routing: &Routing, path, body: &str| {
        let mut edge = Edge::default();
        edge.headers(routing, &with(":path", path), false)?;
        edge.body(routing, &Cells::new(), Instant::default(), body.as_bytes())
    };
    let chat = "/v1/chat/completions";
    for (path, body) in [
        (chat, r#"{"model":"gpt","models":["other"],"messages":[]}"#),
        ("/v1/responses", r#"{"model":"gpt","input":"a","tools":[{"type":"image_generation","model":"other"}]}"#),
        ("/v1/embeddings", r#"{"model":"gpt","input":"a","fallbacks":["other"]}"#),
    ] {
        let refused = asked(&routing(), path, body).unwrap_err();
        assert_eq!((refused.status, refused.outcome.as_str()), (403, "model_not_allowed"), "{body}");
        assert!(asked(&all, path, body).is_ok(), "{body}");
    }
    let form =
        FORM.replacen("--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"models[]\"\r\n\r\nx\r\n--b\r\n", 1);
    assert_eq!(upload(&mut Edge::default(), &routing(), &form).unwrap_err().outcome, "model_not_allowed");
    assert!(upload(&mut Edge::default(), &all, &form).is_ok());
}

//! Paths and methods: which ones are served, and what a caller of a wrong one is told.

use super::*;

#[test]
fn slashes_that_a_base_url_brings_do_not_matter() {
    let routing = Routing { forgives_paths: true, ..routing() };
    for path in
        ["/v1//chat/completions", "//v1/chat///completions?x=1", "/v1/chat/completions/", "/v1/chat/completions//?x"]
    {
        let headers = Edge::default().headers(&routing, &with(":path", path), false).unwrap();
        assert_eq!(headers[1].1, "/v1/chat/completions", "{path}");
    }
    let escaped = with(":path", "/v1beta/models//g%70t:generateContent");
    assert!(Edge::default().headers(&routing, &escaped, false).is_ok());
}

/// An operator's rules run before Weir, and have judged the path as the caller wrote it.
#[test]
fn in_an_operators_envoy_a_path_is_written_in_one_way() {
    for (path, right) in [
        ("/v1//chat/completions", "/v1/chat/completions"),
        ("//v1/chat///completions?x=1", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/chat/completions/", "/v1/chat/completions"),
        ("/v1beta//models/gpt:generateContent", "/v1beta/models/gpt:generateContent"),
        ("/v1beta/models/g%70t:generateContent", "/v1beta/models/gpt:generateContent"),
        ("/v1/models/gpt%2d4:countTokens/", "/v1/models/gpt-4:countTokens"),
        ("/v1beta/models/org%2Fm%3a1:embedContent", "/v1beta/models/org/m:1:embedContent"),
        ("/v1beta/models/%c3%a9:embedContent", "/v1beta/models/%C3%A9:embedContent"),
        ("/v1beta/models/m%:embedContent", "/v1beta/models/m%25:embedContent"),
        ("/v1/models/", "/v1/models"),
        ("/v1//models/gpt", "/v1/models/gpt"),
    ] {
        let answer = Edge::default().headers(&routing(), &with(":path", path), false).unwrap_err();
        let body = String::from_utf8(answer.body).unwrap();
        assert!(answer.status == 404 && body.contains(&format!("Did you mean {right}?")), "{path}: {body}");
        // The path that the error names is served.
        let mut right = with(":path", right.to_string().leak());
        right[0] = if right[1].1.starts_with("/v1/models") && !right[1].1.contains(":count") {
            (":method", "GET")
        } else {
            right[0]
        };
        let served = Edge::default().headers(&routing(), &right, false).map_or_else(|answer| answer.status, |_| 200);
        assert_eq!(served, 200, "{right:?}");
    }
    for path in ["/healthz/", "//readyz"] {
        assert_eq!(Edge::default().headers(&routing(), &with(":path", path), true).unwrap_err().status, 404, "{path}");
    }
    // A name that must be escaped, and a name in the list, where clients escape more than needed.
    assert!(Edge::default().headers(&routing(), &with(":path", "/v1beta/models/%C3%A9:embedContent"), false).is_ok());
    let mut list = with(":path", "/v1/models/g%70t");
    list[0] = (":method", "GET");
    assert_eq!(Edge::default().headers(&routing(), &list, false).unwrap_err().status, 200);
}

/// A base URL with no version or with two is a common first mistake.
#[test]
fn a_path_that_is_nearly_right_is_told_the_right_one() {
    let told = |path| {
        let answer = ask(&with(":path", path), "{}", &Cells::new()).unwrap_err();
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    for (path, right) in [
        ("/chat/completions", "Did you mean /v1/chat/completions?"),
        ("/v1/v1/responses/", "Did you mean /v1/responses?"),
        ("/models", "Did you mean /v1/models?"),
    ] {
        let (status, body) = told(path);
        assert!(status == 404 && body.contains(right) && body.contains(r#""param":null"#), "{path}: {body}");
    }
    let (status, body) = told("/messages");
    assert!(status == 404 && body.contains("/v1/messages?") && body.starts_with(r#"{"type":"error""#), "{body}");
    let (status, body) = told("/models/gpt:generateContent");
    assert!(status == 404 && body.contains("/v1beta/models/gpt:generateContent?"), "{body}");
    assert!(body.contains("NOT_FOUND"), "{body}");
}

#[test]
fn head_is_answered_where_get_is() {
    for path in ["/healthz", "/readyz", "/v1/models", "/v1/models/gpt", "/v1beta/models"] {
        let mut headers = with(":path", path);
        headers[0] = (":method", "HEAD");
        assert_eq!(Edge::default().headers(&routing(), &headers, true).unwrap_err().status, 200, "{path}");
    }
    let mut headers = with(":method", "HEAD");
    let refused = Edge::default().headers(&routing(), &headers, true).unwrap_err();
    assert_eq!((refused.status, refused.headers.contains(&("allow", "POST".into()))), (405, true));
    (headers[0], headers[1]) = ((":method", "DELETE"), (":path", "/v1/models"));
    let refused = Edge::default().headers(&routing(), &headers, true).unwrap_err();
    assert!(refused.headers.contains(&("allow", "GET, HEAD".into())));
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    for (name, value, allowed) in [(":path", "/v1beta/models/gpt", "GET, HEAD"), (":method", "PUT", "POST")] {
        let answer = ask(&with(name, value), "{}", &Cells::new()).unwrap_err();
        assert!(answer.headers.contains(&("allow", allowed.to_string())), "{:?}", answer.headers);
    }
}

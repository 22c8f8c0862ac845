//! Bodies: what a request must say, in JSON or in a form, and how large it may be.

use super::*;

#[test]
fn a_bad_request_is_told_what_is_wrong() {
    assert_eq!(refusal(&CHAT, r#"{"model":"#), (400, "invalid_json".into()));
    assert_eq!(refusal(&CHAT, "{}"), (400, "missing_required_parameter".into()));
    assert_eq!(refusal(&CHAT, r#"{"model":7}"#), (400, "invalid_value".into()));
    assert_eq!(refusal(&CHAT, r#"{"model":"gpt","stream":"yes"}"#), (400, "invalid_value".into()));
    assert_eq!(refusal(&CHAT, r#"{"model":"nope"}"#), (404, "model_not_found".into()));
    assert_eq!(refusal(&CHAT, r#"{"model":"other"}"#), (403, "model_not_allowed".into()));
    assert_eq!(refusal(&with(":path", "/v2/x"), "{}"), (404, "unknown_path".into()));
    assert_eq!(refusal(&with(":path", "/v1beta/models/gpt:predict"), "{}"), (404, "unknown_path".into()));
    assert_eq!(refusal(&with(":path", "/v1/models/gpt:predict"), "{}"), (404, "unknown_path".into()));
    assert_eq!(refusal(&with(":path", "/v1beta/models/gpt"), "{}"), (405, "method_not_allowed".into()));
    assert_eq!(refusal(&with(":method", "PUT"), "{}"), (405, "method_not_allowed".into()));
}

/// A reader that takes `Model` for `model` takes the last one.
#[test]
fn a_name_in_another_case_is_refused_at_every_endpoint() {
    for endpoint in Endpoint::ALL {
        let path = match endpoint.path() {
            path if path.contains("/v1beta/") => "/v1beta/models/gpt:generateContent",
            path => path,
        };
        for body in
            [r#"{"model":"gpt","Model":"other"}"#, r#"{"model":"gpt","STREAM":true}"#, r#"{"\u004dodel":"gpt"}"#]
        {
            let refused = if endpoint.body() == weir_hub::endpoint::BodyKind::Json {
                refusal(&with(":path", path), body)
            } else {
                let more = FORM.replacen(
                    "--b\r\n",
                    "--b\r\nContent-Disposition: form-data; name=\"Model\"\r\n\r\nx\r\n--b\r\n",
                    1,
                );
                (400, upload(&mut Edge::default(), &routing(), &more).unwrap_err().outcome)
            };
            assert_eq!(refused, (400, "invalid_value".into()), "{path} {body}");
        }
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_as_early_as_it_is_known() {
    let mut edge = Edge::default();
    let mut headers = CHAT.to_vec();
    headers.push(("content-length", "201"));
    assert_eq!(edge.headers(&routing(), &headers, false).unwrap_err().status, 413);
    let mut edge = Edge::default();
    edge.headers(&routing(), &CHAT, false).unwrap();
    assert!(edge.body_so_far(&routing(), 200, &mut Load::new(), &mut Share::default()).is_ok());
    assert_eq!(edge.body_so_far(&routing(), 201, &mut Load::new(), &mut Share::default()).unwrap_err().status, 413);
    assert_eq!(edge.subject.answered.as_deref(), Some("request_too_large"));
}

#[test]
fn a_form_is_planned_by_its_model_field_without_being_held() {
    let plan = upload(&mut Edge::default(), &routing(), FORM).unwrap();
    assert_eq!(
        (plan.asked.endpoint, plan.asked.delivery, plan.model.as_str()),
        (Endpoint::Transcriptions, Delivery::Whole, "gpt")
    );
    let streamed = FORM.replace(
        "--b\r\nContent-Disposition: form-data; name=\"file\"",
        "--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b\r\nContent-Disposition: form-data; name=\"file\"",
    );
    assert_eq!(upload(&mut Edge::default(), &routing(), &streamed).unwrap().asked.delivery, Delivery::Streamed);
    let refused = |body: &str| upload(&mut Edge::default(), &routing(), body).unwrap_err().outcome;
    assert_eq!(refused(&FORM.replace("\"model\"", "\"modal\"")), "missing_required_parameter");
    assert_eq!(refused(&FORM.replace("gpt", "gpt-9")), "model_not_found");
    assert_eq!(refused("--b--\r\n"), "missing_required_parameter");
    assert_eq!(refused(FORM.trim_end_matches("--b--\r\n")), "invalid_value");
}

/// With `charset=utf-7`, the provider read `+AG0-odel` as a second field `model`. With `boundary*`, it read the whole
/// body as another form.
#[test]
fn a_form_goes_on_with_its_boundary_and_nothing_else() {
    let form = |content_type| {
        let mut headers = with(":path", "/v1/audio/transcriptions");
        headers.iter_mut().filter(|(name, _)| *name == "content-type").for_each(|pair| pair.1 = content_type);
        // If there are two, the provider may take either.
        headers.push(("content-type", "multipart/form-data; boundary=other"));
        let passed = Edge::default().headers(&routing(), &headers, false)?;
        let kinds = passed.iter().filter(|(name, _)| *name == "content-type");
        Ok::<_, Answer>(kinds.map(|(_, value)| value.to_string()).collect::<Vec<_>>())
    };
    for kind in ["multipart/form-data; charset=UTF-8; boundary=\"b\"", "Multipart/Form-Data;BOUNDARY=b;"] {
        assert_eq!(form(kind).unwrap(), ["multipart/form-data; boundary=b"], "{kind}");
    }
    for kind in
        ["multipart/form-data; boundary=b; charset=utf-7", "multipart/form-data; boundary=b; boundary*=UTF-8''c"]
    {
        let refused = form(kind).unwrap_err();
        assert_eq!((refused.status, refused.outcome.as_str()), (400, "invalid_value"), "{kind}");
    }
    for kind in ["application/json; charset=utf-7", "text/plain", "application/json; charset=utf-16"] {
        let passed = Edge::default().headers(&routing(), &with("content-type", kind), false).unwrap();
        let kinds: Vec<_> =
            passed.iter().filter(|(name, _)| *name == "content-type").map(|(_, kind)| &**kind).collect();
        assert_eq!(kinds, ["application/json"], "JSON is UTF-8");
    }
}

#[test]
fn a_worker_takes_only_so_much() {
    let mut routing = routing();
    routing.body.0.insert(Endpoint::Transcriptions, 50 << 20);
    routing.held = 10 << 20;
    let headers = {
        let mut headers = with(":path", "/v1/audio/transcriptions");
        headers
            .iter_mut()
            .filter(|(name, _)| *name == "content-type")
            .for_each(|pair| pair.1 = "multipart/form-data; boundary=b");
        headers
    };
    let begun = || {
        let mut edge = Edge::default();
        edge.headers(&routing, &headers, false).unwrap();
        edge
    };
    let mut load = Load::new();
    let mut share = begun().enter(&routing, &mut load).unwrap();
    begun().body_so_far(&routing, 8 << 20, &mut load, &mut share).unwrap();
    let busy = begun().body_so_far(&routing, 5 << 20, &mut load, &mut Share::default()).unwrap_err();
    assert_eq!((busy.status, busy.outcome.as_str()), (429, "too_many_large_bodies"));
    assert!(busy.headers.contains(&("retry-after", "1".into())));

    let of_key = Routing { in_flight_per_key: 1, ..routing.clone() };
    let busy = begun().enter(&of_key, &mut load).unwrap_err();
    assert_eq!((busy.status, busy.outcome.as_str()), (429, "too_many_in_flight"));
    let of_worker = Routing { in_flight: 1, ..routing.clone() };
    let busy = begun().enter(&of_worker, &mut load).unwrap_err();
    assert_eq!((busy.status, busy.outcome.as_str()), (503, "gateway_busy"));
    assert!(busy.headers.contains(&("retry-after", "1".into())));
}

/// A body of 15 MB with only `{}` in its list took seconds for each target, and no timer can end that.
#[test]
fn a_request_has_only_so_many_parts_whatever_its_length() {
    let routing = Routing { parts: Some(3), ..routing() };
    let ask = |content: &str| {
        let mut edge = Edge::default();
        edge.headers(&routing, &CHAT, false).unwrap();
        let body = format!(r#"{{"model":"gpt","messages":[{{"role":"user","content":{content}}}]}}"#);
        edge.body(&routing, &Cells::new(), Instant::default(), body.as_bytes())
    };
    assert!(ask("[{},{}]").is_ok());
    let refused = ask("[{},{},{}]").unwrap_err();
    assert_eq!((refused.status, refused.outcome.as_str()), (413, "too_many_parts"));
    let body = String::from_utf8(refused.body).unwrap();
    assert!(
        body.contains("The request has 1 messages, 3 parts and calls, and 0 tools; one may have 3 of all together.")
    );
}

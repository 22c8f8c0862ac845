use core::time::Duration;
use std::prelude::v1::*;

use weir_hub::endpoint::UsageChunk;
use weir_hub::fault::FaultKind;

use super::*;
use crate::config::{Class, Key, Model, Target};
use crate::health::cooldown::Cooldown;
use crate::health::cooldown::tests::{Cells, cool};
use crate::upstream::Upstream;

fn target(provider: &str) -> Target {
    Target { provider: provider.into(), model: "gpt".into() }
}

fn routing() -> Routing {
    let model = |targets| Model {
        reserve_output: None,
        max_output: None,
        targets,
        whole: Class { name: "whole-1000-9000".into(), ..Class::default() },
        streamed: Class { name: "stream-1000-1000-9000".into(), ..Class::default() },
        owned_by: "w".into(),
    };
    let mut routing = Routing::default();
    routing.body.0.insert(Endpoint::Chat, 200);
    for (provider, dialect) in [("a", "openai"), ("b", "openai"), ("c", "anthropic"), ("l", "local")] {
        let upstream = Upstream { provider: provider.into(), dialect: dialect.into(), ..Upstream::default() };
        routing.upstreams.insert(provider.into(), upstream);
    }
    routing.models.insert("gpt".into(), model(vec![target("a"), target("b")]));
    routing.models.insert("other".into(), model(vec![target("a")]));
    routing.models.insert("local".into(), model(vec![target("l")]));
    let key = |models: Option<&[&str]>| Key {
        name: "team".into(),
        models: models.map(|models| models.iter().map(|model| (*model).into()).collect()),
        expires: None,
    };
    routing.keys.insert(KeyHash::of(b"weir-1"), key(Some(&["gpt", "local"])));
    routing
}

const CHAT: [(&str, &str); 7] = [
    (":method", "POST"),
    (":path", "/v1/chat/completions?x=1"),
    ("authorization", "Bearer weir-1"),
    ("cookie", "c=1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("content-type", "application/json"),
    ("x-request-id", "r-1"),
];

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    CHAT.iter().map(|pair| if pair.0 == name { (name, value) } else { *pair }).collect()
}

fn ask(headers: &[(&'static str, &'static str)], body: &str, shared: &Cells) -> Result<Forward, Answer> {
    let mut edge = Edge::default();
    edge.headers(&routing(), headers, false)?;
    edge.body(&routing(), shared, Instant::from_nanos(5), body.as_bytes())
}

fn plan(body: &str, shared: &Cells) -> Plan {
    Plan::from_text(&ask(&CHAT, body, shared).unwrap().plan).unwrap()
}

fn refusal(headers: &[(&'static str, &'static str)], body: &str) -> (u16, String) {
    let answer = ask(headers, body, &Cells::new()).unwrap_err();
    let error: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(error["error"]["message"].is_string(), "every refusal is an OpenAI error object");
    (answer.status, answer.outcome)
}

fn cooldown(provider: &str, kind: FaultKind, until: Instant) -> Cooldown {
    Cooldown { provider: provider.into(), version: 0, model: "gpt".into(), kind, until, times: 0, on_trial: false }
}

fn resting(provider: &str, kind: FaultKind) -> Cells {
    let until = Instant::from_nanos(5).after(Duration::from_millis(1500));
    let mut shared = Cells::new();
    cool(&mut shared, &cooldown(provider, kind, until), Instant::default());
    shared
}

#[test]
fn a_request_goes_on_with_a_plan_and_none_of_the_callers_secrets() {
    let forward = ask(&CHAT, r#"{"model":"gpt","messages":[]}"#, &Cells::new()).unwrap();
    assert!(forward.plan.starts_with("a|") && forward.plan.ends_with("#whole-1000-9000"));
    let headers = Edge::default().headers(&routing(), &CHAT, false).unwrap();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [":method", ":path", "accept-encoding", "user-agent", "content-type", "x-request-id"]);
    assert_eq!(headers[1].1, "/v1/chat/completions", "what the query says is for nobody else");
}

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
fn a_stream_takes_the_route_with_its_limits() {
    let plan = plan(r#"{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}"#, &Cells::new());
    assert_eq!((plan.class.as_str(), plan.asked.usage), ("stream-1000-1000-9000", UsageChunk::Wanted));
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
fn a_wrong_method_is_told_the_right_one() {
    for (name, value, allowed) in [(":path", "/v1beta/models/gpt", "GET, HEAD"), (":method", "PUT", "POST")] {
        let answer = ask(&with(name, value), "{}", &Cells::new()).unwrap_err();
        assert!(answer.headers.contains(&("allow", allowed.to_string())), "{:?}", answer.headers);
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
fn a_resting_target_is_passed_over_while_another_can_answer() {
    let plan = plan(r#"{"model":"gpt"}"#, &resting("a", FaultKind::RateLimited));
    assert_eq!(plan.targets.iter().map(|target| target.provider.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(plan.passed_over[0].1, "resting after rate_limited");
}

#[test]
fn if_all_rest_for_a_rate_limit_the_caller_is_told_how_long() {
    let mut shared = resting("a", FaultKind::RateLimited);
    let until = Instant::from_nanos(5).after(Duration::from_secs(9));
    cool(&mut shared, &cooldown("b", FaultKind::RateLimited, until), Instant::default());
    let answer = ask(&CHAT, r#"{"model":"gpt"}"#, &shared).unwrap_err();
    assert_eq!(answer.status, 429);
    assert!(answer.headers.contains(&("retry-after", "2".into())), "{:?}", answer.headers);
}

/// The record of such a request named neither the targets nor the reasons.
#[test]
fn the_record_tells_who_was_not_asked_where_nobody_was() {
    let mut shared = resting("a", FaultKind::RateLimited);
    cool(
        &mut shared,
        &cooldown("b", FaultKind::RateLimited, Instant::from_nanos(5).after(Duration::from_secs(9))),
        Instant::default(),
    );
    let mut edge = Edge::default();
    edge.headers(&routing(), &CHAT, false).unwrap();
    let refused = edge.body(&routing(), &shared, Instant::from_nanos(5), br#"{"model":"gpt","messages":[]}"#);
    assert_eq!(refused.unwrap_err().outcome, "rate_limited");
    let ending =
        Ending { now: Instant::from_nanos(6), client_left: false, caller_paused: false, connected: true, details: "" };
    let record = edge.record(None, None, &ending);
    for target in ["a/gpt", "b/gpt"] {
        let told = format!(r#"{{"target":"{target}","why":"resting after rate_limited"}}"#);
        assert!(record.contains(&told), "{record}");
    }
}

#[test]
fn a_rest_for_a_fault_of_ours_is_broken_if_nothing_else_is_left() {
    let mut shared = resting("a", FaultKind::Auth);
    let until = Instant::from_nanos(5).after(Duration::from_secs(9));
    cool(&mut shared, &cooldown("b", FaultKind::Auth, until), Instant::default());
    assert_eq!(plan(r#"{"model":"gpt"}"#, &shared).targets.len(), 2);
}

#[test]
fn a_target_that_cannot_express_the_request_is_no_candidate() {
    let (status, code) = refusal(&CHAT, r#"{"model":"local","messages":[]}"#);
    assert_eq!(status, 400, "{code}");
}

#[test]
fn a_target_whose_model_cannot_express_the_request_is_passed_over() {
    let mut routing = routing();
    let claude = Target { provider: "c".into(), model: "claude-opus-4-8".into() };
    routing.models.get_mut("gpt").unwrap().targets.push(claude);
    let mut edge = Edge::default();
    edge.headers(&routing, &CHAT, false).unwrap();
    let body = br#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"temperature":0.2}"#;
    let forward = edge.body(&routing, &Cells::new(), Instant::from_nanos(5), body).unwrap();
    let plan = Plan::from_text(&forward.plan).unwrap();
    assert_eq!(plan.targets.len(), 2);
    assert_eq!(
        (plan.passed_over[0].0.provider.as_str(), plan.passed_over[0].1.as_str()),
        ("c", "unsupported_parameter: temperature")
    );
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

#[test]
fn a_request_id_that_could_break_a_log_is_not_kept() {
    let headers = with("x-request-id", "a\"b");
    let headers = Edge::default().headers(&routing(), &headers, false).unwrap();
    assert!(headers.contains(&("x-request-id", "".into())));
}

/// Two callers may send the same id, so Weir does not use a caller's id as its own.
#[test]
fn a_callers_own_id_stands_beside_ours() {
    let ending = || Ending {
        now: Instant::from_nanos(6),
        client_left: false,
        caller_paused: false,
        connected: true,
        details: "",
    };
    let long = "a".repeat(1000);
    for (sent, kept) in
        [("their-1", "their-1"), ("\"},{\"", r#"\"},{\""#), ("a b", ""), ("é", ""), (&long, &long[..128])]
    {
        let mut headers: Vec<(&str, &str)> = CHAT.to_vec();
        headers.push((CALLERS_ID, sent));
        let mut edge = Edge::default();
        let passed = edge.headers(&routing(), &headers, false).unwrap();
        assert!(passed.iter().all(|(name, _)| *name != CALLERS_ID), "it is for nobody else");
        let record = edge.record(None, None, &ending());
        let told = format!(r#""caller_request_id":"{kept}","request_id":"r-1"#);
        assert_eq!(record.contains(&told), !kept.is_empty(), "{record}");
        assert!(record.ends_with(r#""request_id":"r-1"#), "{record}");
    }
}

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt\r\n--b\r\nContent-Disposition: form-data; \
    name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";

fn upload(edge: &mut Edge, routing: &Routing, body: &str) -> Result<Plan, Answer> {
    let mut headers = with(":path", "/v1/audio/transcriptions");
    headers
        .iter_mut()
        .filter(|(name, _)| *name == "content-type")
        .for_each(|pair| pair.1 = "multipart/form-data; boundary=b");
    let passed = edge.headers(routing, &headers, false)?;
    assert!(passed.contains(&("content-type", "multipart/form-data; boundary=b".into())));
    assert!(edge.reads_form());
    for slice in body.as_bytes().chunks(7) {
        edge.slice(slice)?;
    }
    let forward = edge.form(routing, &Cells::new(), Instant::default(), body.len() as u64)?;
    Ok(Plan::from_text(&forward.plan).unwrap())
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

/// `OpenRouter` falls back to any of `models`, whatever the key may use in Weir.
#[test]
fn a_key_that_may_use_some_models_only_chooses_no_other_behind_them() {
    let mut all = routing();
    all.keys.insert(KeyHash::of(b"weir-1"), Key { name: "team".into(), models: None, expires: None });
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

/// The reason is in the plan's text and in the log.
#[test]
fn a_name_that_a_caller_made_up_is_logged_short_and_visible() {
    let mut routing = routing();
    let claude = Target { provider: "c".into(), model: "claude-opus-4-8".into() };
    routing.models.get_mut("gpt").unwrap().targets.push(claude);
    let mut edge = Edge::default();
    edge.headers(&routing, &CHAT, false).unwrap();
    routing.body.0.clear();
    let body = r#"{"model":"gpt","messages":[{"role":"user","content":"a"}],"a\n\u001b[31m\u00e9@":1}"#
        .replace('@', &"x".repeat(130));
    let forward = edge.body(&routing, &Cells::new(), Instant::default(), body.as_bytes()).unwrap();
    let plan = Plan::from_text(&forward.plan).unwrap();
    assert_eq!(plan.passed_over[0].1, format!("unsupported_parameter: a??[31m?{}...", "x".repeat(120)));
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

#[test]
fn a_gateway_that_drains_is_alive_but_not_ready() {
    let asked = |routing: &Routing, path| {
        let answer = Edge::default().headers(routing, &[(":method", "GET"), (":path", path)], true).unwrap_err();
        (answer.status, answer.outcome)
    };
    let ready = routing();
    let draining = Routing { draining: true, ..routing() };
    for (routing, path) in [(&ready, "/healthz"), (&ready, "/readyz"), (&draining, "/healthz")] {
        assert_eq!(asked(routing, path), (200, "ok".into()), "{path}");
    }
    assert_eq!(asked(&draining, "/readyz"), (503, "draining".into()));
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

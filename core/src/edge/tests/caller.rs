//! Who calls: teams, what filters before Weir have verified, and where a client is.

use std::prelude::v1::*;

use super::*;
use crate::config::{Claim, Network, Team};

const EMBED: &str = r#"{"model":"gpt","input":"Hi"}"#;

/// A gateway with a team, a key of it, and both ways to be known without a key.
fn teams() -> Routing {
    let mut routing = routing();
    routing.body.0.clear();
    let models = Some(vec!["gpt".into()]);
    routing.teams.insert("search".into(), Team { access: Access { models, ..Access::default() } });
    let key = Key { name: "ada".into(), team: "search".into(), ..Key::default() };
    routing.keys.insert(KeyHash::of(b"weir-ada"), key);
    let teams = [("search".into(), "search".into()), ("eng".into(), "search".into())];
    routing.identities.claim = Some(Claim { teams: teams.into() });
    routing.identities.certificates = [("spiffe://a/search/".into(), "search".into())].into();
    routing.application_header = "x-application".into();
    routing
}

fn ada(routing: &mut Routing) -> &mut Key {
    routing.keys.get_mut(&KeyHash::of(b"weir-ada")).unwrap()
}

/// What becomes of a request to `path`: what the edge knows of it, and the code of a refusal.
fn ends(routing: &Routing, client: Client, headers: &[(&str, &str)], path: &str, body: &str) -> (Subject, String) {
    let mut all = vec![(":method", "POST"), (":path", path)];
    all.extend_from_slice(headers);
    let mut edge = Edge::default();
    edge.comes_from(client);
    let read = edge.headers(routing, &all, false).map(drop);
    let outcome =
        read.and_then(|()| edge.body(routing, &Cells::new(), Instant::from_nanos(5), body.as_bytes()).map(drop));
    let code = outcome.map_or_else(|answer| format!("{} {}", answer.status, answer.outcome), |()| "planned".into());
    (edge.subject, code)
}

const KEY: (&str, &str) = ("authorization", "Bearer weir-ada");
const CHAT_PATH: &str = "/v1/chat/completions";
const HI: &str = r#"{"model":"gpt","messages":[]}"#;

#[test]
fn the_record_says_who_asked_and_for_whom() {
    let body = r#"{"model":"gpt","messages":[],"user":"u-1","safety_identifier":"u-2"}"#;
    let headers = [KEY, ("x-application", " search-ui ")];
    let (subject, code) = ends(&teams(), Client::default(), &headers, CHAT_PATH, body);
    assert_eq!(code, "planned");
    assert_eq!((subject.key.as_str(), subject.team.as_str()), ("ada", "search"));
    assert_eq!((subject.user.as_str(), subject.application.as_str()), ("u-1", "search-ui"));
}

#[test]
fn a_user_is_named_as_each_api_does() {
    let named = |path: &'static str, fields: &str| {
        let body =
            format!(r#"{{"model":"gpt","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}],{fields}}}"#);
        ends(&teams(), Client::default(), &[KEY], path, &body).0.user
    };
    assert_eq!(named(CHAT_PATH, r#""safety_identifier":"u-2""#), "u-2");
    assert_eq!(named(CHAT_PATH, r#""user":"","safety_identifier":"u-2""#), "u-2");
    assert_eq!(named("/v1/messages", r#""metadata":{"user_id":"u-3"}"#), "u-3");
    assert_eq!(named(CHAT_PATH, r#""metadata":{"user_id":"u-3"}"#), "", "OpenAI's metadata is for its own log");
    assert_eq!(named(CHAT_PATH, r#""user":7"#), "");
    let long = "é".repeat(200);
    assert_eq!(named(CHAT_PATH, &format!(r#""user":"{long}""#)), "é".repeat(128));
}

#[test]
fn an_application_is_short_and_can_be_printed() {
    let named =
        |value: &str| ends(&teams(), Client::default(), &[KEY, ("x-application", value)], CHAT_PATH, HI).0.application;
    assert_eq!(named(&"a".repeat(65)), "a".repeat(64));
    assert_eq!(named("caf\u{e9}"), "");
    assert_eq!(named("a\tb"), "");
    let (subject, _) = ends(&routing(), Client::default(), &[KEY, ("x-application", "ui")], CHAT_PATH, HI);
    assert_eq!(subject.application, "", "no header is configured");
    let headers = [(":method", "POST"), (":path", CHAT_PATH), KEY, ("x-application", "ui")];
    let passed = Edge::default().headers(&teams(), &headers, false).unwrap();
    assert!(passed.iter().all(|(name, _)| *name != "x-application"));
}

#[test]
fn a_disabled_key_says_so() {
    let mut routing = teams();
    ada(&mut routing).disabled = true;
    let (subject, code) = ends(&routing, Client::default(), &[KEY], CHAT_PATH, HI);
    assert_eq!((subject.key.as_str(), code.as_str()), ("ada", "401 disabled_api_key"));
}

#[test]
fn a_key_may_use_what_its_team_may_use_too() {
    let mut routing = teams();
    ada(&mut routing).access.models = Some(vec!["gpt".into(), "other".into()]);
    let other = r#"{"model":"other","messages":[]}"#;
    let refused = |routing: &Routing, path, body| ends(routing, Client::default(), &[KEY], path, body).1;
    assert_eq!(refused(&routing, CHAT_PATH, HI), "planned");
    assert_eq!(refused(&routing, CHAT_PATH, other), "403 model_not_allowed");
    routing.teams.clear();
    assert_eq!(refused(&routing, CHAT_PATH, other), "planned");

    ada(&mut routing).access.endpoints = Some(vec![Endpoint::Chat]);
    assert_eq!(refused(&routing, "/v1/embeddings", EMBED), "403 endpoint_not_allowed");
    assert_eq!(refused(&routing, CHAT_PATH, HI), "planned");
    let access = Access { endpoints: Some(vec![Endpoint::Embeddings]), ..Access::default() };
    routing.teams.insert("search".into(), Team { access });
    assert_eq!(refused(&routing, CHAT_PATH, HI), "403 endpoint_not_allowed");
}

/// The team's models restrict fields that choose another model as the key's do.
#[test]
fn behind_a_teams_models_no_other_is_chosen() {
    let body = r#"{"model":"gpt","messages":[],"models":["other"]}"#;
    assert_eq!(ends(&teams(), Client::default(), &[KEY], CHAT_PATH, body).1, "403 model_not_allowed");
}

#[test]
fn a_key_is_used_from_its_networks_only() {
    let mut routing = teams();
    routing.identities.by_address = true;
    let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|network| Network::parse(network).unwrap());
    ada(&mut routing).access.networks = Some(networks.into());
    let from = |address: Option<&str>| {
        let client = Client { address: address.map(Into::into), ..Client::default() };
        ends(&routing, client, &[KEY], CHAT_PATH, HI).1
    };
    for inside in ["10.1.2.3:4711", "10.1.2.3", "[2001:db8::7]:4711", "[::ffff:10.1.2.3]:4711"] {
        assert_eq!(from(Some(inside)), "planned", "{inside}");
    }
    for outside in [Some("192.0.2.7:4711"), Some("[::1]:1"), Some("envoy://weir/1"), Some(""), None] {
        assert_eq!(from(outside), "403 network_not_allowed", "{outside:?}");
    }
    let answer = Edge::default().headers(&routing, &[(":method", "GET"), (":path", "/v1/models"), KEY], true);
    let told = String::from_utf8(answer.unwrap_err().body).unwrap();
    assert!(told.contains("network_not_allowed") && !told.contains("10."), "{told}");
}

#[test]
fn a_verified_claim_or_certificate_stands_for_a_key() {
    let routing = teams();
    let claim = |said: &str| Client { claim: Some(said.into()), user: Some("alice".into()), ..Client::default() };
    let certificate = |name: &str| Client { certificate: Some(name.into()), ..Client::default() };
    let jwt = [("authorization", "Bearer eyJhbGciOi.J9.x")];
    let body = r#"{"model":"gpt","messages":[],"user":"mallory"}"#;

    let (subject, code) = ends(&routing, claim("search"), &jwt, CHAT_PATH, body);
    assert_eq!((subject.key.as_str(), subject.team.as_str(), code.as_str()), ("jwt:alice", "search", "planned"));
    assert_eq!(subject.user, "alice", "what is verified goes before what is said");
    assert_eq!(ends(&routing, claim(r#"["staff","eng"]"#), &jwt, CHAT_PATH, body).0.team, "search");
    let (subject, code) = ends(&routing, claim("ads"), &jwt, CHAT_PATH, body);
    assert_eq!((subject.key.as_str(), code.as_str()), ("jwt:alice", "403 no_team"), "the log says who it was");
    let other = r#"{"model":"other","messages":[]}"#;
    assert_eq!(ends(&routing, claim("search"), &jwt, CHAT_PATH, other).1, "403 model_not_allowed", "the team's");

    let (subject, code) = ends(&routing, certificate("spiffe://a/search/api"), &[], CHAT_PATH, body);
    assert_eq!((subject.key.as_str(), subject.user.as_str()), ("spiffe://a/search/api", "mallory"));
    assert_eq!((subject.team.as_str(), code.as_str()), ("search", "planned"));
    assert_eq!(ends(&routing, certificate("spiffe://b/search/api"), &[], CHAT_PATH, body).1, "403 no_team");

    // A key says more than either, also when it is not valid.
    let (subject, _) = ends(&routing, claim("search"), &[KEY], CHAT_PATH, body);
    assert_eq!((subject.key.as_str(), subject.user.as_str()), ("ada", "mallory"));
    let mut disabled = routing.clone();
    ada(&mut disabled).disabled = true;
    assert_eq!(ends(&disabled, claim("search"), &[KEY], CHAT_PATH, body).1, "401 disabled_api_key");

    // Nothing that the configuration does not ask for counts.
    let mut none = routing.clone();
    none.identities = crate::config::Identities::default();
    assert_eq!(ends(&none, claim("search"), &jwt, CHAT_PATH, body).1, "401 invalid_api_key");
    assert_eq!(ends(&none, certificate("spiffe://a/search/api"), &[], CHAT_PATH, body).1, "401 missing_api_key");
    assert_eq!(ends(&routing, Client::default(), &jwt, CHAT_PATH, body).1, "401 invalid_api_key");
}

#[test]
fn callers_without_a_key_have_their_own_part_of_the_load() {
    let routing = Routing { in_flight_per_key: 1, ..teams() };
    let mut load = Load::new();
    let mut enter = |user: &str| {
        let mut edge = Edge::default();
        edge.comes_from(Client { claim: Some("search".into()), user: Some(user.into()), ..Client::default() });
        edge.headers(&routing, &[(":method", "POST"), (":path", CHAT_PATH)], false).unwrap();
        edge.enter(&routing, &mut load).is_ok()
    };
    assert!(enter("alice") && enter("bob") && !enter("alice"));
}

//! Weir in an Envoy of an operator's own: by an internal listener, and in the operator's own chain.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_control::AdminAddress;
use weir_control::admin::Admin;
use weir_control::ledger::follow::Scope;
use weir_control::ledger::keeper::WRITE_FAILED;
use weir_control::ledger::{Ages, Dimension, Follower, GapKind, Keeper, Question, Sqlite, Store, usage};
use weir_control::publisher::Publisher;
use weir_control::render::{Door, Kind, Node, Resources, render};
use weir_core::key::KeyHash;
use weir_ports::free;
use weir_tests::{Authority, Process};

use crate::common::{environment, node, resources, running};
use crate::guards::{self, ALICE, BOB, Guards};
use crate::traffic;

/// The two ways.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Internal,
    Chain,
}

/// The operator's routes: an application of theirs, one that is down, and Weir.
fn routes() -> Value {
    let app = json!({ "status": 503, "body": { "inline_string": "the app is resting" } });
    json!({
        "name": "own",
        "virtual_hosts": [{
            "name": "own",
            "domains": ["*"],
            "routes": [
                { "match": { "prefix": "/app" }, "direct_response": app },
                { "match": { "prefix": "/dead" }, "route": { "cluster": "dead" } },
                { "match": { "prefix": "/v1/completions" }, "direct_response": { "status": 403 } },
                { "match": { "prefix": "/v1beta/" }, "route": { "cluster": "weir" } },
                {
                    "match": { "prefix": "/v1/" },
                    "route": {
                        "cluster": "weir", "timeout": "0s", "idle_timeout": "0s", "rate_limits": guards::rate_limits(),
                    },
                },
            ],
        }],
    })
}

/// An operator's Envoy, until it is dropped.
struct Own {
    folder: tempfile::TempDir,
    process: Option<Process>,
    listen: u16,
    admin: u16,
    way: Way,
    /// The listener's transport socket, if it speaks TLS.
    tls: Option<Value>,
}

impl Drop for Own {
    fn drop(&mut self) {
        // Before the folder that it reads.
        drop(self.process.take());
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.path().join("envoy.log")).unwrap_or_default());
        }
    }
}

impl Own {
    fn prepared(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, process: None, listen: free().port(), admin: free().port(), way, tls: None }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn publisher(&self) -> Publisher {
        Publisher::new(self.path().join("envoy"), Some(AdminAddress::Tcp(([127, 0, 0, 1], self.admin).into())))
            .beside_envoy()
            .with_grace(Duration::from_secs(60))
            .with_patience(Duration::from_secs(20))
    }

    /// What is rendered if `provider`, at `upstream`, answers for the model `m`.
    fn answered_by(&self, provider: &str, upstream: u16, more: &str) -> Resources {
        let text = format!(
            "keys: [{{name: ada, sha256: \"{}\"}}]\n\
             providers: {{{provider}: {{dialect: openai, endpoint: \"http://127.0.0.1:{upstream}/v1\"}}}}\n\
             models: {{m: {{targets: [{{provider: {provider}}}]}}}}\n{more}",
            KeyHash::of(b"weir-ada"),
        );
        let door = match self.way {
            Way::Internal => Door::Internal,
            Way::Chain => Door::Chain(routes()),
        };
        resources(self.path(), &text, door)
    }

    /// The operator's bootstrap, with these filters before the router or before Weir.
    fn bootstrap(&self, before: &[Value], clusters: &[Value]) -> Value {
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        });
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "own",
        });
        let fields = manager.as_object_mut().unwrap();
        let mut filters = before.to_vec();
        match self.way {
            Way::Internal => {
                fields.insert("route_config".to_owned(), routes());
                filters.push(router);
            }
            Way::Chain => {
                let needed = std::fs::read(self.path().join("envoy/manager.json")).unwrap();
                let needed: Value = serde_json::from_slice(&needed).unwrap();
                fields.extend(needed.as_object().unwrap().clone());
                filters.extend(needed["http_filters"].as_array().unwrap().iter().cloned());
            }
        }
        fields.insert("http_filters".to_owned(), Value::Array(filters));
        let filter = json!({ "name": "manager", "typed_config": manager });
        let socket = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
        let dead = guards::cluster("dead", free().port(), false);
        let mut chain = json!({ "filters": [filter] });
        if let Some(tls) = &self.tls {
            chain["transport_socket"] = tls.clone();
        }
        json!({
            "node": { "id": "own", "cluster": "own" },
            "admin": { "address": socket(self.admin) },
            "static_resources": {
                "listeners": [{ "name": "own", "address": socket(self.listen), "filter_chains": [chain] }],
                "clusters": clusters.iter().cloned().chain([dead]).collect::<Vec<_>>(),
            },
        })
    }

    /// Starts Envoy on the operator's bootstrap, into which it merges Weir's part, and waits until it listens.
    async fn start(&mut self, before: &[Value], clusters: &[Value]) {
        let own = self.path().join("own.json");
        std::fs::write(&own, self.bootstrap(before, clusters).to_string()).unwrap();
        let part = std::fs::read_to_string(self.path().join("envoy").join(Kind::Bootstrap.file())).unwrap();
        let flags = ["--file-flush-interval-msec", "10", "--config-yaml", &part];
        self.process = Some(running(&own, self.path(), &flags));
        let ready = async {
            while traffic::get(self.admin, "/ready").await.is_none_or(|answer| !answer.contains("LIVE")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ready).await.expect("Envoy did not start");
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        traffic::ask_with(self.listen, path, headers).await
    }
}

const CHAT: &str = "/v1/chat/completions";
const KEY: (&str, &str) = ("authorization", "Bearer weir-ada");

async fn callers_that_filters_before_weir_refuse_reach_no_provider(way: Way) {
    let (upstream, served) = traffic::counted().await;
    let guards = Guards::start().await;
    let mut own = Own::prepared(way);
    own.publisher().publish(own.answered_by("p", upstream, ""), Instant::now()).await.unwrap();
    own.start(&guards.filters(), &guards.clusters()).await;

    let (status, body) = own.ask(CHAT, &[KEY, ("x-jwt", ALICE)]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((served.load(Ordering::SeqCst), guards.asked()), (1, (1, 1)), "each was asked once");

    for (refused_by, header, expect) in [
        ("rbac", ("x-role", "nobody"), (403, "RBAC: access denied")),
        ("ext_authz", ("x-authz", "refuse"), (403, "not you")),
        ("ratelimit", ("x-limit", "refuse"), (429, "")),
    ] {
        let (status, body) = own.ask(CHAT, &[KEY, ("x-jwt", ALICE), header]).await;
        assert_eq!((status, body.as_str()), expect, "{refused_by}");
    }
    let (status, body) = own.ask(CHAT, &[KEY]).await;
    assert_eq!((status, body.as_str()), (401, "Jwt is missing"));
    assert_eq!(served.load(Ordering::SeqCst), 1, "nobody who was refused reached the provider");

    // What they let pass is Weir's to refuse, in its own words.
    let (status, body) = own.ask(CHAT, &[("x-jwt", ALICE), ("authorization", "Bearer weir-nobody")]).await;
    assert_eq!(status, 401);
    assert!(body.contains("\"code\":\"invalid_api_key\""), "{body}");
}

#[tokio::test]
async fn callers_that_filters_refuse_before_the_internal_listener_reach_no_provider() {
    callers_that_filters_before_weir_refuse_reach_no_provider(Way::Internal).await;
}

#[tokio::test]
async fn callers_that_filters_refuse_before_weir_in_one_chain_reach_no_provider() {
    callers_that_filters_before_weir_refuse_reach_no_provider(Way::Chain).await;
}

/// A slash more, or a letter escaped, and `/v1/responses` was served though a filter before Weir refuses it.
async fn rules_about_paths_hold_however_a_path_is_written(way: Way) {
    let (upstream, served) = traffic::counted().await;
    let mut own = Own::prepared(way);
    own.publisher().publish(own.answered_by("p", upstream, ""), Instant::now()).await.unwrap();
    own.start(&[guards::no_paths(&["/v1/responses", "/v1beta/models/m:"])], &[]).await;
    for (path, other, right) in [
        ("/v1/responses", "/v1//responses", "/v1/responses"),
        ("/v1/completions", "/v1//completions", "/v1/completions"),
        ("/v1/completions", "/v1/./completions", "/v1/completions"),
        ("/v1beta/models/m:generateContent", "/v1beta/models/%6d:generateContent", "/v1beta/models/m:generateContent"),
        ("/v1beta/models/m:generateContent", "/v1beta//models/m:generateContent", "/v1beta/models/m:generateContent"),
    ] {
        assert_eq!(own.ask(path, &[KEY]).await.0, 403, "{path}");
        let (status, body) = own.ask(other, &[KEY]).await;
        assert!(status == 404 && body.contains(&format!("Did you mean {right}?")), "{other}: {status} {body}");
    }
    assert_eq!(own.ask(&format!("{CHAT}/"), &[KEY]).await.0, 404);
    assert_eq!(served.load(Ordering::SeqCst), 0);
    assert_eq!(own.ask(CHAT, &[KEY]).await.0, 200);
}

#[tokio::test]
async fn rules_about_paths_hold_before_the_internal_listener() {
    rules_about_paths_hold_however_a_path_is_written(Way::Internal).await;
}

#[tokio::test]
async fn rules_about_paths_hold_before_weir_in_one_chain() {
    rules_about_paths_hold_however_a_path_is_written(Way::Chain).await;
}

async fn routes_of_the_operators_are_as_without_weir(way: Way) {
    let upstream = traffic::upstream().await;
    let mut own = Own::prepared(way);
    own.publisher().publish(own.answered_by("p", upstream, ""), Instant::now()).await.unwrap();
    own.start(&[], &[]).await;
    assert_eq!(own.ask("/app", &[]).await, (503, "the app is resting".to_owned()));
    assert_eq!(own.ask("/nothing", &[]).await, (404, String::new()));
    let (status, body) = own.ask("/dead", &[]).await;
    assert!(status == 503 && body.starts_with("upstream connect error"), "{status} {body}");
    assert_eq!(own.ask(CHAT, &[KEY]).await.0, 200);
    let log = own.path().join("access.log");
    let records = traffic::eventually(|| std::fs::read_to_string(&log).ok().filter(|log| log.ends_with('\n'))).await;
    assert_eq!(records.lines().count(), 1, "only what Weir served is in its log: {records}");
}

#[tokio::test]
async fn routes_beside_the_internal_listeners_are_as_without_weir() {
    routes_of_the_operators_are_as_without_weir(Way::Internal).await;
}

#[tokio::test]
async fn routes_beside_weirs_in_one_chain_are_as_without_weir() {
    routes_of_the_operators_are_as_without_weir(Way::Chain).await;
}

/// Wherever the operator's own logs go.
async fn the_ledger_has_a_log_that_it_can_follow(way: Way) {
    let upstream = traffic::upstream().await;
    let mut own = Own::prepared(way);
    let more = "telemetry: {access_log: stdout}\n";
    own.publisher().publish(own.answered_by("p", upstream, more), Instant::now()).await.unwrap();
    own.start(&[], &[]).await;
    assert_eq!(own.ask(CHAT, &[KEY]).await.0, 200);
    let mut store = Sqlite::open(&own.path().join("ledger.sqlite")).unwrap();
    let mut follower = Follower::new("own", &own.path().join("access.log"), Scope::Family);
    while follower.catch_up(&mut store, 0).unwrap().rows == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let question = Question { by: vec![Dimension::Key], until_ms: i64::MAX / 2, ..Question::default() };
    let usage = usage::ask(&mut store, question).unwrap();
    assert_eq!((usage.total.requests, usage.lines[0].names[0].as_str()), (1, "ada"));
}

#[tokio::test]
async fn the_ledger_has_a_log_of_the_internal_listener() {
    the_ledger_has_a_log_that_it_can_follow(Way::Internal).await;
}

#[tokio::test]
async fn the_ledger_has_a_log_of_one_chain() {
    the_ledger_has_a_log_that_it_can_follow(Way::Chain).await;
}

/// A disk that is full.
#[tokio::test]
async fn lines_that_envoy_could_not_write_are_a_gap_in_the_ledger() {
    let mut own = Own::prepared(Way::Internal);
    let more = "telemetry: {access_log: /dev/full}\n";
    let resources = own.answered_by("p", traffic::upstream().await, more);
    own.publisher().publish(resources, Instant::now()).await.unwrap();
    own.start(&[], &[]).await;
    let admin = Admin::at(AdminAddress::Tcp(([127, 0, 0, 1], own.admin).into()));
    let mut store = Sqlite::open(&own.path().join("ledger.sqlite")).unwrap();
    let mut keeper = Keeper::new("own", Path::new("/dev/full"), Ages::default());
    let before = admin.stat(WRITE_FAILED).await.unwrap();
    assert!(!keeper.note_failed(&mut store, before, 1000).unwrap());
    assert_eq!(own.ask(CHAT, &[KEY]).await.0, 200);
    while !keeper.note_failed(&mut store, admin.stat(WRITE_FAILED).await.unwrap(), 2000).unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gaps = store.gaps(0, i64::MAX).unwrap();
    assert_eq!((gaps[0].kind, gaps[0].until_ms), (GapKind::WriteFailed, 2000));
}

/// What a browser asks first is answered before the key is looked at, in the operator's own chain too.
#[tokio::test]
async fn pages_may_call_in_a_chain_of_the_operators() {
    let mut own = Own::prepared(Way::Chain);
    let resources = own.answered_by("p", traffic::upstream().await, "cors: {origins: [\"https://app.example.com\"]}\n");
    own.publisher().publish(resources, Instant::now()).await.unwrap();
    own.start(&[], &[]).await;
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", own.listen)).await.unwrap();
    let preflight = "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: a\r\norigin: https://app.example.com\r\n\
                     access-control-request-method: POST\r\nconnection: close\r\n\r\n";
    tcp.write_all(preflight.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://app.example.com"), "{answer}");
    assert_eq!(own.ask(CHAT, &[KEY]).await.0, 200);
}

#[tokio::test]
async fn a_request_that_passes_by_the_edge_reaches_no_key() {
    let (upstream, served) = traffic::counted().await;
    let mut own = Own::prepared(Way::Chain);
    own.publisher().publish(own.answered_by("p", upstream, ""), Instant::now()).await.unwrap();
    // An operator who forgot to turn it on.
    let routes = own.path().join("envoy/rds.json");
    let text = std::fs::read_to_string(&routes).unwrap().replace("\"weir-edge\"", "\"weir-egde\"");
    let mut value: Value = serde_json::from_str(&text).unwrap();
    for route in value["resources"][0]["virtual_hosts"][0]["routes"].as_array_mut().unwrap() {
        route.as_object_mut().unwrap().remove("typed_per_filter_config");
    }
    std::fs::write(&routes, value.to_string()).unwrap();
    own.start(&[], &[]).await;
    let (status, body) = own.ask(CHAT, &[KEY]).await;
    assert_eq!(status, 500, "{body}");
    assert!(body.contains("\"code\":\"no_plan\""), "{body}");
    assert_eq!(served.load(Ordering::SeqCst), 0);
}

/// What the operator's filters have verified, and never what a header says. An internal connection carries it, so that nobody's is
/// taken for another's on a connection that is used again.
async fn callers_are_known_by_their_tokens(way: Way) {
    let upstream = traffic::upstream().await;
    let guards = Guards::start().await;
    let mut own = Own::prepared(way);
    let more = "teams: {search: {networks: [127.0.0.1]}, ads: {endpoints: [embeddings]}}\n\
                callers: {jwt: {team: sub, teams: {alice: search, bob: ads}, user: sub}}\n";
    own.publisher().publish(own.answered_by("p", upstream, more), Instant::now()).await.unwrap();
    let mut filters = guards.filters();
    if way == Way::Internal {
        filters.push(guards::identity());
    }
    own.start(&filters, &guards.clusters()).await;
    for (token, status) in [(ALICE, 200), (BOB, 403), (ALICE, 200), (BOB, 403)] {
        let claims = [("weir.claim", "alice"), ("weir-claim", "alice"), ("authorization", "Bearer of.a.token")];
        let (told, body) = own.ask(CHAT, &[&[("x-jwt", token)], &claims[..]].concat()).await;
        assert_eq!(told, status, "{body}");
        assert!(told == 200 || body.contains("endpoint_not_allowed"), "{body}");
    }
    let log = own.path().join("access.log");
    let whole = || std::fs::read_to_string(&log).ok().filter(|log| log.ends_with('\n') && log.lines().count() == 4);
    let records = traffic::eventually(whole).await;
    let who = records.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        ["key", "team", "user"].map(|field| record[field].as_str().unwrap_or_default().to_owned()).join(" ")
    });
    let [alice, bob] = ["jwt:alice search alice", "jwt:bob ads bob"];
    assert_eq!(who.collect::<Vec<_>>(), [alice, bob, alice, bob]);
}

#[tokio::test]
async fn a_verified_token_crosses_to_the_internal_listener() {
    callers_are_known_by_their_tokens(Way::Internal).await;
}

#[tokio::test]
async fn a_verified_token_is_known_in_one_chain() {
    callers_are_known_by_their_tokens(Way::Chain).await;
}

/// Whoever has a certificate of the authority is known by it: the longest name counts, and no header stands for it.
async fn callers_are_known_by_their_certificates(way: Way) {
    let (upstream, authority) = (traffic::upstream().await, Authority::new());
    let mut own = Own::prepared(way);
    let more = "teams: {search: {}, ads: {endpoints: [embeddings]}}\n\
                callers: {spiffe: {spiffe://example.org/ns/: search, spiffe://example.org/ns/ads/: ads}}\n";
    own.publisher().publish(own.answered_by("p", upstream, more), Instant::now()).await.unwrap();
    own.tls = Some(guards::mutual_tls(&authority.certify("127.0.0.1"), &authority.bundle()));
    let filters = if way == Way::Internal { vec![guards::identity()] } else { Vec::new() };
    own.start(&filters, &[]).await;
    let ask = |name: &str, by: &Authority| guards::curl(own.path(), own.listen, &authority, &by.certify_uri(name));
    for (name, status, says) in [
        ("spiffe://example.org/ns/a/sa/b", "200", ""),
        ("spiffe://example.org/ns/ads/sa/b", "403", "endpoint_not_allowed"),
        ("spiffe://elsewhere.org/ns/a", "403", "no_team"),
    ] {
        let told = ask(name, &authority);
        assert!(told.ends_with(status) && told.contains(says), "{name}: {told}");
    }
    let stranger = ask("spiffe://example.org/ns/a/sa/b", &Authority::new());
    assert!(stranger.ends_with("000"), "TLS refuses who is certified by somebody else: {stranger}");
    let log = own.path().join("access.log");
    let whole = || std::fs::read_to_string(&log).ok().filter(|log| log.ends_with('\n') && log.lines().count() == 3);
    let records = traffic::eventually(whole).await;
    let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!((&record["key"], &record["team"]), (&json!("spiffe://example.org/ns/a/sa/b"), &json!("search")));
}

#[tokio::test(flavor = "multi_thread")] // a program asks, and the provider is here
async fn a_verified_certificate_crosses_to_the_internal_listener() {
    callers_are_known_by_their_certificates(Way::Internal).await;
}

#[tokio::test(flavor = "multi_thread")] // a program asks, and the provider is here
async fn a_verified_certificate_is_known_in_one_chain() {
    callers_are_known_by_their_certificates(Way::Chain).await;
}

async fn changes_beside_an_operators_routes_fail_no_request(way: Way) {
    let upstream = traffic::upstream().await;
    let mut own = Own::prepared(way);
    let mut publisher = own.publisher();
    let start = Instant::now();
    publisher.publish(own.answered_by("p0", upstream, ""), start).await.unwrap();
    own.start(&[], &[]).await;
    let load = traffic::Load::begin(own.listen, 4);
    for i in 1..=6 {
        let name = format!("p{i}");
        // The grace is 60 s, so that what is two changes old is removed.
        let now = start + Duration::from_secs(40 * i);
        // Every second change also changes the internal listener, which a chain of the operator's has none of.
        let changes = i % 2 == 0 && way == Way::Internal;
        let more = if changes { "telemetry: {otlp: \"http://127.0.0.1:9\"}\n" } else { "" };
        let report = publisher.publish(own.answered_by(&name, upstream, more), now).await.unwrap();
        assert!(report.confirmed && !report.restart, "{report:?}");
        load.answered_by(&name).await;
        publisher.remove(now).await.unwrap();
    }
    let answered = load.end().await;
    assert!(answered > 50, "{answered} requests are no load");
    let clusters = traffic::get(own.admin, "/clusters").await.unwrap();
    assert!(!clusters.contains("\np3::") && clusters.contains("\np6::"), "{clusters}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_behind_the_internal_listener_fail_no_request() {
    changes_beside_an_operators_routes_fail_no_request(Way::Internal).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_in_an_operators_chain_fail_no_request() {
    changes_beside_an_operators_routes_fail_no_request(Way::Chain).await;
}

#[test]
fn routes_that_weir_cannot_take_the_place_of_are_refused() {
    let own = Own::prepared(Way::Chain);
    let check = |routes: Value, expect: &str| {
        own.answered_by("p", 9, "");
        let environment = environment(own.path());
        let loaded = weir_control::load(&own.path().join("weir.yaml"), &environment).unwrap();
        let node = Node { door: Door::Chain(routes), ..node(own.path(), &environment) };
        let error = render(&loaded.gateway, &node).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let with = |action: Value| {
        let route = json!({ "match": { "prefix": "/v1/" }, "route": action });
        json!({ "name": "own", "virtual_hosts": [{ "name": "own", "domains": ["*"], "routes": [route] }] })
    };
    check(json!({}), "no `name`");
    check(with(json!({ "cluster": "app" })), "there is none; add one");
    check(with(json!({ "cluster": "weir", "prefix_rewrite": "/" })), "`route.prefix_rewrite` has no place");
}

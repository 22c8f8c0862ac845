//! Changes, published to a running Envoy.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{resources, running};
use crate::traffic;
use hyper::Method;
use weir_control::AdminAddress;
use weir_control::publisher::Publisher;
use weir_control::render::{Door, Kind, Resources};
use weir_control::rollout::NotTaken;
use weir_core::key::KeyHash;
use weir_ports::free;
use weir_tests::Process;

/// An Envoy that runs on a folder, until it is dropped.
struct Running {
    folder: tempfile::TempDir,
    process: Option<Process>,
    listen: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Before the folder that it reads.
        drop(self.process.take());
    }
}

impl Running {
    fn prepared() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, process: None, listen: free().port() }
    }

    fn publisher(&self) -> Publisher {
        Publisher::new(self.path().join("envoy"), Some(self.admin()))
            .with_grace(Duration::from_secs(60))
            .with_patience(Duration::from_secs(20))
    }

    fn admin(&self) -> AdminAddress {
        AdminAddress::Socket(self.path().join("admin.sock"))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Resources for these providers, each of which answers for a model of its name.
    fn with(&self, names: &[&str]) -> Resources {
        let mut providers = Vec::new();
        let mut models = Vec::new();
        for name in names {
            providers.push(format!("  {name}: {{dialect: openai, endpoint: \"http://127.0.0.1:9/{name}\"}}"));
            models.push(format!("  {name}: {{targets: [{{provider: {name}}}]}}"));
        }
        let head = format!("listen: 127.0.0.1:{}\n", self.listen);
        self.of(&format!("{head}providers:\n{}\nmodels:\n{}\n", providers.join("\n"), models.join("\n")))
    }

    /// Resources under which `provider`, at `upstream`, answers for the model `m`.
    fn answered_by(&self, provider: &str, upstream: u16, more: &str) -> Resources {
        self.for_ada(&format!(
            "providers: {{{provider}: {{dialect: openai, endpoint: \"http://127.0.0.1:{upstream}/v1\"}}}}\n\
             models: {{m: {{targets: [{{provider: {provider}}}]}}}}\n{more}",
        ))
    }

    /// Resources of `text`, on this Envoy's ports, with one key.
    fn for_ada(&self, text: &str) -> Resources {
        let listen = self.listen;
        self.of(&format!(
            "listen: 127.0.0.1:{listen}\nkeys: [{{name: ada, sha256: \"{}\"}}]\n{text}",
            KeyHash::of(b"weir-ada"),
        ))
    }

    fn of(&self, text: &str) -> Resources {
        resources(self.path(), text, Door::Port)
    }

    /// Starts Envoy and waits until it listens.
    async fn start(&mut self) {
        let bootstrap = self.path().join("envoy").join(Kind::Bootstrap.file());
        self.process = Some(running(&bootstrap, self.path(), &[]));
        let ready = async {
            while self.ask("/ready").await.is_none_or(|answer| !answer.contains("LIVE")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let log = || std::fs::read_to_string(self.path().join("envoy.log")).unwrap_or_default();
        tokio::time::timeout(Duration::from_secs(20), ready)
            .await
            .unwrap_or_else(|_| panic!("Envoy did not start:\n{}", log()));
    }

    async fn ask(&self, path: &str) -> Option<String> {
        let answer = self.admin().ask(Method::GET, path).await.ok()?;
        Some(String::from_utf8_lossy(&answer.body).into_owned())
    }

    async fn has_cluster(&self, name: &str) -> bool {
        self.ask("/clusters").await.unwrap().lines().any(|line| line.starts_with(&format!("{name}::")))
    }
}

#[tokio::test]
async fn a_change_is_taken_and_the_old_stays_until_its_plans_have_ended() {
    let mut running = Running::prepared();
    let mut publisher = running.publisher();
    let now = Instant::now();
    let first = publisher.publish(running.with(&["old", "both"]), now).await.unwrap();
    let all = [Kind::Clusters, Kind::Routes, Kind::Edge, Kind::Listeners, Kind::Bootstrap];
    assert_eq!(first.written, all, "no provider here has a secret");
    running.start().await;

    let report = publisher.publish(running.with(&["both", "new"]), now).await.unwrap();
    assert!(report.confirmed && !report.restart, "{report:?}");
    assert_eq!(report.written, [Kind::Clusters, Kind::Routes, Kind::Edge]);
    assert!(running.has_cluster("new").await && running.has_cluster("old").await);

    assert!(publisher.next_removal().is_some());
    publisher.remove(now).await.unwrap();
    assert!(running.has_cluster("old").await, "its plans may still be under way");
    let removed = publisher.remove(now + Duration::from_secs(61)).await.unwrap();
    assert_eq!((removed.written.as_slice(), removed.confirmed), ([Kind::Routes, Kind::Clusters].as_slice(), true));
    assert!(!running.has_cluster("old").await && running.has_cluster("new").await);
    assert_eq!(publisher.next_removal(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_under_load_fail_no_request() {
    let mut running = Running::prepared();
    let upstream = traffic::upstream().await;
    let mut publisher = running.publisher();
    let start = Instant::now();
    publisher.publish(running.answered_by("p0", upstream, ""), start).await.unwrap();
    running.start().await;
    let load = traffic::Load::begin(running.listen, 4);
    for i in 1..=12 {
        let name = format!("p{i}");
        // The grace is 60 s, so that what is two changes old is removed.
        let now = start + Duration::from_secs(40 * i);
        // Every third change also changes the listener.
        let more = if i % 3 == 0 { "telemetry: {otlp: \"http://127.0.0.1:9\"}\n" } else { "" };
        let report = publisher.publish(running.answered_by(&name, upstream, more), now).await.unwrap();
        assert!(report.confirmed, "{report:?}");
        load.answered_by(&name).await;
        publisher.remove(now).await.unwrap();
    }
    let answered = load.end().await;
    assert!(answered > 100, "{answered} requests are no load");
    assert!(!running.has_cluster("p9").await && running.has_cluster("p12").await);
}

#[tokio::test]
async fn an_error_of_envoys_own_is_an_openai_error_that_names_the_tries() {
    let mut running = Running::prepared();
    let closed = free().port();
    let resources = running.for_ada(&format!(
        "providers:\n  local: {{dialect: local}}\n  a: {{dialect: openai, endpoint: \"http://127.0.0.1:{closed}\"}}\n\
         models:\n  m: {{targets: [{{provider: local, model: e}}, {{provider: a}}]}}\n\
         local: {{models: {{e: {{}}}}}}\n"
    ));
    running.publisher().publish(resources, Instant::now()).await.unwrap();
    running.start().await;
    // No sidecar runs, and nothing listens at the provider's.
    let (head, body) =
        traffic::post(&traffic::client(), running.listen, "/v1/embeddings", r#"{"model":"m","input":"Hi"}"#).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((head.status.as_u16(), &body["error"]["code"]), (503, &"upstream_unavailable".into()), "{body}");
    assert_eq!(head.headers["content-type"], "application/json");
    assert!(!head.headers.contains_key("x-should-retry"), "it may pass");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("local/e: unavailable (503)"), "{message}");
}

#[tokio::test]
async fn what_is_unchanged_is_not_written() {
    let running = Running::prepared();
    let mut publisher = running.publisher();
    publisher.publish(running.with(&["a"]), Instant::now()).await.unwrap();
    let report = publisher.publish(running.with(&["a"]), Instant::now()).await.unwrap();
    assert_eq!(report.written, []);
    assert_eq!(publisher.next_removal(), None);
}

#[tokio::test]
async fn what_envoy_refuses_is_told_and_taken_back() {
    let mut running = Running::prepared();
    let mut publisher = running.publisher();
    publisher.publish(running.with(&["a"]), Instant::now()).await.unwrap();
    running.start().await;
    let held = std::fs::read_to_string(running.path().join("envoy/lds.json")).unwrap();

    // The port is taken by someone else.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = running.listen;
    running.listen = taken.local_addr().unwrap().port();
    let refused = publisher.publish(running.with(&["a"]), Instant::now()).await.unwrap_err();
    let NotTaken::Refused { kind: Kind::Listeners, reasons } = &refused else { panic!("{refused}") };
    assert!(reasons.len() == 1 && reasons[0].contains("cannot bind"), "{reasons:?}");
    assert_eq!(std::fs::read_to_string(running.path().join("envoy/lds.json")).unwrap(), held);

    running.listen = listen;
    let again = publisher.publish(running.with(&["a", "b"]), Instant::now()).await.unwrap();
    assert!(again.confirmed, "{again:?}");
    assert!(running.has_cluster("b").await);
}

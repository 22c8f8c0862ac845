//! One request, one trace: from the caller through Envoy into the sidecar's queue, to a collector that is asked by TLS.

use weir_tests::{AUTHORITY, Authority, Collector, Span, Up};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

const CONFIGURATION: &str = "
listen: 127.0.0.1:10000
providers:
  local: { dialect: local }
models:
  all-minilm-l6-v2: { targets: [{ provider: local }] }
local:
  models: { all-minilm-l6-v2: {} }
";

#[tokio::test]
async fn a_local_models_queue_and_inference_are_in_its_callers_trace() {
    let authority = Authority::new();
    let collector = Collector::with_tls(authority.certify("127.0.0.1")).await;
    let configuration = format!("{CONFIGURATION}telemetry: {{ otlp: '{}' }}\n", collector.url());
    let up = Up::with(&configuration).file(AUTHORITY, &authority.bundle()).start().await;
    let ask = up.embed("all-minilm-l6-v2", "A private matter");
    let answer = ask.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());

    let spans = collector.spans(TRACE, 5).await;
    assert_eq!(spans.len(), 5, "{spans:#?}");
    let below = |parent: &str| -> Vec<&Span> { spans.iter().filter(|span| span.parent == parent).collect() };
    let only = |parent: &str| match below(parent)[..] {
        [span] => span,
        _ => panic!("not one span below {parent}: {spans:#?}"),
    };
    let edge = only(CALLER);
    let one_try = only(&edge.id);
    let request = only(&one_try.id);
    assert_eq!(request.name, "embeddings all-minilm-l6-v2");
    assert_eq!(request.attributes["http.request.id"], answer.id());
    let mut parts: Vec<&str> = below(&request.id).iter().map(|span| span.name.as_str()).collect();
    parts.sort_unstable();
    assert_eq!(parts, ["inference", "queue"]);
    assert!(!format!("{spans:?}").contains("private matter"));
}

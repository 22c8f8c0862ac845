//! A change of the configuration, under a running gateway.

use std::time::{SystemTime, UNIX_EPOCH};

use weir_sim::Fault;
use weir_tests::{Gateway, Upstream};

use crate::SAID;

#[tokio::test]
async fn a_change_is_live_without_a_restart_and_cuts_no_stream() {
    for inside in [false, true] {
        let upstream = Upstream::sim().await;
        let builder = Gateway::with(&upstream).model("old", ["sim/gpt-4o+gap-50ms"]);
        let mut gateway = if inside { builder.inside() } else { builder }.start().await;
        // A key has to be in a file: a running Envoy does not see new environment variables.
        let other = Upstream::called("other").await.but(|other| other.with_key_in_a_file("sk-other"));
        let mut stream = gateway.chat("old", "Hi").streamed().open().await;
        stream.event().await.expect("a token");
        assert_eq!(gateway.chat("new", "Hi").await.status(), 404);
        gateway.becomes(|builder| builder.and(&other).model("new", ["other/gpt-4o"])).await;
        let answer = gateway.chat("new", "Hi").await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
        assert_eq!(other.served(), 1);
        let rest = stream.rest().await;
        assert!(rest.is_done(), "{}", rest.text());
    }
}

/// While the filter's code is replaced, an attempt meets plans of an edge that is older, or newer, than itself.
#[tokio::test]
async fn a_plan_of_another_version_is_tried_to_its_end() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let written = format!("first|1.7|0.0.0|{now}.{now}|w-chat|tests|gpt||first=m,second=m,|||");
    for text in
        [format!("{written}#{{whole}}"), format!("{written}|v=9|l=30000.30000.300000.0.7|lease=a.b|later#{{whole}}")]
    {
        let (first, second) = (Upstream::called("first").await, Upstream::called("second").await);
        let builder = Gateway::with(&first).and(&second).model("gpt", ["second/m"]);
        let gateway = builder.model("first", ["first/m"]).with_plan(&text).start().await;
        first.set_fault_times("m", Fault::Status(503), 1);
        let answer = gateway.chat("gpt", "Hi").await;
        assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
        assert_eq!((first.served(), second.served()), (1, 1));
        let record = gateway.record(answer.id()).await;
        assert_eq!(record.tries(), ["first/m unavailable", "second/m ok"], "{text}");
    }
}

//! A change of the configuration, under a running gateway.

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

//! Answers that come through as they are.

use weir_tests::{Ended, Gateway, Upstream};

#[tokio::test]
async fn a_whole_answer_comes_through() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt-4o", ["sim/gpt-4o"]).start().await;
    let answer = gateway.chat("gpt-4o", "Hi").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.said(), "You said \"Hi\", and that is what I heard.");
}

#[tokio::test]
async fn a_streamed_answer_comes_through() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream).model("gpt-4o", ["sim/gpt-4o"]).start().await;
    let answer = gateway.chat("gpt-4o", "Hi").streamed().await;
    assert_eq!(answer.said(), "You said \"Hi\", and that is what I heard.");
    assert!(answer.is_done() && answer.ended() == Ended::Cleanly, "{}", answer.text());
}

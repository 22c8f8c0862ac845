//! What the simulator remembers of requests.

use serde_json::json;
use weir_sim::{Keep, Options, Outcome, Sim};

use crate::client::{HEADERS, chat, open, read_until, send, sim};

#[tokio::test]
async fn a_request_is_kept_as_it_came() {
    let sim = sim().await;
    let mut headers = HEADERS.to_vec();
    headers.extend([("x-one", "1"), ("x-two", "2"), ("x-one", "again")]);
    send(&sim, "POST", "/v1/chat/completions?beta=true", &headers, r#"{"model": "m" , "messages":[]}"#).await.unwrap();
    let seen = sim.until(|seen| seen.len() == 1 && seen[0].outcome == Outcome::Finished).await.remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.query.as_deref(), Some("beta=true"));
    assert_eq!(seen.body, r#"{"model": "m" , "messages":[]}"#);
    assert_eq!((seen.json()["model"].as_str(), seen.header("x-two")), (Some("m"), Some("2")));
    let own: Vec<_> = seen.headers.iter().filter(|(name, _)| name.starts_with("x-o") || name == "x-two").collect();
    assert_eq!(own.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["1", "again", "2"]);
    assert_eq!(seen.status, Some(400));
    assert!(seen.ended >= Some(seen.at));
}

#[tokio::test]
async fn a_peer_that_hangs_up_is_noted() {
    let sim = sim().await;
    let body =
        json!({"model": "m+gap-60s", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let response = open(&sim, "POST", "/v1/chat/completions", &HEADERS, body).await.unwrap();
    read_until(response, |text| text.contains("assistant")).await;
    sim.until(|seen| seen[0].outcome == Outcome::Aborted).await;
}

#[tokio::test]
async fn counting_goes_on_where_keeping_is_off() {
    let sim = Sim::start(Options { keep: Keep::NOTHING, ..Options::default() }).await.unwrap();
    chat(&sim, "m", json!({})).await;
    assert_eq!((sim.served(), sim.requests().len()), (1, 0));
    sim.clear();
    assert_eq!(sim.served(), 0);
}

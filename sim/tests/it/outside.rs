//! `/_sim/`, replays, compression and prerendered answers.

use std::{fs, num::NonZeroUsize};

use serde_json::json;
use weir_sim::{Compression, Effort, Options, Sim};

use crate::client::{HEADERS, chat, message, send, sim, with};

#[tokio::test]
async fn another_process_sets_faults_and_reads_requests() {
    let options = Options { token: Some("t".to_owned()), ..Options::default() };
    let sim = Sim::start(options).await.unwrap();
    let put = async |body: &str| send(&sim, "PUT", "/_sim/faults", &[], body.to_owned()).await.unwrap();
    assert_eq!(put(r#"{"gpt-4o": "429-retry-7", "*": {"fault": "503", "times": 1}}"#).await.status, 200);
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.header("retry-after"), "7");
    assert_eq!(chat(&sim, "x", json!({})).await.status, 503);
    assert_eq!(chat(&sim, "x", json!({})).await.status, 200);
    assert_eq!(send(&sim, "GET", "/_sim/faults", &[], "").await.unwrap().json(), json!({"gpt-4o": "429-retry-7"}));
    assert_eq!(put(r#"{"gpt-4o": null}"#).await.status, 200);
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 200);
    let wrong = put(r#"{"gpt-4o": "500", "x": "unheard-of"}"#).await;
    assert!(wrong.status == 400 && wrong.text().contains("unheard-of"));
    assert_eq!(chat(&sim, "gpt-4o", json!({})).await.status, 200);

    for wrong in [&[][..], &[("authorization", "Bearer x")], &[("authorization", "t")]] {
        let refused = send(&sim, "GET", "/_sim/requests", wrong, "").await.unwrap();
        assert!(refused.status == 401 && !refused.text().contains("completions"), "{}", refused.text());
    }
    let token = [("authorization", "Bearer t")];
    let seen = send(&sim, "GET", "/_sim/requests", &token, "").await.unwrap().json();
    assert_eq!(seen.as_array().unwrap().len(), 5);
    assert_eq!((&seen[0]["path"], &seen[0]["fault"]), (&json!("/v1/chat/completions"), &json!("429-retry-7")));
    send(&sim, "DELETE", "/_sim/requests", &[], "").await.unwrap();
    assert_eq!(send(&sim, "GET", "/_sim/served", &[], "").await.unwrap().json()["served"], 0);
    assert_eq!(send(&sim, "GET", "/_sim/nothing", &[], "").await.unwrap().status, 400);
}

#[tokio::test]
async fn a_fixture_is_answered_byte_for_byte() {
    let folder = std::env::temp_dir().join(format!("weir-sim-fixtures-{}", std::process::id()));
    let (sse, error) = (folder.join("anthropic/hello"), folder.join("openai/limited"));
    fs::create_dir_all(&sse).unwrap();
    fs::create_dir_all(&error).unwrap();
    let bytes = "event: ping\ndata: {\"type\": \"ping\"}\n\n: with a comment\r\n\r\ndata: ünï\n\n";
    fs::write(sse.join("3-answer.sse"), bytes).unwrap();
    fs::write(error.join("3-answer.json"), "{\"error\": {}}").unwrap();
    fs::write(error.join("3-answer.headers"), "429\nretry-after: 9\n").unwrap();
    let chunk = NonZeroUsize::new(3);
    let options = Options { fixtures: Some(folder.clone()), chunk, ..Options::default() };
    let sim = Sim::start(options).await.unwrap();

    let got = message(&sim, "replay-hello", json!({"stream": true})).await;
    assert_eq!((got.text().as_str(), got.header("content-type")), (bytes, "text/event-stream; charset=utf-8"));
    let got = chat(&sim, "replay-limited", json!({})).await;
    assert_eq!((got.status, got.header("retry-after"), got.text().as_str()), (429, "9", "{\"error\": {}}"));
    let got = chat(&sim, "replay-unheard-of", json!({})).await;
    assert!(got.status == 404 && got.text().contains("unheard-of"));

    sim.replay("anthropic/hello").unwrap();
    let accepting = [("accept-encoding", "gzip")];
    assert_eq!(send(&sim, "POST", "/any/path", &accepting, "").await.unwrap().text(), bytes);
    sim.stop_replay();
    assert_eq!(send(&sim, "POST", "/any/path", &[], "").await.unwrap().status, 404);
    assert!(sim.replay("unheard-of").is_err());
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn answers_are_gzipped_where_that_is_accepted_or_forced() {
    let sim = sim().await;
    let ask = |model: &str, stream: bool| {
        json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}).to_string()
    };
    let mut accepting = HEADERS.to_vec();
    accepting.push(("accept-encoding", "br, gzip"));
    for (headers, model, zipped) in
        [(&HEADERS[..], "m", false), (&accepting[..], "m", true), (&HEADERS[..], "fault-gzip", true)]
    {
        for stream in [false, true] {
            let got = send(&sim, "POST", "/v1/chat/completions", headers, ask(model, stream)).await.unwrap();
            assert_eq!(got.header("content-encoding") == "gzip", zipped);
            let text = if zipped { got.unzipped() } else { got.text() };
            assert!(text.contains("chat.completion") && text.ends_with(if stream { "[DONE]\n\n" } else { "}" }));
        }
    }
    let stubborn = Sim::start(Options { compression: Compression::Always, ..Options::default() }).await.unwrap();
    assert!(chat(&stubborn, "m", json!({})).await.unzipped().contains("that is what I heard"));
}

#[tokio::test]
async fn a_prerendered_answer_is_a_true_one() {
    let options = Options { effort: Effort::Prerendered, tokens: Some(64), ..Options::default() };
    let sim = Sim::start(options).await.unwrap();
    assert_eq!(chat(&sim, "m", json!({})).await.json()["usage"]["completion_tokens"], 64);
    let counted = json!({"stream": true, "stream_options": {"include_usage": true}});
    let chunks = chat(&sim, "m", counted).await.data();
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 64);
    let got = chat(&sim, "m", json!({"stream": true})).await;
    assert!(got.text().ends_with("data: [DONE]\n\n") && !got.text().contains("\"usage\""));
    let got = message(&sim, "m", json!({"stream": true})).await;
    assert_eq!(got.events().last().unwrap().0, "message_stop");
    assert_eq!(message(&sim, "m", json!({})).await.json()["usage"]["output_tokens"], 64);
    let refused = send(&sim, "POST", "/v1/messages", &HEADERS[..1], "{}").await.unwrap();
    assert_eq!(refused.status, 401);
    sim.set_fault("*", "503".parse().unwrap());
    assert_eq!(chat(&sim, "m", with(json!({}), json!({}))).await.status, 503);
}

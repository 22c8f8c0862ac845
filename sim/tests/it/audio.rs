//! `/v1/audio/…`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_sim::{Keep, Options, Sim};

use crate::client::{Ended, Got, HEADERS, Part, post, send, sim, upload, with};

const HEAR: &str = "/v1/audio/transcriptions";

async fn hear(sim: &Sim, model: &str, more: &[Part<'_>]) -> Got {
    let parts: Vec<Part<'_>> = [("file", Some("clip.wav"), &b"sound"[..]), ("model", None, model.as_bytes())]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    upload(sim, HEAR, &parts).await
}

async fn speak(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, "/v1/audio/speech", &with(json!({"model": model, "input": "Hi there", "voice": "alloy"}), more)).await
}

/// What is heard in a file.
fn heard(name: &str, bytes: &[u8]) -> String {
    let hash = u32::from_be_bytes(Sha256::digest(bytes)[..4].try_into().unwrap());
    format!("I heard {name}: {} bytes, SHA-256 {hash:08x}.", bytes.len())
}

#[tokio::test]
async fn a_transcript_tells_what_arrived() {
    let sim = sim().await;
    let got = hear(&sim, "gpt-4o-transcribe", &[("prompt", None, b"One two")]).await;
    let body = got.json();
    assert_eq!((got.status, &body["text"]), (200, &json!(heard("clip.wav", b"sound"))));
    let usage = &body["usage"];
    assert_eq!(
        (&usage["type"], &usage["input_token_details"]),
        (&json!("tokens"), &json!({"text_tokens": 2, "audio_tokens": 1}))
    );
    assert_eq!(usage["total_tokens"], usage["output_tokens"].as_u64().unwrap() + 3);
    assert!(got.header("x-request-id").starts_with("req_"));
    let body = hear(&sim, "whisper-1", &[]).await.json();
    assert_eq!(body["usage"], json!({"type": "duration", "seconds": 1}));
}

#[tokio::test]
async fn large_files_arrive_whole_several_at_once() {
    let sim = Sim::start(Options { keep: Keep::NOTHING, ..Options::default() }).await.unwrap();
    let largest: Vec<u8> = (0_u32..16 << 20).flat_map(u32::to_le_bytes).collect();
    let other = &largest[..5_000_001];
    let send = async |bytes: &[u8]| {
        let got = upload(&sim, HEAR, &[("model", None, b"whisper-1"), ("file", Some("a.mp3"), bytes)]).await;
        assert_eq!(got.json()["text"], heard("a.mp3", bytes));
    };
    tokio::join!(send(&largest), send(other), send(&largest));
}

#[tokio::test]
async fn a_transcript_comes_in_each_format() {
    let sim = sim().await;
    let format = async |format: &str| hear(&sim, "whisper-1", &[("response_format", None, format.as_bytes())]).await;
    let got = format("text").await;
    assert_eq!(
        (got.header("content-type"), got.text()),
        ("text/plain; charset=utf-8", heard("clip.wav", b"sound") + "\n")
    );
    assert!(format("srt").await.text().starts_with("1\n00:00:00,000 --> 00:00:00,"));
    assert!(format("vtt").await.text().starts_with("WEBVTT\n\n00:00:00.000 --> "));
    let more: [Part<'_>; 3] = [
        ("response_format", None, b"verbose_json"),
        ("timestamp_granularities[]", None, b"word"),
        ("language", None, b"de"),
    ];
    let body = hear(&sim, "whisper-1", &more).await.json();
    assert_eq!(
        (&body["task"], &body["language"], &body["duration"]),
        (&json!("transcribe"), &json!("de"), &json!(0.1))
    );
    let said: String =
        body["segments"].as_array().unwrap().iter().map(|segment| segment["text"].as_str().unwrap()).collect();
    assert_eq!(body["text"], said);
    assert_eq!(body["words"][1]["word"], "heard");
    let file: Part<'_> = ("file", Some("a.ogg"), b"x");
    let body = upload(&sim, "/v1/audio/translations", &[file, ("model", None, b"whisper-1"), more[0]]).await.json();
    assert_eq!((&body["task"], &body["text"]), (&json!("translate"), &json!(heard("a.ogg", b"x"))));
}

#[tokio::test]
async fn a_transcript_is_streamed_but_not_by_whisper() {
    let sim = sim().await;
    let got = hear(&sim, "gpt-4o-mini-transcribe", &[("stream", None, b"true")]).await;
    let data = got.data();
    let (last, deltas) = data.split_last().unwrap();
    let said: String = deltas.iter().map(|data| data["delta"].as_str().unwrap()).collect();
    assert_eq!((&last["type"], &last["text"]), (&json!("transcript.text.done"), &json!(said)));
    assert_eq!((said, last["usage"]["type"].clone()), (heard("clip.wav", b"sound"), json!("tokens")));
    let whole = hear(&sim, "whisper-1", &[("stream", None, b"true")]).await;
    assert_eq!(whole.header("content-type"), "application/json");
    let cut = hear(&sim, "fault-no-done", &[("stream", None, b"true")]).await;
    assert_eq!(cut.data().last().unwrap()["type"], "transcript.text.delta");
    let failed = hear(&sim, "fault-error-event", &[("stream", None, b"true")]).await;
    assert_eq!(failed.data()[0]["error"]["type"], "server_error");
}

#[tokio::test]
async fn an_upload_is_checked() {
    let sim = sim().await;
    let check = async |parts: &[Part<'_>], words: &str| {
        let got = upload(&sim, HEAR, parts).await;
        let error = &got.json()["error"];
        assert!(got.status == 400 && error["message"].as_str().unwrap().contains(words), "{error}");
    };
    let (file, model): (Part<'_>, Part<'_>) = (("file", Some("a.wav"), b"x"), ("model", None, b"gpt-4o-transcribe"));
    check(&[model], "'file'").await;
    check(&[("file", None, b"x"), model], "'file'").await;
    check(&[file], "you must provide a model parameter").await;
    check(&[("file", Some("a.txt"), b"x"), model], "Supported formats").await;
    check(&[("file", Some("a.wav"), b""), model], "too short").await;
    check(&[file, model, ("response_format", None, b"srt")], "not compatible").await;
    check(&[file, model, ("response_format", None, b"xml")], "Supported values").await;
    check(&[file, model, ("temperature", None, b"warm")], "temperature").await;
    check(&[file, ("model", None, b"fault-invalid-request")], "is invalid").await;
    let got = send(&sim, "POST", HEAR, &HEADERS, "{}").await.unwrap();
    assert!(got.status == 400 && got.text().contains("multipart/form-data"), "{got:?}");
    let headers = [("content-type", "multipart/form-data; boundary=x"), HEADERS[1]];
    let got = send(&sim, "POST", HEAR, &headers, "--y").await.unwrap();
    assert!(got.status == 400 && got.text().contains("Could not parse"), "{got:?}");
    let got = send(&sim, "POST", HEAR, &headers[..1], "--x--").await.unwrap();
    assert_eq!(got.status, 401);
}

#[tokio::test]
async fn speech_is_as_long_as_its_text() {
    let sim = sim().await;
    let got = speak(&sim, "gpt-4o-mini-tts", json!({"response_format": "wav"})).await;
    assert_eq!((got.status, got.header("content-type"), got.header("content-length")), (200, "audio/wav", ""));
    assert_eq!((&got.body[..4], got.body.len()), (&b"RIFF"[..], 44 + 2 * 12_000));
    let longer =
        speak(&sim, "gpt-4o-mini-tts", json!({"response_format": "wav", "input": "Hi there you", "speed": 0.5})).await;
    assert_eq!(longer.body.len(), 44 + 3 * 24_000);
    for (format, kind, start) in [
        ("mp3", "audio/mpeg", &[0xff, 0xf3][..]),
        ("opus", "audio/opus", b"OggS"),
        ("aac", "audio/aac", &[0xff, 0xf1]),
        ("flac", "audio/flac", b"fLaC"),
        ("pcm", "audio/pcm", &[]),
    ] {
        let got = speak(&sim, "tts-1", json!({"response_format": format})).await;
        assert!(got.header("content-type") == kind && got.body.starts_with(start), "{format}");
    }
    let accepting = [HEADERS[0], HEADERS[1], ("accept-encoding", "gzip")];
    let body = json!({"model": "tts-1", "input": "Hi", "voice": "alloy"}).to_string();
    let got = send(&sim, "POST", "/v1/audio/speech", &accepting, body).await.unwrap();
    assert_eq!((got.header("content-type"), got.header("content-encoding")), ("audio/mpeg", ""));
    let broken = speak(&sim, "fault-break", json!({})).await;
    assert_eq!((broken.status, broken.end), (200, Ended::Broken));
}

#[tokio::test]
async fn speech_comes_as_events_when_asked() {
    let sim = sim().await;
    let whole = speak(&sim, "gpt-4o-mini-tts", json!({"response_format": "wav"})).await.body;
    let got = speak(&sim, "gpt-4o-mini-tts", json!({"response_format": "wav", "stream_format": "sse"})).await;
    let data = got.data();
    let (last, deltas) = data.split_last().unwrap();
    let bytes: Vec<u8> =
        deltas.iter().flat_map(|data| BASE64_STANDARD.decode(data["audio"].as_str().unwrap()).unwrap()).collect();
    assert_eq!((bytes, &last["type"]), (whole, &json!("speech.audio.done")));
    assert_eq!(last["usage"], json!({"input_tokens": 2, "output_tokens": 2, "total_tokens": 4}));
}

#[tokio::test]
async fn a_text_to_speak_is_checked() {
    let sim = sim().await;
    let check = async |more: Value, param: &str, code: &str| {
        let got = speak(&sim, "tts-1", more.clone()).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)), "{more}");
    };
    check(json!({"input": null}), "input", "missing_required_parameter").await;
    check(json!({"input": ""}), "input", "empty_string").await;
    check(json!({"input": "a".repeat(4097)}), "input", "string_above_max_length").await;
    check(json!({"voice": null}), "voice", "missing_required_parameter").await;
    check(json!({"voice": "parrot"}), "voice", "invalid_value").await;
    check(json!({"response_format": "midi"}), "response_format", "invalid_value").await;
    check(json!({"speed": 9}), "speed", "decimal_above_max_value").await;
    check(json!({"stream_format": "sse"}), "stream_format", "unsupported_value").await;
}

#[tokio::test(start_paused = true)]
async fn sound_and_transcripts_keep_their_pace() {
    // The clock is paused: it jumps as soon as everyone waits.
    let sim = sim().await;
    let start = tokio::time::Instant::now();
    speak(&sim, "tts-1+first-100s+gap-10s", json!({})).await;
    assert_eq!(start.elapsed().as_secs(), 110);
    let start = tokio::time::Instant::now();
    hear(&sim, "gpt-4o-transcribe+first-100s+gap-10s+tokens-11", &[]).await;
    assert_eq!(start.elapsed().as_secs(), 200);
}

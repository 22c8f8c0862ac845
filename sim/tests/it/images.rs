//! `/v1/images/…`.

use std::io::Cursor;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_sim::Sim;

use crate::client::{Ended, Got, Part, post, sim, upload, with};

async fn paint(sim: &Sim, model: &str, more: Value) -> Got {
    post(sim, "/v1/images/generations", &with(json!({"model": model, "prompt": "A weir"}), more)).await
}

/// A decoded picture: width, height, what it says about itself, pixels.
fn picture(image: &Value) -> (u32, u32, String, Vec<u8>) {
    let bytes = BASE64_STANDARD.decode(image["b64_json"].as_str().unwrap()).unwrap();
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let about = reader.info().utf8_text[0].get_text().unwrap();
    (frame.width, frame.height, about, pixels)
}

#[tokio::test]
async fn a_picture_depends_on_its_prompt() {
    let sim = sim().await;
    let got = paint(&sim, "gpt-image-1", json!({"size": "1024x1536", "quality": "low", "n": 2})).await;
    let body = got.json();
    assert_eq!((got.status, body["data"].as_array().unwrap().len()), (200, 2));
    let (width, height, about, pixels) = picture(&body["data"][0]);
    assert_eq!((width, height, about.as_str(), pixels.len()), (32, 48, "A weir", 32 * 48 * 3));
    assert_ne!(picture(&body["data"][1]).3, pixels);
    let details = json!({"text_tokens": 2, "image_tokens": 0});
    let usage = json!({"total_tokens": 818, "input_tokens": 2, "output_tokens": 816, "input_tokens_details": details});
    assert_eq!((&body["usage"], &body["size"], &body["quality"]), (&usage, &json!("1024x1536"), &json!("low")));
    let again = paint(&sim, "gpt-image-1", json!({"size": "1024x1536"})).await.json();
    assert_eq!(picture(&again["data"][0]).3, pixels);
    let other = paint(&sim, "gpt-image-1", json!({"size": "1024x1536", "prompt": "A dam"})).await.json();
    assert_ne!(picture(&other["data"][0]).3, pixels);
}

#[tokio::test]
async fn older_models_link_and_revise() {
    let sim = sim().await;
    let body = paint(&sim, "dall-e-3", json!({})).await.json();
    assert!(body["data"][0]["url"].as_str().unwrap().starts_with("https://") && body.get("usage").is_none());
    assert_eq!(body["data"][0]["revised_prompt"], "A weir");
    let body = paint(&sim, "dall-e-2", json!({"response_format": "b64_json", "size": "256x256"})).await.json();
    assert_eq!(picture(&body["data"][0]).0, 8);
    let unnamed = post(&sim, "/v1/images/generations", &json!({"prompt": "A weir"})).await.json();
    assert!(unnamed["data"][0]["url"].is_string());
}

#[tokio::test]
async fn an_edit_tells_what_arrived() {
    let sim = sim().await;
    let drawn = paint(&sim, "gpt-image-1", json!({})).await.json();
    let bytes = BASE64_STANDARD.decode(drawn["data"][0]["b64_json"].as_str().unwrap()).unwrap();
    let parts: [Part<'_>; 4] = [
        ("model", None, b"gpt-image-1"),
        ("prompt", None, b"Add a fish"),
        ("image[]", Some("a.png"), &bytes),
        ("image[]", Some("b.jpg"), b"\xff\xd8\xff\xe0"),
    ];
    let body = upload(&sim, "/v1/images/edits", &parts).await.json();
    let hash = u32::from_be_bytes(Sha256::digest(&bytes)[..4].try_into().unwrap());
    let expect = format!("Add a fish I saw a.png: {} bytes, SHA-256 {hash:08x}.", bytes.len());
    let about = picture(&body["data"][0]).2;
    assert!(about.starts_with(&expect) && about.contains(" I saw b.jpg: 4 bytes"), "{about}");
    assert_eq!(body["usage"]["input_tokens_details"]["image_tokens"], 646);
}

#[tokio::test]
async fn pictures_are_streamed_unfinished_ones_first() {
    let sim = sim().await;
    let got = paint(&sim, "gpt-image-1", json!({"stream": true, "partial_images": 2})).await;
    let names: Vec<String> = got.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"]
    );
    let data = got.data();
    assert_eq!((&data[1]["partial_image_index"], &data[2]["usage"]["output_tokens"]), (&json!(1), &json!(1056)));
    assert_eq!(picture(&data[2]).2, "A weir");
    let cut = paint(&sim, "fault-cut", json!({"stream": true, "partial_images": 2})).await;
    assert_eq!((cut.data().len(), cut.end), (2, Ended::Cleanly));
    let parts: [Part<'_>; 4] = [
        ("model", None, b"gpt-image-1"),
        ("prompt", None, b"x"),
        ("image", Some("b.jpg"), b"\xff\xd8\xff"),
        ("stream", None, b"true"),
    ];
    let got = upload(&sim, "/v1/images/edits", &parts).await;
    assert_eq!(got.events()[0].0, "image_edit.completed");
}

#[tokio::test]
async fn an_order_is_checked() {
    let sim = sim().await;
    let check = async |got: Got, param: &str, code: &str| {
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["param"], &error["code"]), (400, &json!(param), &json!(code)));
    };
    let order = async |more: Value| paint(&sim, "gpt-image-1", more).await;
    check(order(json!({"prompt": null})).await, "prompt", "missing_required_parameter").await;
    check(order(json!({"n": 11})).await, "n", "integer_above_max_value").await;
    check(order(json!({"size": "7x7"})).await, "size", "invalid_value").await;
    check(order(json!({"quality": "hd"})).await, "quality", "invalid_value").await;
    check(order(json!({"response_format": "url"})).await, "response_format", "unknown_parameter").await;
    check(order(json!({"output_format": "webp"})).await, "output_format", "invalid_value").await;
    check(paint(&sim, "dall-e-3", json!({"n": 2})).await, "n", "integer_above_max_value").await;
    check(paint(&sim, "dall-e-2", json!({"prompt": "a".repeat(1001)})).await, "prompt", "string_above_max_length")
        .await;
    let edit = async |parts: &[Part<'_>]| upload(&sim, "/v1/images/edits", parts).await;
    let (model, prompt, image): (Part<'_>, Part<'_>, Part<'_>) =
        (("model", None, b"dall-e-2"), ("prompt", None, b"x"), ("image", Some("a.png"), b"\x89PNG\r\n\x1a\n"));
    check(edit(&[model, prompt]).await, "image", "missing_required_parameter").await;
    check(edit(&[model, image]).await, "prompt", "missing_required_parameter").await;
    check(edit(&[model, prompt, image, image]).await, "image", "array_above_max_length").await;
    check(edit(&[model, prompt, ("image", Some("a.png"), b"no")]).await, "image", "invalid_image_file").await;
    check(edit(&[model, prompt, image, ("n", None, b"many")]).await, "n", "invalid_type").await;
    assert_eq!(paint(&sim, "fault-429", json!({})).await.status, 429);
}

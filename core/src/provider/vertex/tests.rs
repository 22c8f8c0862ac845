use weir_hub::codec::json::scan;
use weir_hub::endpoint::{Asked, UsageChunk};
use weir_hub::fault::FaultKind;

use super::*;
use crate::exchange::trial::{self, written};

const CHAT: &str = r#"{"messages":[{"role":"user","content":"a"}]}"#;

fn ask(body: &str, endpoint: Endpoint, delivery: Delivery, model: &str, upstream: &Upstream) -> Result<Ask, Reject> {
    let scan = scan(body.as_bytes())?;
    let (usage, body) = (UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "b-1", body, scan: &scan };
    crate::exchange::accepts(&call, upstream, model)?;
    crate::exchange::ask(&call, upstream, model)
}

fn vertex() -> Upstream {
    trial::upstream("vertex")
}

#[test]
fn each_maker_has_its_own_paths() {
    let check = |body, endpoint, delivery, model, expect: &str| {
        let ask = ask(body, endpoint, delivery, model, &vertex()).unwrap();
        assert_eq!(ask.path.strip_prefix("/publishers/"), Some(expect));
    };
    let (chat, own) = (Endpoint::Chat, Endpoint::GenerateContent);
    let (whole, streamed) = (Delivery::Whole, Delivery::Streamed);
    check(CHAT, chat, whole, "gemini-2.5-pro", "google/models/gemini-2.5-pro:generateContent");
    check("{}", own, streamed, "gemini-2.5-pro", "google/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    let claude = "claude-sonnet-4-5@20250929";
    check(CHAT, chat, whole, claude, "anthropic/models/claude-sonnet-4-5@20250929:rawPredict");
    check("{}", Endpoint::Messages, streamed, claude, "anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict");
    check("{}", Endpoint::CountTokens, whole, claude, "anthropic/models/count-tokens:rawPredict");
    let input = r#"{"input":"a"}"#;
    check(input, Endpoint::Embeddings, whole, "text-embedding-005", "google/models/text-embedding-005:predict");
    check(input, Endpoint::Embeddings, whole, "gemini-embedding-001", "google/models/gemini-embedding-001:predict");
    check(input, Endpoint::Embeddings, whole, "gemini-embedding-2", "google/models/gemini-embedding-2:embedContent");
    let input = r#"{"input":["a","b"]}"#;
    let batch = "google/models/gemini-embedding-2:batchEmbedContents";
    check(input, Endpoint::Embeddings, whole, "gemini-embedding-2", batch);
}

#[test]
fn a_guest_is_told_its_version_and_not_its_name() {
    let own = r#"{"model":"asked","max_tokens":9,"messages":[]}"#;
    let asked = |endpoint| ask(own, endpoint, Delivery::Whole, "claude-opus-4-1@20250805", &vertex()).unwrap();
    let messages = asked(Endpoint::Messages);
    assert_eq!(messages.headers, [("anthropic-beta", "b-1".into())]);
    assert_eq!(written(messages), r#"{"max_tokens":9,"messages":[],"anthropic_version":"vertex-2023-10-16"}"#);
    assert_eq!(
        written(asked(Endpoint::CountTokens)),
        r#"{"model":"claude-opus-4-1@20250805","max_tokens":9,"messages":[],"anthropic_version":"vertex-2023-10-16"}"#
    );
}

#[test]
fn what_is_there_twice_is_counted_once() {
    let own = r#"{"generateContentRequest":{"contents":[],"system_instruction":{},"contents":[1]}}"#;
    let ask = ask(own, Endpoint::CountContent, Delivery::Whole, "gemini-2.5-pro", &vertex()).unwrap();
    assert_eq!(written(ask), r#"{"contents":[1],"systemInstruction":{}}"#);
}

#[test]
fn what_a_model_does_not_serve_is_refused() {
    let check = |body: &str, endpoint, model: &str, code: &str, field: &str| {
        let problem = ask(body, endpoint, Delivery::Whole, model, &vertex()).unwrap_err().problem();
        assert_eq!((problem.code.as_str(), problem.param.as_deref()), (code, Some(field)), "{body}");
    };
    let input = r#"{"input":["a","b"]}"#;
    check(input, Endpoint::Embeddings, "claude-opus-4-1", "endpoint_not_supported", "model");
    check(input, Endpoint::Embeddings, "gemini-embedding-001", "invalid_value", "input");
    let tier = r#"{"service_tier":"flex","messages":[{"role":"user","content":"a"}]}"#;
    check(tier, Endpoint::Chat, "gemini-2.5-pro", "unsupported_parameter", "service_tier");
    let image = |url: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
        )
    };
    let field = "messages[0].content[0].image_url.url";
    check(&image("https://example.org/a.png"), Endpoint::Chat, "claude-opus-4-1", "unsupported_parameter", field);
    check(&image("https://example.org/a"), Endpoint::Chat, "gemini-2.5-pro", "unsupported_parameter", field);
    for model in ["gemini-2.5-pro", "gemini-2.0-flash"] {
        let sent = written(ask(&image("gs://b/a.PNG"), Endpoint::Chat, Delivery::Whole, model, &vertex()).unwrap());
        assert!(sent.contains(r#"{"fileData":{"mimeType":"image/png","fileUri":"gs://b/a.PNG"}}"#), "{sent}");
    }
    let file = r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"gs://b/a.pdf"}}]}]}"#;
    let sent = written(ask(file, Endpoint::Chat, Delivery::Whole, "gemini-2.5-pro", &vertex()).unwrap());
    assert!(sent.contains(r#"{"mimeType":"application/pdf","fileUri":"gs://b/a.pdf"}"#), "{sent}");
    check(&image("gs://b/a.png"), Endpoint::Chat, "claude-opus-4-1", "unsupported_parameter", field);
    check(file, Endpoint::Chat, "claude-opus-4-1", "unsupported_parameter", "messages[0].content[0].file");
    let jpg = written(
        ask(&image("data:image/JPG;base64,AAAA"), Endpoint::Chat, Delivery::Whole, "gemini-2.5-pro", &vertex())
            .unwrap(),
    );
    assert!(jpg.contains(r#""inlineData":{"mimeType":"image/jpeg","data":"AAAA"}"#), "{jpg}");
    assert!(ask(&image("https://e.org/a.png"), Endpoint::Chat, Delivery::Whole, "gemini-2.5-pro", &vertex()).is_ok());
}

#[test]
fn an_address_that_is_left_out_is_noted() {
    let upstream = Upstream { drop_unsupported: true, ..vertex() };
    let chat = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},
        {"type":"image_url","image_url":{"url":"https://example.org/a.png"}}]}]}"#;
    let ask = ask(chat, Endpoint::Chat, Delivery::Whole, "claude-opus-4-1", &upstream).unwrap();
    assert_eq!(ask.notes.dropped, ["messages[0].content[1].image_url.url"]);
    assert!(written(ask).contains(r#""content":"a""#));
}

#[test]
fn an_error_is_in_the_words_of_the_guest_or_of_the_host() {
    let check = |status, body: &str, expect| assert_eq!(Vertex.fault(status, body.as_bytes()).kind, expect, "{body}");
    let guest = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    check(529, guest, FaultKind::Unavailable);
    let host = r#"{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}"#;
    check(401, host, FaultKind::Auth);
    check(401, &format!("[{host}]"), FaultKind::Auth);
    check(502, "<html></html>", FaultKind::Unavailable);
}

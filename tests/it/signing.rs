//! Requests to AWS are signed as they go up: rewritten, on whichever try, for a model whose name must be encoded.

use weir_sim::{AwsKey, Fault, Options};
use weir_tests::{Gateway, Manner, Upstream};

use crate::SAID;

const ACCESS: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const MODEL: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A provider that verifies signatures by `SECRET`; the gateway signs with `secret`.
async fn bedrock(secret: &str) -> Upstream {
    let aws = AwsKey { access: ACCESS.to_owned(), secret: SECRET.to_owned() };
    let upstream = Upstream::with("bedrock", Options { aws: Some(aws), ..Options::default() }).await;
    upstream.speaking("bedrock").but(|it| it.signed_with(ACCESS, secret))
}

#[tokio::test]
async fn a_request_is_signed_as_it_goes_up() {
    let bedrock = bedrock(SECRET).await;
    let gateway = Gateway::with(&bedrock).model("claude", [format!("bedrock/{MODEL}").as_str()]).start().await;
    for manner in Manner::all() {
        bedrock.clear();
        let answer = manner.ask(&gateway, "claude", "Hi").await;
        assert_eq!(answer.status(), 200, "{manner:?}: {} {:?}", answer.text(), bedrock.requests());
        assert_eq!(manner.said(&answer), SAID, "{manner:?}: {}", answer.text());
        assert!(manner.is_complete(&answer), "{manner:?}: {}", answer.text());
        let seen = &bedrock.requests()[0];
        let verb = if manner.is_streamed() { "converse-stream" } else { "converse" };
        assert_eq!(seen.path, format!("/model/{}/{verb}", MODEL.replace(':', "%3A")));
        assert!(seen.header("authorization").unwrap().contains("SignedHeaders="), "{seen:?}");
    }
}

#[tokio::test]
async fn a_try_after_another_provider_failed_is_signed_too() {
    let other = Upstream::called("other").await.speaking("openai");
    let bedrock = bedrock(SECRET).await;
    let models = [format!("other/{MODEL}"), format!("bedrock/{MODEL}")];
    let gateway = Gateway::with(&other).and(&bedrock).model("claude", models.iter().map(String::as_str)).start().await;
    for fault in [Fault::Status(503), Fault::Reset, Fault::ErrorEvent, Fault::Cut] {
        other.set_fault(MODEL, fault);
        for manner in Manner::all().filter(|manner| !(manner.is_streamed() && fault == Fault::Cut)) {
            let answer = manner.ask(&gateway, "claude", "Hi").await;
            let record = gateway.record(answer.id()).await;
            assert_eq!(
                record.tries().last(),
                Some(&format!("bedrock/{MODEL} ok")),
                "{manner:?}, {fault}: {:?}",
                *record
            );
            assert_eq!(record.tries().len(), 2, "{manner:?}, {fault}: {:?}", *record);
            assert_eq!(manner.said(&answer), SAID, "{manner:?}, {fault}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_no_fault_of_the_callers() {
    let bedrock = bedrock("not the secret").await;
    let gateway = Gateway::with(&bedrock).model("claude", [format!("bedrock/{MODEL}").as_str()]).start().await;
    for manner in Manner::all() {
        let answer = manner.ask(&gateway, "claude", "Hi").await;
        assert_eq!((answer.status(), manner.error(&answer).as_str()), (502, "upstream_auth"), "{manner:?}");
        let known = [ACCESS, "not the secret", "signature"].iter().find(|words| answer.text().contains(**words));
        assert_eq!(known, None, "{manner:?}: {}", answer.text());
    }
}

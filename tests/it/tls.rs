//! TLS towards a provider: verified, or not spoken at all.

use weir_sim::Tls;
use weir_tests::{Authority, Gateway, Provider, Upstream, self_signed};

use crate::SAID;

/// What comes of asking a provider with this certificate as `host`, where `authority` is trusted; another answers if not.
async fn tries(host: &str, tls: Tls, authority: &Authority) -> Vec<String> {
    let bundle = authority.bundle();
    let safe = Upstream::with_tls("safe", host, tls).await.but(|safe| safe.trusting(&bundle));
    let other = Upstream::called("other").await;
    let gateway = Gateway::with(&safe).and(&other).model("gpt", ["safe/m", "other/m"]).start().await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!((answer.status(), answer.said().as_str()), (200, SAID), "{}", answer.text());
    assert_eq!(safe.served() + other.served(), 1);
    gateway.record(answer.id()).await.tries()
}

const REFUSED: [&str; 2] = ["safe/m connect_failure", "other/m ok"];

#[tokio::test]
async fn a_certificate_of_the_trusted_authority_holds() {
    let authority = Authority::new();
    assert_eq!(tries("localhost", authority.certify("localhost"), &authority).await, ["safe/m ok"]);
    assert_eq!(tries("127.0.0.1", authority.certify("127.0.0.1"), &authority).await, ["safe/m ok"]);
}

#[tokio::test]
async fn a_self_signed_certificate_does_not() {
    assert_eq!(tries("localhost", self_signed("localhost"), &Authority::new()).await, REFUSED);
}

#[tokio::test]
async fn a_certificate_of_another_authority_does_not() {
    assert_eq!(tries("localhost", Authority::new().certify("localhost"), &Authority::new()).await, REFUSED);
}

#[tokio::test]
async fn a_certificate_for_another_name_does_not() {
    let authority = Authority::new();
    assert_eq!(tries("localhost", authority.certify("elsewhere.test"), &authority).await, REFUSED);
    assert_eq!(tries("127.0.0.1", authority.certify("127.0.0.2"), &authority).await, REFUSED);
}

#[tokio::test]
async fn an_expired_certificate_does_not() {
    let authority = Authority::new();
    assert_eq!(tries("localhost", authority.certify_in_the_past("localhost"), &authority).await, REFUSED);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_a_failed_connection() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}/v1", silent.local_addr().unwrap());
    let other = Upstream::called("other").await;
    let gateway = Gateway::with(Provider::at("safe", &endpoint).set("connect_timeout", "200ms"))
        .and(&other)
        .model("gpt", ["safe/m", "other/m"])
        .model("alone", ["safe/n"])
        .start()
        .await;
    let answer = gateway.chat("gpt", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), REFUSED, "{}", answer.text());
    let answer = gateway.chat("alone", "Hi").await;
    assert_eq!(gateway.record(answer.id()).await.tries(), ["safe/n connect_failure"], "{}", answer.text());
}

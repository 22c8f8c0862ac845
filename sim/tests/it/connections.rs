//! HTTP versions, TLS, and ending.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_rustls::TlsConnector;
use weir_sim::{Options, Sim, Tls};

use crate::client::{HEADERS, chat, collect, request, send_h2, sim};

#[tokio::test]
async fn both_versions_are_spoken_on_one_port() {
    let sim = sim().await;
    let ask = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let one = chat(&sim, "m", json!({"stream": true})).await;
    let two = send_h2(&sim, "/v1/chat/completions", &ask).await.unwrap();
    assert_eq!(one.events().len(), two.events().len());
    let versions: Vec<_> = sim.requests().iter().map(|seen| format!("{:?}", seen.version)).collect();
    assert_eq!(versions, ["HTTP/1.1", "HTTP/2.0"]);
    assert_eq!(sim.requests()[1].header("host"), Some(sim.address().to_string().as_str()));
}

#[tokio::test]
async fn tls_offers_both_versions() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls { certificate: made.cert.pem().into(), key: made.signing_key.serialize_pem().into() };
    let sim = Sim::start(Options { tls: Some(tls), ..Options::default() }).await.unwrap();
    assert!(sim.url().starts_with("https://"));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let tcp = TcpStream::connect(sim.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
        let got = if protocol == "h2" {
            let io = TokioIo::new(stream);
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            let request = request("https://localhost/v1/chat/completions", "POST", &HEADERS, body.into());
            collect(sender.send_request(request).await.unwrap()).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = request("/v1/chat/completions", "POST", &HEADERS, body.into());
            collect(sender.send_request(request).await.unwrap()).await.unwrap()
        };
        assert_eq!(got.status, 200);
    }
}

#[tokio::test]
async fn a_stopped_simulator_closes_its_connections_and_frees_its_port() {
    let sim = sim().await;
    let address = sim.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    // Served by now, so the connection has been accepted.
    chat(&sim, "m", json!({})).await;
    sim.stop().await;
    let mut rest = Vec::new();
    assert!(!matches!(idle.read_to_end(&mut rest).await, Ok(1..)));
    let again = Sim::start(Options { listen: address, ..Options::default() }).await;
    assert_eq!(again.unwrap().address(), address);
}

#[tokio::test]
async fn a_dropped_simulator_closes_its_connections() {
    let sim = sim().await;
    let mut idle = TcpStream::connect(sim.address()).await.unwrap();
    chat(&sim, "m", json!({})).await;
    drop(sim);
    let mut rest = Vec::new();
    assert!(!matches!(idle.read_to_end(&mut rest).await, Ok(1..)));
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let sim = sim().await;
    let error = Sim::start(Options { listen: sim.address(), ..Options::default() }).await.unwrap_err();
    assert!(error.to_string().contains(&sim.address().to_string()));
}

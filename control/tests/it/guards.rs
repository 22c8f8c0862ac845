//! What operators have before their applications: filters that ask services, and refuse.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use weir_sim::Tls;
use weir_tests::Authority;

/// Tokens of the issuer `test`, signed with the key in [`jwt`].
pub(crate) const ALICE: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiayJ9.eyJpc3MiOiAidGVzdCIsICJzdWIiOiAiYWxpY2UifQ.8WfZd4DDfi1i6YOwB-dmcBsKj_pVaIdK4Z1I-sSkd4M";
pub(crate) const BOB: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiayJ9.eyJpc3MiOiAidGVzdCIsICJzdWIiOiAiYm9iIn0.s5Xgrz6lE3iXojI6zZ_Ed-J4YjZwqurNRLPUwguO2sw";

/// A running authorization service and a running rate limit service.
pub(crate) struct Guards {
    authz: Service,
    limit: Service,
}

impl Guards {
    pub(crate) async fn start() -> Self {
        Self { authz: authz().await, limit: limit().await }
    }

    /// How often each was asked: authorization, rate limit.
    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.authz.1.load(Ordering::SeqCst), self.limit.1.load(Ordering::SeqCst))
    }

    /// The filters: each refuses by a header of its own, the first one whoever has no token.
    pub(crate) fn filters(&self) -> Vec<Value> {
        vec![jwt(), rbac(), authz_filter(self.authz.0), limit_filter()]
    }

    pub(crate) fn clusters(&self) -> Vec<Value> {
        vec![cluster("authz", self.authz.0, false), cluster("limit", self.limit.0, true)]
    }
}

/// The operator's descriptors for the rate limit service.
pub(crate) fn rate_limits() -> Value {
    let header =
        json!({ "request_headers": { "header_name": "x-limit", "descriptor_key": "limit", "skip_if_absent": true } });
    json!([{ "actions": [{ "generic_key": { "descriptor_value": "ai" } }, header] }])
}

/// Filter state of what the token says, and of where the client is, which goes with internal connections.
pub(crate) fn identity() -> Value {
    let state = |name: &str, value: &str| {
        json!({
            "object_key": name,
            "factory_key": "envoy.hashable_string",
            "format_string": { "text_format_source": { "inline_string": value }, "omit_empty_values": true },
            "skip_if_empty": true,
            "shared_with_upstream": "ONCE",
        })
    };
    filter(
        "set_filter_state",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [
                state("weir.claim", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%"),
                state("weir.user", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%"),
                state("weir.address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
                state("weir.certificate", "%DOWNSTREAM_PEER_URI_SAN%"),
            ],
        }),
    )
}

pub(crate) fn cluster(name: &str, port: u16, http2: bool) -> Value {
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let protocol = if http2 { "http2_protocol_options" } else { "http_protocol_options" };
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { protocol: {} },
            },
        },
    })
}

/// A listener's transport socket that wants a certificate of this authority from everybody.
pub(crate) fn mutual_tls(own: &Tls, authority: &str) -> Value {
    let text = |pem: &[u8]| json!({ "inline_string": std::str::from_utf8(pem).unwrap() });
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "tls_certificates": [{ "certificate_chain": text(&own.certificate), "private_key": text(&own.key) }],
                "validation_context": { "trusted_ca": { "inline_string": authority } },
            },
        },
    })
}

/// Asks for a chat with a client's certificate, and headers that claim another. The answer's body, and its status at the end; 000
/// where there is none.
pub(crate) fn curl(folder: &Path, port: u16, authority: &Authority, client: &Tls) -> String {
    let files =
        [("ca", authority.bundle().into_bytes()), ("cert", client.certificate.clone()), ("key", client.key.clone())];
    let mut command = Command::new("curl");
    for (name, pem) in files {
        let file = folder.join(format!("client-{name}.pem"));
        std::fs::write(&file, pem).unwrap();
        command.arg(format!("--{}", if name == "ca" { "cacert" } else { name })).arg(file);
    }
    command.args(["--silent", "--write-out", "%{http_code}", "--header", "content-type: application/json", "--data"]);
    command.arg(r#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#);
    let claimed = "spiffe://example.org/ns/a/sa/b";
    command.args(["--header", &format!("x-forwarded-client-cert: URI={claimed}")]);
    command.args(["--header", &format!("weir.certificate: {claimed}")]);
    let output = command.arg(format!("https://127.0.0.1:{port}/v1/chat/completions")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn filter(name: &str, config: &Value) -> Value {
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": config })
}

fn jwt() -> Value {
    let key = "d2Vpci10ZXN0LXNlY3JldC1vZi1hbi1pc3N1ZXItMDA";
    let keys = format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","kid":"k","k":"{key}"}}]}}"#);
    filter(
        "jwt_authn",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "test": {
                "issuer": "test",
                "from_headers": [{ "name": "x-jwt" }],
                "payload_in_metadata": "claims",
                "local_jwks": { "inline_string": keys },
            } },
            "rules": [{ "match": { "prefix": "/v1/" }, "requires": { "provider_name": "test" } }],
        }),
    )
}

fn rbac() -> Value {
    let nobody = json!({ "header": { "name": "x-role", "string_match": { "exact": "nobody" } } });
    let policy = json!({ "permissions": [{ "any": true }], "principals": [nobody] });
    filter(
        "rbac",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "DENY", "policies": { "nobody": policy } },
        }),
    )
}

/// Refuses paths that begin so.
pub(crate) fn no_paths(prefixes: &[&str]) -> Value {
    let path = |prefix: &&str| json!({ "url_path": { "path": { "prefix": prefix } } });
    let permissions: Vec<Value> = prefixes.iter().map(path).collect();
    let policy = json!({ "permissions": permissions, "principals": [{ "any": true }] });
    filter(
        "rbac",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "DENY", "policies": { "paths": policy } },
        }),
    )
}

fn authz_filter(port: u16) -> Value {
    filter(
        "ext_authz",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "http_service": {
                "server_uri": { "uri": format!("http://127.0.0.1:{port}"), "cluster": "authz", "timeout": "20s" },
            },
            "allowed_headers": { "patterns": [{ "exact": "x-authz" }] },
        }),
    )
}

fn limit_filter() -> Value {
    filter(
        "ratelimit",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
            "domain": "own",
            "failure_mode_deny": true,
            "timeout": "20s",
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": { "envoy_grpc": { "cluster_name": "limit" } },
            },
        }),
    )
}

/// Where a service listens, and how often it was asked.
type Service = (u16, Arc<AtomicUsize>);

/// A connection that is served until it ends.
type Served = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Has `serve` serve each connection; it is told where to count requests.
async fn service(serve: impl Fn(TokioIo<TcpStream>, Arc<AtomicUsize>) -> Served + Send + 'static) -> Service {
    let (listener, asked) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicUsize::new(0)));
    let (port, count) = (listener.local_addr().unwrap().port(), asked.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(TokioIo::new(stream), count.clone()));
        }
    });
    (port, asked)
}

/// An authorization service that speaks HTTP.
async fn authz() -> Service {
    service(|stream, count| {
        let answer = service_fn(move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::SeqCst);
            let refuse = request.headers().get("x-authz").is_some_and(|value| value == "refuse");
            let (status, body) = if refuse { (403, "not you") } else { (200, "") };
            let answer = Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        Box::pin(async move { drop(hyper::server::conn::http1::Builder::new().serve_connection(stream, answer).await) })
    })
    .await
}

/// A rate limit service: `envoy.service.ratelimit.v3.RateLimitService`, as far as one field of its answer goes.
async fn limit() -> Service {
    service(|stream, count| {
        let answer = service_fn(move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::SeqCst);
            async move {
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                let refuse = asked.windows(6).any(|window| window == b"refuse");
                // `overall_code`: OK is 1, OVER_LIMIT 2; before it a message's five bytes of head.
                let message = Bytes::from(vec![0, 0, 0, 0, 2, 8, if refuse { 2 } else { 1 }]);
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let body = Full::new(message).with_trailers(std::future::ready(Some(Ok(trailers))));
                let answer = Response::builder().header("content-type", "application/grpc").body(body);
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        Box::pin(async move { drop(http.serve_connection(stream, answer).await) })
    })
    .await
}

//! Requests through Envoy, and a provider that answers them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::response::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// A provider that speaks OpenAI's API; its port.
pub(crate) async fn upstream() -> u16 {
    counted().await.0
}

/// The same, and how many requests it was sent.
pub(crate) async fn counted() -> (u16, Arc<AtomicUsize>) {
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                count.fetch_add(1, Ordering::SeqCst);
                async move {
                    let _ = request.into_body().collect().await;
                    let answer = Response::builder().header("content-type", "application/json");
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(ANSWER.as_bytes()))).unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (port, served)
}

/// Callers who ask without a pause, until [`end`](Self::end).
pub(crate) struct Load {
    callers: JoinSet<usize>,
    over: Arc<AtomicBool>,
    by: watch::Receiver<String>,
}

impl Load {
    pub(crate) fn begin(listen: u16, callers: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (tell, by) = watch::channel(String::new());
        let client = client();
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (over, tell, client) = (over.clone(), tell.clone(), client.clone());
            tasks.spawn(async move {
                let mut answered = 0;
                while !over.load(Ordering::Relaxed) {
                    tell.send_replace(ask(&client, listen).await);
                    answered += 1;
                }
                answered
            });
        }
        Self { callers: tasks, over, by }
    }

    /// Waits until the provider `name` has answered a request.
    pub(crate) async fn answered_by(&self, name: &str) {
        let mut by = self.by.clone();
        let answered = by.wait_for(|by| by == name);
        tokio::time::timeout(Duration::from_secs(20), answered).await.expect("the change is not live").unwrap();
    }

    /// How many requests were answered; panics if one failed.
    pub(crate) async fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let mut answered = 0;
        while let Some(caller) = self.callers.join_next().await {
            answered += caller.unwrap();
        }
        answered
    }
}

/// Asks once at `path`.
pub(crate) async fn post(
    client: &Client<HttpConnector, Full<Bytes>>,
    listen: u16,
    path: &str,
    body: &'static str,
) -> (Parts, Bytes) {
    let request = Request::post(format!("http://127.0.0.1:{listen}{path}"))
        .header("authorization", "Bearer weir-ada")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    (head, body.collect().await.unwrap().to_bytes())
}

/// Asks once with these headers: status and body.
pub(crate) async fn ask_with(listen: u16, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request =
        Request::post(format!("http://127.0.0.1:{listen}{path}")).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#));
    let (head, body) = client().request(request.body(body).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

/// What is at a path; `None` if nobody listens.
pub(crate) async fn get(port: u16, path: &str) -> Option<String> {
    let request = Request::get(format!("http://127.0.0.1:{port}{path}")).body(Full::new(Bytes::new())).unwrap();
    let body = client().request(request).await.ok()?.into_body().collect().await.ok()?.to_bytes();
    String::from_utf8(body.to_vec()).ok()
}

/// Waits until something is there.
pub(crate) async fn eventually<T>(found: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("it is there in time")
}

pub(crate) fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Asks once; the provider that answered.
async fn ask(client: &Client<HttpConnector, Full<Bytes>>, listen: u16) -> String {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let (head, body) = post(client, listen, "/v1/chat/completions", body).await;
    assert_eq!(head.status, 200, "{}", String::from_utf8_lossy(&body));
    head.headers.get("x-weir-provider").unwrap().to_str().unwrap().to_owned()
}

use std::net::SocketAddr;
use std::path::Path;

use hyper_util::client::legacy::Client;
use weir_core::lease::{Account, Grants, State};
use weir_core::quota::{Alone, Kind, Limit, Meter, Windows};

use super::super::book::NoBook;
use super::super::limits::Limits;
use super::super::listen::{Address, Guard, ListenError};
use super::super::store::{self, Memory};
use super::api::Shown;
use super::*;

fn pools() -> Arc<Pools> {
    let kind = Kind::Budget { amount: 1000, windows: Windows::Ever };
    let limit = Limit {
        name: "all".to_owned(),
        was: None,
        subjects: Vec::new(),
        meter: Meter::Tokens,
        kind,
        soft: false,
        alone: Alone::Open,
        values: 1,
    };
    let rate = Limit { name: "fast".to_owned(), kind: Kind::Rate { amount: 1, period: 1, burst: 1 }, ..limit.clone() };
    let dollars = Limit { name: "dollars".to_owned(), meter: Meter::Cost, ..limit.clone() };
    let limits = Limits::of(&[limit, rate, dollars]);
    Arc::new(Pools::new(store::Address::Memory(Memory::default()), limits, Arc::new(NoBook), Arc::new(|_| {})))
}

async fn start(guard: Guard) -> SocketAddr {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), guard).await.unwrap();
    let Address::Tcp(address) = *listener.address() else { unreachable!() };
    tokio::spawn(serve(listener, pools(), std::future::pending()));
    address
}

async fn ask(address: SocketAddr, method: Method, path: &str, token: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    let request = request.header(AUTHORIZATION, format!("Bearer {token}")).body(Full::new(Bytes::from(body))).unwrap();
    let answer = client.request(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn report(sequence: u64, wanted: u128) -> Report {
    let account = Account { limit: "all".to_owned(), ..Account::default() };
    let unknown = State { account: Account { limit: "none".to_owned(), ..Account::default() }, ..State::default() };
    let state = State { account, wanted, least: wanted, ..State::default() };
    Report { node: "n".to_owned(), start: 1, sequence, accounts: vec![state, unknown], ..Report::default() }
}

/// Of a limit that nobody had used yet, the command line took dollars for pico-dollars.
#[tokio::test]
async fn a_credit_is_in_the_limits_own_unit() {
    let address = start(Guard::default()).await;
    let credit = |amount: &str| format!(r#"{{"limit":"dollars","subject":"","amount":"{amount}","why":"a test"}}"#);
    let path = "/v1/limits/credit";
    assert_eq!(ask(address, Method::POST, path, "", credit("1.5.0").into_bytes()).await.0, 400);
    assert_eq!(ask(address, Method::POST, path, "", credit("12.50").into_bytes()).await.0, 200);
    let (_, listed) = ask(address, Method::GET, "/v1/limits", "", Vec::new()).await;
    let shown: Vec<Shown> = serde_json::from_slice(&listed).unwrap();
    let dollars = shown.iter().find(|one| one.limit == "dollars").unwrap();
    // It begins with 1000 pico-dollars.
    assert_eq!(
        (dollars.amount.as_str(), dollars.for_people(&dollars.amount)),
        ("12500000001000", "12.500000001".to_owned())
    );
}

#[tokio::test]
async fn a_report_is_answered_with_grants_and_the_api_shows_and_credits_accounts() {
    let address = start(Guard::default()).await;
    let (status, body) = ask(address, Method::POST, PATH, "", report(1, 10).encode()).await;
    let grants = Grants::decode(&body).unwrap();
    assert_eq!((status, grants.grants.len(), grants.sequence), (200, 1, 1));
    assert_eq!(grants.grants[0].granted, 80);

    let credit = br#"{"limit":"all","subject":"","amount":"-100","why":"a test"}"#.to_vec();
    assert_eq!(ask(address, Method::POST, "/v1/limits/credit", "", credit).await.0, 200);
    let (status, body) = ask(address, Method::GET, "/v1/limits", "", Vec::new()).await;
    let shown: Vec<Shown> = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, shown[0].amount.as_str(), shown[0].leased.as_str()), (200, "900", "80"));
    assert_eq!(shown[0].unit, "tokens");
}

#[tokio::test]
async fn bad_requests_are_told_so() {
    let address = start(Guard::default()).await;
    let credit = |text: &str| text.as_bytes().to_vec();
    for (method, path, body, status) in [
        (Method::POST, PATH, vec![0xff; 100], 400),
        (Method::POST, PATH, Vec::new(), 400),
        (Method::POST, PATH, vec![0; LONGEST + 1], 413),
        (Method::GET, PATH, Vec::new(), 405),
        (Method::GET, "/else", Vec::new(), 404),
        (Method::POST, "/v1/limits/credit", credit("{"), 400),
        (Method::POST, "/v1/limits/credit", credit(r#"{"limit":"x","subject":"","amount":"1","why":"y"}"#), 400),
        (Method::POST, "/v1/limits/credit", credit(r#"{"limit":"fast","subject":"","amount":"1","why":"y"}"#), 400),
        (Method::POST, "/v1/limits/credit", credit(r#"{"limit":"all","subject":"","amount":"1.5","why":"y"}"#), 400),
        (Method::POST, "/v1/limits/credit", credit(r#"{"limit":"all","subject":"","amount":"1","why":" "}"#), 400),
        (Method::GET, "/healthz", Vec::new(), 200),
    ] {
        assert_eq!(ask(address, method.clone(), path, "", body).await.0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn any_bytes_are_answered() {
    let address = start(Guard::default()).await;
    let whole = report(1, 10).encode();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] = changed[at].wrapping_add(0x91);
        for body in [changed, whole[..at].to_vec()] {
            let (status, _) = ask(address, Method::POST, PATH, "", body).await;
            assert!(matches!(status, 200 | 400), "{status}");
        }
    }
}

#[tokio::test]
async fn only_who_has_the_token_is_answered() {
    let token = "0123456789abcdef".to_owned();
    let address = start(Guard { token: Some(token.clone()), tls: None }).await;
    assert_eq!(ask(address, Method::GET, "/v1/limits", "0123456789abcdeF", Vec::new()).await.0, 401);
    assert_eq!(ask(address, Method::GET, "/v1/limits", &token, Vec::new()).await.0, 200);
}

#[tokio::test]
async fn other_machines_need_tls_and_a_token() {
    let bind = async |address: &str, guard| Listener::bind(&address.parse().unwrap(), guard).await.map(drop);
    let token = Some("0123456789abcdef".to_owned());
    assert!(matches!(bind("0.0.0.0:0", Guard::default()).await, Err(ListenError::Unguarded(_))));
    let guard = Guard { token, tls: None };
    assert!(matches!(bind("[::]:0", guard.clone()).await, Err(ListenError::Unguarded(_))));
    let missing = Some(("/nowhere.pem".into(), "/nowhere.key".into()));
    assert!(matches!(bind("0.0.0.0:0", Guard { tls: missing, ..guard }).await, Err(ListenError::Certificate(..))));
    let short = Guard { token: Some("short".to_owned()), tls: None };
    assert!(matches!(bind("127.0.0.1:0", short).await, Err(ListenError::ShortToken)));
}

#[tokio::test]
async fn a_socket_is_only_for_its_user_and_one_that_was_left_is_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let address = Address::Socket(path.clone());
    let first = Listener::bind(&address, Guard::default()).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert!(matches!(Listener::bind(&address, Guard::default()).await, Err(ListenError::Address(..))));
    drop(first);
    Listener::bind(&address, Guard::default()).await.unwrap();
}

/// An Envoy may still run the configuration before, and is not refused for that.
#[tokio::test]
async fn the_configuration_is_read_when_control_is_told_and_the_one_before_is_not_forgotten() {
    let pools = pools();
    let [all, fast] = ["all", "fast"].map(|name| pools.limits().get(name).unwrap().clone());
    let configured = Arc::new(std::sync::Mutex::new(Ok(Limits::of(&[fast, Limit { name: "new".to_owned(), ..all }]))));
    let read = Arc::clone(&configured);
    let pools = Arc::into_inner(pools).unwrap().reading(Arc::new(move || read.lock().unwrap().clone()));
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), Guard::default()).await.unwrap();
    let Address::Tcp(address) = *listener.address() else { unreachable!() };
    tokio::spawn(serve(listener, Arc::new(pools), std::future::pending()));
    let known = async |sequence| {
        let state = |name: &str| {
            let account = Account { limit: name.to_owned(), ..Account::default() };
            State { account, wanted: 1, least: 1, ..State::default() }
        };
        let accounts = ["all", "dollars", "new"].map(state).to_vec();
        let report = Report { node: "n".to_owned(), start: 1, sequence, accounts, ..Report::default() };
        let (_, body) = ask(address, Method::POST, PATH, "", report.encode()).await;
        let grants = Grants::decode(&body).unwrap().grants;
        grants.into_iter().map(|grant| grant.account.limit).collect::<Vec<_>>()
    };
    assert_eq!(known(1).await, ["all", "dollars"]);
    for sequence in [2, 3] {
        // The second time nothing has changed, so what was before stays too.
        assert_eq!(ask(address, Method::POST, "/v1/reload", "", Vec::new()).await.0, 200);
        assert_eq!(known(sequence).await, ["all", "dollars", "new"]);
    }
    *configured.lock().unwrap() = Err("line 7".to_owned());
    assert_eq!(ask(address, Method::POST, "/v1/reload", "", Vec::new()).await, (400, b"line 7\n".to_vec()));
    assert_eq!(known(4).await, ["all", "dollars", "new"]);
}

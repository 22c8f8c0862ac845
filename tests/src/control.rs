//! Control, as a test starts, kills and restarts it: the real server, in this process.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};
use weir_control::ledger;
use weir_control::render::{self as rendered, ControlAddress};
use weir_control::state::book::Ledger;
use weir_control::state::limits::Limits;
use weir_control::state::listen::{Address, Guard, Listener};
use weir_control::state::pools::Pools;
use weir_control::state::serve::serve;
use weir_control::state::store::{Address as StoreAddress, Memory};
use weir_core::lease::Standing;
use weir_core::quota::Limit;
use weir_core::time::Instant;

use crate::certificate::Authority;
use crate::folder::Folder;

/// Control on a Unix socket. What it has written down outlives its death.
#[derive(Debug)]
pub struct Control {
    store: StoreAddress,
    running: Option<Runtime>,
    /// Where it listens by TLS.
    secured: Option<SocketAddr>,
    folder: Folder,
}

impl Control {
    /// One that keeps leases in memory. It is not running yet.
    pub fn new() -> Self {
        Self::over(StoreAddress::Memory(Memory::default()))
    }

    /// One that keeps leases in this store. It is not running yet.
    pub fn over(store: StoreAddress) -> Self {
        Self { store, running: None, secured: None, folder: Folder::new() }
    }

    /// Has it listen by TLS and ask for a token, and says how an Envoy called `node` reaches it.
    pub fn by_tls(&mut self, authority: &Authority, token: &str, node: &str) -> rendered::Control {
        let tls = authority.certify("127.0.0.1");
        let files = [("cert.pem", tls.certificate), ("key.pem", tls.key), ("ca.pem", authority.bundle().into_bytes())];
        for (name, bytes) in files.into_iter().chain([("token", token.as_bytes().to_vec())]) {
            fs::write(self.folder.path().join(name), bytes).expect("a file");
        }
        let at = *self.secured.get_or_insert_with(weir_ports::free);
        rendered::Control {
            at: ControlAddress::Tls(at.ip().to_string(), at.port()),
            node: node.to_owned(),
            token: Some(self.folder.path().join("token")),
            ca: Some(self.folder.path().join("ca.pem")),
        }
    }

    fn guarded(&self) -> (Address, Guard) {
        let Some(at) = self.secured else { return (Address::Socket(self.socket()), Guard::default()) };
        let file = |name: &str| self.folder.path().join(name);
        let token = fs::read_to_string(file("token")).expect("the token");
        (Address::Tcp(at), Guard { tls: Some((file("cert.pem"), file("key.pem"))), token: Some(token) })
    }

    /// Where it listens.
    pub fn address(&self) -> ControlAddress {
        ControlAddress::Socket(self.socket())
    }

    /// The ledger that it asks. It is not there until a test makes it, and somebody else fills it.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join(ledger::FILE)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    /// Starts it for these limits.
    pub async fn start(&mut self, limits: &[Limit]) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let ((address, guard), pools) = (self.guarded(), self.pools(limits));
        let listens = runtime.spawn(async move {
            let listener = Listener::bind(&address, guard).await.expect("a socket");
            tokio::spawn(serve(listener, pools, std::future::pending()));
        });
        listens.await.expect("it listens");
        self.running = Some(runtime);
    }

    /// Ends it between two instructions, and all its connections.
    pub fn kill(&mut self) {
        self.running.take().expect("it runs").shutdown_background();
    }

    fn pools(&self, limits: &[Limit]) -> Arc<Pools> {
        let tell = Arc::new(|line: &str| eprintln!("control: {line}"));
        Arc::new(Pools::new(self.store.clone(), Limits::of(limits), Arc::new(Ledger::new(self.ledger())), tell))
    }

    /// What became of a limit, over all its accounts.
    pub async fn standing(&self, limits: &[Limit], limit: &str) -> Standing {
        let listed = self.pools(limits).list(now()).await.expect("the store");
        let mut sum = Standing::default();
        for one in listed.into_iter().filter(|one| one.account.limit == limit) {
            sum.spent += one.standing.spent;
            sum.lost += one.standing.lost;
            sum.reserved += one.standing.reserved;
            sum.leased += one.standing.leased;
            sum.debts += one.standing.debts;
        }
        sum
    }
}

fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    Instant::default().after(since)
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_background();
        }
    }
}

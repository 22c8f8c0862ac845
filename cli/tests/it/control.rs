//! `weir control` as a process: it is killed in the middle, told wrong things, and asked by `weir limits`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use weir_control::state::client::Client;
use weir_control::state::now;
use weir_core::lease::{Account, Held, Report};
use weir_tests::Home;

const AMOUNT: u128 = 20_000;

const CONFIG: &str = "\
providers:
  sim: { dialect: openai, endpoint: 'http://127.0.0.1:10002/v1' }
models:
  gpt-4o-mini:
    targets: [{ provider: sim }]
quotas:
  all: { budget: 20000 tokens in total }
";

/// A control that is killed with its value.
struct Control(Child);

impl Control {
    fn start(home: &Home) -> Self {
        let socket = format!("unix:{}", home.path("control.sock").display());
        let flags = ["control", "--config", "weir.yaml", "--listen", &socket];
        let mut child = home.command(&flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("control at unix:"), "{line}");
        Self(child)
    }

    /// By SIGKILL.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An Envoy, as far as control knows one.
struct Envoy {
    report: Report,
    held: Held,
}

impl Envoy {
    fn new(start: u64) -> Self {
        let report = Report { node: format!("envoy-{start}"), start, ..Report::default() };
        Self { report, held: Held::new(1) }
    }

    async fn call(&mut self, client: &Client, wanted: u128) -> Result<u128, String> {
        self.held.give_back(wanted);
        self.report.sequence += 1;
        let account = Account { limit: "all".to_owned(), ..Account::default() };
        self.report.accounts = vec![self.held.state(account, wanted, wanted)];
        let sent = now();
        let grants = client.exchange(&self.report).await?;
        self.held.take(&grants.grants[0], grants.epoch, grants.sequence, sent, now());
        if wanted > 0 && self.held.reserve(wanted, now()).is_ok() {
            self.held.settle(wanted, wanted - 1);
            return Ok(wanted - 1);
        }
        Ok(0)
    }
}

#[test]
fn a_control_that_is_killed_and_started_again_has_forgotten_nothing() {
    let home = Home::new();
    home.write("weir.yaml", CONFIG);
    let mut control = Control::start(&home);
    let address = format!("unix:{}", home.path("control.sock").display());
    let client = Client { address: address.parse().unwrap(), token: None, ca: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut envoys = [Envoy::new(1), Envoy::new(2), Envoy::new(3)];
    let mut spent = 0;
    for round in 0..120 {
        if round == 40 {
            control.kill();
            let away = runtime.block_on(envoys[0].call(&client, 50)).unwrap_err();
            assert!(away.contains("does `weir control` run?"), "{away}");
            control = Control::start(&home);
        }
        for envoy in &mut envoys {
            spent += runtime.block_on(envoy.call(&client, 100)).unwrap();
        }
        assert!(spent <= AMOUNT, "{spent}");
    }
    assert!(spent >= AMOUNT * 98 / 100, "{spent}");
    for envoy in &mut envoys {
        runtime.block_on(envoy.call(&client, 0)).unwrap();
        runtime.block_on(envoy.call(&client, 0)).unwrap();
    }

    let listed = home.weir(&["limits", "--control", &address]);
    let expect = format!("all\t-\ttokens\t20000\t{spent}\t0\t0\t{}\tnever\n", AMOUNT - spent);
    assert!(listed.code == Some(0) && listed.out.ends_with(&expect), "{listed:?}");
    let credited = home.weir(&["limits", "--control", &address, "credit", "all", "-", "-50", "--why", "a test"]);
    assert_eq!(credited.code, Some(0), "{credited:?}");
    let listed = home.weir(&["limits", "--control", &address, "--json"]);
    assert!(listed.out.contains("\"amount\": \"19950\""), "{listed:?}");
    let wrong = home.weir(&["limits", "--control", &address, "credit", "al", "", "1", "--why", "a test"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("no limit is called \"al\""), "{wrong:?}");
    drop(control);
    let nobody = home.weir(&["limits", "--control", &address]);
    assert!(nobody.code == Some(1) && nobody.err.contains("does `weir control` run?"), "{nobody:?}");
}

#[test]
fn a_control_that_others_could_reach_does_not_start() {
    let home = Home::new();
    home.write("weir.yaml", CONFIG);
    let open = home.weir(&["control", "--config", "weir.yaml", "--listen", "0.0.0.0:0"]);
    assert!(open.code == Some(1) && open.err.contains("a certificate, its key and a token"), "{open:?}");
    let store = home.weir(&["control", "--config", "weir.yaml", "--store", "mysql://x"]);
    assert!(store.code == Some(2) && store.err.contains("is no store"), "{store:?}");
}

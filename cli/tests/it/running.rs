//! A running `weir up` with a simulated provider, on ports of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_ports::free;

use crate::home::{Home, lives};

/// Far longer than anything takes: only a test that fails waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Ends with its value, however the test ends.
pub(crate) struct Running {
    pub(crate) home: Home,
    pub(crate) listen: SocketAddr,
    pub(crate) sim: SocketAddr,
    child: Child,
}

/// A configuration with one provider, the simulator.
pub(crate) fn config(listen: SocketAddr, sim: SocketAddr, more: &str) -> String {
    format!(
        "listen: {listen}\nproviders:\n  sim: {{ dialect: openai, endpoint: 'http://{sim}/v1', credential: \
         'env:SIM_KEY' }}\n  local: {{ dialect: local }}\nmodels:\n  gpt-4o-mini:\n    targets: [{{ provider: sim }}]\n{more}"
    )
}

impl Running {
    /// Starts with these flags, and returns once everything is ready.
    pub(crate) fn start(flags: &[&str], more: &str) -> Self {
        Self::with(flags, |listen, sim| config(listen, sim, more))
    }

    /// The same where no process may have more files open.
    pub(crate) fn limited(files: u32) -> Self {
        let (listen, sim) = (free(), free());
        let home = Home::new();
        home.write("weir.yaml", &config(listen, sim, ""));
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"]);
        let mut running = Self { child: spawn_by(limited, &home, sim, &[]), home, listen, sim };
        running.until("it is ready", |running| running.home.path("ready.json").is_file());
        running
    }

    /// The same with a configuration of the test's own.
    pub(crate) fn with(flags: &[&str], config: impl Fn(SocketAddr, SocketAddr) -> String) -> Self {
        let (listen, sim) = (free(), free());
        let home = Home::new();
        home.write("weir.yaml", &config(listen, sim));
        let mut running = Self { child: spawn(&home, sim, flags), home, listen, sim };
        running.until("it is ready", |running| running.home.path("ready.json").is_file());
        running
    }

    /// Waits until something is so. Fails with the whole output if it does not become so, or if `weir up` ends.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !so(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < LONG, "{what}: not so ({ended:?})\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything it has said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.home.read("out"), self.home.read("err"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process id of a child as of the start.
    pub(crate) fn child(&self, name: &str) -> u32 {
        let ready: Value = serde_json::from_str(&self.home.read("ready.json")).unwrap();
        ready["children"][name].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap()
    }

    /// Every process that is running because of this one.
    pub(crate) fn children(&self) -> Vec<u32> {
        let ready: Value = serde_json::from_str(&self.home.read("ready.json")).unwrap();
        ready["children"].as_object().unwrap().values().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
    }

    /// The key that the first start made.
    pub(crate) fn key(&self) -> String {
        self.home.read("state/key").trim().to_owned()
    }

    /// Sends a request and gives the connection, from which nothing has been read.
    pub(crate) fn send(&self, path: &str, body: &Value) -> Option<TcpStream> {
        self.send_with(path, &format!("authorization: Bearer {}", self.key()), body)
    }

    /// The same with this header in place of the key's.
    fn send_with(&self, path: &str, header: &str, body: &Value) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(self.listen).ok()?;
        stream.set_read_timeout(Some(LONG)).unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: weir\r\n{header}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        Some(stream)
    }

    /// Status and text of an answer; nothing if the door is shut.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Option<(u16, String)> {
        self.ask_with(path, &format!("authorization: Bearer {}", self.key()), body)
    }

    /// The same with this header in place of the key's.
    pub(crate) fn ask_with(&self, path: &str, header: &str, body: &Value) -> Option<(u16, String)> {
        let mut text = String::new();
        let mut reader = BufReader::new(self.send_with(path, header, body)?);
        reader.read_line(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        reader.read_to_string(&mut text).ok()?;
        Some((status, text))
    }

    /// Whether chat is answered.
    pub(crate) fn chats(&self) -> bool {
        let body = serde_json::json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hi" }] });
        self.ask("/v1/chat/completions", &body).is_some_and(|(status, _)| status == 200)
    }

    /// Sends a signal to a process.
    pub(crate) fn kill(id: u32, signal: &str) {
        // The shell's own: not every machine has it as a program.
        assert!(Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().unwrap().success());
    }

    /// Waits for `weir up` to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < LONG, "it does not end\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the same again, with a fresh output.
    pub(crate) fn again(&mut self, flags: &[&str]) {
        self.ended();
        self.child = spawn(&self.home, self.sim, flags);
        self.until("it is ready again", |running| running.home.path("ready.json").is_file());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(home: &Home, sim: SocketAddr, flags: &[&str]) -> Child {
    // `env` by itself changes nothing, and becomes what it is told.
    spawn_by(Command::new("env"), home, sim, flags)
}

/// Starts it by a program that becomes the one that its arguments name.
fn spawn_by(mut command: Command, home: &Home, sim: SocketAddr, flags: &[&str]) -> Child {
    let sim = sim.to_string();
    home.at_home(command.arg(env!("CARGO_BIN_EXE_weir")));
    command.args(["up", "--config", "weir.yaml", "--run", "run", "--ready-file", "ready.json"]);
    // Tests start at the same time, and the default is one port.
    let health = free().to_string();
    command
        .args(["--sim", &sim, "--sidecar-admin", &health, "--concurrency", "1"])
        .args(flags)
        .env("SIM_KEY", "sk-test")
        .stdin(Stdio::null());
    let file = |name| fs::File::create(home.path(name)).unwrap();
    command.stdout(file("out")).stderr(file("err")).spawn().unwrap()
}

/// Waits until none of these processes is there.
pub(crate) fn gone(ids: &[u32]) {
    let start = Instant::now();
    while ids.iter().any(|id| lives(*id)) {
        assert!(start.elapsed() < LONG, "still there: {ids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

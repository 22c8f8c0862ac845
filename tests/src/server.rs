//! Real servers, if they are installed. `.ci/run` installs them; where they are missing, each test says so.

use std::fs::Permissions;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use weir_control::state::store::Address;
use weir_sim::Tls;

use crate::folder::Folder;

/// A program in the path, or where Debian hides it.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let found = folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("NOT TESTED: {program} is not installed; `apt-get install redis-server postgresql`");
    }
    found
}

/// A free port. These servers cannot open one that is held for them.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until the server listens. Whether it does; if not, it has ended.
fn listens(child: &mut Child, port: u16) -> bool {
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens on {port}");
}

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    folder: Folder,
    child: Child,
}

impl Redis {
    /// Starts one. `None` if none is installed.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let program = find("redis-server")?;
        let (folder, port) = (Folder::new(), port());
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let child = Self::spawn(&program, &arguments, port, folder.path());
        Some(Self { program, arguments, port, folder, child })
    }

    /// Starts one that speaks only TLS, and its URL. `None` if none is installed.
    pub fn start_tls(tls: &Tls, authority: &str) -> Option<(Self, Address)> {
        let program = find("redis-server")?;
        let (folder, port) = (Folder::new(), port());
        let [certificate, key, ca] = write(folder.path(), tls, authority);
        let port_text = port.to_string();
        let flags = ["--port", "0", "--tls-auth-clients", "no", "--tls-port", &port_text];
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
        let arguments: Vec<String> = flags.iter().chain(&files).map(ToString::to_string).collect();
        let child = Self::spawn(&program, &arguments, port, folder.path());
        let address = format!("rediss://127.0.0.1:{port}?sslrootcert={ca}").parse().unwrap();
        Some((Self { program, arguments, port, folder, child }, address))
    }

    fn spawn(program: &Path, arguments: &[String], port: u16, folder: &Path) -> Child {
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(folder).args(arguments);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        assert!(listens(&mut child, port), "redis-server has ended");
        child
    }

    /// Its URL.
    pub fn address(&self) -> Address {
        format!("redis://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it after it was killed.
    pub fn start_again(&mut self) {
        self.child = Self::spawn(&self.program, &self.arguments, self.port, self.folder.path());
    }

    /// Removes all that it keeps.
    pub fn empty(&self) {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"FLUSHALL\r\n").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PostgreSQL refuses to run as root, so root runs it as somebody without rights.
const NOBODY: u32 = 65_534;

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    program: PathBuf,
    port: u16,
    folder: Folder,
    /// What else the server is told.
    settings: Vec<String>,
    child: Child,
}

impl Postgres {
    /// Starts one. `None` if none is installed.
    pub fn start() -> Option<Self> {
        Self::with(None)
    }

    /// Starts one that can speak TLS, and its URL for that. `None` if none is installed.
    pub fn start_tls(tls: &Tls, authority: &str) -> Option<(Self, Address)> {
        let postgres = Self::with(Some((tls, authority)))?;
        let (port, ca) = (postgres.port, postgres.folder.path().join("ca.pem"));
        let url = format!("postgres://weir@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={}", ca.display());
        Some((postgres, url.parse().unwrap()))
    }

    fn with(tls: Option<(&Tls, &str)>) -> Option<Self> {
        let (program, initdb) = (find("postgres")?, find("initdb")?);
        let (folder, port) = (Folder::new(), port());
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut init = as_user(&initdb);
        init.args(["-A", "trust", "-U", "weir", "-E", "UTF8", "--no-locale", "-D"]).arg(folder.path().join("data"));
        let done = init.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut settings = Vec::new();
        if let Some((tls, authority)) = tls {
            let [certificate, key, _] = write(folder.path(), tls, authority);
            let files = [format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")];
            settings.extend(["ssl=on".to_owned()].into_iter().chain(files));
        }
        let mut child = Self::spawn(&program, &settings, port, folder.path());
        assert!(listens(&mut child, port), "postgres has ended");
        Some(Self { program, port, folder, settings, child })
    }

    fn spawn(program: &Path, settings: &[String], port: u16, folder: &Path) -> Child {
        let mut command = as_user(program);
        command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-k"]).arg(folder);
        // A killed process loses nothing by it, only a machine does.
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Its URL.
    pub fn address(&self) -> Address {
        format!("postgres://weir@127.0.0.1:{}/postgres", self.port).parse().unwrap()
    }

    /// The server and all that serve its connections.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Its children end when they notice, and only then can it start again.
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// Starts it after it was killed.
    pub fn start_again(&mut self) {
        for _ in 0..100 {
            self.child = Self::spawn(&self.program, &self.settings, self.port, self.folder.path());
            if listens(&mut self.child, self.port) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not start again");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a certificate, its key and the authority that has signed it, where a server finds them. The paths.
fn write(folder: &Path, tls: &Tls, authority: &str) -> [String; 3] {
    let files = [("cert.pem", &tls.certificate[..]), ("key.pem", &tls.key), ("ca.pem", authority.as_bytes())];
    files.map(|(name, pem)| {
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if is_root() && name == "key.pem" {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        } else {
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
        path.display().to_string()
    })
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

//! Whether the ports that will be needed are free, asked before anything starts: who has one, and who should move.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::problem::{Outcome, Problem};

/// A port that something is about to listen on.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) address: SocketAddr,
    /// Where it can be changed: ``"`listen` in config/weir.yaml"``.
    pub(crate) set_by: String,
}

/// Fails with all the claims that cannot be met.
pub(crate) fn check(claims: &[Claim]) -> Outcome {
    let mut problems = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        if claim.address.port() == 0 {
            problems.push(format!("{}: nobody would know which port that is; change {}", claim.address, claim.set_by));
            continue;
        }
        if let Some(other) = claims.iter().take(index).find(|other| meet(other.address, claim.address)) {
            problems.push(format!("{}: both {} and {} name it; change one", claim.address, other.set_by, claim.set_by));
            continue;
        }
        let Err(error) = TcpListener::bind(claim.address) else { continue };
        problems.push(match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                let holder = holder(claim.address).map_or_else(|| "another process".to_owned(), |who| who.to_string());
                format!("{} is in use by {holder}; stop that, or change {}", claim.address, claim.set_by)
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("{} needs more rights than this user has; change {}", claim.address, claim.set_by)
            }
            _ => format!("{} cannot be listened on: {error}; change {}", claim.address, claim.set_by),
        });
    }
    if problems.is_empty() { Ok(()) } else { Err(Problem::Failed(problems.join("\n      "))) }
}

/// Whether what connects to one may find the other. The system lets both be listened on where one is every address of the
/// machine and the other a certain one; callers then reach whoever is more certain.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let (same, anywhere) = (one.ip() == other.ip(), one.ip().is_unspecified() || other.ip().is_unspecified());
    // Envoy listens at `[::]` for IPv6 alone.
    one.port() == other.port() && (same || anywhere && one.is_ipv4() == other.is_ipv4())
}

/// A process by name and id.
#[derive(Debug)]
struct Holder {
    name: String,
    id: u32,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.id)
    }
}

/// Who listens on `address`, if this user may know.
fn holder(address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| listening(line, address))
                .map(|inode| format!("socket:[{inode}]"))
                .collect::<Vec<_>>()
        })
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        if holds.map(|link| link.display().to_string()).any(|link| inodes.contains(&link)) {
            let name = fs::read_to_string(process.path().join("comm")).ok()?.trim().to_owned();
            return Some(Holder { name, id });
        }
    }
    None
}

/// The inode in a line of `/proc/net/tcp`, if it is a socket that keeps `address` from being listened on.
fn listening(line: &str, address: SocketAddr) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (host, port) = local.rsplit_once(':')?;
    if state != "0A" || u16::from_str_radix(port, 16).ok()? != address.port() {
        return None;
    }
    // An address is written as the kernel holds it: for IPv4, four bytes in reverse.
    let same = match address.ip() {
        IpAddr::V4(ip) => {
            let written = u32::from_str_radix(host, 16).ok().map(u32::swap_bytes);
            written.is_none_or(|written| written == ip.to_bits() || written == 0 || ip.is_unspecified())
        }
        IpAddr::V6(_) => true,
    };
    if same { fields.nth(5) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder_and_who_should_change_what() {
        let address = weir_ports::free();
        let taken = TcpListener::bind(address).unwrap();
        let claim = Claim { address, set_by: "`listen` in weir.yaml".to_owned() };
        let problem = check(std::slice::from_ref(&claim)).unwrap_err().to_string();
        assert!(problem.contains(&format!("{address} is in use by ")), "{problem}");
        assert!(problem.contains(&format!("(process {})", std::process::id())), "{problem}");
        assert!(problem.ends_with("stop that, or change `listen` in weir.yaml"), "{problem}");
        drop(taken);
        assert!(check(&[claim]).is_ok());
    }

    #[test]
    fn two_claims_to_one_port_are_told_apart() {
        let address = weir_ports::free();
        let claim = |set_by: &str| Claim { address, set_by: set_by.to_owned() };
        let problem = check(&[claim("`listen`"), claim("`admin`")]).unwrap_err().to_string();
        assert!(problem.contains("both `listen` and `admin` name it"), "{problem}");
    }

    /// With `listen` everywhere and `admin` on loopback at one port, all came up, and callers on this machine reached `admin`.
    #[test]
    fn everywhere_is_also_on_loopback_and_port_0_is_nowhere() {
        let port = weir_ports::free().port();
        let claim = |host: &str, port: u16| Claim {
            address: format!("{host}:{port}").parse().unwrap(),
            set_by: format!("`{host}`"),
        };
        let problem = check(&[claim("0.0.0.0", port), claim("127.0.0.1", port)]).unwrap_err().to_string();
        assert!(problem.contains("both `0.0.0.0` and `127.0.0.1` name it"), "{problem}");
        assert!(meet(claim("[::1]", port).address, claim("[::]", port).address));
        assert!(!meet(claim("127.0.0.1", port).address, claim("[::]", port).address));
        assert!(!meet(claim("127.0.0.1", port).address, claim("127.0.0.2", port).address));
        let problem = check(&[claim("127.0.0.1", 0)]).unwrap_err().to_string();
        assert!(problem.ends_with("change `127.0.0.1`"), "{problem}");
    }
}

//! Checks that the ports a node needs are free, before anything starts. For a port that is taken it says who has it, and what
//! to change.

mod holder;

use std::net::{SocketAddr, TcpListener};

use crate::problem::{Outcome, Problem};
use holder::holder;

/// A port on which something is about to listen.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) address: SocketAddr,
    /// Where it can be changed: ``"`listen` in config/weir.yaml"``.
    pub(crate) set_by: String,
}

/// Fails with every claim that cannot be met.
pub(crate) fn check(claims: &[Claim]) -> Outcome {
    let mut problems = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        if claim.address.port() == 0 {
            problems
                .push(format!("{}: callers cannot know which port that is; change {}", claim.address, claim.set_by));
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

/// Whether a client of one address can reach the other. The system lets one program listen on all addresses of a port, and
/// another on one of them; clients of that one address then reach the second program.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let (same, anywhere) = (one.ip() == other.ip(), one.ip().is_unspecified() || other.ip().is_unspecified());
    // Envoy listens on `[::]` for IPv6 only.
    one.port() == other.port() && (same || anywhere && one.is_ipv4() == other.is_ipv4())
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

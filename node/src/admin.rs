//! `weir admin`: Envoy's own admin interface, which is a socket that only this user can open.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::time::timeout;
use weir_control::AdminAddress;
use weir_control::render::Kind;

use crate::folders::Folders;
use crate::problem::{Outcome, Problem};
use crate::say;

/// Some answers, such as a profile's, take Envoy a while.
const LIMIT: Duration = Duration::from_secs(60);
/// The component of Envoy that writes callers' keys to its log, from `debug` on.
const TELLS_KEYS: &str = "http";

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// By GET.
    Look,
    /// By POST, which Envoy asks for where something is changed.
    Change,
}

/// What the Envoy answers that runs in these folders.
pub fn answer(folders: &Folders, verb: Verb, path: &str) -> Outcome<String> {
    let at = address(folders);
    let method = if verb == Verb::Change { Method::POST } else { Method::GET };
    let path = format!("/{}", path.trim_start_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let answer = ask(&at, method, &path).await?;
        if reveals_keys(&path) && answer.status == 200 {
            ask(&at, Method::POST, &format!("/logging?{TELLS_KEYS}=info")).await?;
            say::line(&format!(
                "Envoy's component {TELLS_KEYS} stays at info, because it writes callers' keys to the log; \
                 logging?{TELLS_KEYS}=debug turns it on by itself"
            ));
        }
        let text = String::from_utf8_lossy(&answer.body);
        if (200..300).contains(&answer.status) {
            return Ok(text.trim_end().to_owned());
        }
        let hint = if answer.status == 405 { "; --post sends what changes something" } else { "" };
        Err(Problem::Failed(format!("Envoy answers {path} with {}: {}{hint}", answer.status, text.trim_end())))
    })
}

/// Whether this sets all of Envoy's loggers to a level at which keys are logged.
fn reveals_keys(path: &str) -> bool {
    let query = path.split_once('?').filter(|(path, _)| *path == "/logging").map(|(_, query)| query);
    query.into_iter().flat_map(|query| query.split('&')).any(|pair| matches!(pair, "level=debug" | "level=trace"))
}

async fn ask(at: &AdminAddress, method: Method, path: &str) -> Outcome<weir_control::admin::Answer> {
    let asked = timeout(LIMIT, at.ask(method, path)).await;
    asked.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(|error| {
        Problem::Failed(format!(
            "{at}: {error}; is `weir up` running this configuration? Name it as `weir up` was told, or its folder with --run"
        ))
    })
}

/// Where the Envoy that `weir up` runs has it: as what it was started with says, so that no credential of the configuration's
/// need be set here.
fn address(folders: &Folders) -> AdminAddress {
    let bootstrap = fs::read(folders.envoy().join(Kind::Bootstrap.file())).unwrap_or_default();
    named(&bootstrap).unwrap_or_else(|| AdminAddress::Socket(folders.admin()))
}

fn named(bootstrap: &[u8]) -> Option<AdminAddress> {
    let bootstrap: Value = serde_json::from_slice(bootstrap).ok()?;
    let at = bootstrap.pointer("/admin/address/socket_address")?;
    let (host, port) = (at.get("address")?.as_str()?, at.get("port_value")?.as_u64()?);
    Some(AdminAddress::Tcp(SocketAddr::new(host.parse().ok()?, u16::try_from(port).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_configurations_is_found_in_what_envoy_was_started_with() {
        let tcp = br#"{"admin":{"address":{"socket_address":{"address":"::1","port_value":10001}}}}"#;
        assert_eq!(named(tcp), Some(AdminAddress::Tcp("[::1]:10001".parse().unwrap())));
        assert_eq!(named(br#"{"admin":{"address":{"pipe":{"path":"/run/admin.sock"}}}}"#), None);
        assert_eq!(named(b""), None);
    }

    #[test]
    fn only_a_level_for_all_loggers_would_reveal_keys_unasked() {
        for (path, expect) in [
            ("/logging?level=debug", true),
            ("/logging?level=trace", true),
            ("/logging?level=info", false),
            ("/logging?http=debug", false),
            ("/stats?level=debug", false),
            ("/logging", false),
        ] {
            assert_eq!(reveals_keys(path), expect, "{path}");
        }
    }
}

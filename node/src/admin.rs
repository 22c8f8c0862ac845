//! Envoy's own admin interface, asked by a person. It is a socket that only one user can open.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use weir_control::AdminAddress;
use weir_control::admin::{Admin, Answer};
use weir_control::render::Kind;

use crate::folders::Folders;
use crate::problem::{Outcome, Problem};
use crate::programs::envoy::LOGS_KEYS;
use crate::{runtime, say};

/// Some answers take Envoy long, such as a profile.
const LIMIT: Duration = Duration::from_secs(60);

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// By GET.
    Look,
    /// By POST, which Envoy requires of what changes something.
    Change,
}

/// The answer of the Envoy that runs in these folders.
pub fn answer(folders: &Folders, verb: Verb, path: &str) -> Outcome<String> {
    let admin = Admin::at(address(folders)).within(LIMIT);
    let method = if verb == Verb::Change { Method::POST } else { Method::GET };
    let path = format!("/{}", path.trim_start_matches('/'));
    runtime::single()?.block_on(async {
        let answer = ask(&admin, method, &path).await?;
        if reveals_keys(&path) && answer.status == 200 {
            ask(&admin, Method::POST, &format!("/logging?{LOGS_KEYS}=info")).await?;
            say::line(&format!(
                "Envoy's component {LOGS_KEYS} stays at info, because it writes callers' keys to the log; \
                 logging?{LOGS_KEYS}=debug turns it on by itself"
            ));
        }
        let text = answer.text().trim_end().to_owned();
        if answer.is_success() {
            return Ok(text);
        }
        let hint = if answer.status == 405 { "; --post sends what changes something" } else { "" };
        Err(Problem::Failed(format!("Envoy answers {path} with {}: {text}{hint}", answer.status)))
    })
}

/// Whether a request sets all of Envoy's loggers to a level at which keys are logged.
fn reveals_keys(path: &str) -> bool {
    let query = path.split_once('?').filter(|(path, _)| *path == "/logging").map(|(_, query)| query);
    query.into_iter().flat_map(|query| query.split('&')).any(|pair| matches!(pair, "level=debug" | "level=trace"))
}

async fn ask(admin: &Admin, method: Method, path: &str) -> Outcome<Answer> {
    admin.ask(method, path).await.map_err(|error| {
        Problem::Failed(format!(
            "{}: {error}; is `weir up` running this configuration? Name it as `weir up` was told, or its folder with --run",
            admin.address()
        ))
    })
}

/// The admin address that Envoy's bootstrap names. The configuration is not read, so the credentials that it names need not be
/// set here.
pub fn address(folders: &Folders) -> AdminAddress {
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

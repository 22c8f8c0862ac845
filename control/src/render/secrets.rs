//! Credentials as SDS resources. They say where a credential is, and never what it is.

use serde_json::{Value, json};
use weir_core::config::ProviderEntry;
use weir_core::upstream::Credential;

use super::kind::Kind;
use super::node::Control;

/// The name of `entry`'s secret, if it has one.
pub(super) fn name(entry: &ProviderEntry) -> Option<String> {
    entry.credential.as_ref().map(|_| format!("credential-{}", entry.name))
}

/// `entry`'s secret as a resource.
pub(super) fn secret(entry: &ProviderEntry) -> Option<(String, Value)> {
    let name = name(entry)?;
    let place = match entry.credential.as_ref()? {
        Credential::Env(variable) => json!({ "environment_variable": variable }),
        Credential::File(file) => json!({ "filename": file }),
    };
    let secret = json!({ "name": name, "generic_secret": { "secret": place } });
    Some((name, secret))
}

/// The name of the secret with control's token. No provider's has it, because theirs have a prefix.
pub(super) const CONTROL: &str = "control-token";

/// Control's token as a resource, if there is one.
pub(super) fn of_control(control: &Control) -> Option<(String, Value)> {
    let secret = json!({ "name": CONTROL, "generic_secret": { "secret": { "filename": control.token.as_ref()? } } });
    Some((CONTROL.to_owned(), secret))
}

/// The name of the file that holds the secret `name`.
pub(super) fn file(name: &str) -> String {
    format!("{}{name}.json", Kind::Secrets.file())
}

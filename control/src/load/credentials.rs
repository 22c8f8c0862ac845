//! Whether the credentials and CA bundles that the configuration refers to can be read. Their content never leaves this file.

use std::collections::BTreeSet;
use std::fs;

use weir_core::config::source::Source;
use weir_core::upstream::Credential;

use crate::Environment;

/// A reference to something that cannot be used.
pub(super) struct Unusable {
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

/// The credentials that are not set, and the references to something that cannot be used.
pub(super) fn check(source: &Source, environment: &Environment) -> (BTreeSet<Credential>, Vec<Unusable>) {
    let mut unset = BTreeSet::new();
    let mut unusable = Vec::new();
    for (name, provider) in &source.providers {
        if let Some(ca) = &provider.ca
            && let Err((problem, hint)) = bundle(ca)
        {
            unusable.push(Unusable { path: format!("providers.{name}.ca"), problem, hint });
        }
        let Some(Ok(credential)) = provider.credential.as_deref().map(Credential::parse) else { continue };
        match state(&credential, environment) {
            State::Set => {}
            State::Unset => {
                unset.insert(credential);
            }
            State::Unusable(problem, hint) => {
                unusable.push(Unusable { path: format!("providers.{name}.credential"), problem, hint });
            }
        }
    }
    (unset, unusable)
}

enum State {
    Set,
    Unset,
    Unusable(String, Option<String>),
}

fn state(credential: &Credential, environment: &Environment) -> State {
    let (value, what) = match credential {
        Credential::Env(name) => (environment.vars.get(name).cloned().map(String::into_bytes), name.as_str()),
        Credential::File(file) => (fs::read(file).ok(), file.as_str()),
    };
    let Some(value) = value.filter(|value| !value.is_empty()) else { return State::Unset };
    // Envoy sends the credential unchanged, and a header cannot hold a line break.
    if value.ends_with(b"\n") {
        let hint = match credential {
            Credential::Env(name) => format!("export {name}=\"$(printf %s \"${name}\")\""),
            Credential::File(file) => {
                format!("write it without: printf %s \"$KEY\" > {file}.new && mv {file}.new {file}")
            }
        };
        return State::Unusable(format!("{what} ends with a line break"), Some(hint));
    }
    if value.iter().any(|byte| !(0x21..=0x7e).contains(byte)) {
        let problem = format!("{what} holds a space, a control character or a character beyond ASCII");
        return State::Unusable(problem, Some("a credential is one word".to_owned()));
    }
    State::Set
}

fn bundle(ca: &str) -> Result<(), (String, Option<String>)> {
    let text = fs::read(ca).map_err(|error| {
        let hint = "name a PEM bundle that this user may read; without `ca` it is the system's";
        (format!("{ca} cannot be read: {error}"), Some(hint.to_owned()))
    })?;
    if text.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        return Ok(());
    }
    Err((format!("{ca} holds no certificate"), Some("it must be a PEM bundle".to_owned())))
}

//! A provider as the configuration describes it.

use serde_json::{Map, Value};

/// A provider as the configuration describes it.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) name: String,
    pub(crate) dialect: String,
    pub(crate) endpoint: String,
    pub(crate) credential: Option<Credential>,
    pub(crate) ca: Option<String>,
    pub(crate) max_in_flight: Option<u32>,
    /// Envoy starts without its credential.
    pub(crate) lost: bool,
    pub(crate) settings: Map<String, Value>,
}

/// A credential, and where the gateway is to find it.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Env(String),
    File(String),
    /// A key pair of AWS, in a file as AWS's own tools write it: its id, and the secret.
    Aws(String, String),
}

impl Provider {
    /// A provider called `name` at `endpoint`, which speaks OpenAI and wants no key.
    pub fn at(name: &str, endpoint: &str) -> Self {
        Self {
            name: name.to_owned(),
            dialect: "openai".to_owned(),
            endpoint: endpoint.to_owned(),
            credential: None,
            ca: None,
            max_in_flight: None,
            lost: false,
            settings: Map::new(),
        }
    }

    /// Has the gateway ask it with this key, from an environment variable.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.credential = Some(Credential::Env(key.to_owned()));
        self
    }

    /// Has the gateway ask it with this key, from a file.
    #[must_use]
    pub fn with_key_in_a_file(mut self, key: &str) -> Self {
        self.credential = Some(Credential::File(key.to_owned()));
        self
    }

    /// Removes its credential before Envoy starts: the variable or the file is missing then.
    #[must_use]
    pub fn losing_its_key(mut self) -> Self {
        self.lost = true;
        self
    }

    /// Has the gateway sign for AWS with this key pair, from a credentials file.
    #[must_use]
    pub fn signed_with(mut self, access: &str, secret: &str) -> Self {
        self.credential = Some(Credential::Aws(access.to_owned(), secret.to_owned()));
        self
    }

    /// Has its certificate verified against this bundle of PEM text.
    #[must_use]
    pub fn trusting(mut self, bundle: &str) -> Self {
        self.ca = Some(bundle.to_owned());
        self
    }

    /// The environment variable of its credential.
    pub(crate) fn variable(&self) -> String {
        format!("KEY_OF_{}", self.name.to_uppercase().replace(['-', '.'], "_"))
    }

    /// Under another name.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Has the gateway speak `dialect` with it.
    #[must_use]
    pub fn speaking(mut self, dialect: &str) -> Self {
        dialect.clone_into(&mut self.dialect);
        self
    }

    /// With this path behind its address, in place of `/v1`.
    #[must_use]
    pub fn under(mut self, path: &str) -> Self {
        self.endpoint = format!("{}{path}", self.endpoint.trim_end_matches("/v1"));
        self
    }

    /// Sets another field of its configuration.
    #[must_use]
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(field.to_owned(), value.into());
        self
    }

    /// Without a credential.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.credential = None;
        self
    }

    /// Bounds how many requests may be under way to it.
    #[must_use]
    pub fn at_most(mut self, requests: u32) -> Self {
        self.max_in_flight = Some(requests);
        self
    }
}

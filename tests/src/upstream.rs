//! Providers: what the configuration says of them, and the simulators behind them.

use std::ops::Deref;
use std::path::PathBuf;

use hyper::Method;
use serde_json::{Map, Value};
use weir_sim::{Options, Sim, Tls};

use crate::background;
use crate::client::Ask;

/// A provider as the configuration describes it.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) name: String,
    pub(crate) dialect: String,
    pub(crate) endpoint: String,
    pub(crate) credential: Option<Credential>,
    pub(crate) ca: Option<String>,
    pub(crate) max_in_flight: Option<u32>,
    /// Its credential is not where Envoy runs.
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

    /// Its credential is not there where Envoy runs, by a variable or a file that is missing.
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

impl From<&Upstream> for Provider {
    fn from(upstream: &Upstream) -> Self {
        upstream.provider.clone()
    }
}

/// A simulated provider. It has what [`Sim`] has.
#[derive(Debug)]
pub struct Upstream {
    sim: Sim,
    provider: Provider,
}

impl Upstream {
    /// A provider called `sim` that speaks OpenAI.
    pub async fn sim() -> Self {
        Self::called("sim").await
    }

    /// A provider called `name` that speaks OpenAI.
    pub async fn called(name: &str) -> Self {
        Self::with(name, Options::default()).await
    }

    /// A provider called `name` that answers as `options` say and speaks OpenAI.
    pub async fn with(name: &str, options: Options) -> Self {
        let sim = background::run(Sim::start(options)).await.expect("a simulator");
        let provider = Provider::at(name, &format!("{}/v1", sim.url())).with_key(&format!("sk-for-{name}"));
        Self { sim, provider }
    }

    /// A provider called `name` with the certificate `tls`, reached as `host`.
    pub async fn with_tls(name: &str, host: &str, tls: Tls) -> Self {
        let mut upstream = Self::with(name, Options { tls: Some(tls), ..Options::default() }).await;
        upstream.provider.endpoint = format!("https://{host}:{}/v1", upstream.sim.address().port());
        upstream
    }

    /// A request to it that does not go through the gateway, for comparison.
    pub fn asked_directly(&self, path: &str) -> Ask {
        Ask::new(self.sim.address(), PathBuf::new(), "sk-direct", Method::POST, path)
    }

    /// Has the gateway speak `dialect` with it, at the path where the simulator does.
    #[must_use]
    pub fn speaking(self, dialect: &str) -> Self {
        let path = match dialect {
            "azure" | "bedrock" => "",
            "cohere" => "/v2",
            "gemini" => "/v1beta",
            "mistral" => "/mistral/v1",
            "oneinfer" => "/v1/ula",
            "vertex" => "/v1/projects/weir/locations/us-central1",
            _ => "/v1",
        };
        self.but(|provider| provider.speaking(dialect).under(path))
    }

    /// Changes what the configuration says of it.
    #[must_use]
    pub fn but(mut self, change: impl FnOnce(Provider) -> Provider) -> Self {
        self.provider = change(self.provider);
        self
    }
}

impl Deref for Upstream {
    type Target = Sim;

    fn deref(&self) -> &Sim {
        &self.sim
    }
}

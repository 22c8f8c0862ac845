//! The simulators behind the providers.

use std::ops::Deref;
use std::path::PathBuf;

use hyper::Method;
use weir_sim::{Options, Sim, Tls};

use crate::background;
use crate::client::Ask;
use crate::provider::Provider;

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

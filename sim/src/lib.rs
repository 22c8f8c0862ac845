//! A provider simulator: it speaks OpenAI, Azure OpenAI, Anthropic, Gemini, Vertex AI, Bedrock, Cohere, Mistral,
//! `OneInfer` and Jina as they really are, and fails as they really fail.
//!
//! Start with [`Sim::start`]. [`Options`] says how it answers, the name of the model asked for can change that for one
//! request ([`model`]), and [`Fault`] lists what can go wrong. Tests and the benchmark use it in-process; `weir sim`
//! serves the same over a port, with `/_sim/` for what a test would call directly.
//!
//! All of them are at one address. The path says which one is asked; at `/v1/models` the key's header says it:
//!
//! | path | speaks | key |
//! |---|---|---|
//! | `/v1/chat/completions`, `/v1/responses`, `/v1/completions`, `/v1/embeddings`, `/v1/audio/…`, `/v1/images/…`, `/v1/moderations` | OpenAI | bearer |
//! | `/v1/messages`, … | Anthropic | `x-api-key` or bearer |
//! | `/openai/deployments/{deployment}/…`, `/openai/v1/…` | Azure OpenAI | `api-key` or bearer |
//! | `/v1/models/{model}:…`, `/v1beta/…` | Gemini | `x-goog-api-key` or `key=` |
//! | `/v1/projects/{}/locations/{}/publishers/google/models/{model}:…`, `/v1beta1/…` | Gemini on Vertex AI | bearer |
//! | `/v1/projects/{}/locations/{}/publishers/anthropic/models/{model}:…` | Anthropic on Vertex AI | bearer |
//! | `/model/{model}/converse`, `…/converse-stream`, `…/invoke` | Bedrock | signature or bearer |
//! | `/v2/chat`, `/v2/embed`, `/v2/rerank` | Cohere | bearer |
//! | `/v1/rerank` | Jina, and who does as it does | bearer |
//! | `/mistral/v1/…` | Mistral | bearer |
//! | `/v1/ula/chat/completions`, `/v1/ula/oauth-authentication` | OneInfer | bearer |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic"))]

mod admin;
mod answer;
mod anthropic;
mod azure;
mod bedrock;
mod bend;
mod bill;
mod chat;
mod coding;
mod cohere;
mod dialect;
mod fault;
mod field;
mod form;
mod gemini;
mod jina;
mod listed;
mod mistral;
pub mod model;
mod oneinfer;
mod openai;
mod options;
mod outcome;
mod pace;
mod past;
mod percent;
mod play;
mod prefixes;
mod prerender;
mod quick;
mod replay;
mod reply;
mod rerank;
mod route;
mod said;
mod schema;
mod script;
mod seen;
mod server;
mod service;
mod socket;
mod state;
mod tasks;
mod tls;
mod vertex;

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc};

pub use bill::{Billed, Spent};
pub use fault::{Fault, Listed, UnknownFault, faults};
pub use options::{AwsKey, Compression, Effort, Keep, Keyless, Options, StartError, Tls, UnknownModels};
pub use outcome::Outcome;
pub use pace::{InvalidPace, Pace};
pub use replay::ReplayError;
pub use seen::Seen;

/// A running simulator. Dropping it closes its port and every connection.
pub struct Sim {
    state: Arc<state::State>,
    tasks: tasks::Tasks,
    address: SocketAddr,
}

impl Sim {
    /// Binds and serves until dropped or [stopped](Self::stop). Needs a tokio runtime.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let listen = options.listen;
        let listener =
            tokio::net::TcpListener::bind(listen).await.map_err(|source| StartError::Bind { listen, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Bind { listen, source })?;
        let quick = (options.effort == Effort::Prerendered).then(|| prerender::quick(&options));
        let state = Arc::new(state::State::new(options, quick));
        let tasks = tasks::Tasks::default();
        tasks.spawn(server::accept(listener, tls, Arc::clone(&state), tasks.clone()));
        Ok(Self { state, tasks, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL without a path, `https` where it has a certificate.
    pub fn url(&self) -> String {
        let scheme = if self.state.options.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The kept requests, oldest first: as many as [`Options::keep`] allows.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.log.all()
    }

    /// How many requests have arrived whole since the start or the last [`clear`](Self::clear); `/_sim/` does not count.
    pub fn served(&self) -> u64 {
        self.state.log.served()
    }

    /// How many connections [`Fault::Refuse`] for `*` has closed before reading from them.
    pub fn refused(&self) -> u64 {
        self.state.log.refused()
    }

    /// Forgets the requests seen so far and begins to count anew. Faults stay.
    pub fn clear(&self) {
        self.state.log.clear();
    }

    /// What was billed request by request, oldest first: the latest 65 536. Prerendered answers are not among them.
    pub fn billed(&self) -> Vec<Billed> {
        self.state.bill.listed().0
    }

    /// What was billed for each model, by its whole name: every request since the start or the last
    /// [`clear_billed`](Self::clear_billed).
    pub fn spent(&self) -> BTreeMap<String, Spent> {
        self.state.bill.by_model()
    }

    /// Forgets what was billed. What is under way then is not billed again.
    pub fn clear_billed(&self) {
        self.state.bill.clear();
    }

    /// Makes every request for `model` (`*`: for any) fail with `fault` until told otherwise.
    ///
    /// A fault set for the model's own name goes before one set for `*`, and both before one in the model's name.
    pub fn set_fault(&self, model: &str, fault: Fault) {
        self.state.faults.set(model, fault, None);
    }

    /// Makes the next `times` requests for `model` (`*`: for any) fail with `fault`, and those after them succeed.
    pub fn set_fault_times(&self, model: &str, fault: Fault, times: u32) {
        self.state.faults.set(model, fault, Some(times));
    }

    /// Takes back what [`set_fault`](Self::set_fault) set for `model`.
    pub fn clear_fault(&self, model: &str) {
        self.state.faults.unset(model);
    }

    /// Takes back every fault that was set.
    pub fn clear_faults(&self) {
        self.state.faults.unset_all();
    }

    /// Answers every request, whatever its path and key, with the bytes of one fixture: `provider/case`, or `case`
    /// where no provider has another of that name.
    pub fn replay(&self, case: &str) -> Result<(), ReplayError> {
        self.state.replay(case)
    }

    /// Answers by itself again after [`replay`](Self::replay).
    pub fn stop_replay(&self) {
        self.state.stop_replay();
    }

    /// Waits until the kept requests satisfy `enough`, and returns them. Waits forever if they never do.
    ///
    /// What a test needs in place of sleeping: a peer's hang-up, for one, shows only a little later.
    pub async fn until(&self, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        self.state.log.until(enough).await
    }

    /// Closes the port and every connection, and returns once they are closed.
    pub async fn stop(self) {
        self.tasks.stop().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("address", &self.address).finish_non_exhaustive()
    }
}

//! The team's own models, run by the sidecar next door, which speaks OpenAI's embeddings.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;

use super::openai;
use super::{Ask, Call, CredentialHeader, Provider, Reach, Reply, ReplyStart};
use crate::endpoint::Endpoint;
use crate::fault::{Reject, UpstreamFault};

/// See the module.
pub(super) struct Local;

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn reach(&self) -> Reach {
        Reach::Sidecar
    }

    fn credential(&self) -> Option<CredentialHeader> {
        None
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn accepts(&self, call: &Call<'_>, _: &str) -> Result<(), Reject> {
        match call.endpoint {
            Endpoint::Embeddings => Ok(()),
            Endpoint::Chat => Err(wrong_endpoint(call)),
        }
    }

    fn ask(&self, call: &Call<'_>, model: &str) -> Result<Ask, Reject> {
        self.accepts(call, model)?;
        Ok(Ask { path: Endpoint::Embeddings.path().to_owned(), body: openai::body(call, model)? })
    }

    fn reply(&self, start: ReplyStart) -> Box<dyn Reply> {
        openai::reply(start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        openai::fault(status, body)
    }
}

/// The refusal of a call whose endpoint a provider does not serve.
pub(super) fn wrong_endpoint(call: &Call<'_>) -> Reject {
    let model = call.scan.string(call.body, "model").ok().flatten().map(Cow::into_owned).unwrap_or_default();
    Reject::WrongEndpoint { model, path: call.endpoint.path() }
}

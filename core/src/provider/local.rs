//! The operator's own models, which the local sidecar runs. It speaks OpenAI's embeddings API.

use alloc::boxed::Box;

use weir_hub::call::{Call, ReplyStart};
use weir_hub::endpoint::Endpoint;
use weir_hub::fault::{FaultKind, Reject, UpstreamFault};
use weir_hub::reply::Reply;

use super::{Ask, CredentialHeader, Provider, Reach, To, openai};
use crate::upstream::Upstream;

/// The sidecar's code for a model that could not be loaded; it cannot be until the operator repairs it.
const NOT_LOADED: &str = "model_unavailable";

/// The provider; see the module.
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

    fn relays(&self, _: &str, endpoint: Endpoint, _: &Upstream) -> bool {
        endpoint == Endpoint::Embeddings
    }

    fn relay(&self, call: &Call<'_>, to: &mut To<'_>) -> Result<Ask, Reject> {
        Ok(Ask::new(call.asked.endpoint.path(), openai::body(call, to)?))
    }

    fn relayed(&self, start: &ReplyStart<'_>) -> Box<dyn Reply> {
        openai::relayed(start)
    }

    fn fault(&self, status: u16, body: &[u8]) -> UpstreamFault {
        let mut fault = openai::fault(status, body);
        if fault.code.as_deref() == Some(NOT_LOADED) {
            fault.kind = FaultKind::NotFound;
        }
        fault
    }
}

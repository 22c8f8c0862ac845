//! stub
use super::*;
pub(super) struct Anthropic;
impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }
    fn credential(&self) -> Option<CredentialHeader> {
        None
    }
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    fn accepts(&self, _: &Call<'_>) -> Result<(), Reject> {
        Ok(())
    }
    fn ask(&self, _: &Call<'_>, _: &str) -> Result<Ask, Reject> {
        Ok(Ask { path: String::new(), body: Body::AsIs })
    }
    fn reply(&self, _: ReplyStart) -> Box<dyn Reply> {
        loop {}
    }
    fn fault(&self, _: u16, _: &[u8]) -> UpstreamFault {
        UpstreamFault::new(crate::fault::FaultKind::Unavailable, "")
    }
}

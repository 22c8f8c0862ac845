//! Writes the request of one try.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::codec::json::{self, Scan};
use weir_hub::codec::multipart::{self, Boundary, Scanner};
use weir_hub::endpoint::BodyKind;
use weir_hub::fault::Reject;

use super::Attempt;
use crate::answer::Answer;
use crate::exchange;
use crate::exchange::output::capped;
use crate::provider::Body;

/// The request for a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The path, unless the headers already have it.
    pub path: Option<String>,
    /// Headers to set (name in lower case, value).
    pub headers: Vec<(&'static str, String)>,
    /// The body's length in bytes, unless the headers already have it.
    pub length: Option<usize>,
    /// The body.
    pub body: Body,
}

impl Attempt {
    /// Writes a request whose body, of `len` bytes, is unchanged.
    pub(super) fn request_as_it_is(&mut self, len: usize) -> Result<Request, Answer> {
        let mut request = self.request_of(&[], &Scan::default())?;
        // A later try finds the length that an earlier one wrote.
        request.length = (self.plan.begun > 1).then_some(len);
        Ok(request)
    }

    /// Writes the request. Gives an answer if this provider cannot express it. `content_type` is the caller's.
    pub(super) fn request(&mut self, content_type: &str, body: &[u8]) -> Result<Request, Answer> {
        let family = self.plan.asked.endpoint.family();
        let refuse = |reject: Reject| Answer::problem(&reject.problem(), family);
        if self.plan.asked.endpoint.body() == BodyKind::Multipart {
            let model = self.plan.current().map_or("", |target| target.model.as_str());
            let with = renamed(content_type, body, model).map_err(refuse)?;
            let limit = self.upstream.longest();
            if with.len() > limit {
                return Err(refuse(Reject::Grown { limit, provider: self.upstream.provider.clone() }));
            }
            let request = self.request_of(&[], &Scan::default())?;
            return Ok(Request { length: Some(with.len()), body: Body::Replaced(with), ..request });
        }
        let scan = json::scan(body).map_err(|bad| refuse(bad.into()))?;
        let capped = self.plan.cap.and_then(|cap| capped(self.plan.asked.endpoint, body, &scan, cap));
        let Some(capped) = capped else { return self.request_of(body, &scan) };
        let scan = json::scan(&capped).map_err(|bad| refuse(bad.into()))?;
        let mut request = self.request_of(&capped, &scan)?;
        if request.body == Body::AsIs {
            (request.length, request.body) = (Some(capped.len()), Body::Replaced(capped));
        }
        Ok(request)
    }

    fn request_of(&mut self, body: &[u8], scan: &Scan) -> Result<Request, Answer> {
        let asked = self.plan.asked;
        let refuse = |reject: Reject| Answer::problem(&reject.problem(), asked.endpoint.family());
        let (model, betas) = (self.plan.model.as_str(), self.plan.betas.as_str());
        let call = Call { asked, model, betas, body, scan };
        let model = self.plan.current().map_or("", |target| target.model.as_str());
        let ask = exchange::ask(&call, &self.upstream, model).map_err(refuse)?;
        (self.notes, self.calls, self.renamed) = (ask.notes, ask.calls, ask.renamed);
        self.texts = exchange::texts(&call).filter(|_| !body.is_empty());
        self.encoding = exchange::encoding(&call);
        self.echo = exchange::echo(&call, &self.upstream, model);
        let path = format!("{}{}", self.upstream.prefix, ask.path);
        // A later try finds the path and the length that an earlier one wrote, so it always writes both.
        let first = self.plan.begun == 1;
        let length = match &ask.body {
            Body::AsIs => (!first).then_some(body.len()),
            Body::Replaced(with) => Some(with.len()),
        };
        let path = (!first || path != asked.endpoint.path()).then_some(path);
        Ok(Request { path, headers: ask.headers, length, body: ask.body })
    }
}

/// The form in `body`, with its model's name replaced by `model`.
fn renamed(content_type: &str, body: &[u8], model: &str) -> Result<Vec<u8>, Reject> {
    let mut scanner = Scanner::new(&Boundary::parse(content_type)?, &["model"]);
    scanner.read(body)?;
    let parts = scanner.end()?;
    let named = parts.iter().find(|part| part.name == "model");
    let named = named.ok_or_else(|| Reject::Missing { field: "model".to_string() })?;
    Ok(multipart::replace(body, &named.value, model.as_bytes()))
}

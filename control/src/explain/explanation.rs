//! What is told about one request, as values and as text.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// What would become of one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The model that the caller named.
    pub model: String,
    /// The endpoint's path.
    pub endpoint: &'static str,
    /// `whole` or `streamed`.
    pub delivery: &'static str,
    /// The delivery class, which names the route and its limits.
    pub class: String,
    /// The tries, in order; each happens only if the one before has failed.
    pub tries: Vec<Try>,
    /// Targets that would not be tried.
    pub passed_over: Vec<PassedOver>,
    /// What the configuration leaves out for want of a credential.
    pub left_out: Vec<String>,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// The provider, which is also the cluster.
    pub provider: String,
    /// What it speaks.
    pub dialect: String,
    /// The model's name there.
    pub model: String,
    /// What it would receive, or why it would not.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What comes of a try.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// This request goes up.
    Request(Request),
    /// The provider cannot express the request; this is what the caller sees.
    Refused(Refusal),
}

/// A request as it would go up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The whole URL; the sidecar's is `weir-sidecar:` and the path.
    pub url: String,
    /// The headers that Weir writes; a credential is shown as its reference.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

/// A target that would not be tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassedOver {
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Why: an error's code, or what it rests from.
    pub why: String,
}

/// Weir's own answer to a request that goes nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: String,
    /// The body, as the caller sees it.
    pub body: Value,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} for {}, {} ({})", self.endpoint, self.model, self.delivery, self.class)?;
        for (i, one) in self.tries.iter().enumerate() {
            writeln!(f, "\n{}. {} as {} ({})", i + 1, one.provider, one.model, one.dialect)?;
            match &one.outcome {
                Outcome::Request(request) => {
                    writeln!(f, "   {} {}", request.method, request.url)?;
                    for (name, value) in &request.headers {
                        writeln!(f, "   {name}: {value}")?;
                    }
                    writeln!(f, "   {}", request.body)?;
                }
                Outcome::Refused(refusal) => writeln!(f, "   cannot express it: {refusal}")?,
            }
        }
        for one in &self.passed_over {
            writeln!(f, "\npassed over: {} as {}: {}", one.provider, one.model, one.why)?;
        }
        self.left_out.iter().try_for_each(|left_out| writeln!(f, "\nleft out: {left_out}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        write!(f, "{} {}: {message}", self.status, self.code)
    }
}

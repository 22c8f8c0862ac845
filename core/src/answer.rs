//! An answer that Weir gives itself, in place of a provider's.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use weir_hub::dialect;
use weir_hub::endpoint::Family;
use weir_hub::fault::{Problem, Retry};

/// Status, headers and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case; never `:status` or `content-length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The outcome in the record: `ok`, or the error's code.
    pub outcome: String,
}

impl Answer {
    /// A JSON body under status 200.
    pub fn json(body: Vec<u8>) -> Self {
        Self { status: 200, headers: json_headers(), body, outcome: "ok".to_string() }
    }

    /// A problem in the format of the caller's API. It has `retry-after` if waiting helps. It has `x-should-retry`,
    /// which official SDKs obey before their own rules, if those rules would be wrong.
    pub fn problem(problem: &Problem, family: Family) -> Self {
        let mut headers = json_headers();
        if let Some(wait) = problem.retry_after {
            // Rounded up: a caller who waits as long as told must not come back too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.push(("retry-after", seconds.max(1).to_string()));
        }
        let retry = match problem.retry {
            Retry::Yes => Some("true"),
            Retry::No => Some("false"),
            Retry::Own => None,
        };
        headers.extend(retry.map(|retry| ("x-should-retry", retry.to_string())));
        Self { status: problem.status, headers, body: dialect::error(family, problem), outcome: problem.code.clone() }
    }
}

fn json_headers() -> Vec<(&'static str, String)> {
    alloc::vec![("content-type", "application/json".to_string())]
}

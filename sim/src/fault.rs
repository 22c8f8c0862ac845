//! What can go wrong, by name.
//!
//! A fault is chosen for a model ([`Sim::set_fault`](crate::Sim::set_fault)) or called by asking for the model
//! `fault-<name>`. Each is what a real provider, or the network before it, has been seen to do.

use std::{fmt, str::FromStr, time::Duration};

/// One way to fail. Written as in [`faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset without an answer; set for `*`, before anything is read from it.
    Refuse,
    /// The connection is reset after the request was read.
    Reset,
    /// The request is read and never answered.
    Hang,
    /// An error status in the dialect's own shape; 502 is a proxy's page, as it really is.
    Status(u16),
    /// 429 that says after how many seconds to come again.
    RetryAfter(u32),
    /// The account is out of money: 429 `insufficient_quota` (OpenAI), 400 about credit (Anthropic).
    InsufficientQuota,
    /// 200, then an error event before any token.
    ErrorEvent,
    /// 200, some tokens, then an error event.
    ErrorEventLate,
    /// The first token takes this long; of a whole answer, everything does. A stream's headers and opening events come at once.
    SlowFirstToken(Duration),
    /// Nothing comes for this long, not even headers; then everything.
    SlowWhole(Duration),
    /// Some tokens, then silence.
    Stall,
    /// Headers and what precedes the first token (role delta, message start, ping), then silence.
    StallBefore,
    /// Some tokens, then a clean end of the body without a finish or a terminal event.
    Cut,
    /// A clean end of the body before the first token.
    CutBefore,
    /// Some tokens, then a reset in the middle of an event.
    Break,
    /// Some tokens, then an event that is not JSON, then the rest.
    Malformed,
    /// The whole body is something else: HTML with status 200.
    MalformedWhole,
    /// Everything but the terminal event (`[DONE]`, `message_stop`).
    NoDone,
    /// 200 without a body.
    Empty200,
    /// The request is said to be longer than the model's context.
    ContextLength,
    /// The request is refused by the content policy.
    ContentFilter,
    /// Some tokens, then the provider's filter ends the answer (`content_filter`, `refusal`).
    FinishContentFilter,
    /// The request is said to be invalid.
    InvalidRequest,
    /// Every n-th request fails with 503, counted for each model.
    Flap(u32),
    /// The answer is gzipped, accepted or not.
    Gzip,
    /// The answer is compressed with Brotli, accepted or not.
    Brotli,
    /// Trailers follow the answer, asked for or not; by HTTP/2 only, for HTTP/1.1 sends them to no peer that did not ask.
    Trailers,
    /// Half of a whole answer, with a length that matches: a clean end in the middle of the JSON. A stream is cut.
    TruncatedJson,
}

/// One line of the list of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// How it is written, with an example for its number: `429-retry-7`.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
}

/// Statuses that can be asked for by number.
const STATUSES: [u16; 10] = [401, 402, 403, 404, 408, 429, 500, 502, 503, 529];

const LISTED: &[Listed] = &[
    Listed { name: "refuse", what: "connection reset without an answer (set for *: before reading)" },
    Listed { name: "reset", what: "connection reset after the request was read" },
    Listed { name: "hang", what: "never answers" },
    Listed { name: "401", what: "the key is not valid" },
    Listed { name: "402", what: "payment required" },
    Listed { name: "403", what: "the key may not do this" },
    Listed { name: "404", what: "no such model" },
    Listed { name: "408", what: "the provider gave up waiting" },
    Listed { name: "429", what: "rate limited, without saying for how long" },
    Listed { name: "429-retry-7", what: "rate limited, Retry-After: 7" },
    Listed { name: "insufficient-quota", what: "the account is out of money" },
    Listed { name: "500", what: "the provider failed" },
    Listed { name: "502", what: "a proxy's HTML page in front of the provider" },
    Listed { name: "503", what: "the provider is overloaded" },
    Listed { name: "529", what: "the provider is overloaded, Anthropic's way" },
    Listed { name: "error-event", what: "200, then an error event before any token" },
    Listed { name: "error-event-late", what: "200, some tokens, then an error event" },
    Listed { name: "slow-first-token-2000", what: "the first token takes 2000 ms" },
    Listed { name: "slow-whole-2000", what: "nothing for 2000 ms, then everything" },
    Listed { name: "stall", what: "some tokens, then silence" },
    Listed { name: "stall-before", what: "headers and opening events, then silence" },
    Listed { name: "cut", what: "some tokens, then a clean end without a finish" },
    Listed { name: "cut-before", what: "a clean end before the first token" },
    Listed { name: "break", what: "some tokens, then a reset in the middle of an event" },
    Listed { name: "malformed", what: "some tokens, an event that is not JSON, the rest" },
    Listed { name: "malformed-whole", what: "200 with an HTML page" },
    Listed { name: "no-done", what: "finishes without the terminal event" },
    Listed { name: "empty-200", what: "200 without a body" },
    Listed { name: "context-length", what: "400: longer than the model's context" },
    Listed { name: "content-filter", what: "400: refused by the content policy" },
    Listed { name: "finish-content-filter", what: "some tokens, then the filter ends the answer" },
    Listed { name: "invalid-request", what: "400: the request is not valid" },
    Listed { name: "flap-3", what: "every third request fails with 503" },
    Listed { name: "gzip", what: "gzipped, accepted or not" },
    Listed { name: "brotli", what: "compressed with Brotli, accepted or not" },
    Listed { name: "trailers", what: "trailers follow the answer (HTTP/2)" },
    Listed { name: "truncated-json", what: "half of the JSON, with a matching length" },
];

/// Every fault there is, as written after `fault-`; where a name ends in a number, any other will do.
pub fn faults() -> &'static [Listed] {
    LISTED
}

/// No fault is written so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no fault is called `{0}`; `weir sim --list-faults` prints those there are")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("fault-").unwrap_or(text);
        named(name).or_else(|| numbered(name)).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

fn named(name: &str) -> Option<Fault> {
    Some(match name {
        "refuse" => Fault::Refuse,
        "reset" => Fault::Reset,
        "hang" => Fault::Hang,
        "insufficient-quota" => Fault::InsufficientQuota,
        "error-event" => Fault::ErrorEvent,
        "error-event-late" => Fault::ErrorEventLate,
        "stall" => Fault::Stall,
        "stall-before" => Fault::StallBefore,
        "cut" => Fault::Cut,
        "cut-before" => Fault::CutBefore,
        "break" => Fault::Break,
        "malformed" => Fault::Malformed,
        "malformed-whole" => Fault::MalformedWhole,
        "no-done" => Fault::NoDone,
        "empty-200" => Fault::Empty200,
        "context-length" => Fault::ContextLength,
        "content-filter" => Fault::ContentFilter,
        "finish-content-filter" => Fault::FinishContentFilter,
        "invalid-request" => Fault::InvalidRequest,
        "gzip" => Fault::Gzip,
        "brotli" => Fault::Brotli,
        "trailers" => Fault::Trailers,
        "truncated-json" => Fault::TruncatedJson,
        _ => return None,
    })
}

fn numbered(name: &str) -> Option<Fault> {
    if let Ok(status) = name.parse() {
        return STATUSES.contains(&status).then_some(Fault::Status(status));
    }
    let (kind, number) = name.rsplit_once('-')?;
    let number: u32 = number.parse().ok()?;
    let wait = Duration::from_millis(u64::from(number));
    match kind {
        "429-retry" => Some(Fault::RetryAfter(number)),
        "slow-first-token" => Some(Fault::SlowFirstToken(wait)),
        "slow-whole" => Some(Fault::SlowWhole(wait)),
        "flap" if number > 0 => Some(Fault::Flap(number)),
        _ => None,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Status(status) => return write!(f, "{status}"),
            Self::RetryAfter(seconds) => return write!(f, "429-retry-{seconds}"),
            Self::SlowFirstToken(wait) => return write!(f, "slow-first-token-{}", wait.as_millis()),
            Self::SlowWhole(wait) => return write!(f, "slow-whole-{}", wait.as_millis()),
            Self::Flap(every) => return write!(f, "flap-{every}"),
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::InsufficientQuota => "insufficient-quota",
            Self::ErrorEvent => "error-event",
            Self::ErrorEventLate => "error-event-late",
            Self::Stall => "stall",
            Self::StallBefore => "stall-before",
            Self::Cut => "cut",
            Self::CutBefore => "cut-before",
            Self::Break => "break",
            Self::Malformed => "malformed",
            Self::MalformedWhole => "malformed-whole",
            Self::NoDone => "no-done",
            Self::Empty200 => "empty-200",
            Self::ContextLength => "context-length",
            Self::ContentFilter => "content-filter",
            Self::FinishContentFilter => "finish-content-filter",
            Self::InvalidRequest => "invalid-request",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Trailers => "trailers",
            Self::TruncatedJson => "truncated-json",
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_fault_reads_back_as_it_is_written() {
        for listed in faults() {
            let fault: Fault = listed.name.parse().unwrap();
            assert_eq!(fault.to_string(), listed.name);
            assert_eq!(format!("fault-{fault}").parse(), Ok(fault));
        }
    }

    #[test]
    fn the_page_about_the_simulator_has_them_all() {
        let page = include_str!("../../docs/simulator.md");
        for (name, what) in faults().iter().map(|fault| (fault.name, fault.what)).chain(crate::model::WRITTEN) {
            let row = format!("| `{name}` | {what} |");
            assert!(page.lines().any(|line| line == row), "docs/simulator.md has no {row}");
        }
    }

    #[test]
    fn every_name_and_status_is_listed() {
        for status in STATUSES {
            assert!(faults().iter().any(|listed| listed.name == status.to_string()), "{status}");
        }
    }

    #[test]
    fn what_is_no_fault_says_so() {
        for text in ["", "418", "flap-0", "flap", "slow-whole", "slow-whole-soon", "429-retry"] {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault(text.into())));
        }
    }
}

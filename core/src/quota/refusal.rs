//! What a caller is told who meets a limit.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use weir_hub::fault::{Problem, Retry};

use super::admission::{Refused, Shortfall};
use super::limit::{Kind, Limit, Meter};

/// The longest time that a caller is asked to wait within one call: the official SDKs do not wait longer.
const WORTH_WAITING: u64 = 60_000;

/// The problem of a request that was not admitted. `limit` is the one that had too little left.
pub fn problem(refused: &Refused, limit: Option<&Limit>) -> Problem {
    let (Refused::Short(short), Some(limit)) = (refused, limit) else {
        // Another version of Weir has written the counts. Who counts nothing could admit too much.
        let message = "The limits cannot be read at the moment; try again shortly.";
        let retry_after = Some(Duration::from_secs(1));
        return Problem {
            retry_after,
            retry: Retry::Yes,
            ..Problem::new(503, "server_error", "limits_unavailable", message)
        };
    };
    let name = &limit.name;
    let Some(wait) = short.wait else {
        let message = if short.amount > limit.most() {
            format!(
                "The request may need {}, which is more than the limit \"{name}\" ever allows at once ({}). Send less, or ask for fewer \
                 output tokens.",
                amount(limit.meter, short.amount),
                amount(limit.meter, limit.most()),
            )
        } else {
            format!("The limit \"{name}\" is spent ({}), and does not refill.", amount(limit.meter, limit.most()))
        };
        return if short.amount > limit.most() {
            Problem::new(400, "invalid_request_error", "request_exceeds_limit", message)
        } else {
            Problem::new(429, "insufficient_quota", "insufficient_quota", message)
        };
    };
    let (kind, code, what) = match &limit.kind {
        Kind::Budget { .. } => ("insufficient_quota", "insufficient_quota", "has too little left for this request"),
        Kind::Rate { .. } => ("rate_limit_error", "rate_limit_exceeded", "is used up for the moment"),
        Kind::Concurrency { .. } => ("rate_limit_error", "rate_limit_exceeded", "allows no more requests at once"),
    };
    let message = format!(
        "The limit \"{name}\"{} {what} ({}). Try again in {}.",
        whose(&short.subject),
        amount(limit.meter, limit.most()),
        time(wait)
    );
    Problem {
        retry_after: Some(Duration::from_millis(wait)),
        retry: if wait <= WORTH_WAITING { Retry::Yes } else { Retry::No },
        ..Problem::new(429, kind, code, message)
    }
}

/// The same for a limit of targets, if every target that could answer has one that is spent.
pub fn of_targets(shortest: &Shortfall, limit: &Limit) -> Problem {
    problem(&Refused::Short(shortest.clone()), Some(limit))
}

fn whose(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(" of {}", weir_hub::fault::shown(subject)) }
}

/// An amount in words: `1000 tokens`, `0.15 USD`.
pub fn amount(meter: Meter, amount: u128) -> String {
    let amount = meter.show(i128::try_from(amount).unwrap_or(i128::MAX));
    [&amount, " ", meter.unit()].concat()
}

/// A time in words, rounded up.
fn time(millis: u64) -> String {
    let (count, unit) = match millis.div_ceil(1000) {
        secs @ 0..=119 => (secs, "second"),
        secs @ 120..=7199 => (secs.div_ceil(60), "minute"),
        secs @ 7200..=172_799 => (secs.div_ceil(3600), "hour"),
        secs => (secs.div_ceil(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    [itoa::Buffer::new().format(count).to_string().as_str(), " ", unit, plural].concat()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::limit::{Alone, VALUES};
    use super::super::window::Windows;
    use super::*;

    fn told(kind: Kind, meter: Meter, amount: u128, wait: Option<u64>) -> Problem {
        let (name, was, subjects, alone, values) = ("q".into(), None, vec![], Alone::Open, VALUES);
        let limit = Limit { name, was, subjects, meter, kind, soft: false, alone, values };
        let short = Shortfall { number: 0, subject: "team/gpt".into(), amount, wait };
        problem(&Refused::Short(short), Some(&limit))
    }

    #[test]
    fn a_caller_is_told_which_limit_and_when_to_come_back() {
        let budget = || Kind::Budget { amount: 150_000_000_000, windows: Windows::Ever };
        let spent = told(budget(), Meter::Cost, 1, Some(200_000_000));
        assert_eq!((spent.status, spent.code.as_str(), spent.retry), (429, "insufficient_quota", Retry::No));
        assert_eq!(
            spent.message,
            "The limit \"q\" of team/gpt has too little left for this request (0.15 USD). Try again in 3 days."
        );
        let soon = told(budget(), Meter::Cost, 1, Some(1000));
        assert_eq!((soon.retry, soon.retry_after), (Retry::Yes, Some(Duration::from_secs(1))));
        let never = told(budget(), Meter::Cost, 2_000_000_000_000, None);
        assert_eq!((never.status, never.retry, never.retry_after), (400, Retry::No, None));
        assert!(never.message.contains("may need 2 USD"), "{}", never.message);
        let over = told(budget(), Meter::Cost, 1, None);
        assert_eq!((over.status, over.retry_after), (429, None), "a budget for good");
        let rate = Kind::Rate { amount: 60, period: 60_000_000_000, burst: 60 };
        let rate = told(rate, Meter::Tokens, 9, Some(4001));
        assert_eq!((rate.code.as_str(), rate.retry), ("rate_limit_exceeded", Retry::Yes));
        assert!(rate.message.ends_with("in 5 seconds."), "{}", rate.message);
        assert_eq!(problem(&Refused::Lost, None).status, 503);
    }
}

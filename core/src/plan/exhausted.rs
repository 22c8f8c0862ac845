//! What the caller is told when no target is left.

use alloc::boxed::Box;
use alloc::format;

use weir_hub::fault::{Details, FaultKind, Problem, Retry, UpstreamFault, Whose};

use super::{Failed, Plan, TooLong};
use crate::time::Instant;

/// The problem that the caller sees when every target has failed. The last failure decides its status and code, and its
/// message names each failure.
///
/// A wrong account or key at a provider concerns the operator. It is a 502, and never a 401 that would blame the
/// caller's key.
pub fn exhausted(plan: &Plan, now: Instant) -> Problem {
    if let Some(told) = plan.too_long.as_ref().filter(|_| plan.is_too_long()) {
        return told.problem();
    }
    exhausted_by(plan, plan.failed.last().and_then(Failed::kind), now)
}

/// The same if the last try has just failed with `fault`. For an error event, its class decides, and the message
/// includes the provider's.
pub fn exhausted_with(plan: &Plan, fault: &UpstreamFault, now: Instant) -> Problem {
    let Some(class) = fault.class.filter(|_| !plan.is_over(now)) else { return exhausted(plan, now) };
    let mut problem = exhausted_by(plan, Some(class), now);
    problem.message = format!("{} The last one said: {}", problem.message, fault.message);
    problem
}

fn exhausted_by(plan: &Plan, kind: Option<FaultKind>, now: Instant) -> Problem {
    let (status, code) = match kind {
        _ if plan.is_over(now) => (504, "deadline_exceeded"),
        Some(FaultKind::RateLimited) => (429, "rate_limited"),
        Some(FaultKind::Auth) => (502, "upstream_auth"),
        Some(FaultKind::Billing) => (502, "upstream_billing"),
        Some(FaultKind::NotFound) => (502, "upstream_not_found"),
        Some(FaultKind::Timeout) => (504, "upstream_timeout"),
        Some(FaultKind::Cut | FaultKind::Malformed | FaultKind::ErrorEvent) => (502, "upstream_bad_answer"),
        _ => (503, "upstream_unavailable"),
    };
    // The first target that is free again decides how long to wait.
    let wait = plan.failed.iter().filter_map(|failed| failed.until).map(|until| until - now).min();
    let limited = status == 429;
    let in_time = if status == 504 && code == "deadline_exceeded" {
        " within the limit of all tries (`limits.total`)"
    } else {
        ""
    };
    let error = if limited { "rate_limit_error" } else { "upstream_error" };
    let message = format!("No provider of '{}' could answer{in_time}: {}.", plan.model, plan.tries());
    Problem {
        retry_after: wait.filter(|_| limited || status == 503),
        retry: match kind.map(FaultKind::whose) {
            Some(Whose::Ours) => Retry::No,
            _ if limited => Retry::Yes,
            _ => Retry::Own,
        },
        ..Problem::new(status, error, code, message)
    }
}

impl TooLong {
    /// Keeps a problem about a prompt that is too long, to tell the caller later.
    pub fn of(problem: &Problem) -> Self {
        let details = problem.details.as_ref().map(|details| details.0.clone());
        Self { message: problem.message.clone(), param: problem.param.clone(), details }
    }

    /// The problem as the caller sees it.
    fn problem(&self) -> Problem {
        let fault = UpstreamFault {
            param: self.param.clone(),
            details: self.details.clone().map(|details| Box::new(Details(details))),
            ..UpstreamFault::new(FaultKind::ContextLength, &*self.message)
        };
        fault.problem()
    }
}

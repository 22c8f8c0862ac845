//! In which order a model's targets are tried, and which are not.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::{Model, Routing, Target};
use crate::fault::{FaultKind, Problem, Reject, Retry};
use crate::plan::Candidate;
use crate::provider::{Call, Judge, Reworded};
use crate::rests::Rests;
use crate::time::Instant;

/// The targets in the order in which they are tried, and those that are not, with the reason.
///
/// A target that rests is passed over while another can answer. If all that could answer rest for a rate limit, the
/// caller is told how long; a rest for a fault of ours is broken instead, since the operator may have mended it.
#[allow(clippy::type_complexity)] // Two lists, named in the sentence above and taken apart at once.
pub(super) fn rank(
    routing: &Routing,
    model: &Model,
    call: &Call<'_>,
    rests: &Rests,
    now: Instant,
) -> Result<(Vec<Candidate>, Vec<(Candidate, String)>), Problem> {
    let mut fit = Vec::with_capacity(model.targets.len());
    let mut passed_over = Vec::new();
    let mut refusal = None;
    let mut resting = Vec::new();
    let reworded = Reworded::default();
    let mut judge = Judge::of(call, &reworded);
    for target in &model.targets {
        match accepts(routing, target, &mut judge) {
            Err(reject) => {
                passed_over.push((candidate(target), reject.problem().code));
                refusal.get_or_insert(reject);
            }
            Ok(()) => match rests.of(&target.provider, &target.model, now) {
                Some(rest) => resting.push((target, rest)),
                None => fit.push(candidate(target)),
            },
        }
    }
    if fit.is_empty() && !resting.is_empty() {
        let waits = resting.iter().filter(|(_, rest)| rest.kind == FaultKind::RateLimited);
        let wait = waits.clone().map(|(_, rest)| rest.until - now).min();
        if let Some(wait) = wait.filter(|_| waits.count() == resting.len()) {
            return Err(Problem {
                status: 429,
                kind: "rate_limit_error",
                code: "rate_limited".to_string(),
                message: "Every provider of this model has asked for a pause; wait as long as retry-after says."
                    .to_string(),
                param: None,
                details: None,
                retry_after: Some(wait),
                retry: Retry::Yes,
            });
        }
        fit.extend(resting.drain(..).map(|(target, _)| candidate(target)));
    }
    passed_over.extend(resting.into_iter().map(|(target, rest)| {
        let why = alloc::format!("resting after {}", rest.kind.name());
        (candidate(target), why)
    }));
    match refusal {
        Some(reject) if fit.is_empty() => Err(reject.problem()),
        _ => Ok((fit, passed_over)),
    }
}

fn accepts<'a>(routing: &'a Routing, target: &'a Target, judge: &mut Judge<'a>) -> Result<(), Reject> {
    match routing.upstreams.get(&target.provider) {
        Some(upstream) => judge.accepts(upstream, &target.model),
        None => Err(Reject::UnknownModel { model: target.model.clone() }),
    }
}

fn candidate(target: &Target) -> Candidate {
    Candidate { provider: target.provider.clone(), model: target.model.clone() }
}

//! Decides in which order a model's targets are tried, and which are not tried.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::call::Call;
use weir_hub::fault::{FaultKind, Problem, Reject, Retry};

use crate::config::{Model, Routing, Target};
use crate::exchange::{Judge, Reworded};
use crate::health::cooldown::{Cooldown, Cooldowns, Standing};
use crate::plan::Candidate;
use crate::provider::in_header;
use crate::time::Instant;

/// The result for a model's targets.
#[derive(Default)]
pub(super) struct Ranked {
    /// The targets to try, in order.
    pub(super) targets: Vec<Candidate>,
    /// The other targets, each with the reason.
    pub(super) passed_over: Vec<(Candidate, String)>,
    /// Which of the targets to try belong to a provider that could not be reached; one bit for each.
    pub(super) trials: u16,
    /// The cooldowns to store for those providers, so that other requests leave them alone while this one finds out.
    pub(super) proving: Vec<Cooldown>,
}

impl Ranked {
    fn try_out(&mut self, target: &Target) {
        self.trials |= 1_u16.checked_shl(self.targets.len().try_into().unwrap_or(u32::MAX)).unwrap_or_default();
        self.targets.push(candidate(target));
    }

    fn pass_over(&mut self, cooling: Vec<(&Target, Cooldown)>) {
        self.passed_over.extend(cooling.into_iter().map(|(target, cooldown)| {
            let why = alloc::format!("resting after {}", cooldown.kind.name());
            (candidate(target), why)
        }));
    }
}

/// No target is tried: what the caller is told, and the reason for each target.
pub(super) struct Unranked {
    pub(super) problem: Problem,
    pub(super) passed_over: Vec<(Candidate, String)>,
}

/// Sorts the targets into those to try, in order, and the others, each with the reason.
///
/// A target that cools down is passed over if another one can answer. If all that could answer cool down because of a
/// rate limit, the caller is told how long to wait. If any of them cools down for another reason, they are asked
/// anyway: after a fault of ours, the operator may have repaired it; if a provider could not be reached, waiting for it
/// is no worse than being told that it is gone.
pub(super) fn rank(
    routing: &Routing,
    model: &Model,
    call: &Call<'_>,
    cooldowns: &Cooldowns<'_>,
    now: Instant,
) -> Result<Ranked, Box<Unranked>> {
    let mut ranked = Ranked { targets: Vec::with_capacity(model.targets.len()), ..Ranked::default() };
    let mut refusal = None;
    let mut cooling = Vec::new();
    let reworded = Reworded::default();
    let mut judge = Judge::of(call, &reworded);
    for target in &model.targets {
        if let Err(reject) = accepts(routing, target, &mut judge) {
            let problem = reject.problem();
            let why = match problem.param {
                Some(param) if !param.is_empty() => [&problem.code, ": ", &in_header(&param)].concat(),
                _ => problem.code,
            };
            ranked.passed_over.push((candidate(target), why));
            refusal.get_or_insert(reject);
            continue;
        }
        let version = routing.upstreams.get(&target.provider).map_or(0, |upstream| upstream.version);
        match cooldowns.standing(&target.provider, version, &target.model, now) {
            Standing::Free => ranked.targets.push(candidate(target)),
            Standing::Cooling(known) => cooling.push((target, known)),
            Standing::Unproven(known) => {
                ranked.try_out(target);
                ranked.proving.push(known.on_trial(now));
            }
        }
    }
    if ranked.targets.is_empty() && !cooling.is_empty() {
        let waits = cooling.iter().filter(|(_, cooldown)| cooldown.kind == FaultKind::RateLimited);
        let wait = waits.clone().map(|(_, cooldown)| cooldown.until - now).min();
        if let Some(wait) = wait.filter(|_| waits.count() == cooling.len()) {
            ranked.pass_over(cooling);
            let message = "Every provider of this model has asked for a pause; wait as long as retry-after says.";
            let problem = Problem {
                retry_after: Some(wait),
                retry: Retry::Yes,
                ..Problem::new(429, "rate_limit_error", "rate_limited", message)
            };
            return Err(Box::new(Unranked { problem, passed_over: ranked.passed_over }));
        }
        for (target, cooldown) in cooling.drain(..) {
            match cooldown.kind {
                FaultKind::Unreachable => ranked.try_out(target),
                _ => ranked.targets.push(candidate(target)),
            }
        }
    }
    ranked.pass_over(cooling);
    match refusal {
        Some(reject) if ranked.targets.is_empty() => {
            Err(Box::new(Unranked { problem: reject.problem(), passed_over: ranked.passed_over }))
        }
        _ => Ok(ranked),
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

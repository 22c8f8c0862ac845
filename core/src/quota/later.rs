//! What a request takes after it was admitted: for another try, and for an answer that outgrows what was reserved for it.
//!
//! The edge writes it when it plans, since it knows the caller and what the request may use. A limit of a provider or a target is
//! taken when that target is asked; the first target's is taken then.

use alloc::string::String;
use alloc::vec::Vec;

use super::admission::{Asking, Refused, Taken, Worker, admit, has_room};
use super::amounts::Step;
use super::claim::{Claim, Want};
use super::limit::Meter;
use super::refusal;
use crate::shared::Store;
use crate::time::Instant;
use weir_hub::fault::Problem;

/// What one request may still take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Later {
    /// What each target needs, by the target's place in the plan.
    pub claims: Vec<Vec<Claim>>,
    /// What every try needs, whichever target it asks, of the limits that count what tries use. The first try has it.
    every: Vec<Claim>,
    /// For how many tries there is a reservation from an account: the limit's number, and whose.
    had: Vec<(usize, String, u128)>,
    /// How many output tokens are reserved for each try.
    output: u64,
    /// By how much that grows.
    step: Step,
    /// How many output tokens are reserved for the latest try.
    reserved: u64,
}

/// Why another try does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// A limit of its target is spent, and the caller is told so.
    Target(Problem),
    /// The limit of this name counts every try that is billed, and has no room for one more.
    Every(String),
}

impl Later {
    /// What targets need, and what every try does; the first one has it. `output` tokens are reserved for each answer, and grow
    /// by `step`.
    pub fn new(claims: Vec<Vec<Claim>>, every: Vec<Claim>, output: u64, step: Step) -> Self {
        let first = claims.first().into_iter().flatten().chain(&every);
        let had = first.map(|claim| (claim.number, claim.subject.clone(), 1)).collect();
        Self { claims, every, had, output, step, reserved: output }
    }

    /// Whether there is nothing that a request could take.
    pub fn is_empty(&self) -> bool {
        self.every.is_empty() && self.claims.iter().all(Vec::is_empty)
    }

    /// Takes what a try of the target at this place needs, after tries of the targets in `billed`, which their providers may bill.
    ///
    /// A reservation that the request has already serves the next try of the same account: it must not stand in its own way.
    /// But where tokens or cost are counted, a try that may be billed keeps what was reserved for it.
    pub fn take(
        &mut self,
        store: &dyn Store,
        worker: &mut Worker,
        (target, billed): (usize, &[usize]),
        now: Instant,
    ) -> Result<Vec<Taken>, Unmet> {
        self.reserved = self.output;
        let needs: Vec<(&Claim, u128)> = self.needs(target, billed).collect();
        let mut wants: Vec<Want<'_>> = needs.iter().map(|(claim, tries)| claim.want_times(*tries)).collect();
        let taken = admit(store, worker, &mut wants, Asking::Unanswered, now).map_err(|refused| {
            let number = if let Refused::Short(short) = &refused { Some(short.number) } else { None };
            let limit = needs.iter().find(|(claim, _)| Some(claim.number) == number).map(|(claim, _)| &claim.limit);
            match limit {
                Some(limit) if !limit.is_of_a_try() => Unmet::Every(limit.name.clone()),
                limit => Unmet::Target(refusal::problem(&refused, limit)),
            }
        })?;
        for (number, subject, tries) in
            needs.iter().map(|(claim, tries)| (claim.number, claim.subject.clone(), *tries)).collect::<Vec<_>>()
        {
            match self.had.iter_mut().find(|(of, whose, _)| *of == number && *whose == subject) {
                Some((_, _, had)) => *had += tries,
                None => self.had.push((number, subject, tries)),
            }
        }
        Ok(taken)
    }

    /// What a try of the target at this place needs, and for how many tries.
    fn needs(&self, target: usize, billed: &[usize]) -> impl Iterator<Item = (&Claim, u128)> {
        let of = |target: usize| self.claims.get(target).map(Vec::as_slice).unwrap_or_default();
        let is_same = |one: &Claim, other: &Claim| one.number == other.number && one.subject == other.subject;
        let every = self.every.iter().map(|claim| (claim, billed.len()));
        let of_target = of(target).iter().map(move |claim| {
            let same = |at: &&usize| of(**at).iter().any(|other| is_same(other, claim));
            (claim, if claim.limit.meter == Meter::Requests { 0 } else { billed.iter().filter(same).count() })
        });
        every.chain(of_target).filter_map(|(claim, earlier)| {
            let had = self.had.iter().find(|(of, whose, _)| *of == claim.number && *whose == claim.subject);
            let lacks = (earlier as u128 + 1).saturating_sub(had.map_or(0, |(_, _, tries)| *tries));
            (lacks > 0).then_some((claim, lacks))
        })
    }

    /// Takes more for an answer of the target at this place, which has so many output tokens now: for how many there is room
    /// then. All or nothing. If nothing, the name of the limit that has no room.
    ///
    /// What cannot be known now, because a lease does not cover it and control may have more, is let pass: it becomes a debt at
    /// most, and the next report asks for it.
    pub fn extend(
        &mut self,
        store: &dyn Store,
        worker: &mut Worker,
        (target, output): (usize, u64),
        now: Instant,
    ) -> Result<(u64, Vec<Taken>), String> {
        let of_target = self.claims.get(target).map(Vec::as_slice).unwrap_or_default();
        let steps = output.saturating_sub(self.reserved).div_ceil(self.step.output.max(1)).max(1);
        let claims = self.every.iter().chain(of_target);
        let mut wants: Vec<Want<'_>> = claims
            .filter_map(|claim| {
                let amount = self.step.of(claim.limit.meter)?.saturating_mul(steps.into());
                Some(Want { amount, ..claim.want() })
            })
            .collect();
        let taken = match admit(store, worker, &mut wants, Asking::Never, now) {
            Ok(taken) => taken,
            Err(Refused::Short(short)) => {
                let spent = wants.iter().find(|want| want.number == short.number && !has_room(store, want, now));
                match spent {
                    Some(want) => return Err(want.limit.name.clone()),
                    None => Vec::new(),
                }
            }
            Err(Refused::Lease(_) | Refused::Lost) => Vec::new(),
        };
        self.reserved = self.reserved.saturating_add(self.step.output.max(1).saturating_mul(steps));
        Ok((self.reserved, taken))
    }
}

#[cfg(test)]
mod tests;

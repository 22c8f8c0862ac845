//! What later tries of a request must take: a limit of a provider or a target is taken when that target is asked.
//!
//! The edge writes it when it plans, since it knows the caller and what the request may use. The first target's is taken then.

use alloc::string::String;
use alloc::vec::Vec;

use super::admission::{Asking, Refused, Taken, Worker, admit};
use super::claim::{Claim, Want};
use super::refusal;
use crate::shared::Store;
use crate::time::Instant;
use weir_hub::fault::Problem;

/// What one request must take for each of its targets, by the target's place in the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Later {
    /// What each target needs.
    pub claims: Vec<Vec<Claim>>,
    /// From which accounts the request has a reservation: the limit's number, and whose.
    had: Vec<(usize, String)>,
}

impl Later {
    /// What targets need; the first one has it.
    pub fn new(claims: Vec<Vec<Claim>>) -> Self {
        let had = claims.first().into_iter().flatten().map(|claim| (claim.number, claim.subject.clone())).collect();
        Self { claims, had }
    }

    /// Takes what the target at this place needs, or says what the caller is told. A reservation that the request has
    /// already serves the next try of the same account: it must not stand in its own way.
    pub fn take(
        &mut self,
        store: &dyn Store,
        worker: &mut Worker,
        target: usize,
        now: Instant,
    ) -> Result<Vec<Taken>, Problem> {
        let claims = self.claims.get(target).map(Vec::as_slice).unwrap_or_default();
        let has = |claim: &Claim| self.had.iter().any(|(of, whose)| *of == claim.number && *whose == claim.subject);
        let mut wants: Vec<Want<'_>> = claims.iter().filter(|claim| !has(claim)).map(Claim::want).collect();
        let taken = admit(store, worker, &mut wants, Asking::Never, now).map_err(|refused| {
            let number = if let Refused::Short(short) = &refused { Some(short.number) } else { None };
            let limit = claims.iter().find(|claim| Some(claim.number) == number).map(|claim| &claim.limit);
            refusal::problem(&refused, limit)
        })?;
        self.had.extend(taken.iter().map(|taken| (taken.number, taken.subject.clone())));
        Ok(taken)
    }
}

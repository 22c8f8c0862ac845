//! What later tries of a request must take: a limit of a provider or a target is taken when that target is asked.
//!
//! The edge writes it when it plans, since it knows the caller and what the request may use. The first target's is taken then.

use alloc::vec::Vec;

use super::admission::{Asking, Refused, Taken, Worker, admit};
use super::claim::{Claim, Want};
use super::refusal;
use crate::shared::Store;
use crate::time::Instant;
use weir_hub::fault::Problem;

/// What one request must take for each of its targets, by the target's place in the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Later(pub Vec<Vec<Claim>>);

impl Later {
    /// Takes what the target at this place needs, or says what the caller is told.
    pub fn take(
        &self,
        store: &dyn Store,
        worker: &mut Worker,
        target: usize,
        now: Instant,
    ) -> Result<Vec<Taken>, Problem> {
        let claims = self.0.get(target).map(Vec::as_slice).unwrap_or_default();
        let mut wants: Vec<Want<'_>> = claims.iter().map(Claim::want).collect();
        admit(store, worker, &mut wants, Asking::Never, now).map_err(|refused| {
            let number = if let Refused::Short(short) = &refused { Some(short.number) } else { None };
            let limit = claims.iter().find(|claim| Some(claim.number) == number).map(|claim| &claim.limit);
            refusal::problem(&refused, limit)
        })
    }
}

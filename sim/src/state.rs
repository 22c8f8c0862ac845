//! What outlives a request: options, the log, the bill, the faults in force, what is being replayed.

use std::{
    collections::BTreeMap,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Fault, Options, ReplayError,
    bill::Bill,
    past::Past,
    prefixes::Prefixes,
    quick::Quick,
    replay::{self, Case},
    seen::Log,
};

/// Shared by all connections of one simulator.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) log: Arc<Log>,
    pub(crate) bill: Arc<Bill>,
    pub(crate) faults: Faults,
    pub(crate) prefixes: Prefixes,
    pub(crate) past: Past,
    pub(crate) quick: Option<Quick>,
    replaying: Mutex<Option<Case>>,
    ids: AtomicU64,
}

impl State {
    pub(crate) fn new(options: Options, quick: Option<Quick>) -> Self {
        Self {
            log: Arc::new(Log::new(options.keep)),
            bill: Arc::default(),
            faults: Faults::of(&options.faults),
            prefixes: Prefixes::default(),
            past: Past::default(),
            quick,
            replaying: Mutex::default(),
            ids: AtomicU64::new(0),
            options,
        }
    }

    /// A new id that looks like a provider's: the same in each run, different in each request.
    pub(crate) fn id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{number:08x}", number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// What every request is answered with, where that was set.
    pub(crate) fn replaying(&self) -> Option<Case> {
        lock(&self.replaying).clone()
    }

    pub(crate) fn replay(&self, case: &str) -> Result<(), ReplayError> {
        let case = replay::find(&self.options, case, None)?;
        *lock(&self.replaying) = Some(case);
        Ok(())
    }

    pub(crate) fn stop_replay(&self) {
        *lock(&self.replaying) = None;
    }
}

/// The name that stands for every model.
const ANY: &str = "*";

/// Faults set from outside, by model.
#[derive(Default)]
pub(crate) struct Faults(Mutex<InForce>);

#[derive(Default)]
struct InForce {
    by_model: BTreeMap<String, Set>,
    /// Requests counted by model, for [`Fault::Flap`] and for names that call a fault a limited number of times.
    counts: HashMap<String, u32>,
}

#[derive(Clone, Copy)]
struct Set {
    fault: Fault,
    left: Option<u32>,
}

impl Faults {
    fn of(all: &[(String, Fault)]) -> Self {
        let faults = Self::default();
        for (model, fault) in all {
            faults.set(model, *fault, None);
        }
        faults
    }

    pub(crate) fn set(&self, model: &str, fault: Fault, left: Option<u32>) {
        lock(&self.0).by_model.insert(model.to_owned(), Set { fault, left });
    }

    pub(crate) fn unset(&self, model: &str) {
        lock(&self.0).by_model.remove(model);
    }

    pub(crate) fn unset_all(&self) {
        *lock(&self.0) = InForce::default();
    }

    /// Those in force, as they are written.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        lock(&self.0).by_model.iter().map(|(model, set)| (model.clone(), set.fault.to_string())).collect()
    }

    /// The fault set for every model.
    pub(crate) fn everywhere(&self) -> Option<Fault> {
        lock(&self.0).by_model.get(ANY).map(|set| set.fault)
    }

    /// Uses up one of the times a fault for every model was set for.
    pub(crate) fn take_everywhere(&self) {
        lock(&self.0).take(ANY);
    }

    /// The fault for one request for `model`. The name itself may call for one, `named`, for all requests or for the first `times`.
    pub(crate) fn take(&self, model: &str, named: Option<Fault>, times: Option<u32>) -> Option<Fault> {
        let mut faults = lock(&self.0);
        let (fault, times) = match faults.take(model).or_else(|| faults.take(ANY)) {
            Some(set) => (set, None),
            None => (named?, times),
        };
        match (fault, times) {
            (Fault::Flap(every), _) => faults.count(model).is_multiple_of(every).then_some(Fault::Status(503)),
            (fault, Some(times)) => (faults.count(model) <= times).then_some(fault),
            (fault, None) => Some(fault),
        }
    }
}

impl InForce {
    /// Which of the requests for `model` this is, from 1.
    fn count(&mut self, model: &str) -> u32 {
        let count = self.counts.entry(model.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn take(&mut self, model: &str) -> Option<Fault> {
        let set = self.by_model.get_mut(model)?;
        let fault = set.fault;
        if let Some(left) = &mut set.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.by_model.remove(model);
            }
        }
        Some(fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_own_fault_goes_before_the_one_for_all_and_that_before_its_name() {
        let faults = Faults::default();
        assert_eq!(faults.take("m", Some(Fault::Hang), None), Some(Fault::Hang));
        faults.set("*", Fault::Reset, None);
        assert_eq!(faults.take("m", Some(Fault::Hang), None), Some(Fault::Reset));
        faults.set("m", Fault::Stall, Some(2));
        let three = [(); 3].map(|()| faults.take("m", None, None));
        assert_eq!(three, [Some(Fault::Stall), Some(Fault::Stall), Some(Fault::Reset)]);
    }

    #[test]
    fn every_third_request_flaps() {
        let faults = Faults::default();
        let taken = [(); 6].map(|()| faults.take("m", Some(Fault::Flap(3)), None).is_some());
        assert_eq!(taken, [false, false, true, false, false, true]);
    }

    #[test]
    fn a_name_calls_a_fault_for_the_first_so_many_requests() {
        let faults = Faults::default();
        let taken = [(); 4].map(|()| faults.take("m", Some(Fault::Hang), Some(2)).is_some());
        assert_eq!(taken, [true, true, false, false]);
        assert!(faults.take("n", Some(Fault::Hang), Some(2)).is_some(), "each model has its own count");
    }
}

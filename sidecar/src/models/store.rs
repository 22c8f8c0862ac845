//! The models by name, and how each of them is doing. Start at [`Models::load`].
//!
//! Requests read a table that each change replaces as a whole, so that they never wait. Changes are made one at a time under
//! a lock, and models are loaded one after the other on a thread of their own: it takes seconds, and stopping must not wait
//! for it. Of several changes to one name the last one counts: a load whose place another change has taken is dropped, begun
//! or not.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, JoinHandle};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::load::{LoadError, Wanted, load};
use super::model::{Lease, Model, Owned};
use crate::engine::Description;
use crate::metrics::{LoadOutcome, Metrics};

/// The models of a sidecar.
#[derive(Clone)]
pub struct Models {
    shared: Arc<Shared>,
}

/// How a model is doing, as it was when this was read.
pub struct Entry {
    /// Name that callers write.
    pub name: String,
    /// How far it got.
    pub state: State,
    /// The last load, where it failed. A model of before goes on.
    pub failure: Option<Arc<Failure>>,
    /// Whether a load is under way or waits.
    pub loading: bool,
    /// Whether the settings file names it.
    pub origin: Origin,
}

/// How far a model got.
#[derive(Clone)]
pub enum State {
    /// It is being read.
    Loading,
    /// It serves.
    Ready(Lease),
    /// It could not be loaded.
    Failed(Arc<Failure>),
}

/// A load that failed.
#[derive(Debug)]
pub struct Failure {
    /// Why, for the operator.
    pub error: String,
    folder: PathBuf,
}

impl Failure {
    /// Why, for callers: without the folders of this machine.
    pub fn told(&self) -> String {
        let folder = self.folder.display().to_string();
        self.error.replace(&format!("{folder}/"), "").replace(&folder, "the model's folder")
    }
}

/// Who asked for a model first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The settings file. The sidecar is ready when these serve.
    Settings,
    /// A call while it served. Whether it can be loaded says nothing about the others.
    Call,
}

/// Why a load has not led to a model that serves.
#[derive(Clone, Debug, Error)]
pub enum NotLoaded {
    /// It could not be loaded.
    #[error("{}", .0.error)]
    Failed(Arc<Failure>),
    /// Another load, or an unload, of the same name came after it.
    #[error("another load or unload of this model came after this one")]
    Superseded,
}

type Outcome = Result<(), NotLoaded>;

/// A load that was asked for. Dropping this does not stop it.
#[derive(Debug)]
pub struct Started(watch::Receiver<Option<Outcome>>);

impl Started {
    /// Waits until it has come to an end.
    pub async fn ended(mut self) -> Outcome {
        let outcome = self.0.wait_for(Option::is_some).await;
        // Without a sender nobody loads it any more.
        outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(Err(NotLoaded::Superseded))
    }
}

struct Shared {
    table: ArcSwap<Vec<Arc<Entry>>>,
    slots: Mutex<Slots>,
    changes: watch::Sender<()>,
    metrics: Metrics,
    reader: Reader,
    spawn: Spawn,
}

/// What reads a model. Tests have their own.
type Reader = Box<dyn Fn(&Wanted) -> Result<Model, LoadError> + Send + Sync>;

/// What starts the thread that loads. Tests have their own.
type Spawn = fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    next: u64,
    /// Whether the thread that loads is there.
    loading: bool,
}

struct Slot {
    name: String,
    origin: Origin,
    serving: Option<Serving>,
    pending: Option<Pending>,
    /// The last load, where it failed.
    failure: Option<Arc<Failure>>,
}

struct Serving {
    wanted: Wanted,
    model: Owned,
}

struct Pending {
    id: u64,
    wanted: Wanted,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Models {
    /// No models yet. Those to come are run by the ONNX Runtime of this path, where they need one.
    pub fn new(onnxruntime: Option<PathBuf>, metrics: &Metrics) -> Self {
        let measured = metrics.clone();
        let read = move |wanted: &Wanted| load(wanted, onnxruntime.as_deref(), measured.model(&wanted.model.name));
        Self::read_by(Box::new(read), spawn, metrics)
    }

    fn read_by(reader: Reader, spawn: Spawn, metrics: &Metrics) -> Self {
        let shared = Shared {
            table: ArcSwap::default(),
            slots: Mutex::default(),
            changes: watch::channel(()).0,
            metrics: metrics.clone(),
            reader,
            spawn,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The model that callers call `name`.
    pub fn find(&self, name: &str) -> Option<Arc<Entry>> {
        self.shared.table.load().iter().find(|entry| entry.name == name).cloned()
    }

    /// All, in the order in which they were first asked for.
    pub fn all(&self) -> Arc<Vec<Arc<Entry>>> {
        self.shared.table.load_full()
    }

    /// Learns of every change of what [`Self::all`] gives.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    /// Asks for a model. One that serves with the same settings stays as it is; of one with other settings the place is taken
    /// when the new one is ready. Loads of one name with the same settings are one load.
    pub fn load(&self, wanted: Wanted, origin: Origin) -> Started {
        let (outcome, started) = watch::channel(None);
        let mut slots = self.shared.lock();
        let id = slots.next;
        slots.next += 1;
        let slot = slots.slot(&wanted.model.name, origin);
        if let Some(pending) = slot.pending.as_ref().filter(|pending| pending.wanted == wanted) {
            return Started(pending.outcome.subscribe());
        }
        if slot.serving.as_ref().is_some_and(|serving| serving.wanted == wanted) {
            slot.pending = None;
            slot.failure = None;
            outcome.send_replace(Some(Ok(())));
        } else {
            slot.pending = Some(Pending { id, wanted, outcome });
            self.start(&mut slots);
        }
        self.shared.publish(&slots);
        Started(started)
    }

    /// Takes a model away; the receiver learns when it is freed, at once if it never served. `None` if there is none.
    pub fn unload(&self, name: &str) -> Option<oneshot::Receiver<()>> {
        let mut slots = self.shared.lock();
        let at = slots.all.iter().position(|slot| slot.name == name)?;
        let slot = slots.all.remove(at);
        self.shared.publish(&slots);
        drop(slots);
        tracing::info!(model = name, "model unloaded; it is freed when its requests have ended");
        Some(slot.serving.map_or_else(|| oneshot::channel().1, |serving| serving.model.free(name)))
    }

    /// Starts the thread that loads, if it is not there.
    fn start(&self, slots: &mut Slots) {
        if slots.loading {
            return;
        }
        let shared = Arc::clone(&self.shared);
        match (self.shared.spawn)(Box::new(move || shared.load_all())) {
            Ok(()) => slots.loading = true,
            Err(error) => self.shared.give_up(slots, &format!("there is no thread to load it with: {error}")),
        }
    }
}

fn spawn(work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Builder::new().name("load".to_owned()).spawn(work).map(|_: JoinHandle<()>| ())
}

impl Slots {
    fn slot(&mut self, name: &str, origin: Origin) -> &mut Slot {
        let at = self.all.iter().position(|slot| slot.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            self.all.push(Slot { name, origin, serving: None, pending: None, failure: None });
            self.all.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
        &mut self.all[at]
    }

    /// What is to be loaded next.
    fn next(&self) -> Option<(u64, Wanted)> {
        let pending = self.all.iter().filter_map(|slot| slot.pending.as_ref()).min_by_key(|pending| pending.id)?;
        Some((pending.id, pending.wanted.clone()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows requests what holds now.
    fn publish(&self, slots: &Slots) {
        let table = slots.all.iter().map(|slot| Arc::new(slot.entry())).collect();
        self.table.store(Arc::new(table));
        self.changes.send_replace(());
    }

    /// Fails all that waits: nobody is there to load it.
    fn give_up(&self, slots: &mut Slots, error: &str) {
        let mut ended = Vec::new();
        for slot in &mut slots.all {
            if let Some(Pending { wanted, outcome, .. }) = slot.pending.take() {
                ended.push((outcome, self.failed(slot, wanted, error.to_owned())));
            }
        }
        self.publish(slots);
        for (outcome, failed) in ended {
            outcome.send_replace(Some(failed));
        }
    }

    /// Notes that a load has failed, and why.
    fn failed(&self, slot: &mut Slot, wanted: Wanted, error: String) -> Outcome {
        tracing::error!(model = slot.name, error, "model failed to load");
        let failure = Arc::new(Failure { error, folder: wanted.model.path });
        slot.failure = Some(Arc::clone(&failure));
        self.metrics.loaded(&slot.name, LoadOutcome::Failed);
        Err(NotLoaded::Failed(failure))
    }

    /// Loads what waits, one after the other, until nothing does.
    fn load_all(&self) {
        let _loading = Loading(self);
        loop {
            let mut slots = self.lock();
            let Some((id, wanted)) = slots.next() else {
                slots.loading = false;
                return;
            };
            drop(slots);
            // Graphs and weights are files from elsewhere, read by code that is not ours.
            let loaded = match catch_unwind(AssertUnwindSafe(|| (self.reader)(&wanted))) {
                Ok(Ok(model)) => Ok(model),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("its files made a library panic; check that they are whole".to_owned()),
            };
            self.settle(id, wanted, loaded);
        }
    }

    /// Puts a model in its place, or tells why there is none.
    fn settle(&self, id: u64, wanted: Wanted, loaded: Result<Model, String>) {
        let name = wanted.model.name.clone();
        let mut slots = self.lock();
        let slot = slots.all.iter_mut().find(|slot| slot.pending.as_ref().is_some_and(|pending| pending.id == id));
        let Some((slot, pending)) = slot.and_then(|slot| slot.pending.take().map(|pending| (slot, pending))) else {
            drop(slots);
            tracing::info!(model = name, "what was loaded is not wanted any more");
            self.metrics.loaded(&name, LoadOutcome::Superseded);
            return;
        };
        let (outcome, before) = match loaded {
            Ok(model) => {
                let Description { engine, device, dimensions, .. } = &model.description;
                tracing::info!(model = name, engine, device, dimensions, "model ready");
                let before = slot.serving.replace(Serving { wanted, model: Owned::new(model) });
                slot.failure = None;
                self.metrics.loaded(&name, LoadOutcome::Ready);
                (Ok(()), before)
            }
            Err(error) => (self.failed(slot, wanted, error), None),
        };
        self.publish(&slots);
        drop(slots);
        pending.outcome.send_replace(Some(outcome));
        if let Some(before) = before {
            before.model.free(&name);
        }
    }
}

/// The thread that loads. If it panics, what waits for it has failed, and the next load starts another one.
struct Loading<'a>(&'a Shared);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let mut slots = self.0.lock();
        slots.loading = false;
        self.0.give_up(&mut slots, "the thread that loads models panicked; load the model again");
    }
}

impl Slot {
    fn entry(&self) -> Entry {
        let state = match (&self.serving, &self.failure) {
            (Some(serving), _) => State::Ready(serving.model.lease()),
            (None, Some(failure)) if self.pending.is_none() => State::Failed(Arc::clone(failure)),
            (None, _) => State::Loading,
        };
        Entry {
            name: self.name.clone(),
            state,
            failure: self.failure.clone(),
            loading: self.pending.is_some(),
            origin: self.origin,
        }
    }
}

#[cfg(test)]
mod tests;

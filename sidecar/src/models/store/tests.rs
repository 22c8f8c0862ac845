//! Models that come and go, with a reader that can be held.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};

use tracing::Span;

use super::*;
use crate::embed::{Normalize, Pool, PoolSettings, Rows};
use crate::engine::{Batch, Description, Engine, EngineError, Parallel, Weights};
use crate::models::recipe::Recipe;
use crate::models::tokens::Tokens;
use crate::settings::{EngineChoice, ModelSettings, QueueSettings};

/// A model whose every vector is how many may wait for it: by that its settings can be told.
struct Fake {
    description: Description,
    value: f32,
    /// There while the model is in memory.
    _memory: Arc<()>,
}

impl Weights for Fake {
    fn description(&self) -> &Description {
        &self.description
    }

    fn engine(&self, _: usize) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(FakeEngine(self.value)))
    }
}

struct FakeEngine(f32);

impl Engine for FakeEngine {
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), EngineError> {
        out.extend(batch.rows.iter().map(|_| self.0));
        Ok(())
    }
}

fn tokens(folder: &Path) -> Tokens {
    let tokenizer =
        r#"{"version":"1.0","added_tokens":[],"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}"#;
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    Tokens::load(folder, &Recipe::read(folder).unwrap()).unwrap()
}

/// Models whose every load says that it has begun, and waits to be let go on.
struct Scene {
    models: Models,
    metrics: Metrics,
    began: Receiver<usize>,
    let_go: Sender<()>,
    memory: Arc<Mutex<Vec<Weak<()>>>>,
}

/// What fails to load.
const BROKEN: usize = 13;
/// What makes a library panic.
const PANICS: usize = 14;
/// What makes a library panic with a payload that panics when it is dropped, which nothing catches.
const PANICS_TWICE: usize = 15;

struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("told to panic again");
    }
}

fn scene() -> Scene {
    let (began, begins) = channel();
    let (let_go, gate) = channel();
    let (gate, memory) = (Mutex::new(gate), Arc::new(Mutex::new(Vec::new())));
    let metrics = Metrics::new().unwrap();
    let (kept, measured) = (Arc::clone(&memory), metrics.clone());
    let read = move |wanted: &Wanted| {
        let max_waiting = wanted.queue.max_waiting;
        began.send(max_waiting).unwrap();
        gate.lock().unwrap().recv().unwrap();
        assert_ne!(max_waiting, PANICS, "told to panic");
        if max_waiting == PANICS_TWICE {
            std::panic::panic_any(Payload);
        }
        if max_waiting == BROKEN {
            return Err(LoadError::NoFolder(wanted.model.path.clone()));
        }
        let here = Arc::new(());
        kept.lock().unwrap().push(Arc::downgrade(&here));
        let description =
            Description { engine: "fake", device: "cpu".into(), dimensions: 1, parallel: Parallel::Batches };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let weights = Fake { description: description.clone(), value: max_waiting as f32, _memory: here };
        let settings = PoolSettings { max_waiting, max_padded: None, workers: 1, threads: 1, normalize: Normalize::No };
        let weights: Arc<dyn Weights> = Arc::new(weights);
        let pool = Pool::start(&weights, &settings, measured.model(&wanted.model.name))?;
        let folder = tempfile::tempdir().unwrap();
        Ok(Model { tokens: tokens(folder.path()), pool, description, normalize: Normalize::No, vocabulary: 1 })
    };
    let models = Models::read_by(Box::new(read), spawn, &metrics);
    Scene { models, metrics, began: begins, let_go, memory }
}

/// The model `name`, whose settings differ by `max_waiting`.
fn wanted(name: &str, max_waiting: usize) -> Wanted {
    let model = ModelSettings { name: name.to_owned(), path: "/models/m".into(), engine: EngineChoice::Auto };
    Wanted { model, queue: QueueSettings { max_waiting, ..QueueSettings::default() } }
}

impl Scene {
    fn ask(&self, max_waiting: usize) -> Started {
        self.models.load(wanted("m", max_waiting), Origin::Call)
    }

    /// Asks for a model and waits until that has come to an end.
    async fn load(&self, max_waiting: usize) -> Outcome {
        let started = self.ask(max_waiting);
        self.let_go.send(()).unwrap();
        let outcome = started.ended().await;
        assert_eq!(self.began.try_recv(), Ok(max_waiting));
        outcome
    }

    /// The model that requests find.
    fn lease(&self) -> Lease {
        let entry = self.models.find("m").unwrap();
        let State::Ready(lease) = &entry.state else { panic!("it does not serve") };
        lease.clone()
    }

    fn loads(&self, outcome: &str) -> u64 {
        let text = self.metrics.text(0).unwrap();
        let line = format!("weir_sidecar_model_loads_total{{model=\"m\",outcome=\"{outcome}\"}} ");
        text.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
    }

    /// Which of the models that were loaded are still in memory.
    fn in_memory(&self) -> Vec<bool> {
        self.memory.lock().unwrap().iter().map(|memory| memory.strong_count() > 0).collect()
    }

    async fn until_in_memory(&self, expect: &[bool]) {
        while self.in_memory() != expect {
            tokio::task::yield_now().await;
        }
    }
}

async fn value(model: &Lease) -> Vec<f32> {
    let mut rows = Rows::default();
    rows.push(&[0]);
    model.pool.submit(rows, Span::none()).unwrap().only().await.unwrap()
}

#[tokio::test]
async fn the_same_settings_do_nothing() {
    let scene = scene();
    scene.load(1).await.unwrap();
    scene.ask(1).ended().await.unwrap();
    assert_eq!((scene.loads("ready"), scene.in_memory()), (1, vec![true]));
    assert!(scene.began.try_recv().is_err());
}

#[tokio::test]
async fn a_model_with_other_settings_takes_the_place_when_it_is_ready_and_what_runs_ends_on_the_old_one() {
    let scene = scene();
    scene.load(1).await.unwrap();
    let old = scene.lease();
    let started = scene.ask(2);
    assert_eq!(scene.began.recv(), Ok(2));
    assert_eq!(value(&scene.lease()).await, [1.0], "the old one serves while the new one is read");
    assert!(scene.models.find("m").unwrap().loading);
    scene.let_go.send(()).unwrap();
    started.ended().await.unwrap();
    assert_eq!((value(&scene.lease()).await, value(&old).await), (vec![2.0], vec![1.0]));
    assert_eq!(scene.in_memory(), [true, true]);
    drop(old);
    scene.until_in_memory(&[false, true]).await;
    assert_eq!(value(&scene.lease()).await, [2.0]);
}

#[tokio::test]
async fn a_load_that_fails_leaves_the_old_one_and_is_listed_until_something_is_loaded() {
    let scene = scene();
    scene.load(1).await.unwrap();
    for bad in [BROKEN, PANICS] {
        let Err(NotLoaded::Failed(failure)) = scene.load(bad).await else { panic!("it was loaded") };
        let entry = scene.models.find("m").unwrap();
        assert_eq!(entry.failure.as_ref().unwrap().error, failure.error);
        assert_eq!(value(&scene.lease()).await, [1.0]);
    }
    // What is wanted now is what serves.
    scene.ask(1).ended().await.unwrap();
    assert!(scene.models.find("m").unwrap().failure.is_none());
    assert_eq!((scene.loads("ready"), scene.loads("failed")), (1, 2));
}

#[tokio::test]
async fn a_load_that_failed_is_tried_again_with_the_same_settings_and_its_callers_see_no_folder() {
    let scene = scene();
    for _ in 0..2 {
        assert!(matches!(scene.load(BROKEN).await, Err(NotLoaded::Failed(_))));
    }
    let entry = scene.models.find("m").unwrap();
    let State::Failed(failure) = &entry.state else { panic!("it serves") };
    assert!(failure.error.starts_with("/models/m: no such folder"), "{}", failure.error);
    assert!(failure.told().starts_with("the model's folder: no such folder"), "{}", failure.told());
}

/// What waited for a thread that had died waited for ever, and so did all that was asked for later.
#[tokio::test]
async fn a_thread_that_dies_fails_what_waits_and_the_next_load_has_another() {
    let scene = scene();
    let dies = scene.ask(PANICS_TWICE);
    assert_eq!(scene.began.recv(), Ok(PANICS_TWICE));
    let waits = scene.models.load(wanted("other", 1), Origin::Call);
    scene.let_go.send(()).unwrap();
    for started in [dies, waits] {
        let Err(NotLoaded::Failed(failure)) = started.ended().await else { panic!("it was loaded") };
        assert!(failure.error.starts_with("the thread that loads models panicked"), "{}", failure.error);
    }
    assert!(matches!(scene.models.find("other").unwrap().state, State::Failed(_)));
    scene.load(1).await.unwrap();
    assert_eq!(value(&scene.lease()).await, [1.0]);
}

#[tokio::test]
async fn a_load_without_a_thread_fails() {
    let read = |wanted: &Wanted| Err(LoadError::NoFolder(wanted.model.path.clone()));
    let models = Models::read_by(Box::new(read), |_| Err(io::Error::other("too many")), &Metrics::new().unwrap());
    for _ in 0..2 {
        let Err(NotLoaded::Failed(failure)) = models.load(wanted("m", 1), Origin::Call).ended().await else {
            panic!("it was loaded")
        };
        assert_eq!(failure.error, "there is no thread to load it with: too many");
        assert!(matches!(models.find("m").unwrap().state, State::Failed(_)));
    }
}

#[tokio::test]
async fn two_loads_of_the_same_are_one() {
    let scene = scene();
    let (first, second) = (scene.ask(1), scene.ask(1));
    scene.let_go.send(()).unwrap();
    first.ended().await.unwrap();
    second.ended().await.unwrap();
    assert_eq!((scene.loads("ready"), scene.began.iter().next()), (1, Some(1)));
}

#[tokio::test]
async fn of_two_loads_of_one_name_the_later_one_counts() {
    let scene = scene();
    let begun = scene.ask(1);
    assert_eq!(scene.began.recv(), Ok(1));
    // This one never begins.
    let waiting = scene.ask(2);
    let last = scene.ask(3);
    for superseded in [begun, waiting] {
        assert!(matches!(superseded.ended().await, Err(NotLoaded::Superseded)));
    }
    scene.let_go.send(()).unwrap();
    assert_eq!(scene.began.recv(), Ok(3));
    scene.let_go.send(()).unwrap();
    last.ended().await.unwrap();
    assert_eq!(value(&scene.lease()).await, [3.0]);
    scene.until_in_memory(&[false, true]).await;
    assert_eq!((scene.loads("ready"), scene.loads("superseded")), (1, 1));
}

#[tokio::test]
async fn what_serves_can_be_asked_for_again_while_another_is_read_in_its_place() {
    let scene = scene();
    scene.load(1).await.unwrap();
    let other = scene.ask(2);
    assert_eq!(scene.began.recv(), Ok(2));
    scene.ask(1).ended().await.unwrap();
    assert!(matches!(other.ended().await, Err(NotLoaded::Superseded)));
    scene.let_go.send(()).unwrap();
    scene.until_in_memory(&[true, false]).await;
    assert_eq!(value(&scene.lease()).await, [1.0]);
}

#[tokio::test]
async fn an_unload_ends_the_load_of_its_name() {
    let scene = scene();
    let started = scene.ask(1);
    assert_eq!(scene.began.recv(), Ok(1));
    let freed = scene.models.unload("m").unwrap();
    assert!(freed.await.is_err(), "nothing served that was to be freed");
    assert!(matches!(started.ended().await, Err(NotLoaded::Superseded)));
    assert!(scene.models.find("m").is_none());
    scene.let_go.send(()).unwrap();
    while scene.loads("superseded") == 0 {
        tokio::task::yield_now().await;
    }
    assert!(scene.models.find("m").is_none());
    scene.until_in_memory(&[false]).await;
}

#[tokio::test]
async fn an_unloaded_model_is_freed_when_its_last_request_has_ended() {
    let scene = scene();
    scene.load(1).await.unwrap();
    let used = scene.lease();
    let mut freed = scene.models.unload("m").unwrap();
    assert!(scene.models.find("m").is_none() && scene.models.unload("m").is_none());
    assert_eq!(value(&used).await, [1.0]);
    assert!(freed.try_recv().is_err() && scene.in_memory() == [true]);
    drop(used);
    freed.await.unwrap();
    assert_eq!(scene.in_memory(), [false]);
    // The name can be used again.
    scene.load(1).await.unwrap();
    assert_eq!(value(&scene.lease()).await, [1.0]);
}

#[tokio::test]
async fn who_asked_may_leave_and_the_load_goes_on() {
    let scene = scene();
    drop(scene.ask(1));
    let mut changes = scene.models.changes();
    scene.let_go.send(()).unwrap();
    while !matches!(scene.models.find("m").unwrap().state, State::Ready(_)) {
        changes.changed().await.unwrap();
    }
    assert_eq!(value(&scene.lease()).await, [1.0]);
}

#[tokio::test]
async fn models_are_listed_in_the_order_in_which_they_were_asked_for() {
    let scene = scene();
    for name in ["b", "a", "c"] {
        scene.models.load(wanted(name, 1), Origin::Settings);
    }
    scene.models.load(wanted("b", 2), Origin::Call);
    let names: Vec<String> = scene.models.all().iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, ["b", "a", "c"]);
    assert_eq!(scene.models.find("b").unwrap().origin, Origin::Settings);
    drop(scene.let_go);
}

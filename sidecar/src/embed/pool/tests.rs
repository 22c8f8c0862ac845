//! The pool with an engine that can be held, and that fails when told to.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::engine::{Batch, Description, Engine};
use crate::metrics::Metrics;
use crate::outputs::Fault;

const PANIC: u32 = 1000;
const ERROR: u32 = 1001;
const SHORT: u32 = 1002;

/// Gives `[first token, length]` per input. Each batch says what it runs and on how many threads, and waits to be let go where
/// there is a gate.
struct Fake {
    description: Description,
    began: Sender<(Vec<u32>, usize)>,
    gate: Option<Arc<Mutex<Receiver<()>>>>,
}

impl Weights for Fake {
    fn description(&self) -> &Description {
        &self.description
    }

    fn engine(&self, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(FakeEngine { threads, began: self.began.clone(), gate: self.gate.clone() }))
    }
}

struct FakeEngine {
    threads: usize,
    began: Sender<(Vec<u32>, usize)>,
    gate: Option<Arc<Mutex<Receiver<()>>>>,
}

impl Engine for FakeEngine {
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), EngineError> {
        let firsts: Vec<u32> = batch.rows.iter().map(|row| row[0]).collect();
        let _ = self.began.send((firsts.clone(), self.threads));
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        assert!(!firsts.contains(&PANIC), "told to panic");
        if firsts.contains(&ERROR) {
            return Err(EngineError::Run("told to fail".into()));
        }
        if firsts.contains(&SHORT) {
            return Ok(());
        }
        for row in batch.rows {
            assert!(row.len() <= batch.width);
            out.extend([row[0] as f32, row.len() as f32]);
        }
        Ok(())
    }
}

struct Scene {
    /// Lets one batch go. `None` where batches do not wait. Dropped before the pool, which waits for its batches.
    gate: Option<Sender<()>>,
    pool: Pool,
    /// What the pool takes for the time.
    now: Arc<Mutex<Instant>>,
    began: Receiver<(Vec<u32>, usize)>,
}

fn scene(workers: usize, max_waiting: usize, gated: bool) -> Scene {
    let (began, starts) = channel();
    let (gate, let_go) = channel();
    let description = Description { engine: "fake", device: "cpu".into(), dimensions: 2, parallel: Parallel::Batches };
    let weights = Fake { description, began, gate: gated.then(|| Arc::new(Mutex::new(let_go))) };
    let settings = PoolSettings { max_waiting, max_padded: Some(64), workers, threads: 1, normalize: Normalize::No };
    let now = Arc::new(Mutex::new(Instant::now()));
    let clock = Arc::clone(&now);
    let clock = Box::new(move || *clock.lock().unwrap());
    let weights: Arc<dyn Weights> = Arc::new(weights);
    let pool = Pool::start_by(clock, &weights, &settings, Metrics::new().unwrap().model("m")).unwrap();
    Scene { gate: gated.then_some(gate), pool, now, began: starts }
}

fn rows(rows: &[&[u32]]) -> Rows {
    let mut all = Rows::default();
    rows.iter().for_each(|row| all.push(row));
    all
}

impl Scene {
    fn submit(&self, inputs: &[&[u32]]) -> Result<Outputs<Vec<f32>>, Busy> {
        self.pool.submit(rows(inputs), Span::none())
    }

    /// Waits for a batch to begin, and says of which inputs it is.
    fn began(&self) -> Vec<u32> {
        self.began.recv().unwrap().0
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    fn let_go(&self) {
        self.gate.as_ref().unwrap().send(()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_come_in_the_order_of_inputs_whatever_runs_beside_them() {
    let scene = scene(3, 10_000, false);
    let mut waiting = Vec::new();
    for request in 0..50_u32 {
        let inputs: Vec<Vec<u32>> =
            (0..=request).map(|index| vec![request * 10 + index % 7; 1 + (index * 31 % 60) as usize]).collect();
        let slices: Vec<&[u32]> = inputs.iter().map(Vec::as_slice).collect();
        let ticket = scene.submit(&slices).unwrap();
        let expect: Vec<f32> = inputs.iter().flat_map(|row| [row[0] as f32, row.len() as f32]).collect();
        waiting.push((ticket, expect));
    }
    for (ticket, expect) in waiting {
        assert_eq!(ticket.only().await, Ok(expect));
    }
}

#[tokio::test]
async fn an_engine_that_panics_fails_its_batch_and_lives_on() {
    let scene = scene(1, 100, false);
    for bad in [PANIC, ERROR, SHORT] {
        assert_eq!(scene.submit(&[&[1], &[bad]]).unwrap().only().await, Err(Fault::Engine));
        assert_eq!(scene.submit(&[&[7, 7]]).unwrap().only().await, Ok(vec![7.0, 2.0]));
    }
}

#[tokio::test]
async fn a_caller_who_left_is_skipped_and_the_others_are_merged() {
    let scene = scene(1, 100, true);
    let first = scene.submit(&[&[1]]).unwrap();
    assert_eq!(scene.began(), [1]);
    let left = scene.submit(&[&[2], &[3]]).unwrap();
    let (a, b) = (scene.submit(&[&[4]]).unwrap(), scene.submit(&[&[5]]).unwrap());
    drop(left);
    scene.let_go();
    assert_eq!(first.only().await, Ok(vec![1.0, 1.0]));
    assert_eq!(scene.began(), [4, 5]);
    scene.let_go();
    assert_eq!((a.only().await, b.only().await), (Ok(vec![4.0, 1.0]), Ok(vec![5.0, 1.0])));
}

#[tokio::test]
async fn a_batch_beside_which_nothing_runs_has_all_cores() {
    let scene = scene(2, 100, true);
    for _ in 0..2 {
        let alone = scene.submit(&[&[1]]).unwrap();
        assert_eq!(scene.began.recv().unwrap(), (vec![1], 2));
        let beside = scene.submit(&[&[2]]).unwrap();
        assert_eq!(scene.began.recv().unwrap(), (vec![2], 1));
        scene.let_go();
        scene.let_go();
        assert!(alone.only().await.is_ok() && beside.only().await.is_ok());
        // Outputs are there a little before their batch has ended.
        while scene.pool.shared.lock().running > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let scene = scene(1, 2, true);
    let running = scene.submit(&[&[1]]).unwrap();
    assert_eq!(scene.began(), [1]);
    let waiting = scene.submit(&[&[2], &[3]]).unwrap();
    let busy = scene.submit(&[&[4]]).map(|_| ()).unwrap_err();
    // Nothing has been measured yet.
    assert_eq!(busy.retry_after, Duration::from_secs(1));
    scene.let_go();
    scene.let_go();
    assert!(running.only().await.is_ok() && waiting.only().await.is_ok());
    drop(scene.submit(&[&[4]]).unwrap());
    scene.let_go();
}

#[tokio::test]
async fn when_to_come_back_is_what_the_batches_before_have_taken() {
    let scene = scene(1, 1, true);
    let ten: &[u32] = &[1; 10];
    let first = scene.submit(&[ten]).unwrap();
    assert_eq!(scene.began(), [1]);
    let second = scene.submit(&[ten]).unwrap();
    scene.pass(Duration::from_secs(2));
    scene.let_go();
    // The next batch begins when the one before has been measured: ten tokens in two seconds.
    assert_eq!(scene.began(), [1]);
    let third = scene.submit(&[&[1; 5]]).unwrap();
    let busy = scene.submit(&[&[1]]).map(|_| ()).unwrap_err();
    assert_eq!(busy.retry_after, Duration::from_secs(3), "for the ten that run and the five that wait");
    assert_eq!(scene.pool.room(1), Err(busy));
    scene.let_go();
    scene.let_go();
    for ticket in [first, second, third] {
        assert!(ticket.only().await.is_ok());
    }
    assert_eq!(scene.pool.room(1), Ok(()));
}

#[tokio::test]
async fn a_pool_that_ends_tells_who_waits() {
    let Scene { pool, began, gate, .. } = scene(1, 100, true);
    let ticket = pool.submit(rows(&[&[1]]), Span::none()).unwrap();
    began.recv().unwrap();
    // Without its other end the gate stands open.
    drop(gate);
    drop(pool);
    let outcome = ticket.only().await;
    assert!(matches!(outcome, Err(Fault::Stopped) | Ok(_)), "{outcome:?}");
}

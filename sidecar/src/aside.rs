//! Long work, done away from the threads that serve all streams. Only a few pieces of it run at once, and each holds its bytes
//! until it ends, even if its caller leaves. Start at [`Aside::run`].

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::budget::Held;

/// Runs long work on threads of its own.
#[derive(Clone, Debug)]
pub struct Aside {
    room: Arc<Semaphore>,
}

impl Aside {
    /// Runs at most `most` pieces of work at once.
    pub fn new(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Does `work` once there is room for it.
    ///
    /// `held` counts the bytes that the work reads. They stay counted until the work ends, even if the caller leaves: work that
    /// has begun cannot be stopped. If this future is dropped before that, the work never runs.
    pub async fn run<T: Send + 'static>(
        &self,
        held: &mut Held,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The semaphore is never closed, so there is always a place.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        let reads = held.take();
        let (made, reads) = spawn_blocking(move || {
            let made = work();
            drop(place);
            (made, reads)
        })
        .await?;
        *held = reads;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::sync::mpsc::channel;
    use std::task::Poll;

    use super::*;
    use crate::budget::Budget;

    /// Lets a future begin, and says whether it has ended with that.
    async fn begin(future: Pin<&mut impl Future>) -> bool {
        let mut future = future;
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn what_works_for_a_caller_who_left_is_held_until_it_ends() {
        let (aside, budget) = (Aside::new(1), Budget::new(10));
        let (let_go, gate) = channel::<()>();
        {
            let mut held = budget.hold();
            assert!(held.grow(7));
            let mut working = pin!(aside.run(&mut held, move || gate.recv()));
            assert!(!begin(working.as_mut()).await);
        }
        assert_eq!(budget.used(), 7);
        let_go.send(()).unwrap();
        while budget.used() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_and_is_not_begun_for_a_caller_who_left() {
        let (aside, budget) = (Aside::new(1), Budget::new(10));
        let (let_go, gate) = channel::<()>();
        let (mut first, mut second) = (budget.hold(), budget.hold());
        assert!(first.grow(1) && second.grow(2));
        let mut working = pin!(aside.run(&mut first, move || gate.recv().is_ok()));
        assert!(!begin(working.as_mut()).await);
        {
            let mut waiting = pin!(aside.run(&mut second, || panic!("this was not to run")));
            assert!(!begin(waiting.as_mut()).await);
        }
        assert_eq!(budget.used(), 3);
        drop(second);
        assert_eq!(budget.used(), 1);
        let_go.send(()).unwrap();
        assert!(working.await.unwrap());
        assert_eq!(budget.used(), 1, "an answer holds what its request did");
        assert_eq!(aside.run(&mut budget.hold(), || 5).await.unwrap(), 5);
    }
}

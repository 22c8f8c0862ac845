//! Decides which inputs run next, together. It has no threads and no clock.
//!
//! The order is that of fair queueing (Demers, Keshav and Shenker, 1989): requests run in the order in which they would end if
//! every waiting request got an equal share of the device. So a request of one input does not wait for a thousand inputs that
//! came before it, and many small requests do not stop a large one. Requests of equal size run by arrival, each as a whole; none
//! ends later than with equal shares. The input whose turn it is always runs. Others of about its length join it, those with the
//! earliest turns first.

use std::collections::{BTreeMap, HashMap};

/// A request in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One input that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The request it belongs to.
    pub request: RequestId,
    /// Its place in that request.
    pub index: usize,
    /// Its length.
    pub tokens: usize,
}

/// Inputs that run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The inputs, the one whose turn it was first.
    pub items: Vec<Item>,
    /// Length of the longest.
    pub width: usize,
}

impl Packed {
    /// Tokens that are computed, padding included.
    pub fn padded(&self) -> usize {
        self.items.len() * self.width
    }

    /// Tokens without padding.
    pub fn tokens(&self) -> usize {
        self.items.iter().map(|item| item.tokens).sum()
    }
}

/// The queue would become too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Tokens that have to run before this request would fit.
    pub tokens_ahead: usize,
}

/// Padding below this many tokens costs less than a batch of its own. Measured with `MiniLM` on a CPU, where each run has a fixed
/// cost of about 14 tokens.
const FREE_PADDING: usize = 16;

/// A batch smaller than this is not worth another worker.
const LEAST_SHARE: usize = 64;

/// Turns are counted in fractions of a token, so that they also move on when very many requests share the device.
const TURNS_PER_TOKEN: u64 = 1024;

/// When an input's turn comes. First counts when its request would end with equal shares, then arrival. Within a request the
/// shorter inputs come first, so that neighbours are of about the same length and pack well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    end: u64,
    request: RequestId,
    rank: usize,
    index: usize,
}

/// Inputs that wait, and the rule by which they are taken.
#[derive(Clone, Debug)]
pub struct Queue {
    max_waiting: usize,
    max_padded: usize,
    /// Lengths by turn.
    waiting: BTreeMap<Turn, usize>,
    /// How many inputs of each request wait.
    requests: HashMap<RequestId, usize>,
    tokens: usize,
    turn: u64,
}

impl Queue {
    /// A queue of at most `max_waiting` inputs that gives batches of at most `max_padded` tokens, padding included.
    pub fn new(max_waiting: usize, max_padded: usize) -> Self {
        Self { max_waiting, max_padded, waiting: BTreeMap::new(), requests: HashMap::new(), tokens: 0, turn: 0 }
    }

    /// How many inputs wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tokens that wait.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Whether a request of `inputs` inputs would be taken in now.
    pub fn room(&self, inputs: usize) -> Result<(), Full> {
        let excess = (self.waiting.len() + inputs).saturating_sub(self.max_waiting);
        if excess > 0 && !self.waiting.is_empty() {
            let tokens_ahead = self.waiting.values().take(excess).sum();
            return Err(Full { tokens_ahead });
        }
        Ok(())
    }

    /// Takes in all inputs of a request, or none. Its id must be larger than every id before it, so that equal turns go by arrival.
    /// A request that is larger than the queue is taken in when nothing else waits.
    pub fn push(&mut self, request: RequestId, lengths: impl IntoIterator<Item = usize>) -> Result<(), Full> {
        let mut items: Vec<(usize, usize)> = lengths.into_iter().enumerate().collect();
        self.room(items.len())?;
        items.sort_by_key(|(_, tokens)| *tokens);
        if !items.is_empty() {
            self.requests.insert(request, items.len());
        }
        let end = items.iter().fold(self.turn, |end, (_, tokens)| end.saturating_add(turns(*tokens)));
        for (rank, (index, tokens)) in items.into_iter().enumerate() {
            self.waiting.insert(Turn { end, request, rank, index }, tokens);
            self.tokens += tokens;
        }
        Ok(())
    }

    /// Removes the waiting inputs of a request, and returns how many they were.
    pub fn cancel(&mut self, request: RequestId) -> usize {
        if self.requests.remove(&request).is_none() {
            return 0;
        }
        let before = self.waiting.len();
        let tokens = &mut self.tokens;
        self.waiting.retain(|turn, length| {
            if turn.request == request {
                *tokens -= *length;
            }
            turn.request != request
        });
        before - self.waiting.len()
    }

    /// The next batch, for one of `idle` workers. What waits is divided between them.
    pub fn take(&mut self, idle: usize) -> Option<Packed> {
        let (_, &head) = self.waiting.first_key_value()?;
        let room = match idle {
            0 | 1 => self.max_padded,
            _ => self.max_padded.min(self.tokens.div_ceil(idle).max(LEAST_SHARE)),
        };
        let (mut narrowest, mut width, mut taken) = (head, head, Vec::new());
        for (&key, &tokens) in &self.waiting {
            let (low, high) = (narrowest.min(tokens), width.max(tokens));
            let close = high - low <= FREE_PADDING.max(high / 4);
            let fits = (taken.len() + 1) * high <= room;
            // The input whose turn it is runs, even if it does not fit.
            if taken.is_empty() || (close && fits) {
                (narrowest, width) = (low, high);
                taken.push(key);
            } else if (taken.len() + 1) * width > room {
                break;
            }
        }
        let sharing = self.requests.len().max(1) as u64;
        let mut items = Vec::with_capacity(taken.len());
        for key in taken {
            if let Some(tokens) = self.waiting.remove(&key) {
                self.tokens -= tokens;
                self.turn = self.turn.saturating_add(turns(tokens) / sharing);
                if let Some(left) = self.requests.get_mut(&key.request) {
                    *left -= 1;
                    if *left == 0 {
                        self.requests.remove(&key.request);
                    }
                }
                items.push(Item { request: key.request, index: key.index, tokens });
            }
        }
        Some(Packed { items, width })
    }
}

fn turns(tokens: usize) -> u64 {
    (tokens.max(1) as u64).saturating_mul(TURNS_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const A: RequestId = RequestId(1);
    const B: RequestId = RequestId(2);

    fn indices(packed: &Packed) -> Vec<(u64, usize)> {
        packed.items.iter().map(|item| (item.request.0, item.index)).collect()
    }

    #[test]
    fn requests_that_wait_are_merged() {
        let mut queue = Queue::new(10, 512);
        queue.push(A, [16]).unwrap();
        queue.push(B, [20]).unwrap();
        let packed = queue.take(1).unwrap();
        assert_eq!((indices(&packed), packed.width), (vec![(1, 0), (2, 0)], 20));
        assert_eq!((queue.take(1), queue.tokens()), (None, 0));
    }

    #[test]
    fn lengths_far_apart_run_apart() {
        let mut queue = Queue::new(10, 512);
        queue.push(A, [256, 8, 240]).unwrap();
        assert_eq!(indices(&queue.take(1).unwrap()), [(1, 1)]);
        assert_eq!(indices(&queue.take(1).unwrap()), [(1, 2), (1, 0)]);
    }

    #[test]
    fn a_big_request_does_not_starve_a_small_one() {
        let mut queue = Queue::new(1000, 160);
        queue.push(A, [16; 500]).unwrap();
        queue.take(1).unwrap();
        queue.push(B, [16]).unwrap();
        assert!(queue.take(1).unwrap().items.iter().any(|item| item.request == B));
    }

    #[test]
    fn small_requests_do_not_starve_a_big_one() {
        let mut queue = Queue::new(1000, 64);
        queue.push(RequestId(0), [64; 4]).unwrap();
        let mut rounds = 0;
        for id in 1..100 {
            queue.push(RequestId(id), [64]).unwrap();
            rounds += usize::from(queue.take(1).unwrap().items.iter().any(|item| item.request == RequestId(0)));
        }
        assert_eq!(rounds, 4);
    }

    #[test]
    fn what_waits_is_shared_between_idle_workers() {
        let mut queue = Queue::new(100, 512);
        queue.push(A, [16; 32]).unwrap();
        assert_eq!(queue.take(2).unwrap().items.len(), 16);
        assert_eq!(queue.take(1).unwrap().items.len(), 16);
    }

    #[test]
    fn a_full_queue_refuses_whole_requests_and_says_what_is_ahead() {
        let mut queue = Queue::new(4, 512);
        queue.push(A, [10, 20, 30]).unwrap();
        assert_eq!(queue.push(B, [5, 5]), Err(Full { tokens_ahead: 10 }));
        assert_eq!((queue.len(), queue.tokens()), (3, 60));
        assert_eq!(queue.cancel(A), 3);
        queue.push(B, [5; 50]).unwrap();
        assert_eq!(queue.len(), 50);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<usize>),
        Cancel(u64),
        Take(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => vec(0_usize..300, 1..40).prop_map(Step::Push),
            1 => (0_u64..20).prop_map(Step::Cancel),
            4 => (1_usize..4).prop_map(Step::Take),
        ];
        vec(step, 0..60)
    }

    proptest! {
        /// Nothing is lost, nothing runs twice, nothing runs after it was cancelled; caps and counts hold throughout.
        #[test]
        fn every_input_runs_once_or_is_cancelled(steps in steps(), cap in 1_usize..600) {
            let mut queue = Queue::new(100, cap);
            let mut expected = std::collections::BTreeMap::new();
            let mut next = 0;
            let check = |queue: &mut Queue, expected: &mut std::collections::BTreeMap<(u64, usize), usize>, idle| {
                let oldest = queue.waiting.first_key_value().map(|(turn, _)| (turn.request.0, turn.index));
                let Some(packed) = queue.take(idle) else { return };
                assert!(packed.padded() <= cap || packed.items.len() == 1);
                assert_eq!(oldest, Some((packed.items[0].request.0, packed.items[0].index)));
                assert_eq!(packed.width, packed.items.iter().map(|item| item.tokens).max().unwrap());
                for item in packed.items {
                    assert_eq!(expected.remove(&(item.request.0, item.index)), Some(item.tokens));
                }
            };
            for step in steps {
                match step {
                    Step::Push(lengths) => {
                        let fits = queue.is_empty() || queue.len() + lengths.len() <= 100;
                        assert_eq!(queue.push(RequestId(next), lengths.clone()).is_ok(), fits);
                        if fits {
                            expected.extend(lengths.into_iter().enumerate().map(|(index, length)| ((next, index), length)));
                        }
                        next += 1;
                    }
                    Step::Cancel(id) => {
                        let before = expected.len();
                        expected.retain(|(request, _), _| *request != id);
                        assert_eq!(queue.cancel(RequestId(id)), before - expected.len());
                    }
                    Step::Take(idle) => check(&mut queue, &mut expected, idle),
                }
                assert_eq!(queue.len(), expected.len());
                assert_eq!(queue.requests.values().sum::<usize>(), expected.len());
                assert_eq!(queue.tokens(), expected.values().sum::<usize>());
            }
            while !queue.is_empty() {
                check(&mut queue, &mut expected, 1);
            }
            assert!(expected.is_empty());
        }
    }
}

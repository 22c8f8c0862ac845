//! What one worker has under way: how many requests in all and for each key, and how much their bodies hold.
//!
//! The host keeps one [`Load`] a worker, and a [`Share`] of it with each request, which it gives back when the request's stream is
//! gone, however it ended.

use alloc::collections::BTreeMap;

use crate::config::Routing;
use crate::fault::Reject;
use crate::key::KeyHash;

/// A body beyond this is a large one: the last fifth of what bodies may hold is not for those, so that they keep no small one out.
const LARGE_BODY: u64 = 1 << 20;

/// What is under way in one worker.
#[derive(Debug, Default)]
pub struct Load {
    held: u64,
    requests: u32,
    of_keys: BTreeMap<KeyHash, u32>,
}

/// The part that one request has of it.
#[derive(Debug, Default)]
pub struct Share {
    held: u64,
    key: Option<KeyHash>,
}

impl Load {
    /// Nothing is under way.
    pub const fn new() -> Self {
        Self { held: 0, requests: 0, of_keys: BTreeMap::new() }
    }

    /// One more request, of `key`.
    pub(crate) fn enter(&mut self, routing: &Routing, key: KeyHash) -> Result<Share, Reject> {
        let free = |limit: u32, taken: u32| limit == 0 || taken < limit;
        let of_key = self.of_keys.get(&key).copied().unwrap_or_default();
        if !free(routing.in_flight_per_key, of_key) {
            return Err(Reject::KeyBusy { limit: routing.in_flight_per_key });
        }
        if !free(routing.in_flight, self.requests) {
            return Err(Reject::WorkerBusy);
        }
        self.requests += 1;
        self.of_keys.insert(key, of_key + 1);
        Ok(Share { held: 0, key: Some(key) })
    }

    /// The body of a request has become `len` bytes long. One always may be.
    pub(crate) fn hold(&mut self, share: &mut Share, routing: &Routing, len: u64) -> Result<(), Reject> {
        let others = self.held.saturating_sub(share.held);
        let most = if len > LARGE_BODY { routing.held } else { routing.held.saturating_add(routing.held / 4) };
        if others > 0 && others.saturating_add(len) > most {
            return Err(Reject::Busy);
        }
        (self.held, share.held) = (others.saturating_add(len), len);
        Ok(())
    }

    /// The body of a request is held no more.
    pub fn release(&mut self, share: &mut Share) {
        self.held = self.held.saturating_sub(core::mem::take(&mut share.held));
    }

    /// A request is gone.
    pub fn leave(&mut self, mut share: Share) {
        self.release(&mut share);
        let Some(key) = share.key else { return };
        self.requests = self.requests.saturating_sub(1);
        if let Some(of_key) = self.of_keys.get_mut(&key) {
            *of_key = of_key.saturating_sub(1);
            if *of_key == 0 {
                self.of_keys.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_every_size_count_and_small_ones_have_room_of_their_own() {
        let routing = Routing { held: 4 << 20, ..Routing::default() };
        let mut load = Load::new();
        let mut large = Share::default();
        assert_eq!(load.hold(&mut large, &routing, 40 << 20), Ok(()), "one always may");
        assert_eq!(load.hold(&mut large, &routing, 3 << 20), Ok(()));
        let mut other = Share::default();
        assert_eq!(load.hold(&mut other, &routing, 1 << 20), Ok(()));
        assert_eq!(load.hold(&mut other, &routing, (1 << 20) + 1), Err(Reject::Busy));
        let mut small = [(); 8].map(|()| Share::default());
        let taken = small.iter_mut().filter_map(|share| load.hold(share, &routing, 1 << 18).ok()).count();
        assert_eq!(taken, 4, "what is held of a fifth of all");
        for share in small {
            load.leave(share);
        }
        load.release(&mut large);
        assert_eq!(load.held, 1 << 20);
        load.leave(other);
        load.leave(large);
        assert_eq!(load.held, 0);
    }

    #[test]
    fn a_key_and_a_worker_have_so_many_requests_under_way() {
        let routing = Routing { in_flight: 3, in_flight_per_key: 2, ..Routing::default() };
        let (one, two) = (KeyHash::of(b"1"), KeyHash::of(b"2"));
        let mut load = Load::new();
        let (first, _second) = (load.enter(&routing, one).unwrap(), load.enter(&routing, one).unwrap());
        assert_eq!(load.enter(&routing, one).err(), Some(Reject::KeyBusy { limit: 2 }));
        let other = load.enter(&routing, two).unwrap();
        assert_eq!(load.enter(&routing, two).err(), Some(Reject::WorkerBusy));
        load.leave(other);
        assert_eq!(load.of_keys.len(), 1, "a key without requests is forgotten");
        load.leave(first);
        assert!(load.enter(&routing, one).is_ok() && load.enter(&routing, two).is_ok());
    }
}

//! What one worker has under way: how many requests, in all and for each key, and how many bytes their bodies hold.
//!
//! The host keeps one [`Load`] for each worker, and one [`Share`] with each request. It gives the share back when the
//! request's stream is gone, however it ended.

use alloc::collections::BTreeMap;

use weir_hub::fault::Reject;

use crate::config::Routing;
use crate::key::KeyHash;

/// A longer body is a large one. The last fifth of the room for bodies is kept free of large ones, so that small ones
/// always find room.
const LARGE_BODY: u64 = 1 << 20;

/// What is under way in one worker.
#[derive(Debug, Default)]
pub struct Load {
    held: u64,
    requests: u32,
    of_keys: BTreeMap<KeyHash, OfKey>,
}

/// What one key has under way; at least one request.
#[derive(Debug, Default)]
struct OfKey {
    held: u64,
    requests: u32,
}

/// What one request takes of it.
#[derive(Debug, Default)]
pub struct Share {
    held: u64,
    key: Option<KeyHash>,
}

impl Load {
    /// A load of nothing.
    pub const fn new() -> Self {
        Self { held: 0, requests: 0, of_keys: BTreeMap::new() }
    }

    /// Adds one more request of `key`.
    pub(crate) fn enter(&mut self, routing: &Routing, key: KeyHash) -> Result<Share, Reject> {
        let free = |limit: u32, taken: u32| limit == 0 || taken < limit;
        let of_key = self.of_keys.get(&key).map_or(0, |of_key| of_key.requests);
        if !free(routing.in_flight_per_key, of_key) {
            return Err(Reject::KeyBusy { limit: routing.in_flight_per_key });
        }
        if !free(routing.in_flight, self.requests) {
            return Err(Reject::WorkerBusy);
        }
        self.requests += 1;
        self.of_keys.entry(key).or_default().requests = of_key + 1;
        Ok(Share { held: 0, key: Some(key) })
    }

    /// The body of a request has become `len` bytes long. If it is its key's only body, it is accepted if it fits. A key's
    /// further bodies may make the key hold at most as much as they leave free. So there is always room for the next key,
    /// however few keys send however much. A worker's only body is always accepted.
    pub(crate) fn hold(&mut self, share: &mut Share, routing: &Routing, len: u64) -> Result<(), Reject> {
        let most = if len > LARGE_BODY { routing.held } else { routing.held.saturating_add(routing.held / 4) };
        // A body that is larger than the whole room must still leave small ones theirs.
        let len = len.min(routing.held.max(1));
        let held = self.held.saturating_sub(share.held).saturating_add(len);
        let mut of_key = share.key.and_then(|key| self.of_keys.get_mut(&key));
        let others_of_key = of_key.as_ref().map_or(0, |of_key| of_key.held.saturating_sub(share.held));
        let free = most.saturating_sub(held);
        if held > len && held > most || others_of_key > 0 && others_of_key.saturating_add(len) > free {
            return Err(Reject::Busy);
        }
        if let Some(of_key) = &mut of_key {
            of_key.held = others_of_key.saturating_add(len);
        }
        (self.held, share.held) = (held, len);
        Ok(())
    }

    /// The body of a request no longer counts: Envoy keeps it until the request ends, for another try.
    fn release(&mut self, share: &mut Share) {
        let held = core::mem::take(&mut share.held);
        self.held = self.held.saturating_sub(held);
        if let Some(of_key) = share.key.and_then(|key| self.of_keys.get_mut(&key)) {
            of_key.held = of_key.held.saturating_sub(held);
        }
    }

    /// A request has ended.
    pub fn leave(&mut self, mut share: Share) {
        self.release(&mut share);
        let Some(key) = share.key else { return };
        self.requests = self.requests.saturating_sub(1);
        if let Some(of_key) = self.of_keys.get_mut(&key) {
            of_key.requests = of_key.requests.saturating_sub(1);
            if of_key.requests == 0 {
                self.of_keys.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::prelude::v1::*;

    #[test]
    fn bodies_of_every_size_count_and_small_ones_have_room_of_their_own() {
        let routing = Routing { held: 4 << 20, ..Routing::default() };
        let mut load = Load::new();
        let mut large = Share::default();
        assert_eq!(load.hold(&mut large, &routing, 40 << 20), Ok(()), "one always may");
        let mut beside = Share::default();
        assert_eq!(load.hold(&mut beside, &routing, 1 << 20), Ok(()), "small ones have room beside it");
        load.leave(beside);
        let none = Routing::default();
        assert_eq!(load.hold(&mut Share::default(), &none, 1), Err(Reject::Busy), "one at a time, if none may be held");
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

    /// Eleven unfinished bodies of one key kept every other key out.
    #[test]
    fn a_key_that_holds_all_it_may_leaves_room_for_the_others() {
        let routing = Routing { held: 8 << 20, ..Routing::default() };
        let mut load = Load::new();
        let mut kept = Vec::new();
        for (name, most) in [("one", 5 << 20), ("two", 3 << 20), ("three", 2 << 20)] {
            let key = KeyHash::of(name.as_bytes());
            let mut shares: Vec<_> = (0..40).map(|_| load.enter(&routing, key).unwrap()).collect();
            let taken: u64 = shares
                .iter_mut()
                .filter_map(|share| {
                    (1..=8).map_while(|n| load.hold(share, &routing, n << 17).is_ok().then_some(n << 17)).last()
                })
                .sum();
            assert!((1..=most).contains(&taken), "{name}: {taken}");
            let mut other = load.enter(&routing, KeyHash::of(b"other")).unwrap();
            assert_eq!(load.hold(&mut other, &routing, 1 << 17), Ok(()), "after {name}");
            load.leave(other);
            kept.append(&mut shares);
        }
    }

    #[test]
    fn a_key_may_hold_as_much_as_it_leaves_free_and_always_one_body() {
        let routing = Routing { held: 8 << 20, ..Routing::default() };
        let key = |name: &[u8]| KeyHash::of(name);
        let mut load = Load::new();
        let mut first = load.enter(&routing, key(b"one")).unwrap();
        assert_eq!(load.hold(&mut first, &routing, 7 << 20), Ok(()), "one always may");
        let mut second = load.enter(&routing, key(b"one")).unwrap();
        assert_eq!(load.hold(&mut second, &routing, 1 << 10), Err(Reject::Busy));
        assert_eq!(load.hold(&mut first, &routing, 2 << 20), Ok(()));
        assert_eq!(load.hold(&mut second, &routing, 2 << 20), Ok(()), "half of all");
        assert_eq!(load.hold(&mut second, &routing, (2 << 20) + 1), Err(Reject::Busy));
        let mut other = load.enter(&routing, key(b"two")).unwrap();
        assert_eq!(load.hold(&mut other, &routing, 4 << 20), Ok(()), "its only one");
        load.leave(first);
        load.leave(second);
        load.leave(other);
        assert_eq!((load.of_keys.len(), load.held), (0, 0));
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

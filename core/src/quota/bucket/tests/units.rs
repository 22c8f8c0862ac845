//! A limit that counts something else under the same name.

use super::super::super::{Taken, Want, Worker, admit, settle};
use super::*;

fn kinds() -> [Limit; 4] {
    let budget = limit(1);
    let kind = Kind::Rate { amount: 100, period: 60_000_000_000, burst: 100 };
    let rate = Limit { kind, ..budget.clone() };
    let concurrency = Limit { kind: Kind::Concurrency { amount: 100 }, ..budget.clone() };
    let dollars = Limit { meter: Meter::Cost, ..budget.clone() };
    [budget, rate, concurrency, dollars]
}

fn take(store: &Memory, limit: &Limit, amount: u128) -> Taken {
    let mut wants = [Want { number: 0, limit, subject: "a".into(), amount }];
    admit(store, &mut Worker::new(1), &mut wants, Asking::Never, secs(1)).unwrap().remove(0)
}

fn left(store: &Memory, limit: &Limit) -> u128 {
    let mut left = 0;
    each(store, limit, secs(1), |_, account| left = account.standing(limit, secs(1)).left());
    left
}

#[test]
fn one_unit_is_never_read_as_another() {
    for (before, after) in (0..4).flat_map(|one| (0..4).map(move |other| (one, other))).filter(|(a, b)| a != b) {
        let (store, kinds) = (Memory::default(), kinds());
        let (before, after) = (&kinds[before], &kinds[after]);
        let (first, second) = (take(&store, before, 40), take(&store, before, 40));
        settle(&store, before, &first, 40, secs(1));
        let own = left(&store, before);
        take(&store, after, 30);
        assert_eq!(left(&store, after), 70, "{before:?} {after:?}");
        // What was under way ends, and changes nothing.
        settle(&store, before, &second, 25, secs(1));
        assert_eq!(left(&store, after), 70, "{before:?} {after:?}");
        // A worker that knows only the earlier configuration goes on by that.
        assert!(left(&store, before) >= own, "{before:?} {after:?}");
        take(&store, before, 1);
        assert_eq!(left(&store, after), 70, "{before:?} {after:?}");
        // A dead worker holds nothing in either.
        super::super::super::upkeep::forget(&store, core::slice::from_ref(after), secs(1), |_| false);
        let (bytes, _) = store.get(&Place::of("l", 1, "").key).unwrap();
        assert!(Bucket::read(&bytes).unwrap().accounts.iter().all(Account::is_released));
    }
}

#[test]
fn units_that_are_gone_take_no_places() {
    let store = Memory::default();
    let kinds = kinds();
    for round in 0..50 {
        let taken = take(&store, &kinds[round % 4], 1);
        settle(&store, &kinds[round % 4], &taken, 1, secs(1));
    }
    let mut many = limit(1000);
    for meter in [Meter::Tokens, Meter::Cost, Meter::InputTokens, Meter::OutputTokens, Meter::Requests] {
        many = Limit { name: "many".into(), meter, ..many };
        let users = (0_u32..).map(|user| user.to_string());
        let crowd = users.filter(|user| Place::of("many", 1000, user).number == 7).take(4);
        for user in crowd {
            assert!(spend(&store, &many, &user, 1, secs(1)).0);
        }
    }
    for place in [Place::of("l", 1, "").key, Place::numbered("many", 7).key] {
        let bucket = Bucket::read(&store.get(&place).unwrap().0).unwrap();
        assert!(bucket.accounts.len() <= FEWEST + SPARE, "{}", bucket.accounts.len());
    }
}

/// What was written before there were units is the limit's own.
#[test]
fn an_account_without_a_unit_is_the_limits_own() {
    let (store, limit) = (Memory::default(), limit(1));
    let mut bucket = Bucket::default();
    let mut account = Account::of("a");
    let window = account.advance(&limit, secs(1)).start;
    account.settle(&limit, 1, (window, account.drained()), 0, 40);
    bucket.accounts.push(account);
    store.create(&Place::of("l", 1, "a").key, &bucket.write());
    assert_eq!(spend(&store, &limit, "a", 10, secs(1)), (true, 50));
}

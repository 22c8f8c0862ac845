//! What a worker does for a cooldown in the cells that all workers share; see [`weir_core::health::cooldown`].

use std::cell::Cell as Mutable;

use weir_core::health::cooldown::{Begun, Cooldown, Index};
use weir_core::shared::{Cell, Change};
use weir_core::time::Instant;

use crate::host::Host;
use crate::shared::{Store, Uncounted, count, hint};

thread_local! {
    /// The operator has been told that something is not counted. Each failure would be a line of the log otherwise.
    static WARNED: Mutable<bool> = const { Mutable::new(false) };
}

/// Lets a target cool down.
pub(crate) fn begin(host: &impl Host, cooldown: &Cooldown) {
    match begin_in(&host.cells(), cooldown, host.now()) {
        // Without a steward nobody asks how many there were.
        Ok(()) | Err(Uncounted::NotThere) => {}
        Err(why @ (Uncounted::Unreadable | Uncounted::Refused)) => {
            if !WARNED.replace(true) {
                host.warn(&format!("weir: cooldowns are not counted: {why:?}"));
            }
        }
    }
}

/// The same in `cells`. An error says that the target cools down, but was not counted.
fn begin_in(cells: &impl Store, cooldown: &Cooldown, now: Instant) -> Result<(), Uncounted> {
    let key = Cooldown::key(&cooldown.provider, &cooldown.model);
    let runs = Mutable::new(false);
    let change = |old: Option<Cooldown>| {
        runs.set(old.as_ref().is_some_and(|old| old.until > now && old.version == cooldown.version && !old.on_trial));
        cooldown.over(old.as_ref(), now)
    };
    let new = match hint(cells, &key, change) {
        Some(Change::Write(new)) => new,
        // The index may have been outrun when the cooldown began that is there: whoever finds it missing names it again.
        Some(Change::Keep) => {
            let known = cells.get(key.as_str()).and_then(|(bytes, _)| Cooldown::read(&bytes));
            if let Some(known) = known.filter(|known| known.until > now) {
                hint(cells, &Index::KEY, |index| Index::with(index.as_ref(), &known, now));
            }
            return Ok(());
        }
        Some(Change::Clear) | None => return Ok(()),
    };
    // Last, so that whoever finds the target in the index finds its cell.
    hint(cells, &Index::KEY, |index| Index::with(index.as_ref(), &new, now));
    if new.on_trial || runs.get() { Ok(()) } else { count(cells, &Begun::KEY, |begun| begun.count += 1) }
}

/// A provider has been reached. The index goes on naming it until the time that it says, since another worker may just now
/// have found the provider unreachable again.
pub(crate) fn reached(cells: &impl Store, provider: &str) {
    hint(cells, &Cooldown::key(provider, ""), |old| Cooldown::reached(old.as_ref()));
}

/// Clears away the cooldowns of `targets`, as far as they have ended: providers and models.
pub(crate) fn sweep(cells: &impl Store, targets: &[(String, String)], now: Instant) {
    for (provider, model) in targets {
        hint(cells, &Cooldown::key(provider, model), |old| Cooldown::swept(old.as_ref(), now));
    }
    hint(cells, &Index::KEY, |index| Index::swept(index.as_ref(), now));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_core::health::cooldown::{Cooldowns, Standing};
    use weir_core::shared::Shared;
    use weir_hub::fault::FaultKind;

    use super::*;
    use crate::native::Cells;
    use crate::shared::{Swap, View};

    fn at(secs: u64) -> Instant {
        Instant::default().after(Duration::from_secs(secs))
    }

    fn standing(cells: &Cells, model: &str, now: Instant) -> Standing {
        Cooldowns::of(&View(cells)).standing("a", 1, model, now)
    }

    #[test]
    fn a_cooldown_is_seen_counted_and_swept() {
        let cells = &Cells::new();
        let until = |secs| Cooldown {
            provider: "a".into(),
            version: 1,
            model: "m".into(),
            kind: FaultKind::RateLimited,
            until: at(secs),
            times: 0,
            on_trial: false,
        };
        assert_eq!(begin_in(&cells, &until(4), at(0)), Err(Uncounted::NotThere), "no steward");
        assert!(matches!(standing(cells, "m", at(1)), Standing::Cooling(_)), "it cools down all the same");
        cells.create(Begun::KEY.as_str(), &Begun::default().write());
        let begun = || Begun::read(&cells.get(Begun::KEY.as_str()).unwrap().0).unwrap().count;
        assert_eq!((begin_in(&cells, &until(8), at(1)), begun()), (Ok(()), 0), "it goes on for longer");

        let target = [("a".to_owned(), "m".to_owned())];
        sweep(&cells, &target, at(7));
        assert!(matches!(standing(cells, "m", at(7)), Standing::Cooling(_)), "it has not ended");
        sweep(&cells, &target, at(8));
        assert_eq!(standing(cells, "m", at(7)), Standing::Free);
        for key in [Index::KEY.as_str(), Cooldown::key("a", "m").as_str()] {
            assert!(View(cells).bytes(key).is_empty(), "{key}");
        }
        assert_eq!((begin_in(&cells, &until(20), at(9)), begun()), (Ok(()), 1));
    }

    /// Nobody knew that it cooled down until it had ended, and each request waited for a connection.
    #[test]
    fn a_cooldown_that_the_index_lost_is_named_again_by_the_next_failure() {
        let cells = &Cells::new();
        let unreachable = Cooldown::unreachable("a", 1, at(1));
        let _ = begin_in(&cells, &unreachable, at(1));
        let (_, number) = cells.get(Index::KEY.as_str()).unwrap();
        assert_eq!(cells.replace(Index::KEY.as_str(), b"", number), Swap::Done);
        assert_eq!(standing(cells, "m", at(1)), Standing::Free);
        begin_in(&cells, &unreachable, at(1)).unwrap();
        assert!(matches!(standing(cells, "m", at(1)), Standing::Cooling(_)));
    }

    #[test]
    fn a_provider_that_was_reached_is_free() {
        let cells = &Cells::new();
        cells.create(Begun::KEY.as_str(), &Begun::default().write());
        begin_in(&cells, &Cooldown::unreachable("a", 1, at(0)), at(0)).unwrap();
        let Standing::Unproven(known) = standing(cells, "m", at(2)) else { panic!("it is over") };
        begin_in(&cells, &known.on_trial(at(2)), at(2)).unwrap();
        let (begun, _) = cells.get(Begun::KEY.as_str()).unwrap();
        assert_eq!(Begun::read(&begun).unwrap().count, 1, "a trial is none of its own");
        reached(&cells, "b");
        assert!(matches!(standing(cells, "m", at(2)), Standing::Cooling(_)));
        reached(&cells, "a");
        assert_eq!(standing(cells, "m", at(2)), Standing::Free);
    }
}

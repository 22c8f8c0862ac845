use alloc::collections::BTreeMap;

use super::*;

/// Cells of one thread.
pub(crate) type Cells = BTreeMap<String, Vec<u8>>;

/// Does in `cells` what a host does for a cooldown. `false` if nothing changes.
pub(crate) fn cool(cells: &mut Cells, cooldown: &Cooldown, now: Instant) -> bool {
    let key = Cooldown::key(&cooldown.provider, &cooldown.model);
    let old = (cells as &dyn Shared).read(&key);
    let Change::Write(new) = cooldown.over(old.as_ref(), now) else { return false };
    cells.insert(key.as_str().to_string(), new.write());
    let index = (cells as &dyn Shared).read(&Index::KEY);
    if let Change::Write(index) = Index::with(index.as_ref(), &new, now) {
        cells.insert(Index::KEY.as_str().to_string(), index.write());
    }
    true
}

fn target() -> Candidate {
    Candidate { provider: "a".to_string(), model: "m".to_string() }
}

fn standing(cells: &Cells, model: &str, at: Instant) -> Standing {
    Cooldowns::of(cells).standing("a", 1, model, at)
}

fn cools(cells: &Cells, model: &str, at: Instant) -> bool {
    matches!(standing(cells, model, at), Standing::Cooling(_))
}

#[test]
fn a_rate_limited_target_rests_as_long_as_it_asked() {
    let now = Instant::from_nanos(1);
    let longest = Duration::from_secs(60);
    let asked = |secs| asked_for(FaultKind::RateLimited, Some(Duration::from_secs(secs)), longest);
    let mut all = Cells::new();
    cool(&mut all, &Cooldown::after(&target(), 1, FaultKind::RateLimited, asked(7), now).unwrap(), now);
    assert!(cools(&all, "m", now.after(Duration::from_secs(6))));
    assert_eq!(standing(&all, "m", now.after(Duration::from_secs(8))), Standing::Free);
    assert_eq!(standing(&all, "other", now), Standing::Free);
    let other = Cooldowns::of(&all).standing("a", 2, "m", now);
    assert_eq!(other, Standing::Free, "another configuration is another provider");
    assert_eq!(asked(3600), Some(longest), "nobody can ask to be left alone for an hour");
    assert_eq!(asked_for(FaultKind::RateLimited, None, longest), Some(Duration::from_secs(1)));
}

#[test]
fn a_fault_of_the_caller_rests_nobody() {
    let now = Instant::default();
    assert_eq!(Cooldown::after(&target(), 1, FaultKind::InvalidRequest, None, now), None);
    assert_eq!(Cooldown::after(&target(), 1, FaultKind::Cut, None, now), None);
}

#[test]
fn ended_rests_are_forgotten() {
    let mut cells = Cells::new();
    let cooldown = |model: &str, secs| {
        let target = Candidate { model: model.to_string(), ..target() };
        let asked = Some(Duration::from_secs(secs));
        Cooldown::after(&target, 1, FaultKind::RateLimited, asked, Instant::default()).unwrap()
    };
    cool(&mut cells, &cooldown("x", 1), Instant::default());
    cool(&mut cells, &cooldown("y", 9), Instant::default().after(Duration::from_secs(5)));
    let index = (&cells as &dyn Shared).read(&Index::KEY).unwrap();
    assert!(index.names("a", "y") && !index.names("a", "x"));
}

/// Every request asked a provider that was down for a while, and waited for it.
#[test]
fn who_cannot_be_reached_rests_longer_each_time_and_is_then_tried_by_one() {
    let at = |millis| Instant::default().after(Duration::from_millis(millis));
    let mut all = Cells::new();
    let fails = |all: &mut Cells, now| cool(all, &Cooldown::unreachable("a", 1, now), now);
    assert!(fails(&mut all, at(0)));
    assert!(!fails(&mut all, at(500)), "many that fail at once count once");
    assert!(cools(&all, "m", at(999)) && cools(&all, "any", at(999)));
    let Standing::Unproven(known) = standing(&all, "m", at(1001)) else { panic!("it is over") };
    cool(&mut all, &known.on_trial(at(1001)), at(1001));
    assert!(cools(&all, "m", at(1002)), "one finds out");
    fails(&mut all, at(1500));
    assert!(cools(&all, "m", at(3400)) && !cools(&all, "m", at(3600)), "twice as long");
    for i in 1..20 {
        let now = at(i * 40_000);
        let Standing::Unproven(known) = standing(&all, "m", now) else { panic!("longer than half a minute") };
        cool(&mut all, &known.on_trial(now), now);
        fails(&mut all, now);
    }
    assert!(cools(&all, "m", at(19 * 40_000 + 29_000)));
    let key = Cooldown::key("a", "");
    let known = (&all as &dyn Shared).read(&key);
    assert_eq!((Cooldown::reached(known.as_ref()), Cooldown::reached(None)), (Change::Clear, Change::Keep));
    all.remove(key.as_str());
    assert_eq!(standing(&all, "m", at(19 * 40_000)), Standing::Free);
}

#[test]
fn of_a_target_and_its_provider_the_one_that_wakes_later_counts() {
    let at = |secs| Instant::default().after(Duration::from_secs(secs));
    let mut cells = Cells::new();
    cool(&mut cells, &Cooldown::unreachable("a", 1, at(0)), at(0));
    let asked = Some(Duration::from_secs(7));
    cool(&mut cells, &Cooldown::after(&target(), 1, FaultKind::RateLimited, asked, at(0)).unwrap(), at(0));
    let Standing::Cooling(known) = standing(&cells, "m", at(0)) else { panic!("both cool down") };
    assert_eq!(known.kind, FaultKind::RateLimited);
    assert!(cools(&cells, "m", at(6)) && !cools(&cells, "other", at(6)));
}

/// Counts the cells that a request reads.
struct Counted<'c>(&'c Cells, core::cell::Cell<usize>);

impl Shared for Counted<'_> {
    fn bytes(&self, key: &str) -> Vec<u8> {
        self.1.set(self.1.get() + 1);
        self.0.bytes(key)
    }
}

#[test]
fn a_request_reads_one_cell_if_none_of_its_targets_cools_down() {
    let reads = |cells: &Cells, models: &[&str]| {
        let counted = Counted(cells, core::cell::Cell::new(0));
        let cooldowns = Cooldowns::of(&counted);
        for model in models {
            cooldowns.standing("a", 1, model, Instant::default());
        }
        counted.1.get()
    };
    let mut cells = Cells::new();
    assert_eq!(reads(&cells, &["m", "n", "o"]), 1);
    let asked = Some(Duration::from_secs(7));
    let now = Instant::default();
    cool(&mut cells, &Cooldown::after(&target(), 1, FaultKind::RateLimited, asked, now).unwrap(), now);
    assert_eq!((reads(&cells, &["n", "o"]), reads(&cells, &["m", "n", "o"])), (1, 2));
}

/// While the filter's code is replaced, old and new code read each other's cells.
#[test]
fn cells_of_other_versions_are_read() {
    let mut cooldown = Cooldown::unreachable("a", 1, Instant::from_nanos(7));
    let bytes = cooldown.write();
    let newer = [bytes.as_slice(), b"what a later version appended"].concat();
    assert_eq!(Cooldown::read(&newer), Some(cooldown.clone()));
    // As if a later version had appended the last two fields.
    let older = &bytes[..bytes.len() - 16];
    (cooldown.times, cooldown.on_trial) = (0, false);
    assert_eq!(Cooldown::read(older), Some(cooldown));
    assert_eq!(Cooldown::read(&[&[LAYOUT + 1], &bytes[1..]].concat()), None, "a layout that is not known");

    let newer = Fields::of(LAYOUT).number(41).text("appended").end();
    let mut begun = Begun::read(&newer).unwrap();
    begun.count += 1;
    assert_eq!(
        begun.write(),
        Fields::of(LAYOUT).number(42).text("appended").end(),
        "a count keeps what it does not know"
    );
    assert_eq!(Begun::read(&Fields::of(LAYOUT + 1).number(41).end()), None);
}

//! The steward role: one for each Envoy; see [`weir_core::steward`].

use weir_core::quota::{Posted, upkeep};
use weir_core::steward::{Answer, Call, Counter, Effect, Gauge, Input, Settings, Steward};
use weir_core::time::Instant;

use crate::cooldown;
use crate::shared::{Store, View};

/// What the steward asks of Envoy, whichever way it came into it.
pub(crate) trait Hall {
    /// Where the workers' cells are.
    type Cells: Store;

    /// The time; 1970 if there is no clock.
    fn now(&self) -> Instant;

    /// The cells that all workers share.
    fn cells(&self) -> Self::Cells;

    /// Begins a call. Its answer is an input, later; an error is what would have been.
    fn call(&mut self, call: &Call) -> Result<(), Answer<'static>>;

    /// Adds to a counter of Envoy's.
    fn add(&mut self, counter: Counter, by: u64);

    /// Sets a gauge of Envoy's.
    fn set(&mut self, gauge: Gauge, value: u64);

    /// Writes a line to Envoy's log, for the operator.
    fn warn(&self, line: &str);

    /// Lets Envoy end.
    fn stopped(&mut self);
}

/// The steward of one Envoy.
pub(crate) struct Keeper {
    settings: Settings,
    steward: Steward,
}

impl Keeper {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { steward: Steward::new(&settings), settings }
    }

    /// One in the place of this, which has failed.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "in wasm the VM is gone with it"))]
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.settings.clone())
    }

    /// From one tick to the next, in milliseconds.
    pub(crate) fn period(&self) -> u64 {
        u64::try_from(Steward::period(&self.settings).as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells the steward, and does what it says.
    pub(crate) fn on(&mut self, host: &mut impl Hall, input: Input<'_>) {
        // A test asks for it, to show that it harms nobody.
        assert!(!(self.settings.fails && input == Input::Tick), "as asked");
        let mut effects = Vec::new();
        let now = host.now();
        self.steward.on(now, input, &View(host.cells()), &mut effects);
        for effect in effects {
            match effect {
                Effect::Create(key, cell) => {
                    // One that is there has been counted in.
                    let _ = host.cells().create(&key, &cell);
                }
                Effect::Forget(dead) => {
                    let (cells, limits) = (host.cells(), Posted::of(&View(host.cells())));
                    upkeep::bury(&cells, &limits, &dead, now);
                }
                Effect::Sweep(targets) => cooldown::sweep(&host.cells(), &targets, now),
                Effect::Call(call) => {
                    if let Err(answer) = host.call(&call) {
                        self.on(host, Input::Answer(answer));
                    }
                }
                Effect::Add(counter, by) => host.add(counter, by),
                Effect::Set(gauge, value) => host.set(gauge, value),
                Effect::Warn(line) => host.warn(&line),
                Effect::Stopped => host.stopped(),
            }
        }
    }
}
